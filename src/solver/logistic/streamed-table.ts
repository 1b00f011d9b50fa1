/**
 * A table of features that does not fit in memory: every product is a pass over the features as they are stored, normalised
 * chunk by chunk. Gradients are in float64; products with the Hessian, two passes each, in float32 as a table in memory has them.
 */
import type { Engine } from '../../engine/index.js';
import { GraphBuilder } from '../../ir/index.js';
import { type Normalisation, normalisationOf, normalised, storedMean } from '../design.js';
import { countMacs } from '../macs.js';
import type { Chunk, Rows } from '../matrix.js';
import { type Floats, floats, type Precision, programFor, tensor } from '../programs.js';
import type { Span } from '../tiles.js';
import { largestSize } from '../vectors.js';
import { curve } from './curve.js';
import type { TableCurvature, TableProducts } from './table.js';

/** Bytes of a chunk: small enough for its normalised values to stay in cache. */
const CHUNK_BYTES = 1 << 22;

/** Products with features that stream by, through the engine. */
export class StreamedTable implements TableProducts {
  readonly p: number;
  readonly n: number;
  readonly #mean: Float64Array;

  /** @param source its rows are the examples */
  constructor(
    readonly engine: Engine,
    readonly source: Rows & Normalisation,
  ) {
    this.p = source.matrix.features;
    this.n = source.rows.length;
    this.#mean = storedMean(source, source.matrix);
  }

  forward(a: Float64Array, columns: number): Promise<Float64Array> {
    return this.#forward(a, columns, 'float64');
  }

  adjoint(d: Float64Array, columns: number): Promise<Float64Array> {
    return this.#adjoint(d, columns, 'float64');
  }

  async squares(weights = new Float64Array(this.n).fill(1)): Promise<Float64Array> {
    const program = await programFor(this.engine, 'streamed squares', () => {
      const g = GraphBuilder.of('float64');
      const x = centredInput(g, 'float64');
      g.output(g.matmul(g.mul(x, x), g.input('d')), 'y');
      return g.build();
    });
    const { scale } = this.source;
    const found = await this.#byFeature(program, this.#spread(weights, 1, 'float64'), 1);
    return found.map((v, j) => v * scale[j] ** 2);
  }

  async curvature(probabilities: Float64Array, weights: Float64Array, exactly: boolean): Promise<TableCurvature> {
    const K = probabilities.length / this.n;
    const precision = exactly ? 'float64' : 'float32';
    return async (a, b) => {
      const { d, sums } = curve(probabilities, weights, { image: await this.#forward(a, K, precision), b });
      return { a: await this.#adjoint(d, K, precision), b: sums };
    };
  }

  select(positions: Int32Array): StreamedTable {
    const { matrix, rows } = this.source;
    const own = { matrix: matrix.select(positions), rows, ...normalisationOf(this.source, positions) };
    return new StreamedTable(this.engine, own);
  }

  /** Normalised values of a run of features in float32, (count, n). */
  values({ from, count }: Span): Promise<Float32Array> {
    const indices = Int32Array.from({ length: count }, (_, j) => from + j);
    return normalised(this.source, indices, new Float32Array(count * this.n), this.source);
  }

  async #forward(a: Float64Array, K: number, precision: Precision): Promise<Float64Array> {
    const { matrix, rows, scale } = this.source;
    const N = matrix.rows;
    const program = await programFor(this.engine, `streamed forward ${precision}`, () => {
      const g = GraphBuilder.of(precision);
      // With the examples last, nothing has to be turned before it is multiplied.
      g.output(g.add(g.input('total'), g.matmul(g.input('a'), centredInput(g, precision))), 'z');
      return g.build();
    });
    const unit = unitOf(a, precision);
    let [total, next] = [floats(precision, K * N), floats(precision, K * N)];
    for await (const chunk of matrix.chunks(CHUNK_BYTES)) {
      const { first, count } = chunk;
      const turned = floats(precision, K * count);
      for (let j = 0, at = first * K; j < count; j++) {
        for (let k = 0; k < K; k++, at++) turned[k * count + j] = (a[at] * scale[first + j]) / unit;
      }
      const feeds = { ...(await this.#feed(chunk, precision)), a: tensor([K, count], turned) };
      await program.run({ ...feeds, total: tensor([K, N], total) }, undefined, { z: tensor([K, N], next) });
      countMacs(this.engine, K * count * N);
      [total, next] = [next, total];
    }
    const z = new Float64Array(rows.length * K);
    for (let i = 0, at = 0; i < rows.length; i++)
      for (let k = 0; k < K; k++, at++) z[at] = unit * total[k * N + rows[i]];
    return z;
  }

  async #adjoint(d: Float64Array, K: number, precision: Precision): Promise<Float64Array> {
    const program = await programFor(this.engine, `streamed adjoint ${precision}`, () => {
      const g = GraphBuilder.of(precision);
      g.output(g.matmul(centredInput(g, precision), g.input('d')), 'y');
      return g.build();
    });
    const { scale } = this.source;
    const unit = unitOf(d, precision);
    const found = await this.#byFeature(program, this.#spread(d, K, precision, unit), K);
    return found.map((v, at) => v * unit * scale[Math.floor(at / K)]);
  }

  /** What a program makes of every feature and values (N, K) of all rows, (p, K). */
  async #byFeature(program: Awaited<ReturnType<typeof programFor>>, d: Floats, K: number): Promise<Float64Array> {
    const { matrix } = this.source;
    const result = new Float64Array(this.p * K);
    const precision = d instanceof Float32Array ? 'float32' : 'float64';
    const given = tensor([matrix.rows, K], d);
    for await (const chunk of matrix.chunks(CHUNK_BYTES)) {
      const { y } = await program.run({ ...(await this.#feed(chunk, precision)), d: given });
      result.set(y.data as Floats, chunk.first * K);
      countMacs(this.engine, chunk.count * d.length);
    }
    return result;
  }

  /** Values of the examples (n, K), divided by a unit, in their rows of the matrix; zero in all others. */
  #spread(values: Float64Array, K: number, precision: Precision, unit = 1): Floats {
    const { matrix, rows } = this.source;
    const all = floats(precision, matrix.rows * K);
    for (let i = 0, at = 0; i < rows.length; i++)
      for (let k = 0; k < K; k++, at++) all[rows[i] * K + k] = values[at] / unit;
    return all;
  }

  async #feed({ block, first, count, data }: Chunk, precision: Precision) {
    const { matrix } = this.source;
    const mean = floats(precision, count);
    for (let j = 0; j < count; j++) mean[j] = this.#mean[first + j];
    return {
      x: tensor([count, matrix.rows], data),
      s: tensor([1, matrix.rows], await matrix.rowScale(block)),
      mean: tensor([count, 1], mean),
    };
  }
}

/** Steps of a late lambda are tiny beside float32's smallest numbers squared: they are computed at scale one. */
const unitOf = (values: Float64Array, precision: Precision): number =>
  precision === 'float32' ? largestSize(values) || 1 : 1;

/** Values (features, rows) less their means, of stored float32 ones. */
function centredInput(g: GraphBuilder, precision: Precision): string {
  const [x, s] = ['x', 's'].map((name) => {
    const value = g.input(name, 'float32');
    return precision === 'float32' ? value : g.cast(value, precision);
  });
  return g.sub(g.mul(x, s), g.input('mean'));
}
