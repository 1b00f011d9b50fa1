/** Tables that do not fit in memory: products and probes are those of a table that does. */
import { beforeAll, describe, expect, test } from 'vitest';
import { Random } from '../../src/base/index.js';
import { createOnnxRuntime, type Engine } from '../../src/engine/index.js';
import {
  allFeatures,
  FeatureMatrix,
  type FeatureMatrixOptions,
  featureTable,
  fitDesign,
  fitLogistic,
  HeldTable,
  StreamedTable,
  TableLogistic,
  type TableProducts,
  tableFits,
} from '../../src/solver/index.js';
import { gradient, largestDifference, type Sample } from './support.js';

let engine: Engine;
beforeAll(async () => {
  engine = await createOnnxRuntime({ threads: 1 });
});

const [n, p, K] = [450, 280, 3];
const random = new Random(3, 'streamed tables');
const y = Array.from({ length: n }, (_, i) => i % K);
/** Correlated, of several scales, away from zero and some very far, and one constant. */
const x = new Float32Array(p * n);
const factors = Float32Array.from({ length: 5 * n }, () => random.normal());
for (let j = 0; j < p; j++) {
  const mix = Array.from({ length: 5 }, () => random.normal());
  for (let i = 0; i < n; i++) {
    const shared = mix.reduce((sum, m, f) => sum + m * (factors[f * n + i] as number), 0);
    const value = shared + random.normal() + (j % 9 === y[i] ? 1 : 0);
    x[j * n + i] = j === 7 ? 4 : 2 ** (j % 4) * value + (j % 3) + (j % 50 === 11 ? 3e4 : 0);
  }
}

/** Taps of so many features, read from a file as it were, of which so many bytes are held. */
function matrixIn(options: Partial<FeatureMatrixOptions> = {}, width = 140): FeatureMatrix {
  const block = (name: string, from: number, to: number) => ({
    name,
    features: to - from,
    read: async (first: number, count: number, into: Float32Array) =>
      into.set(x.subarray((from + first) * n, (from + first + count) * n)),
  });
  const blocks = Array.from({ length: p / width }, (_, t) => block(`tap ${t}`, t * width, (t + 1) * width));
  return new FeatureMatrix(blocks, n, options);
}
/** Less than the features take in float32, so that they are read again at each pass. */
const little = 2e5;

const normal = (length: number) => Float64Array.from({ length }, () => random.normal());
const sizeOf = (values: Float64Array) => Math.max(...values.map(Math.abs));
const every = Int32Array.from({ length: n }, (_, i) => i);
const some = every.filter((i) => i % 4 !== 1).reverse();

describe.each([
  ['all rows', every, { unitNorm: false }, 140, 1e-10],
  ['some rows, in another order', some, { unitNorm: false }, 140, 1e-10],
  ['taps of unit norm', every, { unitNorm: true }, 140, 1e-10],
  // Few features of many taps are read together, in float32 about their means.
  ['narrow taps', every, { unitNorm: false }, 10, 1e-7],
  ['narrow taps of unit norm', every, { unitNorm: true }, 10, 1e-7],
] as const)('products of %s', (_, rows, options, width, rounding) => {
  const weights = Float64Array.from(rows, (i) => 0.5 + (i % 3));
  async function both(): Promise<[TableProducts, TableProducts]> {
    const [held, streamed] = [matrixIn(options, width), matrixIn({ ...options, memory: little }, width)];
    const [a, b] = [await fitDesign(engine, held, { rows }), await fitDesign(engine, streamed, { rows })];
    return [new HeldTable(engine, await featureTable(a, allFeatures(held))), new StreamedTable(engine, b)];
  }

  test('are those of a table in memory', async () => {
    const [held, streamed] = await both();
    expect([streamed.n, streamed.p]).toEqual([held.n, held.p]);
    const pairs = [
      await Promise.all([held, streamed].map((table) => table.forward(a, K))),
      await Promise.all([held, streamed].map((table) => table.adjoint(d, K))),
      await Promise.all([held, streamed].map((table) => table.squares())),
      await Promise.all([held, streamed].map((table) => table.squares(weights))),
    ];
    for (const [own, other] of pairs as [Float64Array, Float64Array][]) {
      expect(largestDifference(other, own)).toBeLessThan(rounding * sizeOf(own));
    }
  });
  const a = normal(p * K);
  const d = normal(rows.length * K);

  test.each([
    [true, rounding],
    [false, 8e-5],
  ])('with the Hessian too (exactly %s)', async (exactly, tolerance) => {
    const probabilities = Float64Array.from({ length: rows.length * K }, (_, at) => ((at % K) + 1) / 6);
    const [own, other] = await Promise.all(
      (await both()).map(async (table) => (await table.curvature(probabilities, weights, exactly))(a, normalOf(K))),
    );
    expect(largestDifference(other?.a as Float64Array, own?.a as Float64Array)).toBeLessThan(
      tolerance * sizeOf(own?.a as Float64Array),
    );
    expect(largestDifference(other?.b as Float64Array, own?.b as Float64Array)).toBeLessThan(
      tolerance * sizeOf(own?.a as Float64Array),
    );
  });

  test('with some of the features too', async () => {
    const positions = Int32Array.of(3, 7, 139, 140, 279);
    const coefficients = a.slice(0, positions.length * K);
    const [own, other] = await Promise.all(
      (await both()).map((table) => table.select(positions).forward(coefficients, K)),
    );
    expect(largestDifference(other as Float64Array, own as Float64Array)).toBeLessThan(
      1e-7 * sizeOf(own as Float64Array),
    );
  });
});
const normalOf = (length: number) => Float64Array.from({ length }, (_, i) => 0.1 * i - 0.1);

describe.each([
  [false, false],
  [true, false],
  [true, true],
])('a probe on a view, standardised %s, weighted %s', (standardize, weighted) => {
  test.each([1e-1, 1e-3])('at %d is that of a table in memory', async (l2) => {
    const fits = await Promise.all(
      [false, true].map(async (isStreamed) => {
        const matrix = matrixIn(isStreamed ? { memory: little } : {});
        const design = await fitDesign(engine, matrix, { standardize });
        const table = isStreamed
          ? new StreamedTable(engine, design)
          : new HeldTable(engine, await featureTable(design, allFeatures(matrix)), true);
        const weights = weighted ? Array.from(some, (i) => 1 + (i % 5)) : undefined;
        const examples = { labels: y, classes: K, rows: some, weights, standardize };
        return (await TableLogistic.on(table, examples, { tolerance: 1e-7, maxIterations: 2000 })).fit(l2);
      }),
    );
    const [own, other] = fits;
    expect([own?.converged, other?.converged]).toEqual([true, true]);
    expect(other?.objective).toBeCloseTo(own?.objective as number, 9);
    const logits = own?.logits as Float64Array;
    expect(largestDifference(other?.logits as Float64Array, logits)).toBeLessThan(1e-4 * sizeOf(logits));
  });
});

test('logistic regression whose table does not fit has the same certified solution, whatever memory it has', {
  timeout: 120_000,
}, async () => {
  const lambdas = [10, 0.1, 1e-3];
  const results = [];
  for (const memory of [2 ** 31, 4 * little, little, 1]) {
    const matrix = matrixIn({ memory });
    expect(tableFits(matrix, p)).toBe(memory === 2 ** 31);
    const design = await fitDesign(engine, matrix);
    const fit = await fitLogistic(engine, design, y, { lambdas, tolerance: 1e-6 });
    expect(fit.converged).toBe(true);
    const [logits] = [await fit.logits({ matrix, rows: some })];
    results.push({ points: fit.points, model: await fit.model(1), logits: logits[1] as Float64Array, design });
  }
  const [own, ...others] = results as [(typeof results)[number], ...typeof results];
  for (const { points, model, logits, design } of others) {
    expect(logits.length).toBe(some.length * K);
    expect(largestDifference(logits, own.logits)).toBeLessThan(1e-4 * sizeOf(own.logits));
    for (const [i, { objective, iterations }] of points.entries()) {
      expect(objective).toBeCloseTo(own.points[i]?.objective as number, 6);
      // Tiles in float32 precondition as the whole inverse does.
      expect(iterations).toBeLessThan(2 * (own.points[i]?.iterations as number) + 20);
    }
    // The gradient by plain arithmetic on normalised values is what the fit says it is.
    const values = new Float32Array(p * n);
    for (let j = 0; j < p; j++) {
      for (let i = 0; i < n; i++) {
        values[j * n + i] = ((x[j * n + i] as number) - (design.mean[j] as number)) * (design.scale[j] as number);
      }
    }
    const plain: Sample = { x: values, y, n, p, classes: K };
    const { c } = gradient(plain, model.weights, model.intercept);
    const slope = c.map((value, at) => 2 * 0.1 * (model.weights[at] as number) - n * value);
    const norm = 2 * 0.1 * Math.hypot(...model.weights);
    expect(Math.hypot(...slope)).toBeLessThan(1e-5 * norm);
  }
});
