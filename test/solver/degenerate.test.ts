/** Every solver on inputs of deficient rank, bad scale and few examples, beside scikit-learn at equal penalty. */
import { beforeAll, describe, expect, test } from 'vitest';
import { createOnnxRuntime, type Engine } from '../../src/engine/index.js';
import {
  addGram,
  centredKernel,
  type Design,
  emptyGram,
  fitDesign,
  fitLogistic,
  fitRidge,
  KernelLogistic,
  type LinearModel,
  nearestCentroid,
  nearestNeighbours,
  solvePath,
} from '../../src/solver/index.js';
import { type Case, draw, expected, type Problem, weightsOf } from './degenerate.js';
import { matrixOf } from './support.js';

let engine: Engine;
beforeAll(async () => {
  engine = await createOnnxRuntime({ threads: 1 });
});

async function designOf(problem: Problem, { standardize, weighted }: Pick<Case, 'standardize' | 'weighted'>) {
  const matrix = matrixOf({ ...problem, x: Float32Array.from(problem.x) });
  return fitDesign(engine, matrix, { standardize, weights: weighted ? weightsOf(problem.n) : undefined });
}

/** Scores (n, K) of a model on its own examples, in plain float64. */
function scores({ x, n, classes: K }: Problem, { indices, weights, mean, scale, intercept }: LinearModel) {
  const z = Array.from({ length: n }, () => Array.from(intercept));
  for (const [a, j] of indices.entries()) {
    for (const [i, row] of z.entries()) {
      const value = ((x[j * n + i] as number) - (mean[a] as number)) * (scale[a] as number);
      for (let k = 0; k < K; k++) row[k] = (row[k] as number) + value * (weights[a * K + k] as number);
    }
  }
  return z;
}

const squares = (w: Float64Array) => w.reduce((sum, v) => sum + v * v, 0);

function logisticObjective(problem: Problem, v: ArrayLike<number>, model: LinearModel, lambda: number): number {
  let loss = 0;
  for (const [i, z] of scores(problem, model).entries()) {
    const top = Math.max(...z);
    const own = z[problem.y[i] as number] as number;
    loss += (v[i] as number) * (Math.log(z.reduce((sum, s) => sum + Math.exp(s - top), 0)) + top - own);
  }
  return loss + lambda * squares(model.weights);
}

function ridgeObjective(problem: Problem, v: ArrayLike<number>, model: LinearModel, lambda: number): number {
  let loss = 0;
  for (const [i, z] of scores(problem, model).entries()) {
    for (const [k, s] of z.entries()) loss += (v[i] as number) * ((k === problem.y[i] ? 1 : 0) - s) ** 2;
  }
  return loss + lambda * squares(model.weights);
}

/** Objective, and duality gap relative to the loss without features, of a path's model: in plain float64. */
function certificate(
  problem: Problem,
  { weights: v, mean, scale }: Design,
  model: LinearModel,
  { lambda, mix }: { lambda: number; mix: number },
) {
  const { n, p, classes: K, x, y } = problem;
  const total = y.map((c, i) => [c, (v[i] as number) / n] as const);
  const frequencies = Array.from({ length: K }, (_, k) => total.reduce((sum, [c, s]) => sum + (c === k ? s : 0), 0));
  const nullLoss = -frequencies.reduce((sum, f) => sum + f * Math.log(f), 0);
  const softmax = scores(problem, model).map((z) => {
    const e = z.map((s) => Math.exp(s - Math.max(...z)));
    const sum = e.reduce((a, b) => a + b, 0);
    return e.map((s) => s / sum);
  });
  const share = (i: number) => (v[i] as number) / n;
  const residual = softmax.map((q, i) => q.map((s, k) => share(i) * ((k === y[i] ? 1 : 0) - s)));
  const loss = softmax.reduce((sum, q, i) => sum - share(i) * Math.log(q[y[i] as number] as number), 0);
  const norm = (row: readonly number[]) => (mix === 1 ? Math.max(...row.map(Math.abs)) : Math.hypot(...row));
  let worst = 0;
  for (let j = 0; j < p; j++) {
    const c = new Array<number>(K).fill(0);
    for (let i = 0; i < n; i++) {
      const value = ((x[j * n + i] as number) - (mean[j] as number)) * (scale[j] as number);
      for (let k = 0; k < K; k++) c[k] = (c[k] as number) + value * (residual[i]?.[k] as number);
    }
    worst = Math.max(worst, norm(c));
  }
  const a = Math.min(1, lambda / worst);
  const entropy = softmax.reduce((sum, q, i) => {
    const dual = q.map((s, k) => (1 - a) * (k === y[i] ? 1 : 0) + a * s);
    return sum - share(i) * dual.reduce((h, s) => h + (s > 0 ? s * Math.log(s) : 0), 0);
  }, 0);
  let penalty = 0;
  for (let at = 0; at < model.weights.length; at += K) {
    const row = Array.from(model.weights.subarray(at, at + K));
    penalty += mix === 1 ? row.reduce((sum, w) => sum + Math.abs(w), 0) : Math.hypot(...row);
  }
  const objective = loss + lambda * penalty;
  return { objective, gap: (objective - entropy) / nullLoss };
}

/** The kernel of a design's features over all rows. */
async function kernelOf(design: Design, n: number) {
  const gram = emptyGram(design.matrix.features, n);
  await addGram(engine, design.matrix, design, gram);
  return centredKernel(
    gram,
    n,
    Array.from({ length: n }, (_, i) => i),
    [],
  );
}

const named = expected.cases.map((c) => ({
  ...c,
  how: `${c.standardize ? 'standardised' : 'as they are'}${c.weighted ? ', weighted' : ''}`,
}));

/** Equal within 1e-6 of the optimum. */
function expectOptimal(value: number, optimum: number): void {
  expect(Math.abs(value / optimum - 1)).toBeLessThan(1e-6);
}

describe.each(named)('$shape, $kind columns, $how', (c) => {
  const problem = draw(c);
  const { n, y, classes } = problem;

  test('l2 logistic regression reaches the optimum', async () => {
    const design = await designOf(problem, c);
    const fit = await fitLogistic(engine, design, y, { lambdas: c.l2.map((q) => q.lambda), tolerance: 1e-4 });
    for (const [i, { lambda, objective }] of c.l2.entries()) {
      expect(fit.points[i]?.converged).toBe(true);
      expectOptimal(fit.points[i]?.objective as number, objective);
      expectOptimal(logisticObjective(problem, design.weights, await fit.model(i), lambda), objective);
    }
  });

  test('so does its dual on a kernel', async () => {
    const design = await designOf(problem, c);
    const weights = c.weighted ? weightsOf(n) : undefined;
    const precision = { tolerance: 1e-3, maxIterations: 10_000, weights };
    const solver = new KernelLogistic(engine, await kernelOf(design, n), { labels: y, classes }, precision);
    for (const { lambda, objective } of c.l2) {
      const fit = await solver.fit((2 * lambda) / n);
      expect(fit.converged).toBe(true);
      expectOptimal(fit.objective * n, objective);
    }
  });

  test.runIf(problem.p < 100)('the path carries a true certificate at every lambda', async () => {
    const design = await designOf(problem, c);
    for (const [mix, tolerance] of [
      [0, 1e-6],
      [0, 1e-3],
      [1, 1e-6],
    ] as const) {
      const path = await solvePath(engine, design, y, { mix, tolerance, count: 5, ratio: 0.05 });
      expect(path.converged).toBe(true);
      for (const [i, point] of path.points.entries()) {
        const { objective, gap } = certificate(problem, design, path.model(i), { lambda: point.lambda, mix });
        expect(point.objective).toBeCloseTo(objective, 6);
        expect(point.gap).toBeLessThanOrEqual(tolerance);
        expect(gap).toBeGreaterThanOrEqual(-1e-9);
        expect(gap).toBeLessThanOrEqual(point.gap + 1e-6);
      }
    }
  });

  test.runIf(c.ridge)('ridge regression reaches the optimum, and leaves examples out exactly', async () => {
    const design = await designOf(problem, c);
    const reference = c.ridge as NonNullable<Case['ridge']>;
    const fit = await fitRidge(engine, design, y, { lambdas: reference.map((q) => q.lambda) });
    for (const [i, { lambda, objective, looError }] of reference.entries()) {
      expectOptimal(ridgeObjective(problem, design.weights, await fit.model(i), lambda), objective);
      expectOptimal(fit.points[i]?.looError as number, looError);
    }
  });
});

describe('without training', () => {
  const known = { sizes: [14, 13, 13], p: 8, seed: 0 };
  const [rows, asked] = [0, 30].map((from) => Array.from({ length: from === 0 ? 30 : 10 }, (_, i) => from + i)) as [
    number[],
    number[],
  ];

  test.each(expected.neighbours)('$metric on $kind columns agrees', async ({ kind, metric, votes, predicted }) => {
    const problem = draw({ ...known, kind });
    const matrix = matrixOf({ ...problem, x: Float32Array.from(problem.x) });
    const design = await fitDesign(engine, matrix, { rows, standardize: false });
    const others = { matrix, rows: asked };
    if (metric === 'centroid') {
      const found = await nearestCentroid(engine, { design, labels: problem.y }, others);
      const top = asked.map((_, i) => found.subarray(3 * i, 3 * i + 3)).map((s) => s.indexOf(Math.max(...s)));
      expect(top).toEqual(predicted);
    } else {
      const found = await nearestNeighbours(engine, { design, labels: problem.y }, others, { k: 5, metric });
      expect(Array.from(found, (share) => Math.round(5 * share))).toEqual(votes?.map((share) => Math.round(5 * share)));
    }
  });
});

test("balanced class weights are scikit-learn's", async () => {
  const sizes = [70, 15, 5];
  const problem = draw({ sizes, p: 12, seed: 50, kind: 'clean' });
  const { n, y, x } = problem;
  const weights = y.map((c) => n / (3 * (sizes[c] as number)));
  const design = await fitDesign(engine, matrixOf({ ...problem, x: Float32Array.from(x) }), {
    standardize: false,
    weights,
  });
  const fit = await fitLogistic(engine, design, y, { lambdas: expected.balanced.map((q) => q.lambda) });
  for (const [i, { objective }] of expected.balanced.entries()) {
    expectOptimal(fit.points[i]?.objective as number, objective);
  }
});

test.each([
  ['fewer', 3],
  ['more', 20],
])('without a feature that varies, %s than examples, every probe is the model without features', async (_, p) => {
  const y = [0, 1, 2, 0, 1, 2];
  const n = y.length;
  const x = new Float32Array(n * p).map((_, at) => (at < n ? 0 : 2.5));
  const design = await fitDesign(engine, matrixOf({ x, p, n }));
  const fit = await fitLogistic(engine, design, y, { lambdas: [1, 1e-3] });
  expect(fit.converged).toBe(true);
  expect(fit.points[1]?.objective).toBeCloseTo(n * Math.log(3), 12);
  expect((await fit.model(1)).weights.every((w) => w === 0)).toBe(true);
  const solver = new KernelLogistic(engine, await kernelOf(design, n), { labels: y, classes: 3 });
  expect(await solver.fit(1e-3)).toMatchObject({ converged: true });
  // Who is left out is predicted by the other five.
  expect((await fitRidge(engine, design, y)).points[0]?.looError).toBeCloseTo((0.8 ** 2 + 2 * 0.4 ** 2) / 3, 12);
  await expect(solvePath(engine, design, y)).rejects.toThrow(/no feature varies/);
});
