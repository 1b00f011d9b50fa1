/** How examples lie around the means of their classes. */
import { choleskyFactor, type Matrix, type Multiply, solveFactored } from '../../solver/index.js';
import { at, squareOf } from './coordinates.js';

export interface Grouped {
  /** Examples, centred at the mean of all, (n, r). */
  readonly z: Matrix;
  /** Number of the class of each example among those that are there, (n). */
  readonly labels: Int32Array;
  readonly classes: number;
  /** Examples of each class, (classes). */
  readonly counts: Float64Array;
  /** Of each class, (classes, r). */
  readonly means: Matrix;
  /** Number of features, p; those beyond r have no variance. */
  readonly width: number;
}

/** Classes without examples do not count. @param z centred */
export function grouped(z: Matrix, labels: ArrayLike<number>, width: number): Grouped {
  const numbers = new Map([...new Set(Array.from(labels))].sort((a, b) => a - b).map((label, k) => [label, k]));
  const own = Int32Array.from(labels, (label) => numbers.get(label) as number);
  const classes = numbers.size;
  const counts = new Float64Array(classes);
  for (const k of own) counts[k] = at(counts, k) + 1;
  const r = z.columns;
  const means = new Float64Array(classes * r);
  for (const [i, k] of own.entries()) {
    for (let j = 0; j < r; j++) means[k * r + j] = at(means, k * r + j) + at(z.data, i * r + j) / at(counts, k);
  }
  return { z, labels: own, classes, counts, means: { rows: classes, columns: r, data: means }, width };
}

/** Examples less the means of their classes, (n, r). */
export function residuals({ z, labels, means }: Grouped): Matrix {
  const r = z.columns;
  const data = z.data.map((v, e) => v - at(means.data, (labels[Math.floor(e / r)] as number) * r + (e % r)));
  return { ...z, data };
}

/** Mean over examples of (z - class mean)(z - class mean)', (r, r), and its trace. */
export async function withinScatter(multiply: Multiply, groups: Grouped) {
  const n = groups.z.rows;
  const scatter = (await squareOf(multiply, residuals(groups))).map((v) => v / n);
  return { scatter, trace: traceOf(scatter, groups.z.columns) };
}

export function traceOf(a: Float64Array, size: number): number {
  let trace = 0;
  for (let j = 0; j < size; j++) trace += at(a, j * (size + 1));
  return trace;
}

/** (1 - share) a + share mu I with mu = trace / width, (size, size). */
export function shrunk(a: Float64Array, size: number, share: number, mu: number): Float64Array {
  const result = a.map((v) => (1 - share) * v);
  for (let j = 0; j < size; j++) result[j * (size + 1)] = at(result, j * (size + 1)) + share * mu;
  return result;
}

/** a^-1 applied to each row, (rows, size); undefined where a is not positive definite. a is overwritten. */
export function solveRows(a: Float64Array, { rows, columns, data }: Matrix): Matrix | undefined {
  if (!choleskyFactor(a, columns, 1e-14)) return undefined;
  const solved = data.slice();
  for (let i = 0; i < rows; i++) solveFactored(a, solved.subarray(i * columns, (i + 1) * columns));
  return { rows, columns, data: solved };
}

/** Largest eigenvalue of a positive semidefinite matrix, by the power method. */
export function largestEigenvalue(a: Float64Array, size: number): number {
  let v = Float64Array.from({ length: size }, (_, j) => 1 + (j % 7) / 7);
  let value = 0;
  for (let step = 0; step < 300; step++) {
    const next = new Float64Array(size);
    for (let i = 0; i < size; i++) {
      let sum = 0;
      for (let j = 0; j < size; j++) sum += at(a, i * size + j) * at(v, j);
      next[i] = sum;
    }
    const norm = Math.hypot(...next);
    if (!(norm > 0)) return 0;
    v = next.map((x) => x / norm);
    if (Math.abs(norm - value) <= 1e-12 * norm) return norm;
    value = norm;
  }
  return value;
}
