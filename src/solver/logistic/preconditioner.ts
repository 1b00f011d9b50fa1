/** Approximate inverses of the Hessian X C X' + 2 lambda of l2 logistic regression, positive definite by construction. */
import { choleskyFactor, solveFactored } from '../cholesky.js';
import type { Matrix, Multiply } from '../products.js';
import { sum } from '../vectors.js';
import type { TopEigen } from './spectrum.js';

/** Applied to coefficients (size, K) and an intercept (K). */
export type Preconditioner = (a: Float64Array, b: Float64Array) => Promise<{ a: Float64Array; b: Float64Array }>;

/** What a preconditioner is of. */
export interface Curved {
  /** c of the losses with respect to each logit by itself, (n, K). */
  readonly curvature: Float64Array;
  readonly lambda: number;
  readonly classes: number;
}

/** Less its mean: a constant that is added to all classes changes nothing, and is kept out. */
export function centred(b: Float64Array): Float64Array {
  const mean = sum(b) / b.length;
  return b.map((v) => v - mean);
}

/** Of the intercept by itself: divided by its curvature. */
function interceptOnly({ curvature, classes: K }: Curved): (b: Float64Array) => Float64Array {
  const perClass = new Float64Array(K);
  for (let at = 0; at < curvature.length; ) for (let k = 0; k < K; k++, at++) perClass[k] += curvature[at];
  const least = (1e-12 * curvature.length) / K;
  return (b) => centred(b.map((v, k) => v / Math.max(perClass[k], least)));
}

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
  curved: Curved,
): Preconditioner {
  const { lambda, classes: K } = curved;
  const curvature = meanCurvature(curved);
  const intercept = interceptOnly(curved);
  const outside = 1 / (curvature * rest + 2 * lambda);
  // Symmetric in the inner product a' G b are multiples of one plus U S U' G.
  const factors = values.map((value) => {
    const least = dual ? (DEFINITE * values[0]) / value : DEFINITE;
    const inside = Math.max(1 / (curvature * value + 2 * lambda), least * outside);
    return (inside - outside) / (dual ? value : 1);
  });
  return async (r, b) => {
    if (values.length === 0) return { a: r.map((v) => v * outside), b: intercept(b) };
    const { rows: size, columns } = vectors;
    const parts = await multiply(images, { rows: size, columns: K, data: r }, true);
    for (let e = 0, at = 0; e < columns; e++) for (let k = 0; k < K; k++, at++) parts[at] *= factors[e];
    const result = await multiply(vectors, { rows: columns, columns: K, data: parts });
    for (let i = 0; i < r.length; i++) result[i] += outside * r[i];
    return { a: result, b: intercept(b) };
  };
}

/**
 * (c S + 2 lambda)^-1 whole: where features are many but fewer than the examples.
 * @param inverse times coefficients (p, K)
 */
export function densePreconditioner(
  inverse: (r: Float64Array) => Promise<Float64Array>,
  curved: Curved,
): Preconditioner {
  const intercept = interceptOnly(curved);
  return async (r, b) => ({ a: await inverse(r), b: intercept(b) });
}

/** The mean of the losses' curvatures, c. */
export const meanCurvature = ({ curvature }: Pick<Curved, 'curvature'>): number => sum(curvature) / curvature.length;

/** What rounding may take from the smallest eigenvalue, as a share of the trace. */
export const ROUNDING = 1e-13;

/**
 * The Hessian without what couples the classes, class by class (X diag(c_k) X' + 2 lambda)^-1, for coefficients that sum
 * to zero over the classes (all others cost penalty and change nothing). It serves where curvatures differ from example
 * to example by orders of magnitude. The intercept is one more feature, without penalty.
 * @param blocks X diag(c_k) X' of every class, (p, p)
 * @param borders X c_k of every class, (p, K)
 */
export function blockPreconditioner(
  blocks: readonly Float64Array[],
  borders: Float64Array,
  { curvature, lambda, classes: K }: Curved,
): Preconditioner {
  const p = borders.length / K;
  const size = p + 1;
  const factors = blocks.map((block, k) => {
    const whole = new Float64Array(size * size);
    let trace = 0;
    for (let j = 0; j < p; j++) {
      whole.set(block.subarray(j * p, (j + 1) * p), j * size);
      trace += block[j * p + j];
      whole[p * size + j] = borders[j * K + k];
    }
    for (let j = 0; j < p; j++) whole[j * size + j] += 2 * lambda + ROUNDING * trace;
    let total = 0;
    for (let at = k; at < curvature.length; at += K) total += curvature[at];
    whole[p * size + p] = total + (1e-12 * curvature.length) / K;
    choleskyFactor(whole, size);
    return whole;
  });
  return async (r, rb) => {
    const a = new Float64Array(r.length);
    const b = new Float64Array(K);
    const column = new Float64Array(size);
    for (const [k, factor] of factors.entries()) {
      for (let j = 0; j < p; j++) column[j] = r[j * K + k];
      column[p] = rb[k];
      solveFactored(factor, column);
      for (let j = 0; j < p; j++) a[j * K + k] = column[j];
      b[k] = column[p];
    }
    for (let at = 0; at < a.length; at += K) {
      let mean = 0;
      for (let k = 0; k < K; k++) mean += a[at + k] / K;
      for (let k = 0; k < K; k++) a[at + k] -= mean;
    }
    return { a, b: centred(b) };
  };
}
