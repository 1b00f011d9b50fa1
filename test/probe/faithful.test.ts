/** Head2Toe's published recipe, against the same recipe in numpy, and how it is tuned. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Random } from '../../src/base/index.js';
import { glorot, HeadTrainer, type SoftmaxHead } from '../../src/probe/fitting/adam-head.js';
import { byExample, renormalised } from '../../src/probe/fitting/renormalised.js';
import { faithfulDefaults, type ProbeRun } from '../../src/probe/index.js';
import { rankBy } from '../../src/probe/ranking.js';
import { topFeatures } from '../../src/probe/selection.js';
import { arrayBlock, FeatureMatrix, predictLogits } from '../../src/solver/index.js';
import { testEngine } from '../support/run.js';
import { makeTask, options, resultOf, runOf, scored } from './support/synthetic.js';

interface TrainedHead {
  readonly order: number[];
  readonly start: number[][];
  readonly weights: number[][];
  readonly intercept: number[];
}
const reference = JSON.parse(readFileSync(new URL('../fixtures/probe/recipe.json', import.meta.url), 'utf8')) as {
  taps: number[];
  classes: number;
  labels: number[];
  /** Training rows first, then test rows. */
  raw: number[][];
  train: number;
  settings: { steps: number; learningRate: number; penalty: number };
  scores: TrainedHead & { norms: number[] };
  kept: number[];
  head: TrainedHead & { features: number[][]; logits: number[][] };
};

/** Rows as taps of a matrix; float64 arrays are centred on the way in. */
function matrixOf(
  rows: readonly (readonly number[])[],
  array: typeof Float32Array | typeof Float64Array = Float32Array,
) {
  let first = 0;
  const blocks = reference.taps.map((features, b) => {
    const values = array.from(rows.flatMap((row) => row.slice(first, first + features)));
    first += features;
    return arrayBlock(
      { name: `tap${b}`, rows: rows.length, features, values, fortranOrder: false },
      { unitNorm: true, shift: undefined },
    );
  });
  return new FeatureMatrix(blocks, rows.length, { unitNorm: true });
}

/** Largest difference of values given row by row. */
function distance(values: ArrayLike<number>, rows: readonly (readonly number[])[]): number {
  const expected = rows.flat();
  expect(values).toHaveLength(expected.length);
  return expected.reduce((most, v, i) => Math.max(most, Math.abs(v - (values[i] as number))), 0);
}

describe('against numpy', () => {
  const { labels, classes, settings, train, raw } = reference;
  const matrix = matrixOf(raw.slice(0, train));
  let trainer: HeadTrainer;
  let ranked: SoftmaxHead;
  let head: SoftmaxHead;
  const learn = (x: Float32Array, { order, start }: TrainedHead, penalty: number) =>
    trainer.train(
      { x, labels, classes },
      { weights: Float32Array.from(start.flat()), rows: order },
      { ...settings, penalty },
    );
  beforeAll(async () => {
    trainer = new HeadTrainer(await testEngine());
    ranked = await learn(await byExample(matrix), reference.scores, settings.penalty);
    head = await learn(await byExample(renormalised(matrix, reference.kept)), reference.head, 0);
  });
  afterAll(() => trainer.dispose());

  test('the penalised head on all features: batches of 128 and 22, cosine, the epsilon of TensorFlow', () => {
    expect(distance(ranked.weights, reference.scores.weights)).toBeLessThan(2e-4);
    expect(distance(ranked.intercept, [reference.scores.intercept])).toBeLessThan(2e-4);
  });

  test('the ranking by the norms of its rows', () => {
    const scores = Float64Array.from(reference.scores.norms, (_, j) =>
      Math.hypot(...ranked.weights.subarray(j * classes, (j + 1) * classes)),
    );
    expect(distance(scores, [reference.scores.norms])).toBeLessThan(2e-4);
    expect([...topFeatures({ scores, order: rankBy(scores) }, reference.kept.length)]).toEqual(reference.kept);
  });

  test.each([Float32Array, Float64Array])('select, then normalise: %o', async (array) => {
    const x = await byExample(renormalised(matrixOf(raw, array), reference.kept));
    expect(distance(x, reference.head.features)).toBeLessThan(1e-6);
    // One feature is left of the second tap: its sign. Example 3 has nothing there.
    const k = reference.kept.length;
    const last = raw.map((_, i) => (x[i * k + k - 1] as number).toFixed(6));
    expect(new Set(last)).toEqual(new Set(['0.000000', '1.000000']));
    expect(last[3]).toBe('0.000000');
  });

  test('the head on the selection, and what it says of test examples', async () => {
    expect(distance(head.weights, reference.head.weights)).toBeLessThan(2e-4);
    const k = reference.kept.length;
    const model = {
      classes,
      features: k,
      indices: Int32Array.from({ length: k }, (_, j) => j),
      weights: Float64Array.from(head.weights),
      intercept: Float64Array.from(head.intercept),
      mean: new Float64Array(k),
      scale: new Float64Array(k).fill(1),
    };
    const test = renormalised(matrixOf(raw.slice(train)), reference.kept);
    expect(distance(await predictLogits(await testEngine(), model, test), reference.head.logits)).toBeLessThan(5e-4);
  });
});

test("a head starts from Glorot's uniform distribution", () => {
  const w = glorot(97, 3, new Random(1, 'glorot'));
  const limit = Math.sqrt(6 / 100);
  expect(Math.max(...w.map(Math.abs))).toBeLessThan(limit);
  expect(Math.max(...w)).toBeGreaterThan(0.95 * limit);
  expect(Math.min(...w)).toBeLessThan(-0.95 * limit);
});

test('features that cannot be held example by example are refused before they are read', async () => {
  const read = () => Promise.reject(new Error('it read'));
  const wide = new FeatureMatrix([{ name: 'wide', features: 2 ** 20, read }], 2 ** 10, { memory: 2 ** 20 });
  await expect(byExample(wide)).rejects.toThrow('1024 x 1048576 features are too many to be held');
});

describe('tuning', () => {
  const recipe = { ...options.faithful, steps: [5, 20], lambdas: [1e-1, 1e-5] };
  let run: ProbeRun;
  beforeAll(async () => {
    run = await runOf('head2toe-faithful', makeTask(), { faithful: recipe });
  });

  test('tries every rate, number of steps, lambda and fraction in every fold, and takes the best by validation', () => {
    const { grid, tuned, validation } = resultOf(run, 'head2toe-faithful').fit;
    expect(grid).toHaveLength(2 * 2 * 2 * 3);
    const values = (name: string) => new Set(grid.map(({ settings }) => settings[name]));
    expect(values('learningRate')).toEqual(new Set(recipe.learningRates));
    expect(values('steps')).toEqual(new Set(recipe.steps));
    expect(values('lambda')).toEqual(new Set(recipe.lambdas));
    expect(values('keepFraction')).toEqual(new Set(options.fractions));
    expect(grid.every(({ folds }) => folds.length === options.folds)).toBe(true);
    expect(validation?.accuracy).toBe(Math.max(...grid.map(({ accuracy }) => accuracy)));
    expect(grid.find(({ settings }) => settings === tuned)?.accuracy).toBe(validation?.accuracy);
  });

  test('keeps the floor of a fraction, at least one', async () => {
    for (const [fraction, kept] of [
      [0.11, 6],
      [0.001, 1],
    ]) {
      const few = await runOf('head2toe-faithful', makeTask(), {
        fractions: [fraction as number],
        faithful: { ...recipe, steps: [5] },
      });
      expect(scored(few, 'head2toe-faithful').cell.features).toBe(kept);
    }
  });

  test('finds the tap that knows the task, and says how stable the choice is', () => {
    const { cell } = scored(run, 'head2toe-faithful');
    const shares = cell.selection?.shares ?? [];
    expect(shares.toSorted((a, b) => b.kept - a.kept)[0]?.tap).toBe('s1.b1.act1');
    expect(cell.selection?.stability?.repeats).toBe(2 * options.repetitions);
    expect(cell.network?.deepestTap).toBeDefined();
  });

  test('keeps the values that it selected by where that is asked for', async () => {
    const one = { fractions: [1 / 60], faithful: { ...recipe, steps: [5] } };
    const distinct = async (renormalise: boolean) => {
      const own = await runOf('head2toe-faithful', makeTask(), { ...one, faithful: { ...one.faithful, renormalise } });
      const { cell, predictions } = scored(own, 'head2toe-faithful');
      expect(cell.notes.join().includes('not normalised again')).toBe(!renormalise);
      return new Set(Array.from(predictions?.probabilities ?? [], (p) => p.toFixed(5))).size;
    };
    // Of one feature only the sign is left: two vectors of three probabilities at most.
    expect(await distinct(true)).toBeLessThanOrEqual(6);
    expect(await distinct(false)).toBeGreaterThan(60);
  });

  test.each([
    [{ steps: [] }, 'no steps of the published recipe'],
    [{ steps: [1.5] }, '1.5 steps: give a whole number'],
    [{ learningRates: [0] }, 'learning rate 0'],
    [{ lambdas: [-1] }, 'lambda -1 of the published recipe'],
  ])('%j is refused', async (more, message) => {
    const faithful = { ...faithfulDefaults, ...more };
    await expect(runOf('head2toe-faithful', makeTask(), { faithful })).rejects.toThrow(message);
  });

  test.each(['standard', 'none'] as const)('--normalise %s is refused', async (normalisation) => {
    const task = makeTask();
    const { matrix } = task.train;
    const plain = new FeatureMatrix(matrix.blocks, matrix.rows, { unitNorm: false });
    const train = { ...task.train, matrix: plain };
    await expect(runOf('head2toe-faithful', { ...task, train }, { normalisation })).rejects.toThrow(
      'use --normalise unit',
    );
  });
});
