/**
 * Ridge regression of one-hot labels on a kernel, with exact predictions for examples of folds that are left out:
 *
 *   minimise sum_i v_i |y_i - (K A)_i - b|^2 + c tr(A' K A),   v with mean one, intercept b free
 *
 * With M = K + c V^-1 and P = M^-1 - M^-1 1 1' M^-1 / (1' M^-1 1), A = P Y, and fitted without the examples F the
 * residual of these is (P_FF)^-1 A_F: the bordered system's inverse, block by block. One inverse serves all folds.
 */
import { choleskyFactor, solveFactored } from '../cholesky.js';
import { inverseFactor } from '../logistic/inverse.js';
import type { Multiply } from '../products.js';

export interface FoldLabels {
  /** Of the kernel's examples, (n). */
  readonly labels: ArrayLike<number>;
  readonly classes: number;
  /** v, (n). */
  readonly weights: ArrayLike<number>;
  /** Examples that are left out together; disjoint. */
  readonly folds: readonly (readonly number[])[];
}

export interface FoldRidgeFit {
  /** (n, K). */
  readonly coefficients: Float64Array;
  readonly intercept: Float64Array;
  /** P, (n, n). */
  readonly projector: Float64Array;
}

/** @returns undefined when rounding has made the kernel indefinite at this penalty */
export async function fitFoldRidge(
  multiply: Multiply,
  kernel: Float64Array,
  { labels, classes: K, weights }: FoldLabels,
  penalty: number,
): Promise<FoldRidgeFit | undefined> {
  const n = labels.length;
  const m = kernel.slice();
  for (let i = 0; i < n; i++) m[i * n + i] += penalty / weights[i];
  const factor = await inverseFactor(multiply, m, n);
  if (!factor) return undefined;
  const p = await multiply(factor, factor, true);
  const sums = new Float64Array(n);
  let total = 0;
  for (let i = 0, at = 0; i < n; i++) {
    for (let j = 0; j < n; j++, at++) sums[i] += p[at];
    total += sums[i];
  }
  const intercept = new Float64Array(K);
  for (let i = 0; i < n; i++) intercept[labels[i]] += sums[i] / total;
  for (let i = 0, at = 0; i < n; i++) {
    const share = sums[i] / total;
    for (let j = 0; j < n; j++, at++) p[at] -= share * sums[j];
  }
  const coefficients = new Float64Array(n * K);
  for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) coefficients[i * K + labels[j]] += p[i * n + j];
  return { coefficients, intercept, projector: p };
}

/** What one fold's examples are to a fit without them. */
export interface LeftOut {
  readonly rows: readonly number[];
  /** P_FF, factored. */
  readonly factor: Float64Array;
  /** Residuals, (rows.length, K). */
  readonly residuals: Float64Array;
}

/** Every fold's residuals when it is left out. */
export function leaveOut(
  { coefficients, projector }: FoldRidgeFit,
  { labels, classes: K, folds }: FoldLabels,
): LeftOut[] {
  const n = labels.length;
  return folds.map((rows) => {
    const m = rows.length;
    const factor = new Float64Array(m * m);
    for (const [i, row] of rows.entries())
      for (const [j, other] of rows.entries()) factor[i * m + j] = projector[row * n + other];
    choleskyFactor(factor, m);
    const own = new Float64Array(m * K);
    for (const [i, row] of rows.entries()) own.set(coefficients.subarray(row * K, (row + 1) * K), i * K);
    return { rows, factor, residuals: solveColumns(factor, own, K) };
  });
}

/** Scores (rows.length, K) that a fit without these examples gives them. */
export function scoresOf({ rows, residuals }: LeftOut, { labels, classes: K }: FoldLabels): Float64Array {
  const scores = new Float64Array(residuals.length);
  for (const [i, row] of rows.entries()) {
    for (let k = 0; k < K; k++) scores[i * K + k] = (labels[row] === k ? 1 : 0) - residuals[i * K + k];
  }
  return scores;
}

/**
 * Gradient (n, n) with respect to K + c V^-1 of a loss of left-out scores, from its gradient with respect to these. Since
 * dP = -P dM P, it is sum_F U_F (V_F - A)' with U_F = -P_:F (P_FF)^-1 g_F and V_F = P_:F e_F for residuals e_F and slopes
 * g_F of the scores.
 * @param slopes of each fold's scores, (rows.length, K)
 */
export async function kernelGradient(
  multiply: Multiply,
  { coefficients: a, projector }: FoldRidgeFit,
  left: readonly LeftOut[],
  slopes: readonly Float64Array[],
  K: number,
): Promise<Float64Array> {
  const n = a.length / K;
  const [u, v] = [new Float64Array(n * left.length * K), new Float64Array(n * left.length * K)];
  const width = left.length * K;
  for (const [f, { rows, factor, residuals }] of left.entries()) {
    const h = solveColumns(factor, slopes[f], K);
    const m = rows.length;
    const columns = new Float64Array(n * m);
    // P is symmetric: its rows are its columns.
    for (const [i, row] of rows.entries()) columns.set(projector.subarray(row * n, (row + 1) * n), i * n);
    const both = new Float64Array(m * 2 * K);
    for (let i = 0; i < m; i++) {
      for (let k = 0; k < K; k++) {
        both[i * 2 * K + k] = -h[i * K + k];
        both[i * 2 * K + K + k] = residuals[i * K + k];
      }
    }
    const out = await multiply({ rows: m, columns: n, data: columns }, { rows: m, columns: 2 * K, data: both }, true);
    for (let i = 0; i < n; i++) {
      for (let k = 0; k < K; k++) {
        u[i * width + f * K + k] = out[i * 2 * K + k];
        v[(f * K + k) * n + i] = out[i * 2 * K + K + k] - a[i * K + k];
      }
    }
  }
  return multiply({ rows: n, columns: width, data: u }, { rows: width, columns: n, data: v });
}

/** L L' x = b for every column of b (size, K). */
function solveColumns(factor: Float64Array, b: Float64Array, K: number): Float64Array {
  const size = b.length / K;
  const result = new Float64Array(b.length);
  const column = new Float64Array(size);
  for (let k = 0; k < K; k++) {
    for (let i = 0; i < size; i++) column[i] = b[i * K + k];
    solveFactored(factor, column);
    for (let i = 0; i < size; i++) result[i * K + k] = column[i];
  }
  return result;
}
