/** Inverses of c S + 2 lambda for one penalty after another, S the X X' of a table that streams by: by tiles in float32. */
import { eachPair, edgeOver, SymmetricTiles, TiledFactor, TileProducts } from '../tiles.js';
import { largestSize } from '../vectors.js';
import type { Factors, Inverse } from './factors.js';
import type { StreamedTable } from './streamed-table.js';

/** What is added to the diagonal, as a share of its mean, so that rounding leaves it definite. */
const ROUNDING = 1e-6;

/** Of all examples alike, divided by their number: they precondition, and need not be exact. */
export class TiledFactors implements Factors {
  readonly #products: TileProducts;
  #gram: Promise<SymmetricTiles> | undefined;
  #last: { readonly lambda: number; readonly inverse: Promise<Inverse> } | undefined;

  constructor(private readonly table: StreamedTable) {
    this.#products = new TileProducts(table.engine);
  }

  at(lambda: number, curvature: number): Promise<Inverse> {
    if (this.#last?.lambda !== lambda) {
      this.#last = undefined;
      this.#last = { lambda, inverse: this.#make(lambda, curvature) };
    }
    return this.#last.inverse;
  }

  async #make(lambda: number, curvature: number): Promise<Inverse> {
    this.#gram ??= gramOf(this.#products, this.table);
    const gram = await this.#gram;
    const { n, p } = this.table;
    const mean = (curvature * meanDiagonal(gram)) / n;
    let factor: TiledFactor | undefined;
    for (let floor = ROUNDING; !factor; floor *= 10) {
      const ridge = 2 * lambda + floor * mean;
      const matrix = new SymmetricTiles(gram.size, gram.edge).setFrom(
        [gram],
        (i, j, s) => (curvature / n) * s + (i === j ? ridge : 0),
      );
      factor = await TiledFactor.of(this.#products, matrix);
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
  for (const [i, { count }] of tiles.spans.entries()) {
    const { data } = tiles.tile(i, i);
    for (let j = 0; j < count; j++) total += data[j * count + j];
  }
  return total / tiles.size;
}

/** X X'. */
async function gramOf(products: TileProducts, table: StreamedTable): Promise<SymmetricTiles> {
  const { n, p } = table;
  const gram = new SymmetricTiles(p, edgeOver(n));
  const { spans } = gram;
  await eachPair(spans, {
    bytes: 4 * n,
    read: (span) => table.values(span),
    visit: async (i, j, a, b) => {
      const part = (k: number, data: Float32Array) => ({ rows: spans[k].count, columns: n, data });
      await products.addTo(gram, [i, j], part(i, a), part(j, b), { transB: true });
    },
  });
  return gram;
}
