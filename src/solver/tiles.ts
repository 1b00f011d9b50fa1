/**
 * Symmetric matrices that are too large for one product, in float32, by panels of rows. All that is cubic is the engine's
 * products of them.
 */
import type { Engine } from '../engine/index.js';
import { GraphBuilder } from '../ir/index.js';
import { inverseFactor } from './inverse-factor.js';
import { countMacs } from './macs.js';
import { type Multiply, products } from './products.js';
import { programFor, tensor } from './programs.js';

/** Rows and columns of a tile: its products are large enough for the engine, its own factor is small; and what is too few. */
const EDGE = 512;
const LEAST = 64;
/** Bytes of panels of features that are held at once, and how many of them there are at least. */
const MEMORY = 6e8;
const PANELS = 4;

/** What is left of a diagonal element, as a share of it, that float32 cannot tell from zero. */
const ROUNDING = 1e-6;

/** A run of rows or columns. */
export interface Span {
  readonly from: number;
  readonly count: number;
}

/** A row-major matrix in float32. */
interface Part {
  readonly rows: number;
  readonly columns: number;
  readonly data: Float32Array;
}

/**
 * A symmetric matrix, (size, size), by square tiles on and below the diagonal. Those of one panel of rows lie together, each
 * transposed: a panel is (columns up to its own last, rows), and what lies left of any tile is one matrix.
 */
export class SymmetricTiles {
  readonly spans: readonly Span[];
  readonly #panels: Float32Array[];

  /** Zeros. */
  constructor(
    readonly size: number,
    readonly edge = EDGE,
  ) {
    this.spans = Array.from({ length: Math.ceil(size / edge) }, (_, i) => ({
      from: i * edge,
      count: Math.min(edge, size - i * edge),
    }));
    this.#panels = this.spans.map(({ from, count }) => new Float32Array((from + count) * count));
  }

  /** Rows of panel i and some columns, transposed: (columns.count, rows). */
  part(i: number, { from, count }: Span): Part {
    const { count: rows } = this.spans[i];
    return { rows: count, columns: rows, data: this.#panels[i].subarray(from * rows, (from + count) * rows) };
  }

  /** The tile in row i and column j <= i of tiles, transposed. */
  tile(i: number, j: number): Part {
    return this.part(i, this.spans[j]);
  }

  /** Rows of panel i, the columns before those of panel k <= i, transposed. */
  before(i: number, k: number): Part {
    return this.part(i, { from: 0, count: this.spans[k].from });
  }

  /** The number in a row and a column <= row. */
  at(row: number, column: number): number {
    const i = Math.floor(row / this.edge);
    const { from, count } = this.spans[i];
    return this.#panels[i][column * count + row - from];
  }

  /** Makes every number on and below the diagonal from the sum of those in the same place of `sources`, of the same tiles. */
  setFrom(sources: readonly SymmetricTiles[], value: (row: number, column: number, sum: number) => number): this {
    for (const [i, { from, count }] of this.spans.entries()) {
      const into = this.#panels[i];
      const parts = sources.map((source) => source.#panels[i]);
      for (let c = 0, at = 0; c < from + count; c++) {
        for (let r = from; r < from + count; r++, at++) {
          let sum = 0;
          for (const part of parts) sum += part[at];
          into[at] = value(r, c, sum);
        }
      }
    }
    return this;
  }
}

/** The rows and columns of some of a matrix's features. @param positions ascending */
export function selectTiles(matrix: SymmetricTiles, positions: ArrayLike<number>, edge: number): SymmetricTiles {
  return new SymmetricTiles(positions.length, edge).setFrom([], (r, c) => {
    const [a, b] = [positions[r], positions[c]];
    return a >= b ? matrix.at(a, b) : matrix.at(b, a);
  });
}

/** The edge of tiles of products of features over so many examples, of which a panel has as many values a feature. */
export const edgeOver = (examples: number): number =>
  Math.min(EDGE, Math.max(LEAST, Math.floor(MEMORY / (4 * examples * PANELS))));

/** What is done with pairs of panels of features. */
export interface PairsOfPanels<P> {
  /** @param used a panel of as many rows that nobody reads any more, to be written over */
  read(span: Span, used: P | undefined): Promise<P>;
  visit(i: number, j: number, a: P, b: P): Promise<void>;
  /** Bytes of a panel for each of its features. */
  readonly bytes: number;
  /** Bytes of panels that are held at once. */
  readonly memory?: number | undefined;
  /** Called with the share that is done. */
  progress?(share: number): void;
}

/** Every pair (i, j <= i) of panels of features, a panel for each span, read in as few passes as memory allows. */
export async function eachPair<P>(
  spans: readonly Span[],
  { read, visit, bytes, memory = MEMORY, progress }: PairsOfPanels<P>,
): Promise<void> {
  // One of the panels in memory is that which streams by.
  const held = Math.max(1, Math.floor(memory / (bytes * spans[0].count)) - 1);
  const used = new Map(spans.map(({ count }): [number, P[]] => [count, []]));
  const free = (i: number) => used.get(spans[i].count) as P[];
  let done = 0;
  for (let first = 0; first < spans.length; first += held) {
    const panels: P[] = [];
    for (let i = first; i < spans.length; i++) {
      const panel = await read(spans[i], free(i).pop());
      if (i < first + held) panels.push(panel);
      for (const [at, other] of panels.entries()) await visit(i, first + at, panel, other);
      if (i >= first + held) free(i).push(panel);
      done += panels.length;
      progress?.(done / ((spans.length * (spans.length + 1)) / 2));
    }
    for (const [at, panel] of panels.entries()) free(first + at).push(panel);
  }
}

/** How the two matrices of a product are read, and whether it is added to or taken from what is there. */
interface Kind {
  readonly transA?: boolean;
  readonly transB?: boolean;
  readonly sign?: 1 | -1;
}

/** Products of tiles on an engine. */
export class TileProducts {
  /** Where products are written before they take the place of what they were added to. */
  #spare = new Float32Array(0);

  constructor(readonly engine: Engine) {}

  /** Products in float64, of small matrices. */
  exact(): Promise<Multiply> {
    return products(this.engine);
  }

  /** op(a) op(b). */
  of(a: Part, b: Part, kind: Omit<Kind, 'sign'> = {}): Promise<Float32Array> {
    return this.#run(a, b, kind);
  }

  /** op(a) op(b), in the place of `to`, which may be one of them. */
  async put(to: Part, a: Part, b: Part, kind: Omit<Kind, 'sign'> = {}): Promise<void> {
    to.data.set(await this.#run(a, b, kind, { into: this.#room(to) }));
  }

  /** Adds sign times op(a) op(b) to `to`. */
  async addTo(to: Part, a: Part, b: Part, kind: Kind): Promise<void> {
    to.data.set(await this.#run(a, b, kind, { to, into: this.#room(to) }));
  }

  #room({ data: { length } }: Part): Float32Array {
    if (this.#spare.length < length) this.#spare = new Float32Array(length);
    return this.#spare.subarray(0, length);
  }

  async #run(
    a: Part,
    b: Part,
    { transA = false, transB = false, sign = 1 }: Kind,
    { to, into }: { readonly to?: Part; readonly into?: Float32Array } = {},
  ): Promise<Float32Array> {
    const program = await programFor(this.engine, `tiles ${transA} ${transB} ${to ? sign : 'alone'}`, () => {
      const g = GraphBuilder.of('float32');
      const inputs = ['a', 'b', ...(to ? ['c'] : [])].map((name) => g.input(name));
      g.output(g.op('Gemm', inputs, { transA: transA ? 1 : 0, transB: transB ? 1 : 0, alpha: sign }), 'y');
      return g.build();
    });
    const [rows, inner] = transA ? [a.columns, a.rows] : [a.rows, a.columns];
    const columns = transB ? b.rows : b.columns;
    countMacs(this.engine, rows * inner * columns);
    const feed = ({ rows: r, columns: c, data }: Part) => tensor([r, c], data);
    const feeds = { a: feed(a), b: feed(b), ...(to ? { c: feed(to) } : {}) };
    const { y } = await program.run(feeds, undefined, into && { y: tensor([rows, columns], into) });
    return y.data as Float32Array;
  }
}

/** L of a matrix L L', by tiles. */
export class TiledFactor {
  private constructor(
    private readonly products: TileProducts,
    private readonly factor: SymmetricTiles,
    /** L_kk^-1 of every tile on the diagonal. */
    private readonly inverses: readonly Part[],
  ) {}

  /** Factors `matrix` in its own tiles. @returns undefined when it is not positive definite in this precision */
  static async of(products: TileProducts, matrix: SymmetricTiles): Promise<TiledFactor | undefined> {
    const { spans } = matrix;
    const multiply = await products.exact();
    const inverses: Part[] = [];
    for (const [k, { count: rows }] of spans.entries()) {
      const diagonal = diagonalOf(matrix.tile(k, k).data, rows);
      for (let i = k; i < spans.length && k > 0; i++) {
        const kind = { transA: true, sign: -1 } as const;
        await products.addTo(matrix.tile(i, k), matrix.before(k, k), matrix.before(i, k), kind);
      }
      const inverse = await inverseFactor(multiply, Float64Array.from(matrix.tile(k, k).data), rows);
      if (!inverse || diagonalOf(inverse.data, rows).some((v, i) => !(1 > ROUNDING * diagonal[i] * v * v))) {
        return undefined;
      }
      const left: Part = { rows, columns: rows, data: Float32Array.from(inverse.data) };
      inverses.push(left);
      for (let i = k + 1; i < spans.length; i++) await products.put(matrix.tile(i, k), left, matrix.tile(i, k));
    }
    return new TiledFactor(products, matrix, inverses);
  }

  /** The solution of L L' x = b, (size, columns), in float32. */
  async solve(b: ArrayLike<number>, columns: number): Promise<Float32Array> {
    const { factor, products, inverses } = this;
    const x = Float32Array.from(b);
    const part = ({ from, count }: Span): Part => ({
      rows: count,
      columns,
      data: x.subarray(from * columns, (from + count) * columns),
    });
    const { spans } = factor;
    const before = ({ from }: Span) => part({ from: 0, count: from });
    for (const [i, span] of spans.entries()) {
      if (i > 0) await products.addTo(part(span), factor.before(i, i), before(span), { transA: true, sign: -1 });
      await products.put(part(span), inverses[i], part(span));
    }
    for (const [i, span] of [...spans.entries()].reverse()) {
      await products.put(part(span), inverses[i], part(span), { transA: true });
      if (i > 0) await products.addTo(before(span), factor.before(i, i), part(span), { sign: -1 });
    }
    return x;
  }
}

const diagonalOf = (a: ArrayLike<number>, size: number): number[] =>
  Array.from({ length: size }, (_, i) => a[i * size + i]);
