/** What holds of every solver on any input, without a reference. */
import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { createOnnxRuntime, type Engine } from '../../src/engine/index.js';
import {
  addGram,
  centredKernel,
  emptyGram,
  type Floats,
  fitDesign,
  fitLogistic,
  fitRidge,
  KernelLogistic,
  predictLogits,
  solvePath,
} from '../../src/solver/index.js';
import { labelsOf, type Problem } from './degenerate.js';
import { largestDifference, matrixOf } from './support.js';

let engine: Engine;
beforeAll(async () => {
  engine = await createOnnxRuntime({ threads: 1 });
});
// A counterexample is shown as it was drawn: shrinking it would take minutes.
const runs = { numRuns: 40, seed: 7, endOnFailure: true };

/** Multiples of 1/64, exact in float32 also after the changes below. */
const value = fc.integer({ min: -256, max: 256 }).map((v) => v / 64);
type Change = 'none' | 'dead' | 'constant' | 'double' | 'sum' | 'far' | 'tiny' | 'huge';
const change = fc.constantFrom<Change>(
  'none',
  'none',
  'none',
  'dead',
  'constant',
  'double',
  'sum',
  'far',
  'tiny',
  'huge',
);

/** Any problem of few examples, with columns of every bad kind among good ones. */
const problems: fc.Arbitrary<Problem> = fc
  .record({
    sizes: fc.array(fc.integer({ min: 2, max: 12 }), { minLength: 2, maxLength: 4 }),
    changes: fc.array(change, { minLength: 1, maxLength: 40 }),
  })
  .chain(({ sizes, changes }) => {
    const y = labelsOf(sizes);
    return fc
      .array(value, { minLength: y.length * changes.length, maxLength: y.length * changes.length })
      .map((values) => {
        const n = y.length;
        const x = Float64Array.from(values);
        for (const [j, how] of changes.entries()) {
          const column = x.subarray(j * n, (j + 1) * n);
          const before = x.subarray(Math.max(0, j - 1) * n, Math.max(0, j - 1) * n + n);
          column.set(column.map((v, i) => changed(how, v + (y[i] as number) / 2, before[i] as number)));
        }
        return { n, p: changes.length, classes: sizes.length, y, x };
      });
  });

function changed(how: Change, v: number, before: number): number {
  switch (how) {
    case 'dead':
      return 0;
    case 'constant':
      return -2.5;
    case 'double':
      return before;
    case 'sum':
      return before + v;
    case 'far':
      return v + 8192;
    case 'tiny':
      return v * 2 ** -60;
    case 'huge':
      return v * 2 ** 12;
    default:
      return v;
  }
}

/** Equal to so many parts of one. */
function near(a: number, b: number, share = 1e-6): void {
  expect(Math.abs(a / b - 1)).toBeLessThan(share);
}

const lambdas = fc.integer({ min: -4, max: 3 }).map((e) => 10 ** e);

const design = (
  { x, p, n }: Pick<Problem, 'x' | 'p' | 'n'>,
  options: { standardize: boolean; weights?: readonly number[] },
) => fitDesign(engine, matrixOf({ x: Float32Array.from(x), p, n }), options);

/** Loss of the model without features, over n examples. */
function nullLoss({ y, n, classes }: Problem): number {
  const sizes = Array.from({ length: classes }, (_, k) => y.filter((c) => c === k).length);
  return sizes.reduce((sum, size) => sum - size * Math.log(size / n), 0);
}

async function dual(
  problem: Problem,
  l2: number,
  {
    standardize = false,
    weights,
    gram = emptyGram(problem.p, problem.n),
  }: {
    standardize?: boolean;
    weights?: readonly number[];
    gram?: Floats;
  } = {},
) {
  const { n, y, classes } = problem;
  const own = await design(problem, { standardize, ...(weights ? { weights } : {}) });
  await addGram(engine, own.matrix, own, gram);
  const rows = Array.from({ length: n }, (_, i) => i);
  const solver = new KernelLogistic(
    engine,
    centredKernel(gram, n, rows, []),
    { labels: y, classes },
    { tolerance: 1e-6, maxIterations: 10_000, weights },
  );
  return solver.fit(l2);
}

describe('no solver ends above the model without features', () => {
  const any = fc.tuple(problems, lambdas, fc.boolean(), fc.constantFrom(1, 20, 5000));

  test('l2 logistic regression, however few iterations it has', async () => {
    await fc.assert(
      fc.asyncProperty(any, async ([problem, lambda, standardize, maxIterations]) => {
        const own = await design(problem, { standardize });
        const { points } = await fitLogistic(engine, own, problem.y, { lambdas: [lambda], maxIterations });
        expect(points[0]?.objective).toBeLessThanOrEqual(nullLoss(problem) * (1 + 1e-9));
      }),
      runs,
    );
  });

  test('its dual', async () => {
    await fc.assert(
      fc.asyncProperty(any, async ([problem, lambda, standardize]) => {
        const { objective } = await dual(problem, lambda / problem.n, { standardize });
        expect(objective * problem.n).toBeLessThanOrEqual(nullLoss(problem) * (1 + 1e-9));
        expect(objective).toBeGreaterThanOrEqual(0);
      }),
      runs,
    );
  });

  test('the path, however few iterations it has', async () => {
    await fc.assert(
      fc.asyncProperty(any, async ([problem, , standardize, maxIterations]) => {
        const own = await design(problem, { standardize });
        if (own.power.every((v) => v === 0)) return;
        const path = await solvePath(engine, own, problem.y, { count: 4, maxIterations, tolerance: 1e-4 });
        for (const point of path.points) {
          expect(point.objective * problem.n).toBeLessThanOrEqual(nullLoss(problem) * (1 + 1e-5));
          expect(point.gap).toBeGreaterThanOrEqual(-1e-7);
          if (maxIterations === 5000) expect(point.converged).toBe(true);
        }
      }),
      runs,
    );
  });
});

describe('l2 logistic regression', () => {
  const fitted = async (problem: Problem, lambda: number, standardize: boolean, weights?: readonly number[]) => {
    const own = await design(problem, { standardize, ...(weights ? { weights } : {}) });
    const solution = await fitLogistic(engine, own, problem.y, { lambdas: [lambda], tolerance: 1e-7 });
    const model = await solution.model(0);
    return { model, objective: solution.points[0]?.objective as number, own };
  };
  const given = fc.tuple(problems, lambdas, fc.boolean());

  test('does not depend on the order of the features', async () => {
    await fc.assert(
      fc.asyncProperty(given, async ([problem, lambda, standardize]) => {
        const { n, p, x } = problem;
        const order = Array.from({ length: p }, (_, j) => p - 1 - j);
        const turned = {
          ...problem,
          x: Float64Array.from(order.flatMap((j) => Array.from(x.subarray(j * n, (j + 1) * n)))),
        };
        const [one, two] = [await fitted(problem, lambda, standardize), await fitted(turned, lambda, standardize)];
        near(two.objective, one.objective);
      }),
      runs,
    );
  });

  test('splits the weight of a feature evenly with its duplicate: the pair is the feature times sqrt 2', async () => {
    await fc.assert(
      fc.asyncProperty(problems, lambdas, async (problem, lambda) => {
        const { n, p, x, classes: K } = problem;
        // Four copies are the feature times 2, which float32 holds.
        const four = Float64Array.from([...x, ...[1, 2, 3].flatMap(() => Array.from(x.subarray(0, n)))]);
        const twice = x.map((v, at) => (at < n ? 2 * v : v));
        const copied = await fitted({ ...problem, p: p + 3, x: four }, lambda, false);
        const scaled = await fitted({ ...problem, x: twice }, lambda, false);
        near(copied.objective, scaled.objective);
        const row = (j: number) => copied.model.weights.subarray(j * K, (j + 1) * K);
        const size = Math.hypot(...copied.model.weights);
        for (const j of [p, p + 1, p + 2]) expect(largestDifference(row(j), row(0))).toBeLessThan(1e-4 * size + 1e-12);
      }),
      runs,
    );
  });

  test('does not see a constant that is added to a feature', async () => {
    await fc.assert(
      fc.asyncProperty(given, fc.constantFrom(-3, 100, 4096), async ([problem, lambda, standardize], constant) => {
        const { n, x } = problem;
        // The other columns may be far already: the first is drawn anew, with room for the constant in float32.
        const drawn = (at: number) => ((at * 37) % 129) / 64;
        const base = { ...problem, x: x.map((v, at) => (at < n ? drawn(at) : v)) };
        const moved = { ...problem, x: x.map((v, at) => (at < n ? drawn(at) + constant : v)) };
        const [one, two] = [await fitted(base, lambda, standardize), await fitted(moved, lambda, standardize)];
        near(two.objective, one.objective);
        const [a, b] = [
          await predictLogits(engine, one.model, one.own.matrix),
          await predictLogits(engine, two.model, two.own.matrix),
        ];
        expect(largestDifference(a, b)).toBeLessThan(1e-3 * (1 + Math.max(...a.map(Math.abs))));
      }),
      runs,
    );
  });

  test('counts an example of weight 2 as it counts two examples; so do dual, path and ridge', async () => {
    await fc.assert(
      fc.asyncProperty(problems, lambdas, async (problem, lambda) => {
        const { n, p, x, y } = problem;
        const rows = [...Array.from({ length: n }, (_, i) => i), 0, 1];
        const m = rows.length;
        const doubled: Problem = {
          ...problem,
          n: m,
          y: rows.map((i) => y[i] as number),
          x: Float64Array.from(
            { length: p * m },
            (_, at) => x[Math.floor(at / m) * n + (rows[at % m] as number)] as number,
          ),
        };
        const weights = y.map((_, i) => (i < 2 ? 2 : 1));
        // Weights have mean one, so the sum over examples is n / m of the sum over copies.
        const one = await fitted(problem, lambda, false, weights);
        const two = await fitted(doubled, (lambda * m) / n, false);
        near((one.objective * m) / n, two.objective);
        const [lighter, heavier] = [
          await dual(problem, lambda, { standardize: true, weights, gram: new Float64Array(n * n) }),
          await dual(doubled, lambda, { standardize: true, gram: new Float64Array(m * m) }),
        ];
        near(lighter.objective, heavier.objective, 1e-5);
        if (one.own.power.every((v) => v === 0)) return;
        const settings = { count: 3, tolerance: 1e-7 };
        const path = await solvePath(engine, one.own, y, settings);
        const other = await solvePath(engine, two.own, doubled.y, settings);
        near(path.lambdaMax, other.lambdaMax);
        near(path.points[2]?.objective as number, other.points[2]?.objective as number);
        const ridge = await (await fitRidge(engine, one.own, y, { lambdas: [lambda] })).model(0);
        const copies = await (await fitRidge(engine, two.own, doubled.y, { lambdas: [(lambda * m) / n] })).model(0);
        const [a, b] = [
          await predictLogits(engine, ridge, one.own.matrix),
          await predictLogits(engine, copies, one.own.matrix),
        ];
        expect(largestDifference(a, b)).toBeLessThan(1e-4);
      }),
      runs,
    );
  });
});
