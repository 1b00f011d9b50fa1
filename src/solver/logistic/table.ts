/**
 * Tables with fewer features than examples, as Newton's method reads them: values in float64 for gradients, in float32 for
 * the many products with the Hessian that a step is made of. Folds of cross-validation are views of one table: they differ
 * in the weights of the examples (zero outside), means and scales, and nothing is copied. No array has n x n entries.
 */
import type { Engine } from '../../engine/index.js';
import { GraphBuilder } from '../../ir/index.js';
import { type Design, normalised } from '../design.js';
import { countMacs } from '../macs.js';
import type { Rows } from '../matrix.js';
import { type Floats, floats, type Precision, precisionOf, programFor, tensor } from '../programs.js';

/** Normalised values, feature by feature, (p, n). */
export interface FeatureTable {
  readonly p: number;
  readonly n: number;
  readonly exact: Float64Array;
  /** In float32 where the table is large, else the same. */
  readonly quick: Floats;
}

/** Values from which products in float32 take less than half the time of those in float64. */
const LARGE = 1 << 20;

/** @param exact (p, n) */
export function tableOf(p: number, n: number, exact: Float64Array): FeatureTable {
  return { p, n, exact, quick: exact.length > LARGE ? Float32Array.from(exact) : exact };
}

/** @param rows of any matrix with the design's features; its training rows by default */
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

/** Products with a table, through the engine. */
export class TableProducts {
  constructor(
    readonly engine: Engine,
    readonly table: FeatureTable,
  ) {}

  /** X' a, (n, columns), for a (p, columns). */
  async forward(a: Float64Array, columns: number): Promise<Float64Array> {
    const { p, n, exact } = this.table;
    const program = await programFor(this.engine, 'table forward', () => {
      const g = GraphBuilder.of('float64');
      g.output(g.gemm(g.input('x'), g.input('a'), { transA: true }), 'z');
      return g.build();
    });
    countMacs(this.engine, p * n * columns);
    const { z } = await program.run({ x: tensor([p, n], exact), a: tensor([p, columns], a) });
    return z.data as Float64Array;
  }

  /** X d, (p, columns), for d (n, columns). */
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

  /**
   * The Hessian of the losses with respect to a (p, K) and the intercept, at probabilities (n, K) of examples of these
   * weights: sum_i v_i (diag(p_i) - p_i p_i') times x_i x_i'.
   * @param exactly in float64 whatever the size of the table
   */
  async curvature(probabilities: Float64Array, weights: Float64Array, exactly: boolean): Promise<TableCurvature> {
    const { p, n, exact, quick } = this.table;
    const K = probabilities.length / n;
    const x = exactly ? exact : quick;
    const precision = precisionOf(x);
    const program = await programFor(this.engine, `table curvature ${precision}`, () => curvatureGraph(precision));
    const [q, qv] = [floats(precision, K * n), floats(precision, K * n)];
    for (let i = 0, at = 0; i < n; i++) {
      for (let k = 0; k < K; k++, at++) {
        q[k * n + i] = probabilities[at];
        qv[k * n + i] = weights[i] * probabilities[at];
      }
    }
    const fixed = { x: tensor([p, n], x), q: tensor([K, n], q), qv: tensor([K, n], qv) };
    return async (a, b) => {
      // Steps of a late lambda are tiny beside float32's smallest numbers squared: they are computed at scale one.
      const scale = precision === 'float32' ? largestOf(a, b) || 1 : 1;
      const shrunk = (values: Float64Array) => scaled(values, 1 / scale, floats(precision, values.length));
      countMacs(this.engine, 2 * p * n * K);
      const out = await program.run({ ...fixed, a: tensor([p, K], shrunk(a)), b: tensor([K, 1], shrunk(b)) });
      const grown = (values: Floats) => scaled(values, scale, new Float64Array(values.length));
      return { a: grown(out.h.data as Floats), b: grown(out.sums.data as Floats) };
    };
  }
}

/** The product with changes a (p, K) and b (K). */
export type TableCurvature = (a: Float64Array, b: Float64Array) => Promise<{ a: Float64Array; b: Float64Array }>;

/** Values of the features that are weighted at once. */
const RUN = 1 << 23;

/** Classes first: sums over them and products with X are then over rows. */
function curvatureGraph(precision: Precision) {
  const g = GraphBuilder.of(precision);
  const [x, q, qv, a, b] = ['x', 'q', 'qv', 'a', 'b'].map((name) => g.input(name));
  const z = g.add(g.matmul(g.transpose(a, [1, 0]), x), b);
  const mean = g.sum(g.mul(q, z), [0], true);
  const d = g.mul(qv, g.sub(z, mean));
  g.output(g.gemm(x, d, { transB: true }), 'h');
  g.output(g.sum(d, [1]), 'sums');
  return g.build();
}

function scaled<T extends Floats>(values: Floats, factor: number, into: T): T {
  for (let at = 0; at < values.length; at++) into[at] = values[at] * factor;
  return into;
}

function largestOf(...arrays: readonly Float64Array[]): number {
  let top = 0;
  for (const values of arrays) for (let i = 0; i < values.length; i++) top = Math.max(top, Math.abs(values[i]));
  return top;
}
