/** A solver that stops short gives its best iterate, never its start, and says that it stopped short. */
import { beforeAll, describe, expect, test } from 'vitest';
import { createOnnxRuntime, type Engine } from '../../src/engine/index.js';
import {
  addGram,
  centredKernel,
  type Design,
  emptyGram,
  fitDesign,
  fitLogistic,
  KernelLogistic,
  solvePath,
} from '../../src/solver/index.js';
import { draw } from './degenerate.js';
import { matrixOf } from './support.js';

let engine: Engine;
beforeAll(async () => {
  engine = await createOnnxRuntime({ threads: 1 });
});

const limits = [1, 2, 3, 5, 10, 20, 40, 2000];
const shapes = [
  { sizes: [14, 13, 13], p: 8, seed: 1, kind: 'mixed' as const },
  { sizes: [20, 20], p: 60, seed: 2, kind: 'clean' as const },
];

describe.each(shapes)('$p features', (shape) => {
  const problem = draw(shape);
  const { n, y, classes } = problem;
  const start = Math.log(classes);
  const design = () => fitDesign(engine, matrixOf({ ...problem, x: Float32Array.from(problem.x) }));

  /** Mean objective and whether it was reached, by the iterations allowed: falling, and below the start at once. */
  async function expectFalling(
    solve: (limit: number, own: Design) => Promise<{ objective: number; converged: boolean }>,
  ) {
    const own = await design();
    let before = start * 1.02;
    for (const limit of limits) {
      const { objective, converged } = await solve(limit, own);
      expect(objective).toBeLessThan(0.999 * start);
      expect(objective).toBeLessThanOrEqual(before * (1 + 1e-9));
      expect(converged).toBe(limit === 2000 ? true : converged);
      if (limit === 1) expect(converged).toBe(false);
      before = objective;
    }
  }

  test('l2 logistic regression', () =>
    expectFalling(async (maxIterations, own) => {
      const { points, converged } = await fitLogistic(engine, own, y, { lambdas: [1e-2], maxIterations });
      expect(points[0]?.converged).toBe(converged);
      return { objective: (points[0]?.objective as number) / n, converged };
    }));

  test('its dual on a kernel', () =>
    expectFalling(async (maxIterations, own) => {
      const gram = emptyGram(problem.p, n);
      await addGram(engine, own.matrix, own, gram);
      const kernel = centredKernel(gram, n, Array.from(y.keys()), []);
      const options = { tolerance: 1e-4, maxIterations };
      return new KernelLogistic(engine, kernel, { labels: y, classes }, options).fit(2e-2 / n);
    }));

  test.each([
    ['group lasso', 0],
    ['lasso', 1],
  ])('the %s path', (_, mix) =>
    expectFalling(async (maxIterations, own) => {
      const path = await solvePath(engine, own, y, { mix, lambdas: [5e-3], maxIterations, tolerance: 1e-6 });
      expect(path.points[0]?.converged).toBe(path.converged);
      return { objective: path.points[0]?.objective as number, converged: path.converged };
    }),
  );
});

test('a path of few iterations still ends each lambda below where it began', async () => {
  const problem = draw({ sizes: [20, 20, 20], p: 40, seed: 3, kind: 'clean' });
  const design = await fitDesign(engine, matrixOf({ ...problem, x: Float32Array.from(problem.x) }));
  const settings = { count: 12, tolerance: 1e-7, ratio: 0.01 };
  const short = await solvePath(engine, design, problem.y, { ...settings, maxIterations: 5 });
  const whole = await solvePath(engine, design, problem.y, settings);
  expect(short.converged).toBe(false);
  expect(whole.converged).toBe(true);
  for (const [i, point] of short.points.entries()) {
    const before = short.points[i - 1];
    if (before) expect(point.objective).toBeLessThan(before.objective);
    // What it lacks is within its own gap.
    const lacks = (point.objective - (whole.points[i]?.objective as number)) / Math.log(3);
    expect(lacks).toBeGreaterThan(-1e-7);
    expect(point.gap).toBeGreaterThanOrEqual(lacks - 1e-7);
    expect(point.converged).toBe(point.gap <= 1e-7);
  }
});
