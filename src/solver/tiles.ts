/**
 * Symmetric matrices that are too large for one product: square float32 tiles on and below the diagonal. All that is cubic
 * is the engine's products of two tiles.
 */
import type { Engine } from '../engine/index.js';
import { GraphBuilder } from '../ir/index.js';
import { choleskyFactor, inverseTransposed } from './cholesky.js';
import { countMacs } from './macs.js';
import { programFor, tensor } from './programs.js';

/** Rows and columns of a tile: its products are large enough for the engine, its own factor is small; and what is too few. */
const EDGE = 512;
const LEAST = 64;
/** Bytes of panels of features that are held at once, at least and at most; how many of them there are at least. */
const MEMORY = { least: 6e8, most: 1.2e9 };
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

/** A symmetric matrix, (size, size), by its tiles. */
export class SymmetricTiles {
  readonly spans: readonly Span[];
  readonly #tiles: Float32Array[];

  /** Zeros. */
  constructor(
    readonly size: number,
    readonly edge = EDGE,
  ) {
    this.spans = Array.from({ length: Math.ceil(size / edge) }, (_, i) => ({
      from: i * edge,
      count: Math.min(edge, size - i * edge),
    }));
    this.#tiles = this.spans.flatMap((row, i) =>
      this.spans.slice(0, i + 1).map((column) => new Float32Array(row.count * column.count)),
    );
  }

  /** The tile in row i and column j <= i of tiles. */
  tile(i: number, j: number): Part {
    return {
      rows: this.spans[i].count,
      columns: this.spans[j].count,
      data: this.#tiles[(i * (i + 1)) / 2 + j],
    };
  }

  /** Puts another array in a tile's place. @returns the one that was there */
  replace(i: number, j: number, data: Float32Array): Float32Array {
    const at = (i * (i + 1)) / 2 + j;
    const before = this.#tiles[at];
    this.#tiles[at] = data;
    return before;
  }

  /** Makes every number on and below the diagonal from the sum of those in the same place of `sources`, of the same tiles. */
  setFrom(sources: readonly SymmetricTiles[], value: (row: number, column: number, sum: number) => number): this {
    for (const [i, row] of this.spans.entries()) {
      for (const [j, column] of this.spans.slice(0, i + 1).entries()) {
        const into = this.tile(i, j).data;
        const parts = sources.map((source) => source.tile(i, j).data);
        for (let r = 0, at = 0; r < row.count; r++) {
          for (let c = 0; c < column.count; c++, at++) {
            let sum = 0;
            for (const part of parts) sum += part[at];
            into[at] = value(row.from + r, column.from + c, sum);
          }
        }
      }
    }
    return this;
  }
}

/** The rows and columns of some of a matrix's features. @param positions ascending */
export function selectTiles(matrix: SymmetricTiles, positions: ArrayLike<number>, edge: number): SymmetricTiles {
  const chosen = new SymmetricTiles(positions.length, edge);
  const { spans } = chosen;
  for (const [i, row] of spans.entries()) {
    for (const [j, column] of spans.slice(0, i + 1).entries()) {
      const { data } = chosen.tile(i, j);
      for (let r = 0, at = 0; r < row.count; r++) {
        const a = positions[row.from + r];
        const ownRow = Math.floor(a / matrix.edge);
        for (let c = 0; c < column.count; c++, at++) {
          const b = positions[column.from + c];
          const ownColumn = Math.floor(b / matrix.edge);
          const [high, low, y, x] = ownRow >= ownColumn ? [ownRow, ownColumn, a, b] : [ownColumn, ownRow, b, a];
          const tile = matrix.tile(high, low);
          data[at] = tile.data[(y - high * matrix.edge) * tile.columns + x - low * matrix.edge];
        }
      }
    }
  }
  return chosen;
}

/** The edge of tiles of products of features over so many examples, of which a panel has as many values a feature. */
export const edgeOver = (examples: number): number =>
  Math.min(EDGE, Math.max(LEAST, Math.floor(MEMORY.least / (4 * examples * PANELS))));

/** Bytes for panels, of what features may take. */
export const panelMemory = (memory: number): number => Math.min(MEMORY.most, Math.max(MEMORY.least, memory));

/** What is done with pairs of panels of features. */
export interface PairsOfPanels<P> {
  read(span: Span): Promise<P>;
  visit(i: number, j: number, a: P, b: P): Promise<void>;
  /** Bytes of a panel for each of its features. */
  readonly bytes: number;
  /** Bytes of features that may be held: the more, the fewer passes. */
  readonly memory: number;
  /** Called with the share that is done. */
  progress?(share: number): void;
}

/** Every pair (i, j <= i) of panels of features, a panel for each span, read in as few passes as memory allows. */
export async function eachPair<P>(
  spans: readonly Span[],
  { read, visit, bytes, memory, progress }: PairsOfPanels<P>,
): Promise<void> {
  // One of the panels in memory is that which streams by.
  const held = Math.max(1, Math.floor(memory / (bytes * spans[0].count)) - 1);
  let done = 0;
  for (let first = 0; first < spans.length; first += held) {
    const panels: P[] = [];
    for (let i = first; i < spans.length; i++) {
      const panel = await read(spans[i]);
      if (i < first + held) panels.push(panel);
      for (const [at, other] of panels.entries()) await visit(i, first + at, panel, other);
      done += panels.length;
      progress?.(done / ((spans.length * (spans.length + 1)) / 2));
    }
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
  /** Arrays that may be written to, by length. */
  readonly #spare = new Map<number, Float32Array>();

  constructor(readonly engine: Engine) {}

  /** op(a) op(b). */
  async of(a: Part, b: Part, kind: Omit<Kind, 'sign'> = {}): Promise<Float32Array> {
    return this.#run(a, b, kind);
  }

  /** Adds sign times op(a) op(b) to a tile. */
  addTo(matrix: SymmetricTiles, at: readonly [number, number], a: Part, b: Part, kind: Kind): Promise<void> {
    return this.#renew(matrix, at, (tile, into) => this.#run(a, b, kind, tile, into));
  }

  /** Multiplies a tile by b, from the right. */
  multiply(matrix: SymmetricTiles, at: readonly [number, number], b: Part): Promise<void> {
    return this.#renew(matrix, at, (tile, into) => this.#run(tile, b, {}, undefined, into));
  }

  /** What `make` makes of a tile takes its place; where it was is what the next one is written to. */
  async #renew(
    matrix: SymmetricTiles,
    [i, j]: readonly [number, number],
    make: (tile: Part, into: Float32Array) => Promise<unknown>,
  ): Promise<void> {
    const tile = matrix.tile(i, j);
    const { length } = tile.data;
    const into = this.#spare.get(length) ?? new Float32Array(length);
    await make(tile, into);
    this.#spare.set(length, matrix.replace(i, j, into));
  }

  /** The sum of a (rows, columns) and sign times op(a) op(b). */
  sum(to: Part, a: Part, b: Part, kind: Kind): Promise<Float32Array> {
    return this.#run(a, b, kind, to);
  }

  async #run(
    a: Part,
    b: Part,
    { transA = false, transB = false, sign = 1 }: Kind,
    to?: Part,
    into?: Float32Array,
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
    /** L_kk^-1' of every tile on the diagonal. */
    private readonly inverses: readonly Float32Array[],
  ) {}

  /** Factors `matrix` in its own tiles. @returns undefined when it is not positive definite in this precision */
  static async of(products: TileProducts, matrix: SymmetricTiles): Promise<TiledFactor | undefined> {
    const count = matrix.spans.length;
    const diagonals = matrix.spans.map(({ count: rows }, k) => diagonal(matrix.tile(k, k).data, rows));
    const inverses: Float32Array[] = [];
    for (let k = 0; k < count; k++) {
      const { rows, data } = matrix.tile(k, k);
      const own = new Float64Array(data);
      if (!choleskyFactor(own, rows) || diagonal(own, rows).some((l, i) => !(l * l > ROUNDING * diagonals[k][i]))) {
        return undefined;
      }
      const inverse = Float32Array.from(inverseTransposed(own, rows));
      inverses.push(inverse);
      const right: Part = { rows, columns: rows, data: inverse };
      for (let i = k + 1; i < count; i++) await products.multiply(matrix, [i, k], right);
      for (let i = k + 1; i < count; i++) {
        for (let j = k + 1; j <= i; j++) {
          await products.addTo(matrix, [i, j], matrix.tile(i, k), matrix.tile(j, k), { transB: true, sign: -1 });
        }
      }
    }
    return new TiledFactor(products, matrix, inverses);
  }

  /** The solution of L L' x = b, (size, columns), in float32. */
  async solve(b: ArrayLike<number>, columns: number): Promise<Float32Array> {
    const { factor, products } = this;
    const x = Float32Array.from(b);
    const part = (i: number): Part => {
      const { from, count } = factor.spans[i];
      return { rows: count, columns, data: x.subarray(from * columns, (from + count) * columns) };
    };
    const settle = async (i: number, transA: boolean) => {
      const { rows, data } = part(i);
      const inverse = { rows, columns: rows, data: this.inverses[i] };
      data.set(await products.of(inverse, part(i), { transA }));
    };
    const count = factor.spans.length;
    for (let i = 0; i < count; i++) {
      for (let j = 0; j < i; j++)
        part(i).data.set(await products.sum(part(i), factor.tile(i, j), part(j), { sign: -1 }));
      await settle(i, true);
    }
    for (let i = count - 1; i >= 0; i--) {
      for (let j = i + 1; j < count; j++) {
        part(i).data.set(await products.sum(part(i), factor.tile(j, i), part(j), { transA: true, sign: -1 }));
      }
      await settle(i, false);
    }
    return x;
  }
}

const diagonal = (a: ArrayLike<number>, size: number): number[] =>
  Array.from({ length: size }, (_, i) => a[i * size + i]);
