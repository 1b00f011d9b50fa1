/** Small seeded problems and independent float64 arithmetic for the solver's tests. */
import { readFileSync } from 'node:fs';
import { Random } from '../../src/base/index.js';
import { FeatureMatrix, type LinearModel } from '../../src/solver/index.js';

export interface Sample {
  x: Float32Array;
  y: number[];
  n: number;
  p: number;
  classes: number;
}

/** Gaussian features, feature-major, of which every fifth carries the class. */
export function sample(n: number, p: number, classes: number, seed = 1): Sample {
  const random = new Random(seed, 'solver', n, p, classes);
  const y = Array.from({ length: n }, (_, i) => i % classes);
  const x = new Float32Array(p * n);
  for (let j = 0; j < p; j++) {
    const centres = Array.from({ length: classes }, () => (j % 5 === 0 ? random.normal() : 0));
    for (let i = 0; i < n; i++) x[j * n + i] = random.normal() + (centres[y[i] as number] as number) + 0.5;
  }
  return { x, y, n, p, classes };
}

export const matrixOf = ({ x, p, n }: Pick<Sample, 'x' | 'p' | 'n'>) =>
  new FeatureMatrix([{ name: 'tap', features: p, data: x }], n);

export interface Fixture {
  n: number;
  p: number;
  classes: number;
  x: number[];
  y: number[];
  weights: number[];
  grouped: { lambda: number; b: number[]; w: number[] }[];
  groupedWeighted: { lambda: number; b: number[]; w: number[] }[];
  ungrouped: { lambda: number; b: number[]; w: number[] }[];
  binary: number[];
  binomial: { lambda: number; b: number; w: number[] }[];
  l2: { lambda: number; w: number[]; b: number[] }[];
  wide: number[];
  l2wide: { lambda: number; logits: number[] }[];
  ridge: { lambda: number; fitted: number[]; loo: number[] };
}
export const fixture = JSON.parse(
  readFileSync(new URL('../fixtures/solver/solver.json', import.meta.url), 'utf8'),
) as Fixture;

/** Weights (p, K) with zeros for the features that have none. */
export function dense({ features, classes, indices, weights }: LinearModel): Float64Array {
  const w = new Float64Array(features * classes);
  for (const [i, j] of indices.entries()) {
    w.set(weights.subarray(i * classes, (i + 1) * classes), j * classes);
  }
  return w;
}

/** Mean loss and the correlations x_j'(Y - P) / n, (p, K), in plain float64. */
export function gradient(s: Sample, w: Float64Array, b: Float64Array): { loss: number; c: Float64Array } {
  const { x, y, n, p, classes: K } = s;
  const c = new Float64Array(p * K);
  let loss = 0;
  for (let i = 0; i < n; i++) {
    const z = Float64Array.from(b);
    for (let j = 0; j < p; j++) {
      for (let k = 0; k < K; k++) {
        z[k] = (z[k] as number) + (x[j * n + i] as number) * (w[j * K + k] as number);
      }
    }
    const top = Math.max(...z);
    const total = z.reduce((sum, v) => sum + Math.exp(v - top), 0);
    loss += (Math.log(total) + top - (z[y[i] as number] as number)) / n;
    for (let k = 0; k < K; k++) {
      const r = ((k === y[i] ? 1 : 0) - Math.exp((z[k] as number) - top) / total) / n;
      for (let j = 0; j < p; j++) c[j * K + k] = (c[j * K + k] as number) + r * (x[j * n + i] as number);
    }
  }
  return { loss, c };
}

export const rowNorms = (w: Float64Array, K: number) =>
  Float64Array.from({ length: w.length / K }, (_, j) => Math.hypot(...w.subarray(j * K, (j + 1) * K)));

export const largestDifference = (a: ArrayLike<number>, b: ArrayLike<number>) =>
  Array.from(a, (v, i) => Math.abs(v - (b[i] as number))).reduce((x, y) => Math.max(x, y), 0);
