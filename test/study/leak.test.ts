/** The real thing, in small: what the test labels can and cannot change, and whether what is written is true. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readDataset } from '../../src/data/index.js';
import { readModelFile, writeModel } from '../../src/graph/index.js';
import { done, parseRecord } from '../../src/record/index.js';
import { extraction, parseConfig, prepareStudy, resultOf, runStudy, type StudyRun } from '../../src/study/index.js';
import { withTestScore } from '../../src/transfer/export.js';
import { toehold } from '../support/cli.js';
import { testEngine } from '../support/run.js';
import { filesOf } from './support/files.js';
import { smallConfig, writeSmallData } from './support/small.js';
import { auditRun, knowing, truthOf } from './support/truth.js';

const config = smallConfig
  .replace(/ {2}textures: .*\n/, '')
  .replace('control: other\n', '')
  .replace(/methods: .*\n/, 'methods: [linear, oracle, head2toe, head2toe-ft]\n')
  .replace('seeds: [0, 1]', 'seeds: [3]')
  .replace('lambdas: 5', 'lambdas: 3');

let folder: string;
let before: StudyRun;
let after: StudyRun;

async function run(output: string): Promise<StudyRun> {
  const prepared = await prepareStudy(parseConfig(config, join(folder, 'study.yaml')), await testEngine());
  return runStudy(prepared, { folder: join(folder, output), command: 'a test' });
}

/** NW becomes N, N becomes NE and so on: no test label stays what it was. */
async function rotateTestLabels(): Promise<void> {
  const path = join(folder, 'position', 'labels.csv');
  const { classes } = await truthOf(join(folder, 'position'));
  const lines = (await readFile(path, 'utf8')).split('\n');
  const rotated = lines.map((line) => {
    if (!line.startsWith('test/')) return line;
    const [file, label] = line.split(',');
    const next = (Number(label) + 1) % classes.length;
    return `${file},${next},${classes[next]}`;
  });
  expect(rotated[0]).toBe(lines[0]);
  await writeFile(path, rotated.join('\n'));
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'toehold-leak-'));
  await writeSmallData(folder, ['position']);
  before = await run('before');
  await rotateTestLabels();
  // From the beginning, in another folder: nothing is reused.
  after = await run('after');
}, 400_000);
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('changing every test label', () => {
  test('changes test figures and nothing else: tuning sees training rows only', () => {
    expect([before, after].map((r) => [r.outcome.units.failed, r.outcome.units.cached])).toEqual([
      [0, 0],
      [0, 0],
    ]);
    expect(parseRecord(JSON.parse(JSON.stringify(before.record)), 'test')).toEqual(before.record);
    const [a, b] = [before.record.tasks[0], after.record.tasks[0]];
    const settings = (t: typeof a) =>
      t?.cells.map((c) => (c.status === 'done' && c.method !== 'oracle' ? [c.settings, c.validation, c.features] : []));
    expect(settings(b)).toEqual(settings(a));
    expect(b?.testLabels).not.toEqual(a?.testLabels);
    expect(b?.predictions?.filter((p) => p.method !== 'oracle')).toEqual(
      a?.predictions?.filter((p) => p.method !== 'oracle'),
    );
    const scores = (t: typeof a) => t?.cells.map((c) => c.status === 'done' && c.score);
    expect(scores(b)).not.toEqual(scores(a));
  });

  test('leaves every byte of features, trained networks and selections as it was', async () => {
    const named = (files: readonly string[]) =>
      files.filter((f) => !/^units\/score-|^(record|run)\.json$|^predictions\.csv$/.test(f));
    const [first, second] = await Promise.all(['before', 'after'].map((name) => filesOf(join(folder, name))));
    expect(named(second as string[])).toEqual(named(first as string[]));
    const content = async (output: string, file: string) => {
      const bytes = await readFile(join(folder, output, file));
      if (!/^units\/.*record\.json$/.test(file)) return bytes.toString('base64');
      const times = new Set(['seconds', 'finishedAt']);
      return JSON.stringify(JSON.parse(bytes.toString()), (key, v) => (times.has(key) ? 0 : v));
    };
    // Times of change of the features' files.
    for (const file of named(first as string[]).filter((f) => !f.endsWith('/.verified.json'))) {
      expect([file, (await content('after', file)) === (await content('before', file))]).toEqual([file, true]);
    }
  });

  test('in the old folder, makes scores anew and nothing else', async () => {
    const again = await run('before');
    const fresh = again.outcome.units.total - again.outcome.units.cached;
    expect(fresh).toBe([...again.outcome.records.values()].filter((r) => r.kind === 'score').length);
    expect(again.record.tasks[0]?.testLabels).toEqual(after.record.tasks[0]?.testLabels);
  });
});

describe('every file of a run', () => {
  test('holds the truth: labels, scores, and what trained networks claim of themselves', async () => {
    const seen = await auditRun(join(folder, 'after'), await truthOf(join(folder, 'position')));
    // One extraction; linear, oracle, head2toe; two rates tried, then a run; four scores.
    expect(seen).toMatchObject({ meta: 1, storedLabels: 1, model: 1, selection: 1, unit: 1 + 3 + 3 + 4, record: 1 });
    expect(seen).toMatchObject({ predictions: 1, run: 1 });
  });

  describe('would be found out', () => {
    test.each<[string, RegExp, (text: string) => string]>([
      [
        'test labels in a store',
        /^features\/.*meta\.json$/,
        (t) => t.replace(/("test": ?\{\s*"n": ?36,)/, '$1 "labels": [0],'),
      ],
      ['a score that nobody reached', /^record\.json$/, (t) => t.replace(/"score": [\d.]+/, '"score": 0.999')],
      ['another label in the record', /^record\.json$/, (t) => t.replace(/("testLabels": \[\s*)\d+/, '$18')],
      [
        'a score in the unit of a probe',
        /^units\/probe-.*record\.json$/,
        (t) => t.replace('"seconds"', '"score": 1, "seconds"'),
      ],
      [
        'a wrong score in the unit of a score',
        /^units\/score-.*record\.json$/,
        (t) => {
          const unit = JSON.parse(t);
          Object.assign(unit.result.cell ?? unit.result.taps[0].alone, { score: 0.999 });
          return JSON.stringify(unit);
        },
      ],
      ['a wrong label in a table', /^predictions\.csv$/, (t) => t.replace(/(,test\/\d+\.png),\w+,/, '$1,nowhere,')],
    ])('%s', async (_, pattern, change) => {
      const file = (await filesOf(join(folder, 'after'))).find((f) => pattern.test(f)) as string;
      const path = join(folder, 'after', file);
      const original = await readFile(path, 'utf8');
      expect(change(original)).not.toBe(original);
      try {
        await writeFile(path, change(original));
        await expect(auditRun(join(folder, 'after'), await truthOf(join(folder, 'position')))).rejects.toThrow();
      } finally {
        await writeFile(path, original);
      }
    });

    test('a test figure that a network claims, and a file that nobody knows', async () => {
      const model = (await filesOf(join(folder, 'after'))).find((f) => f.endsWith('model.onnx')) as string;
      const path = join(folder, 'after', model);
      const original = await readFile(path);
      const truth = await truthOf(join(folder, 'position'));
      try {
        await writeFile(path, writeModel(withTestScore(await readModelFile(path), { accuracy: 0.998, n: 36 })));
        await expect(auditRun(join(folder, 'after'), truth)).rejects.toThrow('test');
      } finally {
        await writeFile(path, original);
      }
      const stranger = join(folder, 'after', 'labels.txt');
      await writeFile(stranger, '0\n');
      await expect(auditRun(join(folder, 'after'), truth)).rejects.toThrow('labels.txt: nobody says');
      await rm(stranger);
    });
  });

  test('would not pass with a label or a figure too many', () => {
    expect(knowing({ sheet: { cell: { validation: 0.5, grid: [{ accuracy: 0.5, logLoss: 1 }] } } })).toEqual([]);
    expect(knowing({ sheet: { cell: { score: 0.5 } }, taps: [{ test: 0.1 }] })).toEqual([
      'sheet.cell.score',
      'taps.0.test',
    ]);
  });
});

describe("probing a study's own store", () => {
  const store = () => {
    const record = [...after.outcome.records.values()].find((r) => r.kind === extraction.name);
    if (!record) throw new Error('no extraction');
    return join(folder, 'after', resultOf(extraction, record).store);
  };
  const flags = ['--method', 'linear,centroid', '--folds', '2', '--l2', '0.01,0.0001', '--quiet'];

  test('says that its test split has no labels, and tests on training examples that it holds out', async () => {
    const { code, stdout, stderr } = await toehold('probe', store(), ...flags);
    expect(code).toBe(0);
    expect(stderr).toContain("held out: split 'test' has no labels");
    expect(stdout).toMatch(/\n43 training, 11 test examples, 9 classes/);
  });

  test('prints validation figures and invents no other where nothing is held out', async () => {
    const out = join(folder, 'probed');
    const { code, stdout, stderr } = await toehold('probe', store(), ...flags, '--holdout', '0', '-o', out);
    expect(code).toBe(0);
    expect(stderr).toMatch(/note: train 54 \(tuned by folds inside it\), no test set/);
    const record = parseRecord(JSON.parse(await readFile(join(out, 'record.json'), 'utf8')), out);
    const [task] = record.tasks;
    expect(task).not.toHaveProperty('testLabels');
    expect(task).not.toHaveProperty('predictions');
    const linear = task && done(task, 'linear');
    expect(linear?.validation).toBeGreaterThan(0);
    for (const cell of task?.cells ?? []) {
      for (const key of ['score', 'interval', 'meanPerClass', 'logLoss', 'calibrationError', 'suspect']) {
        expect(cell).not.toHaveProperty(key);
      }
    }
    expect(stdout).toContain('54 training, 36 test examples without labels, 9 classes');
    const row = stdout.split('\n').find((line) => line.startsWith('linear ')) ?? '';
    // Validation, features, share of the network, seconds: nothing on test examples.
    expect(row.trim().split(/\s{2,}/)).toEqual([
      'linear',
      ((linear?.validation as number) * 100).toFixed(1),
      '64',
      '100 %',
      expect.stringMatching(/^\d+\.\d$/),
    ]);
    // What the methods say of the test images, without a word on what is true.
    const [header, ...rows] = (await readFile(join(out, 'predictions.csv'), 'utf8')).trim().split('\n');
    expect(header).toBe('method,file,label,predicted,correct,probability,probability of label');
    expect(rows).toHaveLength(2 * 36);
    for (const line of rows) expect(line).toMatch(/^(linear|centroid),test\/\d+\.png,,[A-Za-z]+,,[\d.e-]+,$/);
  });

  test('holds the images of the data set and the labels of its training part', async () => {
    const { examples } = await readDataset(join(folder, 'position'));
    expect(examples.filter((e) => e.split === 'test')).toHaveLength(36);
    await expect(readFile(join(store(), 'test', 'labels.npy'))).rejects.toThrow('ENOENT');
    await expect(readFile(join(store(), 'train', 'labels.npy'))).resolves.toBeDefined();
  });
});
