/** Where the weights of l2 logistic regression live: on the examples through the Gram matrix, or on the features. */
import type { Engine } from '../engine/index.js';
import { normalised } from './design.js';
import { crossGram, gram, primalWeights } from './gram.js';
import type { FeatureMatrix } from './matrix.js';
import type { Problem } from './problem.js';
import { inner, type Matrix, products, transposed } from './products.js';
import { topEigen } from './spectrum.js';

export interface Space {
  /** Number of coefficients per class. */
  readonly size: number;
  /** Logits of coefficients, (n, K). */
  forward(a: Float64Array): Promise<Float64Array>;
  /** Coefficients of the gradient for a gradient with respect to the logits. */
  adjoint(d: Float64Array): Promise<Float64Array>;
  /** Inner product in weight space; `image` is forward(b). */
  dot(a: Float64Array, b: Float64Array, image: Float64Array): number;
  /** Approximate inverse of curvature * X'X + 2 lambda: positive definite whatever they are. */
  precondition(r: Float64Array, curvature: number, lambda: number): Promise<Float64Array>;
  weights(a: Float64Array): Promise<Float64Array>;
}

/**
 * Least ratio of the preconditioner's eigenvalues. Eigenvectors are orthonormal up to rounding only (in the inner product
 * of the Gram matrix up to rounding of its largest eigenvalue), and a smaller ratio could come out negative.
 */
const DEFINITE = 1e-13;

/** The smaller of the two spaces, with the logits that its coefficients give to other rows. */
export async function spaceOf(engine: Engine, problem: Problem) {
  const { design, n, classes: K } = problem;
  const p = design.matrix.features;
  const multiply = await products(engine);
  const dual = p > n;
  const size = dual ? n : p;
  const x = dual
    ? undefined
    : await normalised(
        design,
        Array.from({ length: p }, (_, j) => j),
        new Float64Array(p * n),
      );
  const features: Matrix | undefined = x && { rows: p, columns: n, data: x };
  const kernel: Matrix = {
    rows: size,
    columns: size,
    data: features
      ? await multiply(features, { rows: n, columns: p, data: await transposed(engine, features) })
      : await gram(engine, design),
  };
  const top = await topEigen(engine, kernel.data, size);
  const vectors: Matrix = { rows: size, columns: top.values.length, data: top.vectors };
  // In the Gram space a preconditioner must be symmetric in the inner product a'Gb: a multiple of one plus U S U'G.
  const images: Matrix = dual
    ? { rows: size, columns: top.values.length, data: await multiply(kernel, vectors) }
    : vectors;
  const space: Space = {
    size,
    forward: (a) =>
      dual
        ? multiply(kernel, { rows: n, columns: K, data: a })
        : multiply(features as Matrix, { rows: p, columns: K, data: a }, true),
    adjoint: async (d) => (dual ? d : multiply(features as Matrix, { rows: n, columns: K, data: d })),
    dot: (a, b, image) => inner(a, dual ? image : b),
    async precondition(r, curvature, lambda) {
      const rest = 1 / (curvature * top.rest + 2 * lambda);
      if (top.values.length === 0) return r.map((v) => v * rest);
      const parts = await multiply(images, { rows: size, columns: K, data: r }, true);
      for (let e = 0; e < top.values.length; e++) {
        const value = top.values[e];
        const least = dual ? (DEFINITE * top.values[0]) / value : DEFINITE;
        const inverse = Math.max(1 / (curvature * value + 2 * lambda), least * rest);
        const factor = (inverse - rest) / (dual ? value : 1);
        for (let k = 0; k < K; k++) parts[e * K + k] *= factor;
      }
      const result = await multiply(vectors, { rows: top.values.length, columns: K, data: parts });
      for (let i = 0; i < r.length; i++) result[i] += rest * r[i];
      return result;
    },
    weights: async (a) => (dual ? primalWeights(engine, design, a, K) : a.slice()),
  };
  const others = async (matrix: FeatureMatrix, rows: ArrayLike<number>) => {
    if (dual) {
      const cross: Matrix = { rows: rows.length, columns: n, data: await crossGram(engine, design, matrix, rows) };
      return (a: Float64Array) => multiply(cross, { rows: n, columns: K, data: a });
    }
    const all = Array.from({ length: p }, (_, j) => j);
    const chosen = Int32Array.from({ length: rows.length }, (_, i) => rows[i]);
    const values = await normalised({ ...design, matrix, rows: chosen }, all, new Float64Array(p * rows.length));
    return (a: Float64Array) =>
      multiply({ rows: p, columns: rows.length, data: values }, { rows: p, columns: K, data: a }, true);
  };
  return { ...space, others };
}
