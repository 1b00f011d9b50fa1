import { beforeAll, describe, expect, test } from 'vitest';
import { createOnnxRuntime, type Engine } from '../../src/engine/index.js';
import {
  crossGram,
  FeatureMatrix,
  fitDesign,
  fitLogistic,
  fitRidge,
  foldNormalisation,
  nearestCentroid,
  nearestNeighbours,
  predictLogits,
  probabilities,
} from '../../src/solver/index.js';
import { dense, fixture, gradient, largestDifference, matrixOf, sample } from './support.js';

let engine: Engine;
beforeAll(async () => {
  engine = await createOnnxRuntime({ threads: 1 });
});
const plain = { standardize: false };
const { n, p, y } = fixture;
const x = Float32Array.from(fixture.x);
const all = Array.from({ length: n }, (_, i) => i);
const centred = (v: Float64Array) => v.map((b) => b - v.reduce((s, c) => s + c, 0) / v.length);

describe('l2 logistic regression', () => {
  test('agrees with scikit-learn at C = 1 / (2 lambda)', async () => {
    const design = await fitDesign(engine, matrixOf({ x, p, n }), plain);
    const fit = await fitLogistic(engine, design, y, { lambdas: fixture.l2.map((f) => f.lambda), tolerance: 1e-9 });
    expect(fit.converged).toBe(true);
    for (const [i, { lambda, w, b }] of fixture.l2.entries()) {
      expect(fit.points[i]?.C).toBeCloseTo(1 / (2 * lambda), 12);
      const model = await fit.model(i);
      expect(largestDifference(model.weights, w)).toBeLessThan(1e-4);
      expect(largestDifference(centred(foldNormalisation(model).intercept), b)).toBeLessThan(1e-4);
    }
  });

  test('agrees with scikit-learn through the Gram matrix, with more features than examples', async () => {
    const matrix = matrixOf({ x: Float32Array.from(fixture.wide), p: 150, n });
    const design = await fitDesign(engine, matrix, plain);
    const lambdas = fixture.l2wide.map((f) => f.lambda);
    const fit = await fitLogistic(engine, design, y, { lambdas, tolerance: 1e-9 });
    const logits = await fit.logits({ matrix, rows: all });
    for (const [i, expected] of fixture.l2wide.entries()) {
      const direct = await predictLogits(engine, await fit.model(i), matrix);
      expect(largestDifference(direct, logits[i] as Float64Array)).toBeLessThan(1e-8);
      expect(
        largestDifference(probabilities(direct, 3), probabilities(Float64Array.from(expected.logits), 3)),
      ).toBeLessThan(1e-4);
    }
  });

  test('has the gradient that it reports, over the whole default grid', async () => {
    const data = sample(40, 90, 3);
    const design = await fitDesign(engine, matrixOf(data), plain);
    const fit = await fitLogistic(engine, design, data.y);
    expect(fit.points).toHaveLength(45);
    for (const index of [8, 20, 30, 44]) {
      const point = fit.points[index] as (typeof fit.points)[number];
      expect(point.converged).toBe(true);
      const model = await fit.model(index);
      const w = dense(model);
      const { c } = gradient(data, w, foldNormalisation(model).intercept);
      const g = c.map((v, i) => -40 * v + 2 * point.lambda * (w[i] as number));
      // Here the features keep their means (0.5 each), so the intercept's part of the gradient counts for more.
      expect(Math.hypot(...g)).toBeLessThan(6 * point.gradient + 1e-9);
    }
  });

  test.each([
    ['a dead column', (x: Float32Array, n: number) => x.fill(0, 3 * n, 4 * n)],
    ['a constant column', (x: Float32Array, n: number) => x.fill(2.5, 3 * n, 4 * n)],
    ['a duplicated column', (x: Float32Array, n: number) => x.copyWithin(3 * n, 0, n)],
  ])('reaches the optimum with %s', async (_, spoil) => {
    for (const p of [10, 200, 400]) {
      const data = sample(300, p, 3);
      spoil(data.x, 300);
      const design = await fitDesign(engine, matrixOf(data), plain);
      const { points } = await fitLogistic(engine, design, data.y, { lambdas: [1, 1e-3] });
      for (const point of points) {
        expect(point.converged).toBe(true);
        expect(point.objective).toBeLessThan(0.96 * 300 * Math.log(3));
      }
    }
  });

  test('refuses a lambda that is not positive', async () => {
    const design = await fitDesign(engine, matrixOf({ x, p, n }), plain);
    await expect(fitLogistic(engine, design, y, { lambdas: [1, -1] })).rejects.toThrow(/must be positive/);
  });
});

describe('ridge', () => {
  test('agrees with scikit-learn, left-out examples included', async () => {
    const matrix = matrixOf({ x, p, n });
    const fit = await fitRidge(engine, await fitDesign(engine, matrix, plain), y, { lambdas: [fixture.ridge.lambda] });
    expect(largestDifference(fit.points[0]?.loo as Float64Array, fixture.ridge.loo)).toBeLessThan(1e-6);
    const fitted = await predictLogits(engine, await fit.model(0), matrix);
    expect(largestDifference(fitted, fixture.ridge.fitted)).toBeLessThan(1e-6);
  });
});

describe('probes without training', () => {
  const data = sample(30, 8, 3);
  const rows = Array.from({ length: 20 }, (_, i) => i);
  const value = (i: number, j: number) => data.x[j * 30 + i] as number;
  const distance = (a: (j: number) => number, b: (j: number) => number) =>
    Array.from({ length: 8 }, (_, j) => (a(j) - b(j)) ** 2).reduce((s, v) => s + v, 0);

  test('nearest neighbours vote', async () => {
    const matrix = matrixOf(data);
    const design = await fitDesign(engine, matrix, { rows, standardize: false });
    const votes = await nearestNeighbours(
      engine,
      { design, labels: data.y },
      { matrix, rows: [25] },
      { k: 3, metric: 'euclidean' },
    );
    const near = [...rows].sort(
      (a, b) =>
        distance(
          (j) => value(25, j),
          (j) => value(a, j),
        ) -
        distance(
          (j) => value(25, j),
          (j) => value(b, j),
        ),
    );
    const expected = [0, 0, 0];
    for (const i of near.slice(0, 3)) expected[i % 3] = (expected[i % 3] as number) + 1 / 3;
    expect(largestDifference(votes, expected)).toBeLessThan(1e-12);
  });

  test('nearest centroid orders classes by distance to their means', async () => {
    const matrix = matrixOf(data);
    const design = await fitDesign(engine, matrix, { rows, standardize: false });
    const scores = await nearestCentroid(engine, { design, labels: data.y }, { matrix, rows: [25] });
    const squares = [0, 1, 2].map((k) => {
      const members = rows.filter((i) => i % 3 === k);
      return distance(
        (j) => value(25, j),
        (j) => members.reduce((s, i) => s + value(i, j), 0) / members.length,
      );
    });
    expect((scores[0] as number) - (scores[1] as number)).toBeCloseTo(
      (squares[1] as number) - (squares[0] as number),
      5,
    );
  });

  test('inner products respect unit norm, and chunks of two matrices walk in step', async () => {
    const blocks = [0, 1].map((b) => ({ name: `tap${b}`, features: 4, data: data.x.slice(b * 120, (b + 1) * 120) }));
    const matrix = new FeatureMatrix(blocks, 30, { unitNorm: true });
    const other = new FeatureMatrix(blocks, 30, { unitNorm: true });
    const design = await fitDesign(engine, matrix, { rows, standardize: true });
    const same = await crossGram(engine, design, { matrix, rows: [3, 28] });
    expect(largestDifference(await crossGram(engine, design, { matrix: other, rows: [3, 28] }), same)).toBe(0);
  });
});
