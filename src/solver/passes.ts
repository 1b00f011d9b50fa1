/**
 * Products of all features of a matrix with a few columns, each a pass over the features as they are stored, in memory or on
 * disk. Examples lie last, so that nothing is turned before it is multiplied; what examples are scaled by in a tap goes into
 * the columns, which are fewer than its features.
 */
import type { Engine } from '../engine/index.js';
import { GraphBuilder, type Tensor } from '../ir/index.js';
import { giveBuffers, takeBuffer } from './buffers.js';
import { type Normalisation, storedMean } from './design.js';
import { countMacs } from './macs.js';
import type { FeatureMatrix, Rows } from './matrix.js';
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
  /** What is subtracted from stored values, (p). */
  readonly #mean: Float64Array;

  /**
   * @param source its rows are the examples
   * @param far features whose mean is subtracted from the values themselves where products are in float32, which would drown in it;
   *   none by default
   */
  constructor(
    private readonly engine: Engine,
    private readonly source: Rows & Normalisation,
    private readonly precision: Precision = 'float64',
    private readonly far: (feature: number) => boolean = () => false,
  ) {
    this.#mean = storedMean(source, source.matrix);
  }

  /** sum_j z_ij a_jk, (n, columns), for a (p, columns). */
  async forward(a: Float64Array, columns: number): Promise<Float64Array> {
    const { matrix, rows, scale } = this.source;
    const { precision } = this;
    const N = matrix.rows;
    const weights = a.map((v, at) => v * scale[Math.floor(at / columns)]);
    const unit = unitOf(weights, precision);
    const offset = new Float64Array(columns);
    let [total, next] = [buffer(columns * N, precision), buffer(columns * N, precision)];
    total.fill(0);
    const dims = [columns, N];
    for await (const { first, count, ready, feeds } of this.#chunks(columns)) {
      const turned = floats(precision, columns * count);
      for (let j = 0, at = first * columns; j < count; j++) {
        for (let k = 0; k < columns; k++, at++) {
          turned[k * count + j] = weights[at] / unit;
          if (!ready) offset[k] += this.#mean[first + j] * weights[at];
        }
      }
      const program = await programFor(this.engine, `pass forward ${precision} ${ready}`, () =>
        forwardGraph(precision, ready),
      );
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
    for await (const { first, count, ready, feeds } of this.#chunks(columns)) {
      const program = await programFor(this.engine, `pass adjoint ${precision} ${ready}`, () =>
        adjointGraph(precision, ready),
      );
      const { y } = await program.run({ ...feeds, d: given });
      const own = y.data as Floats;
      for (let j = 0, from = 0, at = first * columns; j < count; j++) {
        const mean = ready ? 0 : this.#mean[first + j];
        for (let k = 0; k < columns; k++, from++, at++) {
          result[at] = scale[first + j] * (unit * own[from] - mean * sums[k]);
        }
      }
      countMacs(this.engine, columns * count * N);
    }
    giveBuffers(spread);
    return result;
  }

  /** Runs of features, as stored or, where some are far from zero, ready for products: scaled, less their mean. */
  async *#chunks(columns: number): AsyncGenerator<PassChunk> {
    const { matrix } = this.source;
    const N = matrix.rows;
    const largest = Math.min(BYTES.most, SHARE * matrix.options.memory);
    const bytes = Math.min(largest, Math.max(BYTES.least, 4 * N * FEATURES * columns));
    const { precision } = this;
    let room: Floats | undefined;
    for await (const { block, first, count, data } of matrix.chunks(bytes)) {
      const s = await matrix.rowScale(block);
      const ready = precision === 'float32' && this.#anyFar(first, count);
      let x: Floats = data;
      if (ready || precision === 'float64') {
        if (!room || room.length < data.length) room = buffer(data.length, precision);
        x = room.subarray(0, data.length);
        if (ready) this.#normalise(data, s, first, x);
        else x.set(data);
      }
      const feeds: Record<string, Tensor> = { x: tensor([count, N], x) };
      if (!ready) feeds.s = tensor<Floats>([1, N], precision === 'float64' ? Float64Array.from(s) : s);
      yield { first, count, ready, feeds };
    }
    if (room) giveBuffers(room);
  }

  #normalise(stored: Float32Array, s: Float32Array, first: number, into: Floats): void {
    for (let at = 0, j = first; at < stored.length; j++) {
      const mean = this.#mean[j];
      for (let i = 0; i < s.length; i++, at++) into[at] = stored[at] * s[i] - mean;
    }
  }

  #anyFar(first: number, count: number): boolean {
    for (let j = first; j < first + count; j++) if (this.far(j)) return true;
    return false;
  }
}

interface PassChunk {
  readonly first: number;
  readonly count: number;
  readonly ready: boolean;
  readonly feeds: Readonly<Record<string, Tensor>>;
}

const buffer = (length: number, precision: Precision): Floats =>
  precision === 'float32' ? takeBuffer(length, precision) : takeBuffer(length);

/** What is tiny beside float32's smallest numbers squared is computed at scale one. */
const unitOf = (values: Float64Array, precision: Precision): number =>
  precision === 'float32' ? largestSize(values) || 1 : 1;

function forwardGraph(precision: Precision, ready: boolean) {
  const g = GraphBuilder.of(precision);
  const part = g.matmul(g.input('a'), g.input('x'));
  g.output(g.add(g.input('total'), ready ? part : g.mul(part, g.input('s'))), 'z');
  return g.build();
}

function adjointGraph(precision: Precision, ready: boolean) {
  const g = GraphBuilder.of(precision);
  const d = g.input('d');
  g.output(g.gemm(g.input('x'), ready ? d : g.mul(d, g.input('s')), { transB: true }), 'y');
  return g.build();
}
