/** The weights of l2 logistic regression on the features of a table, on some of its examples. */
import { type Matrix, products } from '../products.js';
import { inner, sum } from '../vectors.js';
import { DenseFactors, type Factors } from './factors.js';
import {
  blockPreconditioner,
  type Curved,
  densePreconditioner,
  meanCurvature,
  type Preconditioner,
  spectralPreconditioner,
} from './preconditioner.js';
import type { Space } from './space.js';
import { topEigen } from './spectrum.js';
import type { StreamedTable } from './streamed-table.js';
import { HeldTable, type TableProducts } from './table.js';
import { TiledFactors } from './tiled-factors.js';

/** What of a table is fitted to: x_ij becomes scale_j (x_ij - mean_j), example i has weight v_i. */
export interface TableView {
  /** (n); zero for examples that are left out. */
  readonly weights: Float64Array;
  /** (p); of the examples that count. */
  readonly mean: Float64Array;
  readonly scale: Float64Array;
  /** Whether scales are the deviations' inverses. */
  readonly standardize: boolean;
}

/** All of a table as it stands. */
export function wholeTable({ p }: Pick<TableProducts, 'p'>, weights: Float64Array): TableView {
  return { weights, mean: new Float64Array(p), scale: new Float64Array(p).fill(1), standardize: false };
}

/** A feature that varies less than this share of its variance over the whole table is constant on the examples of a view. */
const CONSTANT = 1e-12;

/**
 * Centres, and where it is asked for standardises, on the examples that have a weight.
 * @param squares of every feature over examples of these weights, (p), asked for where deviations are
 */
export async function viewOfTable(
  products: TableProducts,
  squares: () => Promise<Float64Array>,
  weights: Float64Array,
  standardize: boolean,
): Promise<TableView> {
  const { p, n } = products;
  const total = sum(weights);
  const mean = (await products.adjoint(weights, 1)).map((v) => v / total);
  const scale = new Float64Array(p).fill(1);
  if (standardize) {
    const [own, whole] = [await squares(), await products.squares()];
    for (let j = 0; j < p; j++) {
      const variance = own[j] / total - mean[j] ** 2;
      scale[j] = variance > (CONSTANT * whole[j]) / n ? 1 / Math.sqrt(variance) : 0;
    }
  }
  return { weights, mean, scale, standardize };
}

/** The diagonal of a (p, p) matrix. */
export const diagonalOf = (gram: Float64Array, p: number): Float64Array =>
  Float64Array.from({ length: p }, (_, j) => gram[j * p + j]);

/** scale (S - borders mean' - mean borders' + total mean mean') scale, in place, for S = X diag(c) X', borders = X c. */
function centredGram(
  s: Float64Array,
  { mean, scale }: TableView,
  border: (j: number) => number,
  total: number,
): Float64Array {
  const p = mean.length;
  for (let i = 0, at = 0; i < p; i++) {
    for (let j = 0; j < p; j++, at++) {
      const shift = border(i) * mean[j] + mean[i] * border(j) - total * mean[i] * mean[j];
      s[at] = scale[i] * scale[j] * (s[at] - shift);
    }
  }
  return s;
}

/** That of a view's own weights. */
function viewGram(s: Float64Array, view: TableView): Float64Array {
  const total = sum(view.weights);
  return centredGram(s, view, (j) => total * view.mean[j], total);
}

/** Features up to which the spectrum is known whole, and the Hessian's blocks are factorised when they are asked for. */
const SMALL = 160;

/** Of the tables that several views are fitted to, by whether these are standardised. */
const shared = new WeakMap<TableProducts, Map<boolean, DenseFactors>>();
const tiled = new WeakMap<StreamedTable['source'], TiledFactors>();

/** Of a table that streams by, whoever reads it and whatever its views: their features are scaled alike but for what a few examples change. */
function tiledFactorsOf(table: StreamedTable): TiledFactors {
  const { part } = table;
  const whole = part && { factors: tiledFactorsOf(part.of), positions: part.positions };
  const factors = tiled.get(table.source) ?? new TiledFactors(table, whole);
  tiled.set(table.source, factors);
  return factors;
}

function denseFactorsOf(
  table: HeldTable,
  { standardize }: TableView,
  own: () => Promise<Float64Array>,
  total: number,
): DenseFactors {
  const { n, p } = table;
  const make = (gram: () => Promise<Float64Array>, sum: number) =>
    new DenseFactors(table.engine, async () => ({ rows: p, columns: p, data: (await gram()).map((v) => v / sum) }));
  if (!table.viewed) return make(own, total);
  const held = shared.get(table) ?? new Map<boolean, DenseFactors>();
  shared.set(table, held);
  const whole = async () => {
    const weights = new Float64Array(n).fill(1);
    const gram = await table.gram(weights);
    return viewGram(gram, await viewOfTable(table, async () => diagonalOf(gram, p), weights, standardize));
  };
  const factors = held.get(standardize) ?? make(whole, n);
  held.set(standardize, factors);
  return factors;
}

/** @param gram X diag(weights) X' of the view's weights, asked for where it is needed; computed by default */
export async function tableSpace(
  table: TableProducts,
  view: TableView,
  K: number,
  gram?: () => Promise<Float64Array>,
): Promise<Space> {
  const { p } = table;
  const held = table instanceof HeldTable ? table : undefined;
  const { weights, mean, scale } = view;
  const multiply = await products(table.engine);
  /** scale a, and what its products with the means take from every logit. */
  const scaled = (a: Float64Array) => {
    const w = new Float64Array(a.length);
    const offset = new Float64Array(K);
    for (let j = 0, at = 0; j < p; j++) {
      for (let k = 0; k < K; k++, at++) {
        w[at] = scale[j] * a[at];
        offset[k] += mean[j] * w[at];
      }
    }
    return { w, offset };
  };
  /** The transpose of that, in place. */
  const unscaled = (g: Float64Array, sums: Float64Array) => {
    for (let j = 0, at = 0; j < p; j++) {
      for (let k = 0; k < K; k++, at++) g[at] = scale[j] * (g[at] - mean[j] * sums[k]);
    }
    return g;
  };
  const total = sum(weights);
  const gramOf = (v: Float64Array) => (held as HeldTable).gram(v);
  const ownGram = async () => viewGram(gram ? (await gram()).slice() : await gramOf(weights), view);
  const isSmall = held !== undefined && p <= SMALL;
  const { values, vectors: data, rest } = isSmall && p > 0 ? await topEigen(table.engine, await ownGram(), p) : nothing;
  const vectors: Matrix = { rows: p, columns: values.length, data };
  const forward = async (a: Float64Array) => {
    const { w, offset } = scaled(a);
    const z = await table.forward(w, K);
    for (let at = 0; at < z.length; ) for (let k = 0; k < K; k++, at++) z[at] -= offset[k];
    return z;
  };
  const blocks = async (curved: Curved): Promise<Preconditioner> => {
    const { curvature } = curved;
    const n = curvature.length / K;
    const borders = await table.adjoint(curvature, K);
    const found: Float64Array[] = [];
    const totals = new Float64Array(K);
    for (let k = 0; k < K; k++) {
      const c = Float64Array.from({ length: n }, (_, i) => curvature[i * K + k]);
      totals[k] = sum(c);
      found.push(centredGram(await gramOf(c), view, (j) => borders[j * K + k], totals[k]));
    }
    return blockPreconditioner(found, unscaled(borders, totals), curved);
  };
  let factors: Factors | undefined;
  return {
    size: p,
    forward,
    async adjoint(d) {
      const sums = new Float64Array(K);
      for (let at = 0; at < d.length; ) for (let k = 0; k < K; k++, at++) sums[k] += d[at];
      return unscaled(await table.adjoint(d, K), sums);
    },
    image: async () => none,
    logits: forward,
    gathersRounding: false,
    dot: (a, b) => inner(a, b),
    async hessian(probabilities, v, exactly) {
      const product = await table.curvature(probabilities, v, exactly);
      return async ({ a, b }) => {
        const { w, offset } = scaled(a);
        const curved = await product(
          w,
          b.map((value, k) => value - offset[k]),
        );
        return { a: unscaled(curved.a, curved.b), b: curved.b };
      };
    },
    async preconditioner(curvature, lambda, close) {
      const curved = { curvature, lambda, classes: K };
      if (isSmall) {
        if (close) return blocks(curved);
        return spectralPreconditioner(multiply, { values, rest, vectors, images: vectors, dual: false }, curved);
      }
      factors ??= held ? denseFactorsOf(held, view, ownGram, total) : tiledFactorsOf(table as StreamedTable);
      const inverse = await factors.at(lambda / total, meanCurvature(curved));
      return densePreconditioner(async (r) => (await inverse(r)).map((v) => v / total), curved);
    },
  };
}

const none = new Float64Array(0);
const nothing = { values: none, vectors: none, rest: 0 };
