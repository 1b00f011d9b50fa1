/**
 * Where the weights of l2 logistic regression live: on the features (primal), or on the examples through their Gram
 * matrix G (dual, W = X' A), whichever is smaller. Newton's method is the same in both but for the inner product, which
 * is that of the weights W in either.
 */
import type { Engine } from '../../engine/index.js';
import { allFeatures, normalised } from '../design.js';
import { crossGram, gram, primalWeights } from '../gram-exact.js';
import type { Rows } from '../matrix.js';
import type { Problem } from '../problem.js';
import { type Matrix, products, transpose } from '../products.js';
import { inner, sum } from '../vectors.js';
import { blockPreconditioner, type Preconditioner, type Spectrum, spectralPreconditioner } from './preconditioner.js';
import { topEigen } from './spectrum.js';

export interface Space {
  /** Number of coefficients per class. */
  readonly size: number;
  /** Logits of coefficients (size, K), without intercept, (n, K). */
  forward(a: Float64Array): Promise<Float64Array>;
  /** Coefficients (size, K) of the gradient for a gradient with respect to the logits, (n, K). */
  adjoint(d: Float64Array): Promise<Float64Array>;
  /** Inner product of the weights that two sets of coefficients stand for; `image` is forward(b). */
  dot(a: Float64Array, b: Float64Array, image: Float64Array): number;
  /**
   * Approximate inverse of the Hessian X' C X + 2 lambda.
   * @param curvature c of the losses with respect to each logit by itself, (n, K)
   * @param close whether a better one is worth more time, where there is one
   */
  preconditioner(curvature: Float64Array, lambda: number, close: boolean): Promise<Preconditioner>;
  /** Weights on the normalised features, (p, K). */
  weights(a: Float64Array): Promise<Float64Array>;
  /** Logits that coefficients give to other rows, without intercept, (rows.length, K). */
  others(rows: Rows): Promise<(a: Float64Array) => Promise<Float64Array>>;
}

/** Features up to which the Hessian's blocks are factorised when they are asked for. */
const SMALL = 160;

export function spaceOf(engine: Engine, problem: Problem): Promise<Space> {
  return problem.design.matrix.features > problem.n ? dualSpace(engine, problem) : primalSpace(engine, problem);
}

async function primalSpace(engine: Engine, { design, n, classes: K }: Problem): Promise<Space> {
  const multiply = await products(engine);
  const all = allFeatures(design.matrix);
  const p = all.length;
  const x: Matrix = { rows: p, columns: n, data: await normalised(design, all, new Float64Array(p * n)) };
  const xt: Matrix = { rows: n, columns: p, data: new Float64Array(n * p) };
  await transpose(engine, 'float64', [p, n], x.data, xt.data);
  const { vectors: data, ...top } = await topEigen(engine, await multiply(x, xt), p);
  const vectors: Matrix = { rows: p, columns: top.values.length, data };
  const spectrum: Spectrum = { ...top, vectors, images: vectors, dual: false };
  return {
    size: p,
    forward: (a) => multiply(xt, { rows: p, columns: K, data: a }),
    adjoint: (d) => multiply(x, { rows: n, columns: K, data: d }),
    dot: (a, b) => inner(a, b),
    preconditioner: async (c, lambda, close) =>
      close && p <= SMALL
        ? blockPreconditioner(multiply, x, c, lambda)
        : spectralPreconditioner(multiply, spectrum, { curvature: sum(c) / c.length, lambda, classes: K }),
    weights: async (a) => a.slice(),
    async others({ matrix, rows }) {
      const values = await normalised(design, all, new Float64Array(p * rows.length), { matrix, rows });
      return (a) => multiply({ rows: p, columns: rows.length, data: values }, { rows: p, columns: K, data: a }, true);
    },
  };
}

async function dualSpace(engine: Engine, { design, n, classes: K }: Problem): Promise<Space> {
  const multiply = await products(engine);
  const kernel: Matrix = { rows: n, columns: n, data: await gram(engine, design) };
  const { vectors: data, ...top } = await topEigen(engine, kernel.data, n);
  const vectors: Matrix = { rows: n, columns: top.values.length, data };
  const spectrum: Spectrum = {
    ...top,
    vectors,
    images: { ...vectors, data: await multiply(kernel, vectors) },
    dual: true,
  };
  return {
    size: n,
    forward: (a) => multiply(kernel, { rows: n, columns: K, data: a }),
    adjoint: async (d) => d,
    dot: (a, _, image) => inner(a, image),
    preconditioner: async (c, lambda) =>
      spectralPreconditioner(multiply, spectrum, { curvature: sum(c) / c.length, lambda, classes: K }),
    weights: (a) => primalWeights(engine, design, a, K),
    async others(rows) {
      const cross: Matrix = { rows: rows.rows.length, columns: n, data: await crossGram(engine, design, rows) };
      return (a) => multiply(cross, { rows: n, columns: K, data: a });
    },
  };
}
