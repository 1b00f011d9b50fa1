/**
 * Where the weights of l2 logistic regression live: on the features (primal), or on the examples through their Gram
 * matrix G (dual, W = X' A), whichever is smaller. A Gram matrix of little rank is as good as the few features that its
 * eigenvectors are. Newton's method is the same in all but for the inner product, which is that of the weights W.
 */
import type { Engine } from '../../engine/index.js';
import { allFeatures, normalised } from '../design.js';
import { crossGram, gram, primalWeights } from '../gram-exact.js';
import type { Rows } from '../matrix.js';
import type { Problem } from '../problem.js';
import { type Matrix, type Multiply, products, transpose } from '../products.js';
import { inner, sum } from '../vectors.js';
import { blockPreconditioner, type Preconditioner, type Spectrum, spectralPreconditioner } from './preconditioner.js';
import { type TopEigen, topEigen } from './spectrum.js';

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
   * Approximate inverse of the Hessian X C X' + 2 lambda.
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

export async function spaceOf(engine: Engine, problem: Problem): Promise<Space> {
  const { design, n } = problem;
  if (design.matrix.features <= n) return primalSpace(engine, problem);
  const kernel = await gram(engine, design);
  const top = await topEigen(engine, kernel, n);
  return top.complete ? rangeSpace(engine, problem, top) : dualSpace(engine, problem, kernel, top);
}

/** Features x (size, n), x', and the spectrum of x x'. */
interface Features {
  readonly x: Matrix;
  readonly xt: Matrix;
  readonly spectrum: Spectrum;
}

function onFeatures(multiply: Multiply, { x, xt, spectrum }: Features, K: number): Omit<Space, 'weights' | 'others'> {
  const { rows: size, columns: n } = x;
  return {
    size,
    forward: (a) => multiply(xt, { rows: size, columns: K, data: a }),
    adjoint: (d) => multiply(x, { rows: n, columns: K, data: d }),
    dot: (a, b) => inner(a, b),
    preconditioner: async (c, lambda, close) =>
      close && size <= SMALL
        ? blockPreconditioner(multiply, x, c, lambda)
        : spectralPreconditioner(multiply, spectrum, { curvature: sum(c) / c.length, lambda, classes: K }),
  };
}

async function primalSpace(engine: Engine, problem: Problem): Promise<Space> {
  const { design, n, classes: K } = problem;
  const multiply = await products(engine);
  const all = allFeatures(design.matrix);
  const p = all.length;
  const x: Matrix = { rows: p, columns: n, data: await normalised(design, all, new Float64Array(p * n)) };
  const xt: Matrix = { rows: n, columns: p, data: new Float64Array(n * p) };
  await transpose(engine, x, xt.data);
  const { values, vectors: data, rest } = await topEigen(engine, await multiply(x, xt), p);
  const vectors: Matrix = { rows: p, columns: values.length, data };
  return {
    ...onFeatures(multiply, { x, xt, spectrum: { values, rest, vectors, images: vectors, dual: false } }, K),
    weights: async (a) => a.slice(),
    async others({ matrix, rows }) {
      const values = await normalised(design, all, new Float64Array(p * rows.length), { matrix, rows });
      return (a) => multiply({ rows: p, columns: rows.length, data: values }, { rows: p, columns: K, data: a }, true);
    },
  };
}

/**
 * On the eigenvectors of a Gram matrix that lacks rank, times the roots of their eigenvalues. (Coefficients of examples
 * would grow without end along what G maps to zero.)
 */
async function rangeSpace(engine: Engine, problem: Problem, { values, vectors }: TopEigen): Promise<Space> {
  const { design, n, classes: K } = problem;
  const multiply = await products(engine);
  const rank = values.length;
  const roots = values.map(Math.sqrt);
  const x: Matrix = { rows: rank, columns: n, data: new Float64Array(rank * n) };
  const xt: Matrix = { rows: n, columns: rank, data: vectors.map((v, at) => v * roots[at % rank]) };
  const basis: Matrix = { rows: n, columns: rank, data: vectors.map((v, at) => v / roots[at % rank]) };
  await transpose(engine, xt, x.data);
  const identity = new Float64Array(rank * rank);
  for (let e = 0; e < rank; e++) identity[e * rank + e] = 1;
  const axes: Matrix = { rows: rank, columns: rank, data: identity };
  const spectrum: Spectrum = { values, rest: 0, vectors: axes, images: axes, dual: false };
  /** Coefficients of examples. */
  const dual = (a: Float64Array) => multiply(basis, { rows: rank, columns: K, data: a });
  return {
    ...onFeatures(multiply, { x, xt, spectrum }, K),
    weights: async (a) => primalWeights(engine, design, await dual(a), K),
    async others(rows) {
      const logitsOf = await dualLogits(engine, multiply, problem, rows);
      return async (a) => logitsOf(await dual(a));
    },
  };
}

async function dualSpace(engine: Engine, problem: Problem, data: Float64Array, top: TopEigen): Promise<Space> {
  const { design, n, classes: K } = problem;
  const multiply = await products(engine);
  const kernel: Matrix = { rows: n, columns: n, data };
  const vectors: Matrix = { rows: n, columns: top.values.length, data: top.vectors };
  const images: Matrix = { ...vectors, data: await multiply(kernel, vectors) };
  const spectrum: Spectrum = { values: top.values, rest: top.rest, vectors, images, dual: true };
  return {
    size: n,
    forward: (a) => multiply(kernel, { rows: n, columns: K, data: a }),
    adjoint: async (d) => d,
    dot: (a, _, image) => inner(a, image),
    preconditioner: async (c, lambda) =>
      spectralPreconditioner(multiply, spectrum, { curvature: sum(c) / c.length, lambda, classes: K }),
    weights: (a) => primalWeights(engine, design, a, K),
    others: (rows) => dualLogits(engine, multiply, problem, rows),
  };
}

/** Logits of other rows from coefficients of the examples. */
async function dualLogits(engine: Engine, multiply: Multiply, { design, n, classes: K }: Problem, rows: Rows) {
  const cross: Matrix = { rows: rows.rows.length, columns: n, data: await crossGram(engine, design, rows) };
  return (a: Float64Array) => multiply(cross, { rows: n, columns: K, data: a });
}
