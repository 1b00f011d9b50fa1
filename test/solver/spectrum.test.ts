/** The top of a spectrum, and the preconditioners made of it: definite for matrices of any rank and scale. */
import { beforeAll, describe, expect, test } from 'vitest';
import { Random } from '../../src/base/index.js';
import { createOnnxRuntime, type Engine } from '../../src/engine/index.js';
import { inverseFactor } from '../../src/solver/inverse-factor.js';
import { DenseFactors } from '../../src/solver/logistic/factors.js';
import {
  blockPreconditioner,
  densePreconditioner,
  spectralPreconditioner,
} from '../../src/solver/logistic/preconditioner.js';
import { topEigen } from '../../src/solver/logistic/spectrum.js';
import { type Multiply, products } from '../../src/solver/products.js';
import { inner } from '../../src/solver/vectors.js';

let engine: Engine;
let multiply: Multiply;
beforeAll(async () => {
  engine = await createOnnxRuntime({ threads: 1 });
  multiply = await products(engine);
});

/** x x' for x (size, columns). */
async function gramOf(x: Float64Array, size: number): Promise<Float64Array> {
  const columns = x.length / size;
  const xt = new Float64Array(x.length);
  for (let i = 0; i < size; i++) for (let j = 0; j < columns; j++) xt[j * size + i] = x[i * columns + j] as number;
  return multiply({ rows: size, columns, data: x }, { rows: columns, columns: size, data: xt });
}

const noise = (length: number, seed: number) => {
  const random = new Random(seed, 'spectrum test');
  return new Float64Array(length).map(() => random.normal());
};

const matrices: [name: string, make: (size: number) => Promise<Float64Array>][] = [
  ['of full rank', (size) => gramOf(noise(size * 2 * size, 1), size)],
  ['of rank 3', (size) => gramOf(noise(size * 3, 2), size)],
  ['of rank 100', (size) => gramOf(noise(size * 100, 3), size)],
  [
    'with a zero row',
    (size) =>
      gramOf(
        noise(size * size, 4).map((v, at) => (at < size ? 0 : v)),
        size,
      ),
  ],
  [
    'with two equal rows',
    (size) => {
      const x = noise(size * size, 5);
      x.copyWithin(0, size, 2 * size);
      return gramOf(x, size);
    },
  ],
  ['with one eigenvalue only', async (size) => new Float64Array(size * size).map((_, at) => (at % (size + 1) ? 0 : 3))],
  ['of tiny scale', async (size) => (await gramOf(noise(size * size, 6), size)).map((v) => v * 1e-60)],
  [
    'of rows of every scale',
    (size) =>
      gramOf(
        noise(size * size, 7).map((v, at) => v * 10 ** -(Math.floor(at / size) % 9)),
        size,
      ),
  ],
  ['of zeros', async (size) => new Float64Array(size * size)],
];

describe.each(matrices)('a matrix %s', (_, make) => {
  test.each([10, 160, 200])('of size %i has orthonormal eigenvectors', async (size) => {
    const a = await make(size);
    const { values, vectors, rest, complete } = await topEigen(engine, a, size);
    const k = values.length;
    const u = { rows: size, columns: k, data: vectors };
    let trace = 0;
    for (let i = 0; i < size; i++) trace += a[i * size + i] as number;
    expect(rest).toBeGreaterThanOrEqual(0);
    expect(values.reduce((s, v) => s + v, 0) + rest * (size - k)).toBeLessThanOrEqual(trace * (1 + 1e-9));
    if (complete) expect(rest * (size - k)).toBeLessThanOrEqual(1e-10 * trace);
    if (k === 0) return;
    const product = await multiply(u, u, true);
    for (let e = 0; e < k; e++) {
      for (let f = 0; f < k; f++)
        expect(Math.abs((product[e * k + f] as number) - (e === f ? 1 : 0))).toBeLessThan(1e-10);
    }
    // The largest of a large matrix are not exact where eigenvalues lie close: their vectors are good directions only.
    const image = await multiply({ rows: size, columns: size, data: a }, u);
    const quotient = await multiply(u, { ...u, data: image }, true);
    for (const [e, value] of values.entries()) {
      expect(Math.abs((quotient[e * k + e] as number) - value)).toBeLessThan(1e-9 * (values[0] as number));
      expect(value).toBeGreaterThan(0);
    }
  });

  test.each([10, 200])('of size %i is preconditioned by a positive definite matrix', async (size) => {
    const a = await make(size);
    const { values, vectors: data, rest } = await topEigen(engine, a, size);
    const vectors = { rows: size, columns: values.length, data };
    const spectrum = { values, rest, vectors, images: vectors, dual: false };
    const matrix = { rows: size, columns: size, data: a };
    for (const lambda of [1, 1e-6, 1e-12]) {
      const curved = { curvature: new Float64Array(8).fill(0.1), lambda, classes: 2 };
      const directions = [noise(2 * size, 8), noise(2 * size, 9)];
      if (values.length > 0) {
        // Where it shrinks most: along the first eigenvector.
        directions.push(new Float64Array(2 * size).map((_, at) => data[(at >> 1) * values.length] as number));
      }
      for (const precondition of [
        spectralPreconditioner(multiply, spectrum, curved),
        densePreconditioner(await new DenseFactors(engine, async () => matrix).at(lambda, 0.1), curved),
      ]) {
        for (const r of directions) {
          const z = await precondition(r, Float64Array.of(1, -1));
          expect(inner(r, z.a)).toBeGreaterThan(0);
          expect(z.b[0]).toBeGreaterThan(0);
        }
      }
    }
  });

  test('keeps the factor of the penalty at hand whatever its size, and earlier ones as far as there is room', async () => {
    const matrix = { rows: 10, columns: 10, data: await make(10) };
    for (const [kept, first] of [
      [0, 'made again'],
      [1 << 20, 'kept'],
    ] as const) {
      const factors = new DenseFactors(engine, async () => matrix, kept);
      const strong = factors.at(1, 0.1);
      await strong;
      expect(factors.at(1, 0.1)).toBe(strong);
      const weak = factors.at(1e-3, 0.1);
      await weak;
      expect(factors.at(1e-3, 0.1)).toBe(weak);
      expect(factors.at(1, 0.1) === strong ? 'kept' : 'made again').toBe(first);
    }
  });

  test('makes block preconditioners that are positive definite', async () => {
    const size = 10;
    const x = await make(size);
    const curvature = noise(2 * size, 10).map((v) => v * v * 10 ** (-8 * Math.abs(v)));
    const borders = await multiply({ rows: size, columns: size, data: x }, { rows: size, columns: 2, data: curvature });
    const blocks = [0, 1].map((k) => {
      const block = new Float64Array(size * size);
      for (let i = 0; i < size; i++) {
        for (let j = 0; j < size; j++) {
          for (let e = 0; e < size; e++) {
            const c = curvature[2 * e + k] as number;
            block[i * size + j] =
              (block[i * size + j] as number) + c * (x[i * size + e] as number) * (x[j * size + e] as number);
          }
        }
      }
      return block;
    });
    for (const lambda of [1, 1e-6, 1e-12]) {
      const precondition = blockPreconditioner(blocks, borders, { curvature, lambda, classes: 2 });
      const half = noise(size, 11);
      const r = new Float64Array(2 * size).map((_, at) => (at % 2 ? -1 : 1) * (half[at >> 1] as number));
      const rb = Float64Array.of(0.5, -0.5);
      const { a, b } = await precondition(r, rb);
      expect(inner(r, a) + inner(rb, b)).toBeGreaterThan(0);
      for (let at = 0; at < a.length; at += 2)
        expect(Math.abs((a[at] as number) + (a[at + 1] as number))).toBeLessThan(1e-9 * Math.hypot(...a));
    }
  });
});

describe('the inverse of a large matrix', () => {
  test.each([1, 127, 128, 129, 300])('of size %i, block by block', async (size) => {
    const a = await gramOf(noise(size * 2 * size, 12), size);
    const v = await inverseFactor(multiply, a.slice(), size);
    if (!v) throw new Error('it is definite');
    const whole = { rows: size, columns: size, data: a };
    const product = await multiply({ ...v, data: await multiply(v, v, true) }, whole);
    for (let at = 0; at < product.length; at++) {
      const identity = at % (size + 1) === 0 ? 1 : 0;
      expect(Math.abs((product[at] as number) - identity)).toBeLessThan(1e-8);
    }
    for (let i = 0; i < size; i++) for (let j = i + 1; j < size; j++) expect(v.data[i * size + j]).toBe(0);
  });

  test('is none where a matrix is indefinite', async () => {
    const a = new Float64Array(200 * 200);
    for (let i = 0; i < 200; i++) a[i * 201] = i === 150 ? -1 : 1;
    expect(await inverseFactor(multiply, a, 200)).toBeUndefined();
  });
});
