/**
 * A table of features that does not fit in memory: every product is a pass over the features as they are stored. Gradients
 * are in float64; products with the Hessian, two passes each, in float32 as a table in memory has them.
 */
import type { Engine } from '../../engine/index.js';
import { GraphBuilder } from '../../ir/index.js';
import { type Design, farFeatures, normalisationOf, normalised, storedMean } from '../design.js';
import { countMacs } from '../macs.js';
import type { Rows } from '../matrix.js';
import { Passes, widened } from '../passes.js';
import { programFor, tensor } from '../programs.js';
import type { Span } from '../tiles.js';
import { curve } from './curve.js';
import type { TableCurvature, TableProducts } from './table.js';

/** Bytes of a chunk of squares: small enough for its normalised values to stay in cache. */
const CHUNK_BYTES = 1 << 22;

/** What is read of a design. */
export type Streamed = Rows & Pick<Design, 'mean' | 'scale' | 'power'>;

/** Products with features that stream by, through the engine. */
export class StreamedTable implements TableProducts {
  readonly p: number;
  readonly n: number;
  /** The source as it is read. */
  readonly #read: Streamed;
  readonly #exact: Passes;
  readonly #quick: Passes;

  /**
   * @param source its rows are the examples
   * @param part the table that this one has some features of, by their positions
   */
  constructor(
    readonly engine: Engine,
    readonly source: Streamed,
    readonly part?: { readonly of: StreamedTable; readonly positions: Int32Array },
  ) {
    const { matrix, rows, mean } = source;
    this.#read = { ...source, matrix: widened(matrix, mean) };
    this.p = matrix.features;
    this.n = rows.length;
    this.#exact = new Passes(engine, this.#read);
    this.#quick = new Passes(engine, this.#read, 'float32', farFeatures(this.#read));
  }

  forward(a: Float64Array, columns: number): Promise<Float64Array> {
    return this.#exact.forward(a, columns);
  }

  adjoint(d: Float64Array, columns: number): Promise<Float64Array> {
    return this.#exact.adjoint(d, columns);
  }

  async squares(weights = new Float64Array(this.n).fill(1)): Promise<Float64Array> {
    const { matrix, rows, scale } = this.#read;
    const N = matrix.rows;
    const means = storedMean(this.#read, matrix);
    const program = await programFor(this.engine, 'streamed squares', () => {
      const g = GraphBuilder.of('float64');
      const [x, s] = ['x', 's'].map((name) => g.cast(g.input(name, 'float32'), 'float64'));
      const centred = g.sub(g.mul(x, s), g.input('mean'));
      g.output(g.matmul(g.mul(centred, centred), g.input('v')), 'y');
      return g.build();
    });
    const spread = new Float64Array(N);
    for (let i = 0; i < rows.length; i++) spread[rows[i]] = weights[i];
    const v = tensor([N, 1], spread);
    const result = new Float64Array(this.p);
    for await (const { block, first, count, data } of matrix.chunks(CHUNK_BYTES)) {
      const mean = tensor([count, 1], means.subarray(first, first + count));
      const feeds = { x: tensor([count, N], data), s: tensor([1, N], await matrix.rowScale(block)), mean, v };
      const { y } = await program.run(feeds);
      result.set(y.data as Float64Array, first);
      countMacs(this.engine, count * N);
    }
    return result.map((v, j) => v * scale[j] ** 2);
  }

  async curvature(probabilities: Float64Array, weights: Float64Array, exactly: boolean): Promise<TableCurvature> {
    const K = probabilities.length / this.n;
    const passes = exactly ? this.#exact : this.#quick;
    return async (a, b) => {
      const { d, sums } = curve(probabilities, weights, { image: await passes.forward(a, K), b });
      return { a: await passes.adjoint(d, K), b: sums };
    };
  }

  select(positions: Int32Array): StreamedTable {
    const { matrix, rows, power } = this.#read;
    const own = { ...normalisationOf(this.source, positions), power: Float64Array.from(positions, (j) => power[j]) };
    return new StreamedTable(this.engine, { matrix: matrix.select(positions), rows, ...own }, { of: this, positions });
  }

  /** Normalised values of a run of features in float32. @param into (count, n) */
  values({ from, count }: Span, into: Float32Array): Promise<Float32Array> {
    const indices = Int32Array.from({ length: count }, (_, j) => from + j);
    return normalised(this.#read, indices, into, this.#read);
  }
}
