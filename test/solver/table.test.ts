/** Probes on views of one table: what a design of the same examples gives, and nothing of size n x n. */
import { beforeAll, describe, expect, test } from 'vitest';
import { Random } from '../../src/base/index.js';
import { createOnnxRuntime, type Engine } from '../../src/engine/index.js';
import {
  FeatureMatrix,
  featureTable,
  fitDesign,
  fitLogistic,
  HeldTable,
  selectFeatures,
  TableLogistic,
} from '../../src/solver/index.js';
import { largestDifference, matrixOf, sample } from './support.js';

let engine: Engine;
beforeAll(async () => {
  engine = await createOnnxRuntime({ threads: 1 });
});

const K = 3;
const [n, p] = [90, 12];
const data = sample(n, p, K);
// Of several scales, and far from zero.
for (let at = 0; at < data.x.length; at++) {
  data.x[at] = 2 ** (Math.floor(at / n) % 4) * (data.x[at] as number) + Math.floor(at / n);
}
const train = Array.from({ length: n }, (_, i) => i).filter((i) => i % 4 !== 1);
const others = Array.from({ length: n }, (_, i) => i).filter((i) => i % 4 === 1);
const at = (z: Float64Array, rows: readonly number[]) => rows.flatMap((i) => [...z.subarray(i * K, (i + 1) * K)]);
const centred = (z: readonly number[] | Float64Array) =>
  Array.from(z, (v, i) => v - Array.from(z.slice(i - (i % K), i - (i % K) + K)).reduce((s, c) => s + c / K, 0));

describe.each([
  [false, false],
  [true, false],
  [false, true],
  [true, true],
])('standardised %s, weighted %s', (standardize, weighted) => {
  const weights = weighted ? train.map((i) => 1 + (i % 5)) : undefined;
  const precise = { tolerance: 1e-8, maxIterations: 5000 };

  test.each([1e-1, 1e-3, 1e-6])('at %d it is the probe of a design of these examples', async (l2) => {
    const matrix = matrixOf(data);
    const base = await fitDesign(engine, matrix, { standardize });
    const table = new HeldTable(
      engine,
      await featureTable(
        base,
        Int32Array.from({ length: p }, (_, j) => j),
      ),
    );
    const examples = { labels: data.y, classes: K, rows: train, weights, standardize };
    const fit = await (await TableLogistic.on(table, examples, precise)).fit(l2);
    const own = await fitDesign(engine, matrix, { rows: train, standardize, weights });
    const exact = await fitLogistic(engine, own, data.y, {
      lambdas: [(train.length * l2) / 2],
      classes: K,
      tolerance: 1e-8,
    });
    expect([fit.converged, exact.converged]).toEqual([true, true]);
    expect(fit.objective).toBeCloseTo((exact.points[0]?.objective as number) / train.length, 7);
    for (const rows of [train, others]) {
      const [logits] = await exact.logits({ matrix, rows });
      const [found, expected] = [centred(at(fit.logits, rows)), centred(logits as Float64Array)];
      const size = Math.max(...expected.map(Math.abs));
      expect(largestDifference(found, expected)).toBeLessThan(1e-4 * size);
    }
  });
});

test('some features of a table are the table of these features', async () => {
  const matrix = matrixOf(data);
  const chosen = Int32Array.of(1, 4, 11);
  const whole = await featureTable(
    await fitDesign(engine, matrix, { standardize: true }),
    Int32Array.from({ length: p }, (_, j) => j),
  );
  const own = await featureTable(await fitDesign(engine, matrix.select(chosen), { standardize: true }), [0, 1, 2]);
  expect(largestDifference(selectFeatures(whole, chosen).exact, own.exact)).toBeLessThan(1e-6);
});

describe('a table that is large', () => {
  const [rows, features] = [3000, 400];
  const random = new Random(5, 'large table');
  const factors = Float32Array.from({ length: 8 * rows }, () => random.normal());
  const y = Int32Array.from({ length: rows }, (_, i) => i % 4);
  const x = new Float32Array(features * rows);
  for (let j = 0; j < features; j++) {
    const mix = Array.from({ length: 8 }, () => random.normal());
    for (let i = 0; i < rows; i++) {
      const signal = mix.reduce((s, m, f) => s + m * (factors[f * rows + i] as number), 0);
      x[j * rows + i] = signal + 0.1 * random.normal() + (j % 4 === y[i] ? 0.5 : 0);
    }
  }

  test('is solved in float32 steps to gradients of float64', async () => {
    const table = await featureTable(
      await fitDesign(engine, new FeatureMatrix([{ name: 'x', features, data: x }], rows), { standardize: false }),
      Int32Array.from({ length: features }, (_, j) => j),
    );
    expect(table.quick).toBeInstanceOf(Float32Array);
    const design = await fitDesign(engine, new FeatureMatrix([{ name: 'x', features, data: x }], rows), {
      standardize: false,
    });
    const lambdas = [100, 1, 1e-3];
    const fit = await fitLogistic(engine, design, y, { lambdas, tolerance: 1e-7 });
    expect(fit.converged).toBe(true);
    for (const [i, lambda] of lambdas.entries()) {
      const model = await fit.model(i);
      const W = model.weights;
      const z = new Float64Array(rows * 4);
      for (let r = 0; r < rows; r++) z.set(model.intercept, r * 4);
      const exact = table.exact;
      for (let j = 0; j < features; j++) {
        for (let r = 0; r < rows; r++) {
          for (let k = 0; k < 4; k++) {
            z[r * 4 + k] = (z[r * 4 + k] as number) + (exact[j * rows + r] as number) * (W[j * 4 + k] as number);
          }
        }
      }
      let square = 0;
      const g = W.map((w) => 2 * lambda * w);
      const sums = [0, 0, 0, 0];
      for (let r = 0; r < rows; r++) {
        const row = z.subarray(r * 4, r * 4 + 4);
        const top = Math.max(...row);
        const total = row.reduce((s, v) => s + Math.exp(v - top), 0);
        for (let k = 0; k < 4; k++) {
          const d = Math.exp((row[k] as number) - top) / total - (y[r] === k ? 1 : 0);
          sums[k] = (sums[k] as number) + d;
          for (let j = 0; j < features; j++) {
            g[j * 4 + k] = (g[j * 4 + k] as number) + d * (exact[j * rows + r] as number);
          }
        }
      }
      for (const v of [...g, ...sums]) square += v * v;
      expect(Math.sqrt(square)).toBeLessThan(1.01 * (fit.points[i]?.gradient as number) + 1e-9);
      expect(Math.sqrt(square)).toBeLessThan(1.1e-7 * 2 * lambda * Math.hypot(...W));
    }
  }, 120_000);
});
