import { beforeAll, describe, expect, test } from 'vitest';
import { UserError } from '../../src/base/index.js';
import { createOnnxRuntime, type Engine } from '../../src/engine/index.js';
import { FeatureMatrix, fitDesign, foldNormalisation, predictLogits, solvePath } from '../../src/solver/index.js';
import { dense, fixture, gradient, largestDifference, matrixOf, rowNorms, sample } from './support.js';

let engine: Engine;
beforeAll(async () => {
  engine = await createOnnxRuntime({ threads: 1 });
});
const plain = { standardize: false };
const oracle = { tolerance: 1e-9, precision: 'float64' as const };

describe('a certified path', () => {
  const data = sample(80, 60, 4);

  test('meets the optimality conditions at every lambda', async () => {
    const design = await fitDesign(engine, matrixOf(data), plain);
    const path = await solvePath(engine, design, data.y, { ...oracle, count: 8 });
    for (const [i, { lambda }] of path.points.entries()) {
      const model = path.model(i);
      const w = dense(model);
      const { c } = gradient(data, w, foldNormalisation(model).intercept);
      const norms = rowNorms(w, 4);
      const correlations = rowNorms(c, 4);
      for (let j = 0; j < data.p; j++) {
        if (norms[j] === 0) expect(correlations[j]).toBeLessThanOrEqual(lambda * (1 + 1e-6));
        else {
          for (let k = 0; k < 4; k++) {
            const expected = (lambda * (w[j * 4 + k] as number)) / (norms[j] as number);
            expect(Math.abs((c[j * 4 + k] as number) - expected)).toBeLessThan(2e-3 * lambda);
          }
        }
      }
    }
  });

  test('never claims a gap below the true suboptimality, nor a negative one', async () => {
    const design = await fitDesign(engine, matrixOf(data), plain);
    const exact = await solvePath(engine, design, data.y, { ...oracle, count: 12 });
    for (const tolerance of [1e-2, 1e-3, 1e-4]) {
      const path = await solvePath(engine, design, data.y, { tolerance, count: 12 });
      for (const [i, point] of path.points.entries()) {
        const best = exact.points[i] as typeof point;
        const suboptimality = (point.objective - best.objective) / Math.log(4);
        expect(point.gap).toBeGreaterThanOrEqual(0);
        expect(point.gap).toBeLessThanOrEqual(tolerance);
        expect(point.gap).toBeGreaterThanOrEqual(suboptimality - 1e-7);
        expect(point.converged).toBe(true);
      }
    }
  });

  test('starts with an empty model at lambda_max and with a feature just below it', async () => {
    const design = await fitDesign(engine, matrixOf(data), plain);
    const { lambdaMax, points } = await solvePath(engine, design, data.y, { count: 3, tolerance: 1e-8 });
    expect(points[0]?.nonzero).toBe(0);
    const just = await solvePath(engine, design, data.y, { lambdas: [0.999 * lambdaMax], tolerance: 1e-9 });
    expect(just.points[0]?.nonzero).toBe(1);
    expect(Array.from(just.entryLambda).filter((l) => l > 0)).toEqual([0.999 * lambdaMax]);
  });

  test('has rows that sum to zero over the classes', async () => {
    const design = await fitDesign(engine, matrixOf(data), plain);
    const path = await solvePath(engine, design, data.y, { ...oracle, count: 6 });
    const w = dense(path.model());
    for (let j = 0; j < data.p; j++) {
      expect(Math.abs(w.subarray(4 * j, 4 * j + 4).reduce((a, b) => a + b, 0))).toBeLessThan(1e-9);
    }
  });

  test('marks as provably inactive only groups that are zero in the optimum', async () => {
    const design = await fitDesign(engine, matrixOf(data), plain);
    const path = await solvePath(engine, design, data.y, { tolerance: 1e-4, count: 10 });
    const exact = await solvePath(engine, design, data.y, { ...oracle, count: 10 });
    for (const [i, point] of path.points.entries()) {
      const zero = 1 - (exact.points[i]?.nonzero as number) / data.p;
      expect(point.inactiveShare).toBeLessThanOrEqual(zero + 1e-12);
    }
    expect(path.points[1]?.inactiveShare).toBeGreaterThan(0.5);
  });

  test('does not depend on the order of the features', async () => {
    const order = Array.from({ length: data.p }, (_, j) => (7 * j + 3) % data.p);
    const x = new Float32Array(data.x.length);
    for (const [to, from] of order.entries()) x.set(data.x.subarray(from * 80, from * 80 + 80), to * 80);
    const solve = async (values: Float32Array) => {
      const design = await fitDesign(engine, matrixOf({ ...data, x: values }), plain);
      return (await solvePath(engine, design, data.y, { ...oracle, count: 6 })).scores();
    };
    const [one, two] = [await solve(data.x), await solve(x)];
    expect(
      largestDifference(
        two,
        Float64Array.from(order, (from) => one[from] as number),
      ),
    ).toBeLessThan(1e-4);
  });

  test('shares the weight of a feature with its duplicate', async () => {
    const x = new Float32Array(data.x.length + data.n);
    x.set(data.x);
    x.set(data.x.subarray(0, data.n), data.x.length);
    const settings = { ...oracle, count: 6 };
    const once = await solvePath(engine, await fitDesign(engine, matrixOf(data), plain), data.y, settings);
    const design = await fitDesign(engine, matrixOf({ x, p: data.p + 1, n: data.n }), plain);
    const twice = await solvePath(engine, design, data.y, settings);
    expect(twice.points.at(-1)?.objective).toBeCloseTo(once.points.at(-1)?.objective as number, 8);
    const scores = twice.scores();
    const total = (scores[0] as number) + (scores[data.p] as number);
    expect(total).toBeCloseTo(once.scores()[0] as number, 3);
  });

  test('is bit-identical when repeated and the same on two threads within its tolerance', async () => {
    const run = async (on: Engine) => {
      const design = await fitDesign(on, matrixOf(data), plain);
      const path = await solvePath(on, design, data.y, { tolerance: 1e-4, count: 10 });
      return { objectives: path.points.map((q) => q.objective), weights: Array.from(path.model().weights) };
    };
    const first = await run(engine);
    expect(await run(engine)).toEqual(first);
    const other = await run(await createOnnxRuntime({ threads: 2 }));
    expect(largestDifference(other.objectives, first.objectives)).toBeLessThan(1e-4 * Math.log(4));
  });

  test('says so when the iteration limit ends it early', async () => {
    const design = await fitDesign(engine, matrixOf(data), plain);
    const path = await solvePath(engine, design, data.y, { tolerance: 1e-8, maxIterations: 5, count: 6 });
    expect(path.converged).toBe(false);
    expect(path.points.at(-1)?.converged).toBe(false);
    expect(path.points.at(-1)?.gap).toBeGreaterThan(1e-8);
  });

  test('gives the same from disk as from memory, certified in batches', async () => {
    const streamed = new FeatureMatrix(
      [0, 30].map((first) => ({
        name: `tap${first}`,
        features: 30,
        read: async (from: number, count: number, into: Float32Array) => {
          into.set(data.x.subarray((first + from) * 80, (first + from + count) * 80));
        },
      })),
      80,
      { memory: 0 },
    );
    const settings = { tolerance: 1e-5, count: 20 };
    const disk = await solvePath(engine, await fitDesign(engine, streamed, plain), data.y, settings);
    const memory = await solvePath(engine, await fitDesign(engine, matrixOf(data), plain), data.y, settings);
    expect(disk.converged).toBe(true);
    for (const [i, point] of disk.points.entries()) {
      expect(Math.abs(point.objective - (memory.points[i]?.objective as number))).toBeLessThan(2e-5 * Math.log(4));
    }
  });
});

describe('penalties', () => {
  const data = sample(80, 60, 4, 2);

  test.each([
    ['rows', 0],
    ['sparse rows', 0.3],
    ['single weights', 1],
  ])('certifies %s', async (_, mix) => {
    const design = await fitDesign(engine, matrixOf(data));
    const grid = { mix, count: 10, ratio: 0.1 };
    const path = await solvePath(engine, design, data.y, { ...grid, tolerance: 1e-5 });
    const exact = await solvePath(engine, design, data.y, { ...grid, ...oracle, tolerance: 1e-7 });
    expect(path.converged && exact.converged).toBe(true);
    expect(path.points[0]?.nonzero).toBe(0);
    expect(path.points.at(-1)?.nonzero).toBeGreaterThan(0);
    for (const [i, point] of path.points.entries()) {
      const suboptimality = (point.objective - (exact.points[i]?.objective as number)) / Math.log(4);
      expect(point.gap).toBeGreaterThanOrEqual(suboptimality - 1e-7);
    }
  });
});

describe('agreement with glmnet', () => {
  const { n, p, classes, y } = fixture;
  const x = Float32Array.from(fixture.x);
  const lambdas = fixture.grouped.map((f) => f.lambda);

  const compare = async (
    expected: { w: number[]; b: number[] }[],
    options: Parameters<typeof solvePath>[3],
    weights?: number[],
  ) => {
    const design = await fitDesign(engine, matrixOf({ x, p, n }), { ...plain, weights });
    const path = await solvePath(engine, design, y, { ...oracle, tolerance: 1e-10, lambdas, ...options });
    expect(path.converged).toBe(true);
    for (const [i, { w, b }] of expected.entries()) {
      const model = path.model(i);
      // glmnet stops short: its objective is the higher one, by about 1e-10.
      expect(largestDifference(dense(model), w)).toBeLessThan(5e-4);
      const { intercept } = foldNormalisation(model);
      const mean = intercept.reduce((sum, v) => sum + v, 0) / classes;
      expect(
        largestDifference(
          intercept.map((v) => v - mean),
          b,
        ),
      ).toBeLessThan(2e-3);
    }
  };

  test('on the grouped path', () => compare(fixture.grouped, {}));
  test('with example weights', () => compare(fixture.groupedWeighted, {}, fixture.weights));
  test('with element-wise l1', () => compare(fixture.ungrouped, { mix: 1 }));

  test('two classes are the binary lasso at lambda / sqrt 2', async () => {
    const design = await fitDesign(engine, matrixOf({ x, p, n }), plain);
    const path = await solvePath(engine, design, fixture.binary, {
      ...oracle,
      tolerance: 1e-10,
      lambdas: fixture.binomial.map((f) => f.lambda * Math.SQRT2),
    });
    for (const [i, { w }] of fixture.binomial.entries()) {
      const ours = dense(path.model(i));
      const beta = Float64Array.from({ length: p }, (_, j) => (ours[2 * j + 1] as number) - (ours[2 * j] as number));
      expect(largestDifference(beta, w)).toBeLessThan(2e-4);
    }
  });

  test('held-out rows are predicted with the normalisation of the training rows', async () => {
    const rows = Array.from({ length: 40 }, (_, i) => i);
    const matrix = new FeatureMatrix([{ name: 'tap', features: p, data: x }], n, { unitNorm: true });
    const design = await fitDesign(engine, matrix, { rows });
    const model = (await solvePath(engine, design, y, { tolerance: 1e-4, count: 10 })).model();
    const other = new FeatureMatrix([{ name: 'tap', features: p, data: x }], n, { unitNorm: true });
    const all = await predictLogits(engine, model, other);
    const some = await predictLogits(engine, model, matrix, [45, 50]);
    expect(Array.from(some.subarray(0, classes))).toEqual(Array.from(all.subarray(45 * classes, 46 * classes)));
    const fromSelection = matrix.select(model.indices);
    const again = await fitDesign(engine, fromSelection, { rows });
    expect(largestDifference(again.mean, model.mean)).toBeLessThan(1e-6);
  });
});

describe('bad input', () => {
  const data = sample(20, 5, 2);
  const probe = async (x = data.x, y: number[] = data.y, options = {}, n = 20, p = 5) => {
    const design = await fitDesign(engine, matrixOf({ x, p, n }), plain);
    return solvePath(engine, design, y, options);
  };
  const nan = data.x.slice();
  nan[2 * 20 + 7] = Number.NaN;

  test.each([
    ['labels that do not match the rows', () => probe(data.x, data.y.slice(1)), /19 labels for 20 rows/],
    ['one class', () => probe(data.x, new Array(20).fill(0)), /one class/],
    [
      'a class without examples',
      () =>
        probe(
          data.x,
          data.y.map((c) => 2 * c),
        ),
      /class 1 has no example/,
    ],
    [
      'labels that are no class numbers',
      () =>
        probe(
          data.x,
          data.y.map((c) => c - 0.5),
        ),
      /whole numbers/,
    ],
    ['no features', () => probe(new Float32Array(0), data.y, {}, 20, 0), /p = 0/],
    ['one example', () => probe(data.x.slice(0, 5), [0], {}, 1, 5), /two examples/],
    ['a lambda that is not positive', () => probe(data.x, data.y, { lambdas: [1, 0] }), /must be positive/],
    ['a grid that rises', () => probe(data.x, data.y, { lambdas: [0.1, 1] }), /must fall/],
    ['NaN', () => probe(nan), /tap, feature 2: NaN in row 7/],
    ['a shape that does not fit', () => probe(data.x, data.y, {}, 20, 6), /check the array's shape/],
    ['a mix outside [0, 1]', () => probe(data.x, data.y, { mix: 2 }), /\[0, 1\]/],
  ])('%s', async (_, work, message) => {
    const error = await work().catch((e: unknown) => e);
    expect(error).toBeInstanceOf(UserError);
    expect((error as Error).message).toMatch(message);
  });
});
