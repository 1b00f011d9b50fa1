/**
 * Ridge regression of one-hot labels, or of any values, on a kernel, with exact predictions for examples of folds that are left out:
 *
 *   minimise sum_i v_i |y_i - (K A)_i - b|^2 + c tr(A' K A),   v with mean one, intercept b free
 *
 * With M = K + c V^-1 and P = M^-1 - M^-1 1 1' M^-1 / (1' M^-1 1), A = P Y, and fitted without the examples F the
 * residual of these is (P_FF)^-1 A_F: the bordered system's inverse, block by block. One inverse serves all folds.
 */
import type { Engine } from '../../engine/index.js';
import { giveBuffers, takeBuffer } from '../buffers.js';
import { inverseOf } from '../inverse.js';
import { type Matrix, products } from '../products.js';
import type { Floats } from '../programs.js';

/** Labels of a fold's training rows. */
export interface FoldLabels {
  /** Of the kernel's examples, (n). */
  readonly labels: ArrayLike<number>;
  /** Columns of Y. */
  readonly classes: number;
  /** Y, (n, classes), where it is not the labels one-hot; these are not read then. */
  readonly values?: Float64Array | undefined;
  /** v, (n). */
  readonly weights: ArrayLike<number>;
  /** Examples that are left out together; disjoint. */
  readonly folds: readonly (readonly number[])[];
}

/** Kernel ridge regression fitted to one fold. */
export interface FoldRidgeFit {
  /** (n, K). */
  readonly coefficients: Float64Array;
  readonly intercept: Float64Array;
  /** P, (n, n). */
  readonly projector: Float64Array;
}

/** @returns undefined when rounding has made the kernel indefinite at this penalty */
export function fitFoldRidge(
  engine: Engine,
  kernel: Float64Array,
  examples: FoldLabels,
  penalty: number,
): Promise<FoldRidgeFit | undefined> {
  const m = takeBuffer(kernel.length);
  m.set(kernel);
  return fitInPlace(engine, m, examples, penalty);
}

/** The same; `m`, the kernel, is given up. */
export async function fitInPlace(
  engine: Engine,
  m: Float64Array,
  examples: FoldLabels,
  penalty: number,
): Promise<FoldRidgeFit | undefined> {
  const { labels, weights } = examples;
  const n = labels.length;
  for (let i = 0; i < n; i++) m[i * n + i] += penalty / weights[i];
  const p = await inverseOf(engine, m, n, takeBuffer(n * n));
  giveBuffers(m);
  if (!p) return undefined;
  // P Y and the sums of rows at once.
  const multiply = await products(engine);
  const y = targets(examples);
  const sides = await multiply({ rows: n, columns: n, data: p }, y, false, takeBuffer(y.data.length));
  const fit = projected(p, sides, examples);
  giveBuffers(y.data, sides);
  return fit;
}

/** Adds Y's row of an example, times a factor, to `into` from `at` on. */
export function addTarget(
  { labels, classes: K, values }: Pick<FoldLabels, 'labels' | 'classes' | 'values'>,
  i: number,
  factor: number,
  into: Floats,
  at = 0,
) {
  if (!values) into[at + labels[i]] += factor;
  else for (let k = 0; k < K; k++) into[at + k] += factor * values[i * K + k];
}

/** Y, and a column of ones, (n, K + 1), in a buffer. */
function targets(examples: FoldLabels): Matrix {
  const { labels, classes: K } = examples;
  const n = labels.length;
  const data = takeBuffer(n * (K + 1)).fill(0);
  for (let i = 0; i < n; i++) {
    addTarget(examples, i, 1, data, i * (K + 1));
    data[i * (K + 1) + K] = 1;
  }
  return { rows: n, columns: K + 1, data };
}

/**
 * The fit from M^-1, which becomes the projector.
 * @param sides M^-1 [Y 1], (n, K + 1)
 */
function projected(p: Float64Array, sides: Float64Array, examples: FoldLabels): FoldRidgeFit {
  const { labels, classes: K } = examples;
  const n = labels.length;
  const width = K + 1;
  const sums = new Float64Array(n);
  let total = 0;
  for (let i = 0; i < n; i++) {
    sums[i] = sides[i * width + K];
    total += sums[i];
  }
  const intercept = new Float64Array(K);
  for (let i = 0; i < n; i++) addTarget(examples, i, sums[i] / total, intercept);
  const coefficients = new Float64Array(n * K);
  for (let i = 0, at = 0; i < n; i++) {
    for (let k = 0; k < K; k++) coefficients[i * K + k] = sides[i * width + k] - sums[i] * intercept[k];
    const share = sums[i] / total;
    for (let j = 0; j < n; j++, at++) p[at] -= share * sums[j];
  }
  return { coefficients, intercept, projector: p };
}

/** What one fold's examples are to a fit without them. */
export interface LeftOut {
  readonly rows: Int32Array;
  /** (P_FF)^-1, (rows.length, rows.length). */
  readonly inverse: Matrix;
  /** Residuals, (rows.length, K). */
  readonly residuals: Float64Array;
}

/** Every fold's residuals when it is left out; undefined where rounding has made a fold's block indefinite. */
export async function leaveOut(
  engine: Engine,
  { coefficients, projector }: FoldRidgeFit,
  { labels, classes: K, folds }: FoldLabels,
): Promise<LeftOut[] | undefined> {
  const multiply = await products(engine);
  const result: LeftOut[] = [];
  for (const fold of folds) {
    const rows = Int32Array.from(fold);
    const m = rows.length;
    const block = blockOf(projector, labels.length, rows);
    const data = await inverseOf(engine, block, m, takeBuffer(m * m));
    giveBuffers(block);
    if (!data) return undefined;
    const inverse = { rows: m, columns: m, data };
    const own = rowsOf(coefficients, K, rows);
    result.push({ rows, inverse, residuals: await multiply(inverse, { rows: m, columns: K, data: own }) });
    giveBuffers(own);
  }
  return result;
}

/** What a fit and what it left out hold, to whoever comes next. */
export function giveUp({ projector }: FoldRidgeFit, left: readonly LeftOut[] = []): void {
  giveBuffers(projector, ...left.map(({ inverse }) => inverse.data));
}

/** The given rows of a (n, width), in a buffer. */
function rowsOf(a: Float64Array, width: number, rows: Int32Array): Float64Array {
  const result = takeBuffer(rows.length * width);
  for (let i = 0; i < rows.length; i++) result.set(a.subarray(rows[i] * width, (rows[i] + 1) * width), i * width);
  return result;
}

/** The given rows and columns of a (n, n), in a buffer. */
function blockOf(a: Float64Array, n: number, rows: Int32Array): Float64Array {
  const m = rows.length;
  const block = takeBuffer(m * m);
  for (let i = 0, at = 0; i < m; i++) {
    const from = rows[i] * n;
    for (let j = 0; j < m; j++, at++) block[at] = a[from + rows[j]];
  }
  return block;
}

/** Scores (rows.length, K) that a fit without these examples gives them. */
export function scoresOf({ rows, residuals }: LeftOut, examples: FoldLabels): Float64Array {
  const scores = residuals.map((r) => -r);
  for (let i = 0; i < rows.length; i++) addTarget(examples, rows[i], 1, scores, i * examples.classes);
  return scores;
}

/**
 * Gradient (n, n) with respect to K + c V^-1 of a loss of left-out scores, from its gradient with respect to these. Since
 * dP = -P dM P, it is sum_F U_F (V_F - A)' with U_F = -P_:F (P_FF)^-1 g_F and V_F = P_:F e_F for residuals e_F and slopes
 * g_F of the scores.
 * @param slopes of each fold's scores, (rows.length, K)
 * The last product is in float32: what descends on the gradient needs no more.
 * @returns a buffer
 */
export async function kernelGradient(
  engine: Engine,
  { coefficients, projector }: FoldRidgeFit,
  left: readonly LeftOut[],
  slopes: readonly Float64Array[],
  K: number,
): Promise<Float32Array> {
  const multiply = await products(engine);
  const n = coefficients.length / K;
  const width = left.length * K;
  const [u, v] = [takeBuffer(n * width, 'float32'), takeBuffer(width * n, 'float32')];
  for (const [f, { rows, inverse, residuals }] of left.entries()) {
    const m = rows.length;
    const own = { rows: m, columns: K };
    const h = await multiply(inverse, { ...own, data: slopes[f] }, false, takeBuffer(m * K));
    // P is symmetric: its rows are its columns.
    const columns = { rows: m, columns: n, data: rowsOf(projector, n, rows) };
    const both = { rows: m, columns: 2 * K, data: sideBySide(h, residuals, K) };
    const out = await multiply(columns, both, true, takeBuffer(2 * n * K));
    placeSides(out, coefficients, K, { u, v, f });
    giveBuffers(columns.data, h, both.data, out);
  }
  const gradient = await multiply(
    { rows: n, columns: width, data: u },
    { rows: width, columns: n, data: v },
    false,
    takeBuffer(n * n, 'float32'),
  );
  giveBuffers(u, v);
  return gradient;
}

/** [-h, r], (m, 2 K), in a buffer. */
function sideBySide(h: Float64Array, r: Float64Array, K: number): Float64Array {
  const both = takeBuffer(2 * h.length);
  for (let at = 0; at < h.length; at++) {
    const to = at + Math.floor(at / K) * K;
    both[to] = -h[at];
    both[to + K] = r[at];
  }
  return both;
}

/** Puts a fold's U_F into u (n, folds K), and its (V_F - A)' into v (folds K, n). @param out both beside each other, (n, 2 K) */
function placeSides(
  out: Float64Array,
  a: Float64Array,
  K: number,
  { u, v, f }: { u: Float32Array; v: Float32Array; f: number },
): void {
  const n = a.length / K;
  const width = u.length / n;
  for (let i = 0; i < n; i++) {
    const [from, to] = [i * 2 * K, i * width + f * K];
    for (let k = 0; k < K; k++) {
      u[to + k] = out[from + k];
      v[(f * K + k) * n + i] = out[from + K + k] - a[i * K + k];
    }
  }
}
