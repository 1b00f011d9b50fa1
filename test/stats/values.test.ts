/** Scores of real values and of several labels are scikit-learn's; ridge regression on values is, too, fold by fold. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { Random } from '../../src/base/index.js';
import { FeatureMatrix, fitDesign, fitFoldRidge, leaveOut, scoresOf } from '../../src/solver/index.js';
import { TapKernels } from '../../src/solver/kernel-ridge/tap-kernels.js';
import { objectiveAt } from '../../src/solver/kernel-ridge/tap-weights.js';
import {
  areaUnderPrecision,
  averagePrecision,
  averagePrecisionContributions,
  figureInterval,
  PairedDifference,
  r2Contributions,
  regressionScore,
  severalLabelsScore,
  TestDesign,
  vocPrecision,
  wilsonInterval,
} from '../../src/stats/index.js';
import { testEngine } from '../support/run.js';

const { values, labels, precision, ridge } = JSON.parse(
  readFileSync(new URL('../fixtures/stats/values.json', import.meta.url), 'utf8'),
) as {
  values: {
    truth: number[];
    predicted: number[];
    r2: number;
    mae: number;
    rmse: number;
    spearman: number;
    contributions: number[];
  };
  labels: {
    truth: number[];
    probabilities: number[];
    mAP: number;
    each: number[];
    logLoss: number[];
    macroF1: number;
    microF1: number;
  };
  precision: { truth: number[]; scores: number[]; averagePrecision: number; contributions: number[] };
  ridge: { x: number[][]; y: number[]; fits: { penalty: number; left: number[] }[] };
};

test('R2, MAE, RMSE and Spearman', () => {
  const found = regressionScore(values.predicted, values.truth);
  for (const key of ['r2', 'mae', 'rmse', 'spearman'] as const) expect(found[key]).toBeCloseTo(values[key], 10);
});

test('average precision, F1 and log loss of several labels', () => {
  const found = severalLabelsScore(labels.probabilities, labels.truth, 3);
  expect(found.mAP).toBeCloseTo(labels.mAP, 10);
  expect(found.macroF1).toBeCloseTo(labels.macroF1, 10);
  expect(found.microF1).toBeCloseTo(labels.microF1, 10);
  for (const [k, own] of found.labels.entries()) {
    expect(own.averagePrecision).toBeCloseTo(labels.each[k] as number, 10);
    expect(own.logLoss).toBeCloseTo(labels.logLoss[k] as number, 10);
  }
});

test('a label that no example has takes no part in the means', () => {
  const found = severalLabelsScore([0.9, 0.1, 0.2, 0.3], [1, 0, 0, 0], 2);
  expect(found.mAP).toBe(1);
  expect(found.labels[1]?.averagePrecision).toBeNaN();
  expect(areaUnderPrecision([0.9, 0.2], [1, 0])).toBe(1);
});

test('the eleven points are those of PASCAL VOC 2007', () => {
  const [scores, truth] = [
    [0.9, 0.8, 0.8, 0.3, 0.1],
    [1, 0, 1, 0, 1],
  ];
  expect(vocPrecision(scores, truth)).toBe(averagePrecision(scores, truth));
});

const mean = (all: ArrayLike<number>) => Array.from(all).reduce((a, b) => a + b, 0) / all.length;

describe('what examples add to a figure', () => {
  test('is the figure and its derivative by their weights, in scikit-learn; the mean is the figure', () => {
    const found = r2Contributions(values.predicted, values.truth);
    const ranked = averagePrecisionContributions(precision.scores, precision.truth);
    for (const [each, given, figure] of [
      [found, values.contributions, values.r2],
      [ranked, precision.contributions, precision.averagePrecision],
    ] as const) {
      for (const [i, own] of each.entries()) expect(own).toBeCloseTo(given[i] as number, 5);
      expect(mean(each)).toBeCloseTo(figure, 10);
    }
  });

  test('is nothing where the figure is not defined', () => {
    expect(r2Contributions([1, 2], [3, 3])).toEqual(Float64Array.of(Number.NaN, Number.NaN));
    expect(averagePrecisionContributions([1, 2], [0, 0])).toEqual(Float64Array.of(Number.NaN, Number.NaN));
  });

  test.each(['single examples', 'groups'])('has the standard error of a bootstrap of %s', (what) => {
    const random = new Random(5, what);
    const size = what === 'groups' ? 6 : 1;
    const shared = Array.from({ length: 600 / size }, () => random.normal());
    const at = (i: number) => shared[Math.floor(i / size)] as number;
    const truth = Array.from({ length: 600 }, (_, i) => at(i) + 0.2 * random.normal());
    const said = truth.map((v, i) => v + 0.7 * at(i) ** 2 + 0.4 * random.normal());
    const positive = truth.map((v) => (v > 0.8 ? 1 : 0));
    const design = new TestDesign(600, { clusters: truth.map((_, i) => Math.floor(i / size)) });
    const drawn = Array.from({ length: 400 }, () =>
      shared.flatMap(() => {
        const first = size * random.integer(shared.length);
        return Array.from({ length: size }, (_, j) => first + j);
      }),
    );
    const deviation = (figure: (rows: readonly number[]) => number) => {
      const all = drawn.map(figure);
      return Math.sqrt(mean(all.map((v) => (v - mean(all)) ** 2)));
    };
    const take = (all: readonly number[], rows: readonly number[]) => rows.map((i) => all[i] as number);
    const byR2 = deviation((rows) => regressionScore(take(said, rows), take(truth, rows)).r2);
    const byPrecision = deviation((rows) => areaUnderPrecision(take(said, rows), take(positive, rows)));
    // 400 draws know a deviation to 3.5 %; to first order is what is left.
    expect(Math.sqrt(design.errorOf(r2Contributions(said, truth)).variance) / byR2).toBeCloseTo(1, 0.7);
    expect(Math.sqrt(design.errorOf(averagePrecisionContributions(said, positive)).variance) / byPrecision).toBeCloseTo(
      1,
      0.7,
    );
  });
});

describe('intervals of figures', () => {
  test('are symmetric without bounds, and within [0, 1] with them', () => {
    const contributions = Float64Array.from({ length: 40 }, (_, i) => (i < 38 ? 1 : -0.4));
    const [low, high] = figureInterval([contributions]);
    expect((low + high) / 2).toBeCloseTo(0.93, 12);
    expect(high).toBeGreaterThan(1);
    const [least, most] = figureInterval([contributions], undefined, { worth: 20 });
    expect(most).toBeLessThan(1);
    expect(0.93 - least).toBeGreaterThan(most - 0.93);
  });

  test('of a perfect figure are of what it counts as', () => {
    const perfect = [new Float64Array(40).fill(1)];
    const low = (worth: number) => figureInterval(perfect, undefined, { worth })[0];
    expect(low(20)).toBeCloseTo(wilsonInterval(20, 20)[0], 12);
    expect(low(10)).toBeLessThan(low(20));
  });

  test('of equal methods are no narrower than the least variance', () => {
    const same = { runs: [values.contributions] };
    const between = (leastVariance: number) =>
      new PairedDifference(same, same, undefined, { leastVariance }).interval();
    expect(between(0)).toEqual([0, 0]);
    const [low, high] = between(0.01);
    expect([low, high]).toEqual([-high, high]);
    // Of Student's distribution, a little more than 1.96 standard errors.
    expect(high).toBeGreaterThan(0.196);
    expect(high).toBeLessThan(0.21);
  });
});

const n = ridge.x.length;
const examples = {
  labels: new Int32Array(n),
  classes: 2,
  values: Float64Array.from(ridge.y),
  weights: new Float64Array(n).fill(1),
  folds: [0, 1, 2, 3].map((f) => Array.from({ length: n }, (_, i) => i).filter((i) => i % 4 === f)),
};

test.each(ridge.fits)('left-out predictions of values at penalty $penalty', async ({ penalty, left }) => {
  const engine = await testEngine();
  const mean = ridge.x[0]?.map((_, j) => ridge.x.reduce((sum, row) => sum + (row[j] as number), 0) / n) as number[];
  const z = ridge.x.map((row) => row.map((v, j) => v - (mean[j] as number)));
  const scale = z.reduce((sum, row) => sum + row.reduce((s, v) => s + v * v, 0), 0) / n;
  const kernel = Float64Array.from(
    { length: n * n },
    (_, e) =>
      (z[Math.floor(e / n)] as number[]).reduce((sum, v, j) => sum + v * ((z[e % n] as number[])[j] as number), 0) /
      scale,
  );
  const fit = await fitFoldRidge(engine, kernel, examples, penalty);
  const folds = fit && (await leaveOut(engine, fit, examples));
  expect(folds).toHaveLength(4);
  for (const fold of folds ?? []) {
    const scores = scoresOf(fold, examples);
    for (const [i, row] of fold.rows.entries())
      for (let k = 0; k < 2; k++) expect(scores[i * 2 + k]).toBeCloseTo(left[row * 2 + k] as number, 8);
  }
});

test('the squared loss of learned tap weights has the gradient of its differences', async () => {
  const engine = await testEngine();
  const feature = (j: number) => ridge.x.map((row) => row[j] as number);
  const blocks = [
    { name: 'a', features: 3, data: Float32Array.from([0, 1, 2].flatMap(feature)) },
    { name: 'b', features: 2, data: Float32Array.from([3, 4].flatMap(feature)) },
  ];
  const design = await fitDesign(engine, new FeatureMatrix(blocks, n), { standardize: false });
  const kernels = await TapKernels.of(engine, design);
  const at = Float64Array.from([-0.4, -1.1, -1, 0]);
  const value = async (point: Float64Array) => {
    const found = await objectiveAt(engine, { kernels, examples }, point);
    if (!found) throw new Error('indefinite');
    return found;
  };
  const { gradient } = await value(at);
  for (let e = 0; e < 3; e++) {
    const step = 1e-3;
    const moved = (by: number) => at.map((v, i) => (i === e ? v + by : v));
    const slope = ((await value(moved(step))).objective - (await value(moved(-step))).objective) / (2 * step);
    expect(gradient[e]).toBeCloseTo(slope, 4);
  }
  expect(gradient[3]).toBe(0);
});
