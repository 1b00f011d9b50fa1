/** Tasks from feature stores: which examples train, validate and test, and what is known of each. */
import { rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readDataset } from '../../src/data/index.js';
import { type ExtractionRequest, extract, loadBackbone, openStore, requestOf } from '../../src/features/index.js';
import { type Inputs, type ScoredTask, sourceDefaults, taskFromStore } from '../../src/probe/index.js';
import { testEngine } from '../support/run.js';
import { temporaryFolder, writeImages, writeTinyModel } from '../support/tiny.js';

const classes = ['blue', 'green', 'red'];
const folder = temporaryFolder('toehold sources ');
const options = { ...sourceDefaults, normalisation: 'none' } as const;

/** A store of the data's splits under new names, as `extract` or a study makes it. */
async function store(name: string, change: (request: ExtractionRequest) => ExtractionRequest): Promise<string> {
  const request = change(requestOf(await readDataset(join(folder, 'data'))));
  const output = join(folder, name);
  const backbone = await loadBackbone(join(folder, 'tiny.onnx'), await testEngine(), { overrides: { size: 16 } });
  await extract(backbone, request, await testEngine(), { output, quiet: true });
  return output;
}
const only =
  (...names: string[]) =>
  (request: ExtractionRequest): ExtractionRequest => ({
    ...request,
    splits: request.splits.filter((s) => names.includes(s.name)),
  });

beforeAll(async () => {
  await writeTinyModel(folder);
  const data = await writeImages(join(folder, 'data'), classes, 12);
  const more = await writeImages(join(folder, 'more'), classes, 6, 16, 2);
  await rename(join(more, 'train'), join(data, 'valid'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Class of every example: the folder of its file. */
const namesOf = ({ files }: Inputs) => files.map((file) => file.split('/').at(-2));
const splitsOf = ({ files }: Inputs) => new Set(files.map((file) => file.split('/')[0]));

/** Everything that is claimed of the examples is what their files say. */
async function check({ task, targets }: ScoredTask, directory: string): Promise<void> {
  const { train, test } = task;
  expect(Array.from(train.labels, (c) => task.classes[c])).toEqual(namesOf(train));
  if (targets && test) expect(Array.from(targets.labels, (c) => task.classes[c])).toEqual(namesOf(test));
  const { meta } = await openStore(directory);
  const opened = await openStore(directory);
  const [tap] = meta.taps;
  if (!tap) throw new Error('no tap');
  for (const inputs of test ? [train, test] : [train]) {
    const own = await inputs.matrix.gather(Int32Array.of(0), new Float32Array(inputs.matrix.rows));
    for (const [i, file] of inputs.files.entries()) {
      const split = Object.keys(meta.splits).find((s) => meta.splits[s]?.files.includes(file)) as string;
      const values = await opened.read(split, tap, 0, 1);
      expect(own[i]).toBe(values[meta.splits[split]?.files.indexOf(file) as number]);
    }
  }
}

describe('a store with train, val and test', () => {
  test('tunes on val, learns from both, tests on test', async () => {
    const directory = await store('all', (r) => r);
    const found = await taskFromStore(directory, options);
    const { task, targets, split } = found;
    expect(split).toBe('train 36, val 18 used for tuning, test 36');
    expect(task.train.labels).toHaveLength(54);
    const validation = task.validation?.map((row) => task.train.files[row]?.split('/')[0]);
    expect(validation).toEqual(new Array(18).fill('valid'));
    expect(task.train.files.filter((f) => f.startsWith('valid'))).toHaveLength(18);
    expect(splitsOf(task.test as Inputs)).toEqual(new Set(['test']));
    expect(targets?.labels).toHaveLength(36);
    await check(found, directory);
  });

  test('tests on val where that is asked for', async () => {
    const directory = await store('all', (r) => r);
    const found = await taskFromStore(directory, { ...options, testSplit: 'val' });
    expect(found.task).not.toHaveProperty('validation');
    expect(splitsOf(found.task.test as Inputs)).toEqual(new Set(['valid']));
    expect(splitsOf(found.task.train)).toEqual(new Set(['train']));
    await check(found, directory);
  });
});

describe('a store without a test split', () => {
  test('holds a share out of what it has, labels and features in step', async () => {
    const directory = await store('train and val', only('train', 'val'));
    const found = await taskFromStore(directory, { ...options, holdout: 0.25 });
    const { task, targets } = found;
    expect(task.train.labels.length + (targets?.labels.length as number)).toBe(54);
    expect(task.test?.files.some((file) => task.train.files.includes(file))).toBe(false);
    await check(found, directory);
  });

  test('or tests on nothing', async () => {
    const directory = await store('train and val', only('train', 'val'));
    const { task, targets } = await taskFromStore(directory, { ...options, holdout: 0 });
    expect(task.test).toBeUndefined();
    expect(targets).toBeUndefined();
  });
});

describe('a store whose test split has no labels', () => {
  const unlabelled = (request: ExtractionRequest): ExtractionRequest => ({
    ...request,
    splits: request.splits.map(({ labels, ...rest }) => (rest.name === 'test' || !labels ? rest : { ...rest, labels })),
  });

  test('predicts it where nothing is held out, and claims nothing of it', async () => {
    const directory = await store('unlabelled', unlabelled);
    const found = await taskFromStore(directory, { ...options, holdout: 0 });
    expect(found.task.test?.files).toHaveLength(36);
    expect(splitsOf(found.task.test as Inputs)).toEqual(new Set(['test']));
    expect(found).not.toHaveProperty('targets');
    await check(found, directory);
  });

  test('otherwise holds out examples that have labels, and says why', async () => {
    const directory = await store('unlabelled', unlabelled);
    const found = await taskFromStore(directory, options);
    expect(splitsOf(found.task.test as Inputs).has('test')).toBe(false);
    expect(found.split).toContain("held out: split 'test' has no labels");
    await check(found, directory);
  });

  test('cannot be asked to test on it', async () => {
    const directory = await store('unlabelled', unlabelled);
    await expect(taskFromStore(directory, { ...options, testSplit: 'test' })).rejects.toThrow(
      "split 'test' has no labels, so nothing can be tested on it",
    );
  });
});
