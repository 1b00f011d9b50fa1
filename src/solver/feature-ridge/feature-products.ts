/** Products of features with each other and with labels over sets of examples, in few passes over a table of any length. */
import type { Design } from '../design.js';
import { addTarget, type FoldLabels } from '../kernel-ridge/fold-ridge.js';
import { byFeature, tapScales } from '../kernel-ridge/tap-kernels.js';
import { eachPair, type Span, SymmetricTiles, type TileProducts } from '../tiles.js';

/** Of some examples, with z the features of which every tap counts alike, v the examples' weights and y their labels one-hot. */
export interface FeatureProducts {
  /** sum v z z', (p, p). */
  readonly squares: SymmetricTiles;
  /** sum v z y', (p, K). */
  readonly targets: Float64Array;
  /** sum v z, (p). */
  readonly sums: Float64Array;
  /** sum v y, (K). */
  readonly targetSums: Float64Array;
  /** sum v. */
  readonly total: number;
}

/** Values of some features, for each set of examples in an array of its own, (count, examples): times the root of v. */
type Panel = readonly Float32Array[];

/**
 * The products over each of several sets of examples.
 * @param memory bytes of features that are held at once
 * @param progress called with the share that is done
 */
export async function featureProducts(
  products: TileProducts,
  design: Design,
  examples: Pick<FoldLabels, 'labels' | 'classes' | 'values' | 'weights'>,
  sets: readonly (readonly number[])[],
  { memory, edge, progress = () => undefined }: { memory: number; edge?: number; progress?: (share: number) => void },
): Promise<FeatureProducts[]> {
  const p = design.matrix.features;
  const { classes: K } = examples;
  const sides = sets.map((rows) => sidesOf(examples, rows));
  const found = sets.map((_, s) => ({
    squares: new SymmetricTiles(p, edge),
    targets: new Float64Array(p * K),
    sums: new Float64Array(p),
    ...sides[s].totals,
  }));
  const [
    {
      squares: { spans },
    },
  ] = found as [(typeof found)[number]];
  const bytes = 4 * sets.flat().length * spans[0].count;
  // One of the tiles in memory is that which streams by.
  const held = Math.max(1, Math.floor(memory / bytes) - 1);
  const read = panelReader(
    design,
    sets.map((own) => Int32Array.from(own)),
    sides,
  );
  const multiply = async (i: number, j: number, a: Panel, b: Panel) => {
    for (const [s, { squares }] of found.entries()) {
      const n = sets[s].length;
      const [row, column] = [spans[i], spans[j]];
      const part = ({ count }: Span, data: Float32Array) => ({ rows: count, columns: n, data });
      await products.addTo(squares, [i, j], part(row, a[s]), part(column, b[s]), { transB: true });
    }
  };
  const visit = async (i: number, j: number, a: Panel, b: Panel) => {
    if (i === j) await addSides(products, found, sides, spans[i], a);
    await multiply(i, j, a, b);
  };
  await eachPair(spans, held, { read, visit }, progress);
  return found;
}

interface Sides {
  /** Root of v, (n). */
  readonly roots: Float64Array;
  /** Root of v times [y 1], (n, K + 1). */
  readonly columns: Float32Array;
  readonly totals: Pick<FeatureProducts, 'targetSums' | 'total'>;
}

function sidesOf(
  examples: Pick<FoldLabels, 'labels' | 'classes' | 'values' | 'weights'>,
  rows: readonly number[],
): Sides {
  const { classes: K, weights } = examples;
  const roots = Float64Array.from(rows, (row) => Math.sqrt(weights[row]));
  const columns = new Float32Array(rows.length * (K + 1));
  const targetSums = new Float64Array(K);
  let total = 0;
  for (const [i, row] of rows.entries()) {
    const root = roots[i];
    addTarget(examples, row, root, columns, i * (K + 1));
    addTarget(examples, row, root * root, targetSums);
    columns[i * (K + 1) + K] = root;
    total += root * root;
  }
  return { roots, columns, totals: { targetSums, total } };
}

/** Bytes of stored values that are read at once. */
const READ = 1 << 24;

/** Reads the features of a span, each set's examples together. */
function panelReader(design: Design, sets: readonly Int32Array[], sides: readonly Sides[]) {
  const { matrix, mean, scale } = design;
  const factors = byFeature(design, tapScales(design));
  const n = matrix.rows;
  const step = Math.max(1, Math.floor(READ / (4 * n)));
  let buffer = new Float32Array(0);
  return async ({ from, count }: Span): Promise<Panel> => {
    if (buffer.length === 0) buffer = new Float32Array(Math.min(step, count) * n);
    const panel = sides.map(({ roots }) => new Float32Array(count * roots.length));
    for (let first = 0; first < count; first += step) {
      const indices = Int32Array.from({ length: Math.min(step, count - first) }, (_, k) => from + first + k);
      await matrix.gather(indices, buffer.subarray(0, indices.length * n));
      for (const [k, j] of indices.entries()) {
        const values = buffer.subarray(k * n, (k + 1) * n);
        const rowScale = await matrix.rowScale(matrix.locate(j).block);
        const linear = { centre: mean[j] - matrix.shift[j], factor: scale[j] * factors[j] };
        for (const [s, { roots }] of sides.entries()) {
          const rows = sets[s];
          const into = panel[s].subarray((first + k) * rows.length, (first + k + 1) * rows.length);
          fill(into, { values, rowScale, rows, roots }, linear);
        }
      }
    }
    return panel;
  };
}

interface FeatureOfRows {
  /** Stored values of all rows, and what each is multiplied by. */
  readonly values: Float32Array;
  readonly rowScale: Float32Array;
  readonly rows: Int32Array;
  /** Of each of the rows. */
  readonly roots: Float64Array;
}

/** One feature of some rows, normalised and times the roots of their weights. */
function fill(
  into: Float32Array,
  { values, rowScale, rows, roots }: FeatureOfRows,
  { centre, factor }: { readonly centre: number; readonly factor: number },
): void {
  for (let i = 0; i < into.length; i++) {
    const row = rows[i];
    into[i] = (values[row] * rowScale[row] - centre) * factor * roots[i];
  }
}

async function addSides(
  products: TileProducts,
  found: readonly FeatureProducts[],
  sides: readonly Sides[],
  { from, count }: Span,
  panel: Panel,
): Promise<void> {
  for (const [s, { targets, sums }] of found.entries()) {
    const { columns, roots } = sides[s];
    const K = targets.length / sums.length;
    const n = roots.length;
    const own = await products.of(
      { rows: count, columns: n, data: panel[s] },
      { rows: n, columns: K + 1, data: columns },
    );
    for (let j = 0; j < count; j++) {
      for (let k = 0; k < K; k++) targets[(from + j) * K + k] = own[j * (K + 1) + k];
      sums[from + j] = own[j * (K + 1) + K];
    }
  }
}
