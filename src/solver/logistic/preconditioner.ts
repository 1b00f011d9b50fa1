/** Approximate inverses of the Hessian X' C X + 2 lambda of l2 logistic regression, positive definite by construction. */
import { choleskyFactor, solveFactored } from '../cholesky.js';
import type { Matrix, Multiply } from '../products.js';
import { sum } from '../vectors.js';
import type { TopEigen } from './spectrum.js';

/** Applied to coefficients (size, K). */
export type Preconditioner = (r: Float64Array) => Promise<Float64Array>;

/** The top of the spectrum of X X' or X' X, for spectralPreconditioner. */
export interface Spectrum extends Pick<TopEigen, 'values' | 'rest'> {
  /** Orthonormal columns, (size, values.length). */
  readonly vectors: Matrix;
  /** What coefficients are multiplied by for their inner products with the vectors: the vectors, or G times them. */
  readonly images: Matrix;
  /** Whether inner products are those of a Gram matrix, a' G b. */
  readonly dual: boolean;
}

/**
 * Least ratio of the preconditioner's eigenvalues. Eigenvectors are orthonormal up to rounding only (in the inner product
 * of the Gram matrix up to rounding of its largest eigenvalue), and a smaller ratio could come out negative.
 */
const DEFINITE = 1e-13;

/**
 * (c S + 2 lambda)^-1, S the matrix of the spectrum and c one curvature for all examples and classes: exact on the top of
 * the spectrum, a multiple of one on the rest. Cheap: one spectrum serves every lambda and every step.
 */
export function spectralPreconditioner(
  multiply: Multiply,
  { values, vectors, images, rest, dual }: Spectrum,
  { curvature, lambda, classes: K }: { curvature: number; lambda: number; classes: number },
): Preconditioner {
  const outside = 1 / (curvature * rest + 2 * lambda);
  // Symmetric in the inner product a' G b are multiples of one plus U S U' G.
  const factors = values.map((value) => {
    const least = dual ? (DEFINITE * values[0]) / value : DEFINITE;
    const inside = Math.max(1 / (curvature * value + 2 * lambda), least * outside);
    return (inside - outside) / (dual ? value : 1);
  });
  return async (r) => {
    if (values.length === 0) return r.map((v) => v * outside);
    const { rows: size, columns } = vectors;
    const parts = await multiply(images, { rows: size, columns: K, data: r }, true);
    for (let e = 0, at = 0; e < columns; e++) for (let k = 0; k < K; k++, at++) parts[at] *= factors[e];
    const result = await multiply(vectors, { rows: columns, columns: K, data: parts });
    for (let i = 0; i < r.length; i++) result[i] += outside * r[i];
    return result;
  };
}

/** What rounding may take from the smallest eigenvalue of a block, as a share of its trace. */
const ROUNDING = 1e-13;

/**
 * The Hessian without what couples the classes, class by class (X diag(c_k) X' + 2 lambda)^-1, for coefficients that sum
 * to zero over the classes (all others cost penalty and change nothing). It serves where curvatures differ from example
 * to example by orders of magnitude.
 * @param x (p, n)
 * @param curvature c, (n, K)
 */
export async function blockPreconditioner(
  multiply: Multiply,
  x: Matrix,
  curvature: Float64Array,
  lambda: number,
): Promise<Preconditioner> {
  const { rows: p, columns: n, data } = x;
  const K = curvature.length / n;
  const factors: Float64Array[] = [];
  const weighted = new Float64Array(n * p);
  for (let k = 0; k < K; k++) {
    for (let j = 0, at = 0; j < p; j++)
      for (let i = 0; i < n; i++, at++) weighted[i * p + j] = curvature[i * K + k] * data[at];
    const block = await multiply(x, { rows: n, columns: p, data: weighted });
    const trace = sum(Float64Array.from({ length: p }, (_, j) => block[j * p + j]));
    for (let j = 0; j < p; j++) block[j * p + j] += 2 * lambda + ROUNDING * trace;
    choleskyFactor(block, p);
    factors.push(block);
  }
  return async (r) => {
    const result = new Float64Array(r.length);
    for (const [k, factor] of factors.entries()) {
      const column = Float64Array.from({ length: p }, (_, j) => r[j * K + k]);
      solveFactored(factor, column);
      for (let j = 0; j < p; j++) result[j * K + k] = column[j];
    }
    for (let at = 0; at < result.length; at += K) {
      const mean = sum(result.subarray(at, at + K)) / K;
      for (let k = 0; k < K; k++) result[at + k] -= mean;
    }
    return result;
  };
}
