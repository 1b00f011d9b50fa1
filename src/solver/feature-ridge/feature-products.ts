/** Products of features with each other and with labels over sets of examples, in few passes over a table of any length. */
import { type Design, normaliseInto } from '../design.js';
import { addTarget, type FoldLabels } from '../kernel-ridge/fold-ridge.js';
import { byFeature, tapScales } from '../kernel-ridge/tap-kernels.js';
import { eachPair, edgeOver, type PairsOfPanels, type Span, SymmetricTiles, type TileProducts } from '../tiles.js';

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

/** How products are made: as eachPair has it, and rows of a tile. */
export interface ProductsOptions extends Pick<PairsOfPanels<Panel>, 'memory' | 'progress'> {
  readonly edge?: number;
}

/** The products over each of several sets of examples. */
export async function featureProducts(
  products: TileProducts,
  design: Design,
  examples: Pick<FoldLabels, 'labels' | 'classes' | 'values' | 'weights'>,
  sets: readonly (readonly number[])[],
  options: ProductsOptions = {},
): Promise<FeatureProducts[]> {
  const p = design.matrix.features;
  const { classes: K } = examples;
  const sides = sets.map((rows) => sidesOf(examples, rows));
  const found = sets.map((_, s) => ({
    squares: new SymmetricTiles(p, options.edge ?? edgeOver(examples.labels.length)),
    targets: new Float64Array(p * K),
    sums: new Float64Array(p),
    ...sides[s].totals,
  }));
  const [
    {
      squares: { spans },
    },
  ] = found as [(typeof found)[number]];
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
      await products.addTo(squares.tile(i, j), part(column, b[s]), part(row, a[s]), { transB: true });
    }
  };
  const visit = async (i: number, j: number, a: Panel, b: Panel) => {
    if (i === j) await addSides(products, found, sides, spans[i], a);
    await multiply(i, j, a, b);
  };
  const bytes = 4 * sets.reduce((total, own) => total + own.length, 0);
  await eachPair(spans, { ...options, read, visit, bytes });
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

/** Reads the features of a span, each set's examples together. */
function panelReader(design: Design, sets: readonly Int32Array[], sides: readonly Sides[]) {
  const { matrix, mean } = design;
  const factors = byFeature(design, tapScales(design));
  const source = { matrix, mean, scale: design.scale.map((s, j) => s * factors[j]) };
  return async ({ from, count }: Span, used: Panel | undefined): Promise<Panel> => {
    const indices = Int32Array.from({ length: count }, (_, k) => from + k);
    const panel = sets.map((rows, s) => ({
      rows,
      roots: sides[s].roots,
      into: used?.[s] ?? new Float32Array(count * rows.length),
    }));
    await normaliseInto(source, indices, panel);
    return panel.map(({ into }) => into);
  };
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
