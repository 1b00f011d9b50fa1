/**
 * Tables with fewer features than examples, as Newton's method reads them: values in float64 for gradients, in float32 for
 * the many products with the Hessian that a step is made of. Folds of cross-validation are views of one table: they differ
 * in the weights of the examples (zero outside), means and scales, and nothing is copied. No array has n x n entries.
 */
import type { Engine } from '../../engine/index.js';
import { GraphBuilder } from '../../ir/index.js';
import { type Design, normalised } from '../design.js';
import { countMacs } from '../macs.js';
import type { FeatureMatrix, Rows } from '../matrix.js';
import { transpose } from '../products.js';
import { type Floats, floats, type Precision, precisionOf, programFor, tensor } from '../programs.js';
import { inner, largestSize, scaled } from '../vectors.js';

/** Products with the normalised features of some examples, X (p, n), wherever these are held. */
export interface TableProducts {
  readonly engine: Engine;
  readonly p: number;
  readonly n: number;
  /** X' a, (n, columns), for a (p, columns). */
  forward(a: Float64Array, columns: number): Promise<Float64Array>;
  /** X d, (p, columns), for d (n, columns). */
  adjoint(d: Float64Array, columns: number): Promise<Float64Array>;
  /** The squares of every feature over examples of these weights, (p); by default over all alike. */
  squares(weights?: Float64Array): Promise<Float64Array>;
  /**
   * The Hessian of the losses with respect to a (p, K) and the intercept, at probabilities (n, K) of examples of these
   * weights: sum_i v_i (diag(p_i) - p_i p_i') times x_i x_i'.
   * @param exactly in float64 whatever the size of the table
   */
  curvature(probabilities: Float64Array, weights: Float64Array, exactly: boolean): Promise<TableCurvature>;
  /** Some of its features, by their positions. */
  select(positions: Int32Array): TableProducts;
}

/** Bytes that a value takes in memory: in float64, in float32, and once more as examples lie together. */
const VALUE_BYTES = 16;

/** Whether so many features of a matrix may be held as a table, by the memory that its features may take. */
export const tableFits = ({ rows, options }: FeatureMatrix, features: number): boolean =>
  VALUE_BYTES * rows * features <= options.memory;

/** Normalised values, feature by feature, (p, n). */
export interface FeatureTable {
  readonly p: number;
  readonly n: number;
  readonly exact: Float64Array;
  /** In float32 where the table is large, else the same. */
  readonly quick: Floats;
}

/** Values from which products in float32 take less than half the time of those in float64. */
const LARGE = 1 << 17;

/** @param exact (p, n) */
export function tableOf(p: number, n: number, exact: Float64Array): FeatureTable {
  return { p, n, exact, quick: exact.length > LARGE ? Float32Array.from(exact) : exact };
}

/**
 * Features as one table in memory.
 * @param rows of any matrix with the design's features; its training rows by default
 */
export async function featureTable(
  design: Design,
  indices: ArrayLike<number>,
  rows: Rows = design,
): Promise<FeatureTable> {
  const [p, n] = [indices.length, rows.rows.length];
  const exact = await normalised(design, indices, new Float64Array(p * n), rows);
  return tableOf(p, n, exact);
}

/** Some features of a table, by their positions in it. */
export function selectFeatures({ n, exact }: FeatureTable, positions: ArrayLike<number>): FeatureTable {
  const p = positions.length;
  const chosen = new Float64Array(p * n);
  for (let k = 0; k < p; k++) chosen.set(exact.subarray(positions[k] * n, (positions[k] + 1) * n), k * n);
  return tableOf(p, n, chosen);
}

/** Products with a table in memory, through the engine. */
export class HeldTable implements TableProducts {
  /** @param viewed whether several views of it are fitted to, which then share what is costly to prepare */
  constructor(
    readonly engine: Engine,
    readonly table: FeatureTable,
    readonly viewed = false,
  ) {}
  readonly #copies = new Map<Floats, Promise<Floats>>();

  get p(): number {
    return this.table.p;
  }

  get n(): number {
    return this.table.n;
  }

  select(positions: Int32Array): HeldTable {
    return new HeldTable(this.engine, selectFeatures(this.table, positions));
  }

  async squares(weights?: Float64Array): Promise<Float64Array> {
    const { p, n, exact } = this.table;
    return Float64Array.from({ length: p }, (_, j) => {
      const feature = exact.subarray(j * n, (j + 1) * n);
      return inner(feature, weights ? feature.map((v, i) => v * weights[i]) : feature);
    });
  }

  async forward(a: Float64Array, columns: number): Promise<Float64Array> {
    const { p, n, exact } = this.table;
    countMacs(this.engine, p * n * columns);
    const small = exact.length <= TURNED;
    const program = await programFor(this.engine, `table forward ${small}`, () => {
      const g = GraphBuilder.of('float64');
      const [x, b] = [g.input('x'), g.input('a')];
      g.output(small ? g.matmul(x, b) : g.gemm(x, b, { transA: true }), 'z');
      return g.build();
    });
    const x = small ? tensor([n, p], await this.#turned(exact)) : tensor([p, n], exact);
    const { z } = await program.run({ x, a: tensor([p, columns], a) });
    return z.data as Float64Array;
  }

  /** Values of the table example by example: products with matrices that lie as they are read take half the time or less. */
  #turned<T extends Floats>(x: T): Promise<T> {
    const { p, n } = this.table;
    const make = async () => {
      const xt = floats(precisionOf(x), x.length) as T;
      await transpose(this.engine, { rows: p, columns: n, data: x }, xt);
      return xt;
    };
    const turned = (this.#copies.get(x) as Promise<T> | undefined) ?? make();
    this.#copies.set(x, turned);
    return turned;
  }

  async adjoint(d: Float64Array, columns: number): Promise<Float64Array> {
    const { p, n, exact } = this.table;
    const program = await programFor(this.engine, 'table adjoint', () => {
      const g = GraphBuilder.of('float64');
      g.output(g.matmul(g.input('x'), g.input('d')), 'g');
      return g.build();
    });
    countMacs(this.engine, p * n * columns);
    const { g } = await program.run({ x: tensor([p, n], exact), d: tensor([n, columns], d) });
    return g.data as Float64Array;
  }

  /** X diag(weights) X', (p, p), a run of features at a time. */
  async gram(weights: Float64Array): Promise<Float64Array> {
    const { p, n, exact } = this.table;
    const program = await programFor(this.engine, 'table gram', () => {
      const g = GraphBuilder.of('float64');
      g.output(g.gemm(g.mul(g.input('some'), g.input('v')), g.input('x'), { transB: true }), 'gram');
      return g.build();
    });
    countMacs(this.engine, p * p * n);
    const result = new Float64Array(p * p);
    const step = Math.max(1, Math.min(p, Math.floor(RUN / n)));
    const fixed = { x: tensor([p, n], exact), v: tensor([1, n], weights) };
    for (let first = 0; first < p; first += step) {
      const count = Math.min(step, p - first);
      const some = tensor([count, n], exact.subarray(first * n, (first + count) * n));
      const gram = tensor([count, p], result.subarray(first * p, (first + count) * p));
      await program.run({ some, ...fixed }, undefined, { gram });
    }
    return result;
  }

  async curvature(probabilities: Float64Array, weights: Float64Array, exactly: boolean): Promise<TableCurvature> {
    const { p, n, exact, quick } = this.table;
    const K = probabilities.length / n;
    const x = exactly ? exact : quick;
    const precision = precisionOf(x);
    const program = await programFor(this.engine, `table curvature ${precision}`, () => curvatureGraph(precision));
    const q = scaled(probabilities, 1, floats(precision, n * K));
    const qv = floats(precision, n * K);
    for (let i = 0, at = 0; i < n; i++) for (let k = 0; k < K; k++, at++) qv[at] = weights[i] * probabilities[at];
    const fixed = {
      x: tensor([p, n], x),
      xt: tensor([n, p], await this.#turned(x)),
      q: tensor([n, K], q),
      qv: tensor([n, K], qv),
    };
    return async (a, b) => {
      // Steps of a late lambda are tiny beside float32's smallest numbers squared: they are computed at scale one.
      const scale = precision === 'float32' ? largestSize(a, b) || 1 : 1;
      const shrunk = (values: Float64Array) => scaled(values, 1 / scale, floats(precision, values.length));
      countMacs(this.engine, 2 * p * n * K);
      const out = await program.run({ ...fixed, a: tensor([p, K], shrunk(a)), b: tensor([1, K], shrunk(b)) });
      const grown = (values: Floats) => scaled(values, scale, new Float64Array(values.length));
      return { a: grown(out.h.data as Floats), b: grown(out.sums.data as Floats) };
    };
  }
}

/** The product with changes a (p, K) and b (K). */
export type TableCurvature = (a: Float64Array, b: Float64Array) => Promise<{ a: Float64Array; b: Float64Array }>;

/** Values up to which a table in float64 is also held example by example. */
const TURNED = 1 << 24;

/** Values of the features that are weighted at once. */
const RUN = 1 << 23;

function curvatureGraph(precision: Precision) {
  const g = GraphBuilder.of(precision);
  const [x, xt, q, qv, a, b] = ['x', 'xt', 'q', 'qv', 'a', 'b'].map((name) => g.input(name));
  const z = g.add(g.matmul(xt, a), b);
  const mean = g.sum(g.mul(q, z), [1], true);
  const d = g.mul(qv, g.sub(z, mean));
  g.output(g.matmul(x, d), 'h');
  g.output(g.sum(d, [0]), 'sums');
  return g.build();
}
