/** Training curves in the files of TensorBoard and MLflow, as Python's own writers make them (fixtures/curves). */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { eventFile } from '../../src/transfer/curves/index.js';
import { mlflowFiles } from '../../src/transfer/curves/mlflow.js';
import { type Curve, writeCurves } from '../../src/transfer/index.js';
import { temporaryFolder } from '../support/tiny.js';

const fixture = async (name: string) => JSON.parse(await readFile(`test/fixtures/curves/${name}.json`, 'utf8'));

const epochs = [
  { epoch: 1, step: 100, learningRate: 0.01, loss: 1.5, accuracy: 0.625 },
  { epoch: 2, step: 200, learningRate: 0.005, loss: 1.25, accuracy: 0.75, watched: 0.5 },
];
const curve: Curve = {
  name: 'a run',
  epochs,
  settings: { seed: 3 },
  end: { 'test/accuracy': 0.7 },
  time: 1700000000250,
};

test('an event file has the bytes that TensorBoard’s writer gives', async () => {
  const { wallTime, scalars, file } = await fixture('events');
  expect(Buffer.from(eventFile(scalars, wallTime)).toString('base64')).toBe(file);
});

test('every curve is a TensorBoard run of its own', async () => {
  const root = temporaryFolder();
  await writeCurves('tensorboard', root, 'study', [curve, { ...curve, name: 'A RUN' }, { ...curve, name: 'a: run/2' }]);
  const scalars = [
    { tag: 'train/loss', value: 1.5, step: 100 },
    { tag: 'train/accuracy', value: 0.625, step: 100 },
    { tag: 'learning_rate', value: 0.01, step: 100 },
    { tag: 'train/loss', value: 1.25, step: 200 },
    { tag: 'train/accuracy', value: 0.75, step: 200 },
    { tag: 'learning_rate', value: 0.005, step: 200 },
    { tag: 'validation/accuracy', value: 0.5, step: 200 },
    { tag: 'test/accuracy', value: 0.7, step: 200 },
  ];
  const runs = await readdir(join(root, 'tensorboard'));
  expect(runs).toHaveLength(3);
  for (const run of runs) {
    const written = await readFile(join(root, 'tensorboard', run, 'events.out.tfevents.toehold'));
    expect(written).toEqual(Buffer.from(eventFile(scalars, 1700000000.25)));
  }
});

describe('MLflow', () => {
  const files = mlflowFiles('toehold', [curve]);
  const [experiment = ''] = [...files.keys()].map((file) => file.split('/')[1] as string);
  const own = new Map(
    [...files].map(([file, text]) => [file.replace(/^mlruns\/\d+\//, '').replace(/^[0-9a-f]{32}/, 'RUN'), text]),
  );

  test('has the files that its own store writes, with the same keys', async () => {
    const { files: theirs } = (await fixture('mlflow')) as { files: Record<string, string | string[]> };
    for (const [file, found] of Object.entries(theirs)) {
      // What the store of some versions adds for itself.
      if (/tags\/mlflow\.(user|source)/.test(file)) continue;
      expect([...own.keys()]).toContain(file);
      const keys = Array.isArray(found) ? Object.keys(parse(own.get(file) as string)) : [];
      // MLflow before 3 also reads run_uuid; the newest keys of experiments are for its servers.
      if (file === 'meta.yaml') expect(found).toEqual(expect.arrayContaining(keys));
      else expect(keys).toEqual(expect.arrayContaining(Array.isArray(found) ? found : []));
    }
    expect(theirs['RUN/params/seed']).toBe(own.get('RUN/params/seed'));
    expect(own.get('RUN/metrics/train/loss')).toBe('1700000000250 1.5 100\n1700000000250 1.25 200\n');
    expect((theirs['RUN/metrics/train/loss'] as string).split('\n')[1]).toBe(
      own.get('RUN/metrics/train/loss')?.split('\n')[0],
    );
  });

  test('gives equal names equal identifiers, and no path of the machine', () => {
    expect(experiment).toMatch(/^\d{18}$/);
    expect(mlflowFiles('toehold', [curve])).toEqual(files);
    expect([...mlflowFiles('another', [curve]).keys()].some((file) => files.has(file))).toBe(false);
    expect([...files.values()].join()).not.toContain(process.cwd());
  });
});

test('nothing was trained: nothing is written', async () => {
  const root = temporaryFolder();
  for (const logger of ['tensorboard', 'mlflow'] as const) await writeCurves(logger, root, 'study', []);
  expect(await readdir(root)).toEqual([]);
});
