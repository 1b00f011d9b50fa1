/** The target size, and any other pooling, chosen by validation: against scikit-learn on two poolings of the same maps. */
import { readFileSync } from 'node:fs';
import { beforeAll, expect, test } from 'vitest';
import { type ProbeRun, type ProbeTask, sheetOf } from '../../src/probe/index.js';
import type { Answers } from '../../src/probe/tuning/tally.js';
import { arrayBlock, FeatureMatrix, probabilities } from '../../src/solver/index.js';
import { logLoss } from '../../src/stats/index.js';
import { largestDifference } from '../solver/support.js';
import { makeTask, resultOf, runOf } from './support/synthetic.js';

const reference = JSON.parse(readFileSync(new URL('../fixtures/probe/poolings.json', import.meta.url), 'utf8')) as {
  labels: number[];
  validation: number[];
  classes: number;
  l2: number[];
  /** Maps of 3 channels and 4 cells, channel by channel. */
  train: number[][];
  test: number[][];
  rows: { pool: string; l2: number; accuracy: number; logLoss: number }[];
  chosen: string;
  probabilities: number[][];
};
const CELLS = 4;
const mean = (cells: readonly number[]) => cells.reduce((sum, v) => sum + v, 0) / cells.length;
const poolings: Record<string, (map: readonly number[]) => readonly number[]> = {
  gap: (map) => [0, 1, 2].map((c) => mean(map.slice(c * CELLS, (c + 1) * CELLS))),
  'target:12': (map) => map,
};

function taskUnder(pool: string): ProbeTask {
  const inputs = (maps: readonly (readonly number[])[]) => {
    const values = Float32Array.from(maps.flatMap((map) => poolings[pool]?.(map) ?? []));
    const [rows, features] = [maps.length, values.length / maps.length];
    const block = arrayBlock(
      { name: 'map', rows, features, values, fortranOrder: false },
      { unitNorm: true, shift: undefined },
    );
    return { matrix: new FeatureMatrix([block], rows, { unitNorm: true }), files: maps.map((_, i) => `${i}`) };
  };
  const { matrix, files } = inputs(reference.train);
  return {
    train: { matrix, files, labels: Int32Array.from(reference.labels) },
    validation: reference.validation,
    test: inputs(reference.test),
    classes: Array.from({ length: reference.classes }, (_, k) => `c${k}`),
    taps: [{ alias: 'map', name: 'map', features: matrix.features }],
    source: { data: 'maps', description: 'maps' },
    pool,
  };
}

let run: ProbeRun;
let single: ProbeRun;
beforeAll(async () => {
  const task = { ...taskUnder('gap'), poolings: [taskUnder('target:12')] };
  run = await runOf('linear,all-l2,knn', task, { l2: reference.l2, choose: 'accuracy' });
  single = await runOf('linear', taskUnder('target:12'), { l2: reference.l2, choose: 'accuracy' });
});

test('every penalty under every pooling has the validation figures of scikit-learn', () => {
  const { grid } = resultOf(run, 'linear').fit;
  expect(grid.map(({ pool, settings }) => [pool, settings.l2])).toEqual(reference.rows.map((r) => [r.pool, r.l2]));
  for (const [i, { accuracy, logLoss: expected }] of reference.rows.entries()) {
    // Fits of cross-validation stop early: an example of the forty on the border may fall on the other side.
    expect(Math.abs((grid[i]?.accuracy ?? 0) - accuracy)).toBeLessThan(0.026);
    // At temperature one, as scikit-learn's are; ours is lower at its own temperature.
    const { labels, logits } = grid[i]?.answers as Answers;
    const raw = logLoss(
      labels,
      probabilities(Float64Array.from(logits as Float32Array), reference.classes),
      reference.classes,
    );
    expect(Math.abs(raw - expected)).toBeLessThan(0.02);
    expect(grid[i]?.logLoss).toBeLessThan(raw + 1e-3);
  }
});

test('the pooling that it chooses is the one that counts, with its probabilities', () => {
  const { task, predictions, fit } = resultOf(run, 'linear');
  expect(task.pool).toBe(reference.chosen);
  const expected = reference.probabilities.flat();
  // At temperature one, as scikit-learn's are.
  const own = probabilities(
    Float64Array.from(predictions?.probabilities ?? [], (p) => Math.log(p) * (fit.temperature ?? 1)),
    reference.classes,
  );
  expect(largestDifference(own, expected)).toBeLessThan(1e-3);
  expect(fit.model?.features).toBe(12);
});

test('the record says which, what else was tried, and what that cost', () => {
  const { cell } = sheetOf(run, resultOf(run, 'linear'));
  expect(cell.pool).toBe('target:12');
  expect(new Set(cell.grid?.map(({ pool }) => pool))).toEqual(new Set(['gap', 'target:12']));
  const alone = sheetOf(single, resultOf(single, 'linear')).cell;
  expect(alone.cost?.trainMacs).toBeGreaterThan(0);
  expect(cell.cost?.trainMacs).toBeGreaterThan(1.1 * (alone.cost?.trainMacs ?? 0));
});

test('methods choose for themselves, and a single pooling is as before', async () => {
  const alone = await runOf('knn', taskUnder(resultOf(run, 'knn').task.pool as string));
  expect(resultOf(alone, 'knn').predictions).toEqual(resultOf(run, 'knn').predictions);
  const plain = await runOf('linear', makeTask());
  expect(sheetOf(plain, resultOf(plain, 'linear')).cell).not.toHaveProperty('pool');
});

test('a bound by test score takes the best layer of all poolings', async () => {
  const task = { ...taskUnder('gap'), poolings: [taskUnder('target:12')] };
  const oracle = await runOf('oracle', task, { l2: reference.l2 });
  expect(resultOf(oracle, 'oracle').alternatives.map(({ name }) => name)).toEqual(['map, gap', 'map, target:12']);
});
