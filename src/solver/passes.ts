/**
 * Products of all features of a matrix with a few columns, each a pass over the features as they are stored, in memory or on
 * disk. Examples lie last, so that nothing is turned before it is multiplied; what examples are scaled by in a tap goes into
 * the columns, which are fewer than its features.
 */
import type { Engine } from '../engine/index.js';
import { GraphBuilder } from '../ir/index.js';
import { giveBuffers, takeBuffer } from './buffers.js';
import { type Normalisation, storedMean } from './design.js';
import { countMacs } from './macs.js';
import type { Chunk, FeatureMatrix, Rows } from './matrix.js';
import { type Floats, floats, type Precision, programFor, tensor } from './programs.js';
import { largestSize } from './vectors.js';

/** Features of one product for every column, at least: what is read and written of the columns is shared by them. */
const FEATURES = 4;
/** Bytes of stored values in one product, at least and at most; and their share of the memory for features, at most. */
const BYTES = { least: 2 ** 24, most: 2 ** 27 };
const SHARE = 1 / 4;
/** Features of a tap, on average, below which products are of all taps together. */
const NARROW = 128;

/** A matrix as products are quick with it. @param mean of every feature, (p) */
export const widened = (matrix: FeatureMatrix, mean: Float64Array): FeatureMatrix =>
  matrix.blocks.length > 1 && matrix.features < NARROW * matrix.blocks.length ? matrix.merged(mean) : matrix;

/** Products with the normalised features z_ij = (x_ij - mean_j) scale_j of some examples. */
export class Passes {
  /** What is subtracted from the values themselves, (p); the rest of the mean is, from their products. */
  readonly #centre: Float64Array | undefined;
  readonly #rest: Float64Array;

  /**
   * @param source its rows are the examples
   * @param far features of which the mean is subtracted from the values themselves, whatever that takes, where products are
   *   in float32: those that would drown in it; none by default
   */
  constructor(
    private readonly engine: Engine,
    private readonly source: Rows & Normalisation,
    private readonly precision: Precision = 'float64',
    far?: (feature: number) => boolean,
  ) {
    const mean = storedMean(source, source.matrix);
    const own = far && precision === 'float32' ? mean.map((m, j) => (far(j) ? m : 0)) : undefined;
    this.#centre = own;
    this.#rest = own ? mean.map((m, j) => m - own[j]) : mean;
  }

  /** sum_j z_ij a_jk, (n, columns), for a (p, columns). */
  async forward(a: Float64Array, columns: number): Promise<Float64Array> {
    const { matrix, rows, scale } = this.source;
    const { precision } = this;
    const N = matrix.rows;
    const weights = new Float64Array(a.length);
    const offset = new Float64Array(columns);
    for (let j = 0, at = 0; j < scale.length; j++) {
      for (let k = 0; k < columns; k++, at++) {
        weights[at] = scale[j] * a[at];
        offset[k] += this.#rest[j] * weights[at];
      }
    }
    const unit = unitOf(weights, precision);
    let [total, next] = [buffer(columns * N, precision), buffer(columns * N, precision)];
    total.fill(0);
    for await (const chunk of this.#chunks(columns)) {
      const { first, count } = chunk;
      const turned = floats(precision, columns * count);
      for (let j = 0, at = first * columns; j < count; j++) {
        for (let k = 0; k < columns; k++, at++) turned[k * count + j] = weights[at] / unit;
      }
      const { feeds, isCentred } = await this.#feed(chunk);
      const program = await programFor(this.engine, `pass forward ${precision} ${isCentred}`, () =>
        forwardGraph(precision, isCentred),
      );
      const dims = [columns, N];
      const given = { ...feeds, a: tensor([columns, count], turned), total: tensor(dims, total) };
      await program.run(given, undefined, { z: tensor(dims, next) });
      countMacs(this.engine, columns * count * N);
      [total, next] = [next, total];
    }
    const z = new Float64Array(rows.length * columns);
    for (let k = 0; k < columns; k++) {
      const own = total.subarray(k * N, (k + 1) * N);
      for (let i = 0, at = k; i < rows.length; i++, at += columns) z[at] = unit * own[rows[i]] - offset[k];
    }
    giveBuffers(total, next);
    return z;
  }

  /** sum_i z_ij d_ik, (p, columns), for d (n, columns). */
  async adjoint(d: Float64Array, columns: number): Promise<Float64Array> {
    const { matrix, rows, scale } = this.source;
    const { precision } = this;
    const N = matrix.rows;
    const unit = unitOf(d, precision);
    const sums = new Float64Array(columns);
    const spread = buffer(columns * N, precision).fill(0);
    for (let k = 0; k < columns; k++) {
      const own = spread.subarray(k * N, (k + 1) * N);
      for (let i = 0, at = k; i < rows.length; i++, at += columns) {
        own[rows[i]] = d[at] / unit;
        sums[k] += d[at];
      }
    }
    const result = new Float64Array(matrix.features * columns);
    const given = tensor([columns, N], spread);
    for await (const chunk of this.#chunks(columns)) {
      const { feeds, isCentred } = await this.#feed(chunk);
      const program = await programFor(this.engine, `pass adjoint ${precision} ${isCentred}`, () =>
        adjointGraph(precision, isCentred),
      );
      const { y } = await program.run({ ...feeds, d: given });
      result.set(y.data as Floats, chunk.first * columns);
      countMacs(this.engine, columns * chunk.count * N);
    }
    giveBuffers(spread);
    for (let j = 0, at = 0; j < scale.length; j++) {
      for (let k = 0; k < columns; k++, at++) result[at] = scale[j] * (unit * result[at] - this.#rest[j] * sums[k]);
    }
    return result;
  }

  #chunks(columns: number): AsyncGenerator<Chunk> {
    const { matrix } = this.source;
    const most = Math.min(BYTES.most, SHARE * matrix.options.memory);
    const bytes = Math.min(most, Math.max(BYTES.least, 4 * matrix.rows * FEATURES * columns));
    return matrix.chunks(bytes);
  }

  async #feed({ block, first, count, data }: Chunk) {
    const { matrix } = this.source;
    const { precision } = this;
    const N = matrix.rows;
    const scale = await matrix.rowScale(block);
    const centre = this.#centre?.subarray(first, first + count);
    const isCentred = centre?.some((c) => c !== 0) ?? false;
    const feeds = {
      x: tensor([count, N], data),
      s: tensor([1, N], scale),
      ...(isCentred ? { c: tensor([count, 1], Object.assign(floats(precision, count), centre)) } : {}),
    };
    return { feeds, isCentred };
  }
}

const buffer = (length: number, precision: Precision): Floats =>
  precision === 'float32' ? takeBuffer(length, precision) : takeBuffer(length);

/** What is tiny beside float32's smallest numbers squared is computed at scale one. */
const unitOf = (values: Float64Array, precision: Precision): number =>
  precision === 'float32' ? largestSize(values) || 1 : 1;

function inputs(g: GraphBuilder, precision: Precision): { x: string; s: string } {
  const [x, s] = ['x', 's'].map((name) => {
    const value = g.input(name, 'float32');
    return precision === 'float32' ? value : g.cast(value, precision);
  });
  return { x, s };
}

function forwardGraph(precision: Precision, isCentred: boolean) {
  const g = GraphBuilder.of(precision);
  const { x, s } = inputs(g, precision);
  const a = g.input('a');
  const part = isCentred ? g.matmul(a, g.sub(g.mul(x, s), g.input('c'))) : g.mul(g.matmul(a, x), s);
  g.output(g.add(g.input('total'), part), 'z');
  return g.build();
}

function adjointGraph(precision: Precision, isCentred: boolean) {
  const g = GraphBuilder.of(precision);
  const { x, s } = inputs(g, precision);
  const d = g.input('d');
  const [left, right] = isCentred ? [g.sub(g.mul(x, s), g.input('c')), d] : [x, g.mul(d, s)];
  g.output(g.gemm(left, right, { transB: true }), 'y');
  return g.build();
}
