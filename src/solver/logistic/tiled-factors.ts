/** Inverses of c S + 2 lambda for one penalty after another, S the X X' of a table that streams by: by tiles in float32. */
import { eachPair, edgeOver, SymmetricTiles, selectTiles, TiledFactor, TileProducts } from '../tiles.js';
import { largestSize } from '../vectors.js';
import type { Factors, Inverse } from './factors.js';
import type { StreamedTable } from './streamed-table.js';

/** What is added to the diagonal, as a share of its mean, so that rounding leaves it definite. */
const ROUNDING = 1e-6;

/** Of all examples alike, divided by their number: they precondition, and need not be exact. */
export class TiledFactors implements Factors {
  readonly #products: TileProducts;
  #gram: Promise<SymmetricTiles> | undefined;
  /** The matrix of the last factor, which the next one is written over. */
  #matrix: SymmetricTiles | undefined;
  #last: { readonly lambda: number; readonly inverse: Promise<Inverse> } | undefined;

  /** @param whole those of the table that this one is a part of, by positions of its features */
  constructor(
    private readonly table: StreamedTable,
    private readonly whole?: { readonly factors: TiledFactors; readonly positions: Int32Array },
  ) {
    this.#products = new TileProducts(table.engine);
  }

  at(lambda: number, curvature: number): Promise<Inverse> {
    if (this.#last?.lambda !== lambda) this.#last = { lambda, inverse: this.#make(lambda, curvature) };
    return this.#last.inverse;
  }

  /** X X': taken from that of the whole where that is known. */
  gram(): Promise<SymmetricTiles> {
    const { table, whole } = this;
    const make = async () => {
      const known = whole && (await whole.factors.#gram);
      return known ? selectTiles(known, whole.positions, edgeOver(table.n)) : gramOf(this.#products, table);
    };
    this.#gram ??= make();
    return this.#gram;
  }

  async #make(lambda: number, curvature: number): Promise<Inverse> {
    const gram = await this.gram();
    const { n, p } = this.table;
    const mean = (curvature * meanDiagonal(gram)) / n;
    this.#matrix ??= new SymmetricTiles(gram.size, gram.edge);
    let factor: TiledFactor | undefined;
    for (let floor = ROUNDING; !factor; floor *= 10) {
      const ridge = 2 * lambda + floor * mean;
      const value = (i: number, j: number, s: number) => (curvature / n) * s + (i === j ? ridge : 0);
      factor = await TiledFactor.of(this.#products, this.#matrix.setFrom([gram], value));
    }
    const solved = factor;
    return async (r) => {
      // Residuals of a late lambda are tiny beside float32's smallest numbers squared.
      const unit = largestSize(r) || 1;
      const x = await solved.solve(
        r.map((v) => v / unit),
        r.length / p,
      );
      return Float64Array.from(x, (v) => v * unit);
    };
  }
}

function meanDiagonal(tiles: SymmetricTiles): number {
  let total = 0;
  for (let j = 0; j < tiles.size; j++) total += tiles.at(j, j);
  return total / tiles.size;
}

async function gramOf(products: TileProducts, table: StreamedTable): Promise<SymmetricTiles> {
  const { n, p } = table;
  const gram = new SymmetricTiles(p, edgeOver(n));
  const { spans } = gram;
  await eachPair<Float32Array>(spans, {
    bytes: 4 * n,
    read: (span, used = new Float32Array(span.count * n)) => table.values(span, used),
    visit: async (i, j, a, b) => {
      const part = (k: number, data: Float32Array) => ({ rows: spans[k].count, columns: n, data });
      await products.addTo(gram.tile(i, j), part(j, b), part(i, a), { transB: true });
    },
  });
  return gram;
}
