/** The space that suits a problem: its features where they are fewer than its examples, else its examples. */
import type { Engine } from '../../engine/index.js';
import { allFeatures, normalised } from '../design.js';
import { assertL2Fits, kernelFits } from '../fits.js';
import { crossGram, gram, primalWeights } from '../gram-exact.js';
import type { Rows } from '../matrix.js';
import type { Problem } from '../problem.js';
import { type Matrix, type Multiply, products, transpose } from '../products.js';
import { inner } from '../vectors.js';
import { curve } from './curve.js';
import { type Spectrum, spectralPreconditioner } from './preconditioner.js';
import type { Space } from './space.js';
import { type TopEigen, topEigen } from './spectrum.js';
import { StreamedTable } from './streamed-table.js';
import { featureTable, HeldTable, tableFits, tableOf } from './table.js';
import { tableSpace, wholeTable } from './table-space.js';

/** With a way back to features, and to other examples. */
export interface ProbeSpace extends Space {
  /** Whether coefficients are the weights. */
  readonly ofFeatures: boolean;
  /** Weights on the normalised features, (p, K). */
  weights(a: Float64Array): Promise<Float64Array>;
  /** Logits that coefficients give to other rows, without intercept, (rows.length, K). */
  others(rows: Rows): Promise<(a: Float64Array) => Promise<Float64Array>>;
}

export async function spaceOf(engine: Engine, problem: Problem): Promise<ProbeSpace> {
  const { design, n } = problem;
  const { matrix } = design;
  assertL2Fits('logistic regression', n, matrix.features);
  if (matrix.features <= n || !kernelFits(n)) {
    return tableFits(matrix, matrix.features) ? primalSpace(engine, problem) : streamedSpace(engine, problem);
  }
  const kernel = await gram(engine, design);
  const top = await topEigen(engine, kernel, n);
  return top.complete ? rangeSpace(engine, problem, top) : dualSpace(engine, problem, kernel, top);
}

async function primalSpace(engine: Engine, { design, n, classes: K, shares }: Problem): Promise<ProbeSpace> {
  const all = allFeatures(design.matrix);
  const p = all.length;
  const table = await featureTable(design, all);
  const weights = shares.map((share) => n * share);
  return {
    ...(await tableSpace(new HeldTable(engine, table), wholeTable(table, weights), K)),
    ofFeatures: true,
    weights: async (a) => a.slice(),
    async others({ matrix, rows }) {
      const multiply = await products(engine);
      const values = await normalised(design, all, new Float64Array(p * rows.length), { matrix, rows });
      return (a) => multiply({ rows: p, columns: rows.length, data: values }, { rows: p, columns: K, data: a }, true);
    },
  };
}

/** Features that do not fit in memory. */
async function streamedSpace(engine: Engine, { design, n, classes: K, shares }: Problem): Promise<ProbeSpace> {
  const table = new StreamedTable(engine, design);
  const weights = shares.map((share) => n * share);
  return {
    ...(await tableSpace(table, wholeTable(table, weights), K)),
    ofFeatures: true,
    weights: async (a) => a.slice(),
    async others(rows) {
      const { mean, scale, power } = design;
      const other = new StreamedTable(engine, { ...rows, mean, scale, power });
      return (a) => other.forward(a, K);
    },
  };
}

/**
 * On the eigenvectors of a Gram matrix that lacks rank, times the roots of their eigenvalues. (Coefficients of examples
 * would grow without end along what G maps to zero.)
 */
async function rangeSpace(engine: Engine, problem: Problem, { values, vectors }: TopEigen): Promise<ProbeSpace> {
  const { design, n, classes: K, shares } = problem;
  const multiply = await products(engine);
  const rank = values.length;
  const roots = values.map(Math.sqrt);
  const xt = vectors.map((v, at) => v * roots[at % rank]);
  const basis: Matrix = { rows: n, columns: rank, data: vectors.map((v, at) => v / roots[at % rank]) };
  const exact = new Float64Array(rank * n);
  await transpose(engine, { rows: n, columns: rank, data: xt }, exact);
  const table = tableOf(rank, n, exact);
  const weights = shares.map((share) => n * share);
  /** Coefficients of examples. */
  const dual = (a: Float64Array) => multiply(basis, { rows: rank, columns: K, data: a });
  return {
    ...(await tableSpace(new HeldTable(engine, table), wholeTable(table, weights), K)),
    ofFeatures: false,
    weights: async (a) => primalWeights(engine, design, await dual(a), K),
    async others(rows) {
      const logitsOf = await dualLogits(engine, multiply, problem, rows);
      return async (a) => logitsOf(await dual(a));
    },
  };
}

async function dualSpace(engine: Engine, problem: Problem, data: Float64Array, top: TopEigen): Promise<ProbeSpace> {
  const { design, n, classes: K } = problem;
  const multiply = await products(engine);
  const kernel: Matrix = { rows: n, columns: n, data };
  const vectors: Matrix = { rows: n, columns: top.values.length, data: top.vectors };
  const images: Matrix = { ...vectors, data: await multiply(kernel, vectors) };
  const spectrum: Spectrum = { values: top.values, rest: top.rest, vectors, images, dual: true };
  const forward = (a: Float64Array) => multiply(kernel, { rows: n, columns: K, data: a });
  return {
    size: n,
    forward,
    adjoint: async (d) => d,
    image: forward,
    logits: async (_, image) => image,
    gathersRounding: true,
    dot: (a, _, image) => inner(a, image),
    hessian: async (p, weights) => async (change) => {
      const { d, sums } = curve(p, weights, change);
      return { a: d, b: sums };
    },
    preconditioner: async (curvature, lambda) =>
      spectralPreconditioner(multiply, spectrum, { curvature, lambda, classes: K }),
    ofFeatures: false,
    weights: (a) => primalWeights(engine, design, a, K),
    others: (rows) => dualLogits(engine, multiply, problem, rows),
  };
}

/** Logits of other rows from coefficients of the examples. */
async function dualLogits(engine: Engine, multiply: Multiply, { design, n, classes: K }: Problem, rows: Rows) {
  const cross: Matrix = { rows: rows.rows.length, columns: n, data: await crossGram(engine, design, rows) };
  return (a: Float64Array) => multiply(cross, { rows: n, columns: K, data: a });
}
