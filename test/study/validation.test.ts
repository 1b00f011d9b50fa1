/** A task with a val split: every setting of a study is chosen on it, and everything learns from it in the end. */
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { done, scoreSheet } from '../../src/record/index.js';
import {
  parseConfig,
  prepareStudy,
  probe,
  resultOf,
  runStudy,
  type StudyRun,
  training,
  trial,
  type UnitRecord,
} from '../../src/study/index.js';
import { ranked } from '../../src/study/tuning.js';
import { testEngine } from '../support/run.js';
import { temporaryFolder } from '../support/tiny.js';
import { smallConfig, writeSmallData } from './support/small.js';
import { predictedIn } from './support/truth.js';

const folder = temporaryFolder('toehold validation ');
const val = 18;
let run: StudyRun;
beforeAll(async () => {
  await writeSmallData(folder, ['position']);
  const path = join(folder, 'position', 'labels.csv');
  const [, ...rows] = (await readFile(path, 'utf8')).trim().split('\n');
  let left = val;
  const split = (file: string) => (file.startsWith('test') ? 'test' : left-- > 0 ? 'val' : 'train');
  const lines = rows.map((row) => `${row},${split(row)}`);
  await writeFile(path, `file,label,class,split\n${lines.join('\n')}\n`);
  const config = smallConfig
    .replace(/ {2}textures: .*\n/, '')
    .replace('control: other\n', '')
    .replace(/methods: .*\n/, 'methods: [linear, finetune]\n')
    .replace('seeds: [0, 1]', 'seeds: [3]')
    // The last of them diverges.
    .replace('learningRates: [0.01, 0.02]', 'learningRates: [0.01, 0.02, 1.0e+30]');
  const prepared = await prepareStudy(parseConfig(config, join(folder, 'study.yaml')), await testEngine());
  run = await runStudy(prepared, { folder: join(folder, 'run'), command: 'a test' });
});
afterAll(() => rm(folder, { recursive: true, force: true }));

test('the record counts it, and says what was done with it', () => {
  const [task] = run.record.tasks;
  expect(task?.examples).toEqual({ train: 54, validation: val, test: 36 });
  expect(task?.split).toBe(`train ${54 - val}, val ${val} used for tuning, test 36`);
});

test('a probe is tuned on it alone: one fold, of so many examples', () => {
  const [task] = run.record.tasks;
  const linear = task && done(task, 'linear');
  // The fold's own share is right of so many; the estimate after a choice on it is no higher.
  expect(linear?.validationFolds).toHaveLength(1);
  const [raw = 0] = linear?.validationFolds ?? [];
  expect((raw * val) % 1).toBeCloseTo(0, 9);
  expect(linear?.validation).toBeLessThanOrEqual(raw);
  for (const { folds } of linear?.grid ?? []) {
    expect(folds).toHaveLength(1);
    expect(((folds[0] as number) * val) % 1).toBeCloseTo(0, 9);
  }
  const [unit] = [...run.outcome.records.values()].filter((r) => r.kind === probe.name);
  const { sheet } = resultOf(probe, unit as UnitRecord);
  expect(sheet && predictedIn(sheet)).toHaveLength(36);
});

test('a learning rate is chosen on it, and the final run learns from all', () => {
  const records = [...run.outcome.records.values()];
  const tried = records.flatMap((r) => (r.kind === trial.name ? [resultOf(trial, r)] : []));
  const [final] = records.flatMap((r) => (r.kind === training.name ? [resultOf(training, r)] : []));
  // An epoch each; half of one is as long, so no second rung follows.
  expect(tried.map((t) => t.learningRate)).toEqual([0.01, 0.02, 1e30]);
  for (const { validation, steps } of tried) {
    expect((validation * val) % 1).toBeCloseTo(0, 9);
    // 36 examples in batches of 18; 54 in the end.
    expect(steps).toBe(2);
  }
  expect(tried.map((t) => [t.learned, t.diverged !== undefined]).at(-1)).toEqual([false, true]);
  expect(tried[2]?.diverged).toMatch(/^training diverged in step \d/);
  expect(final?.steps).toBe(3);
  const [best] = ranked(tried);
  expect(final?.settings.learningRate).toBe(best?.learningRate);
  expect(final?.sheet.cell).toMatchObject({
    validation: best?.validation,
    triedRates: 3,
    rates: [
      ...tried.slice(0, 2).map(({ learningRate, epochs, validation }) => ({ learningRate, epochs, validation })),
      { learningRate: 1e30, epochs: 1 },
    ],
  });
  expect(final && scoreSheet(final.sheet, undefined).cell).not.toHaveProperty('score');
});

test('points of a learning curve draw from it as from train, and are tuned by folds', async () => {
  const config = smallConfig
    .replace('protocol: head2toe', 'protocol: cs231n')
    .replace(/ {2}textures: .*\n/, '')
    .replace('control: other\n', 'perClass: [2, 4]\n')
    .replace(/methods: .*\n/, 'methods: [linear]\n');
  const prepared = await prepareStudy(parseConfig(config, join(folder, 'study.yaml')), await testEngine());
  const [task] = prepared.inputs.tasks;
  expect(task?.splits).toBe(`train ${54 - val}, val ${val} joined with it (tuned by folds inside both), test 36`);
  expect(task).not.toHaveProperty('validation');
  const { record } = await runStudy(prepared, { folder: join(folder, 'curve'), command: 'a test' });
  expect(record.tasks[0]?.examples).toEqual({ train: 4 * 9, folds: 2, test: 36 });
  const linear = record.tasks[0] && done(record.tasks[0], 'linear');
  expect(linear?.seeds).toHaveLength(2);
  expect(linear?.grid?.every(({ folds }) => folds.length === 2)).toBe(true);
});
