/** One data set is divided alike by every command, whatever the order in which it is listed. */
import { execFile } from 'node:child_process';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { Random } from '../../src/base/index.js';
import { parseConfig, prepareStudy } from '../../src/study/index.js';
import { commandLine } from '../support/cli.js';
import { testEngine } from '../support/run.js';
import { temporaryFolder, writeImages, writeTinyModel } from '../support/tiny.js';

const folder = temporaryFolder('toehold splits ');
const classes = ['a', 'b', 'c', 'd'];
let model = '';

/** Runs the command line, which must succeed. @returns its standard error */
function toehold(...args: string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(process.execPath, [...commandLine, ...args], (error, _, stderr) => {
      if (error) reject(new Error(stderr));
      else resolve(stderr);
    });
  });
}

/** 180 images in train, 400 in val, none in test, once as folders and once as a list in random order. */
beforeAll(async () => {
  model = await writeTinyModel(folder);
  const data = await writeImages(join(folder, 'data'), classes, 100);
  await rename(join(data, 'test'), join(data, 'valid'));
  const { rm } = await import('node:fs/promises');
  const rows: string[] = [];
  for (const name of classes) {
    for (let i = 0; i < 100; i++) {
      const file = `${name}/${String(i).padStart(3, '0')}.png`;
      rows.push(`valid/${file},${name},Valid`);
      if (i < 45) rows.push(`train/${file},${name},train`);
      else await rm(join(data, 'train', file));
    }
  }
  await writeFile(join(data, 'list.csv'), `file,label,split\n${new Random(1).shuffle(rows).join('\n')}\n`);
});

/** Files of the rows of a predictions.csv; no name holds a comma. */
async function testedBy(path: string): Promise<string[]> {
  const [header = '', ...rows] = (await readFile(path, 'utf8')).trim().split('\n');
  const at = header.split(',').indexOf('file');
  return [...new Set(rows.map((row) => row.split(',')[at] as string))].sort();
}

const sentenceIn = (text: string) => text.split('\n').filter((line) => /train \d+/.test(line));

interface Choice {
  readonly flags: readonly string[];
  readonly config: string;
}

/** What each command tests on, and how it says so, for one list of the data. */
async function divided(data: string, output: string, { flags, config }: Choice) {
  const out = (name: string) => join(folder, output, name);
  await toehold('extract', model, data, '-o', out('store'), '--size', '16', '--taps', 'features', '--quiet');
  const probe = await toehold('probe', out('store'), '-m', 'centroid', '-o', out('probe'), '--quiet', ...flags);
  const training = ['--steps', '1', '--batch', '16', '--size', '16', '--quiet'];
  const train = await toehold('train', model, data, '-o', out('train'), ...training, ...flags);
  const yaml = `protocol: head2toe\nbackbones: {tiny: {model: ${JSON.stringify(model)}, size: 16}}\ntasks: {t: {data: ${JSON.stringify(data)}, labels: all${config}}}\n`;
  const { inputs } = await prepareStudy(parseConfig(yaml, join(folder, 'study.yaml')), await testEngine());
  const [task] = inputs.tasks;
  return {
    tested: {
      probe: await testedBy(out('probe/predictions.csv')),
      train: await testedBy(out('train/predictions.csv')),
      run: (task?.test.inputs ?? []).map((e) => e.file).sort(),
    },
    said: { probe: sentenceIn(probe), train: sentenceIn(train), run: task?.splits },
    tuned: { rows: task?.train.inputs.length, validation: task?.validation?.length },
  };
}

describe('180 train + 400 val without a test split', () => {
  test('are tested on the same 116 images by probe, train and run, listed in any order', {
    timeout: 180_000,
  }, async () => {
    const byFolder = await divided(join(folder, 'data'), 'folder', { flags: [], config: '' });
    const byList = await divided(join(folder, 'data', 'list.csv'), 'list', { flags: [], config: '' });
    for (const { tested, said, tuned } of [byFolder, byList]) {
      expect(tested.probe).toHaveLength(116);
      expect(tested.train).toEqual(tested.probe);
      expect(tested.run).toEqual(tested.probe);
      const held = "test 116 (20 % of train and val, held out: no split 'test')";
      expect(said).toEqual({
        probe: [`note: train 144, val 320 used for tuning, ${held}`],
        train: [`note: train 144, val 320 trained on too (nothing is tuned), ${held}`],
        run: `train 144, val 320 used for tuning, ${held}`,
      });
      expect(tuned).toEqual({ rows: 464, validation: 320 });
    }
    expect(byList.tested).toEqual(byFolder.tested);
  });

  test('are tested on val alike when it is named, and on another share when it is asked for', async () => {
    const data = join(folder, 'data');
    const named = await divided(data, 'named', { flags: ['--test-split', 'valid'], config: ', testSplit: valid' });
    expect(named.tested.probe).toHaveLength(400);
    expect(named.tested.train).toEqual(named.tested.probe);
    expect(named.tested.run).toEqual(named.tested.probe);
    expect(named.tested.run.every((file) => file.startsWith('valid/'))).toBe(true);
    const half = await divided(data, 'half', { flags: ['--holdout', '0.5'], config: ', holdout: 0.5' });
    expect(half.tested.probe).toHaveLength(290);
    expect(half.tested.train).toEqual(half.tested.probe);
    expect(half.tested.run).toEqual(half.tested.probe);
  });
});
