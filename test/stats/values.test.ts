/** Scores of real values and of several labels are scikit-learn's; ridge regression on values is, too, fold by fold. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { FeatureMatrix, fitDesign, fitFoldRidge, leaveOut, scoresOf } from '../../src/solver/index.js';
import { TapKernels } from '../../src/solver/kernel-ridge/tap-kernels.js';
import { objectiveAt } from '../../src/solver/kernel-ridge/tap-weights.js';
import {
  areaUnderPrecision,
  averagePrecision,
  bootstrapInterval,
  regressionScore,
  severalLabelsScore,
  vocPrecision,
} from '../../src/stats/index.js';
import { testEngine } from '../support/run.js';

const { values, labels, ridge } = JSON.parse(
  readFileSync(new URL('../fixtures/stats/values.json', import.meta.url), 'utf8'),
) as {
  values: { truth: number[]; predicted: number[]; r2: number; mae: number; rmse: number; spearman: number };
  labels: {
    truth: number[];
    probabilities: number[];
    mAP: number;
    each: number[];
    logLoss: number[];
    macroF1: number;
    microF1: number;
  };
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

test('the bootstrap interval of a mean has about the width of the normal one, and more over groups', () => {
  const x = Array.from({ length: 200 }, (_, i) => Math.sin(i * 12.9898) + (Math.floor(i / 10) % 2));
  const figure = (rows: readonly number[]) => rows.reduce((sum, i) => sum + (x[i] as number), 0) / rows.length;
  const width = ([low, high]: [number, number]) => high - low;
  const mean = figure([...x.keys()]);
  const deviation = Math.sqrt(x.reduce((sum, v) => sum + (v - mean) ** 2, 0) / 200);
  const alone = width(bootstrapInterval(200, figure));
  expect(alone / ((2 * 1.96 * deviation) / Math.sqrt(200))).toBeCloseTo(1, 0);
  expect(width(bootstrapInterval(200, figure, { groups: x.map((_, i) => `${Math.floor(i / 10)}`) }))).toBeGreaterThan(
    alone,
  );
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
  const column = (j: number) => ridge.x.map((row) => row[j] as number);
  const blocks = [
    { name: 'a', features: 3, data: Float32Array.from([0, 1, 2].flatMap(column)) },
    { name: 'b', features: 2, data: Float32Array.from([3, 4].flatMap(column)) },
  ];
  const design = await fitDesign(engine, new FeatureMatrix(blocks, n), { standardize: false });
  const kernels = await TapKernels.of(engine, design, [...ridge.x.keys()]);
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
