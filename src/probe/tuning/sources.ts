/**
 * What the l2 probes of a fold are fitted to: the Gram of their features over all rows, or where these are fewer than the
 * fold's examples the features themselves, as a table. Then no array is examples x examples.
 */
import {
  allFeatures,
  type FeatureMatrix,
  type FeatureTable,
  type Floats,
  featureTable,
  HeldTable,
  kernelFits,
  MOST_FEATURES,
  StreamedTable,
  selectFeatures,
  type TableProducts,
  tableFits,
} from '../../solver/index.js';
import type { TuningFold } from './folds.js';
import { type Designs, gramOf } from './grams.js';

export interface GramSource {
  /** (n, n), normalised on the fold's training rows. */
  readonly gram: Floats;
  readonly table?: undefined;
}
export interface TableSource {
  readonly table: TableProducts;
  /** Which features of the matrix the table has, ascending. */
  readonly features: Int32Array;
  readonly gram?: undefined;
}
export type FoldSource = GramSource | TableSource;

/** What an l2 probe reads of a fold. */
export interface FoldFeatures {
  readonly matrix: FeatureMatrix;
  /** Features of it on the f-th fold; all by default. */
  indices(f: number): Int32Array | undefined;
  source(fold: TuningFold, f: number): Promise<FoldSource>;
}

/** Whether so many features are read as a table: where they are fewer than the examples, or these are too many for a Gram. */
export const asTable = (features: number, { train: { length: n } }: TuningFold): boolean =>
  features < n || (!kernelFits(n) && features <= MOST_FEATURES);

/** All features of a matrix with fewer features than rows: read once for all folds and methods. */
const whole = new WeakMap<Designs, WeakMap<FeatureMatrix, Promise<FeatureTable>>>();

function wholeTable(designs: Designs, matrix: FeatureMatrix): Promise<FeatureTable> {
  const held = whole.get(designs) ?? new WeakMap<FeatureMatrix, Promise<FeatureTable>>();
  whole.set(designs, held);
  const table = held.get(matrix) ?? designs.get(matrix).then((design) => featureTable(design, allFeatures(matrix)));
  held.set(matrix, table);
  return table;
}

/**
 * @param indices features of the matrix, ascending; all by default
 * @param viewed whether more than one fold reads it
 */
export async function tableSource(
  designs: Designs,
  matrix: FeatureMatrix,
  indices: Int32Array = allFeatures(matrix),
  viewed = false,
): Promise<TableSource> {
  const { engine } = designs;
  if (!tableFits(matrix, indices.length)) {
    const whole = new StreamedTable(engine, await designs.get(matrix));
    return { table: indices.length === matrix.features ? whole : whole.select(indices), features: indices };
  }
  if (matrix.features >= matrix.rows || !tableFits(matrix, matrix.features)) {
    const table = await featureTable(await designs.get(matrix), indices);
    return { table: new HeldTable(engine, table, viewed), features: indices };
  }
  const all = await wholeTable(designs, matrix);
  const table = indices.length === all.p ? all : selectFeatures(all, indices);
  return { table: new HeldTable(engine, table, viewed), features: indices };
}

/** The given features of a matrix (all by default), as the fold's probes read them. */
export async function sourceOf(
  designs: Designs,
  matrix: FeatureMatrix,
  indices: Int32Array | undefined,
  fold: TuningFold,
): Promise<FoldSource> {
  if (asTable(indices?.length ?? matrix.features, fold)) return tableSource(designs, matrix, indices);
  return { gram: await gramOf(designs.engine, await designs.get(matrix, fold.train), indices) };
}

/** One set of features fold by fold: read once where folds are normalised alike, and in any case as a table. */
export class FoldSources {
  #gram: Promise<Floats> | undefined;
  #table: Promise<TableSource> | undefined;

  /**
   * @param indices features of `matrix`; all by default
   * @param shared their Gram over all rows, where it is known and folds are normalised alike
   */
  constructor(
    readonly designs: Designs,
    readonly matrix: FeatureMatrix,
    readonly indices?: Int32Array,
    private readonly shared?: () => Promise<Floats>,
  ) {}

  async get(fold: TuningFold): Promise<FoldSource> {
    if (!asTable(this.indices?.length ?? this.matrix.features, fold)) return { gram: await this.gram(fold) };
    this.#table ??= tableSource(this.designs, this.matrix, this.indices, true);
    return this.#table;
  }

  async gram({ train }: TuningFold): Promise<Floats> {
    const { engine, standardize } = this.designs;
    const make = async () => gramOf(engine, await this.designs.get(this.matrix, train), this.indices);
    if (standardize) return make();
    this.#gram ??= (this.shared ?? make)();
    return this.#gram;
  }
}

/** Some features fewer. @param dropped ascending, of those that the source has */
export async function without(
  source: FoldSource,
  dropped: Int32Array,
  { designs, matrix, fold }: { readonly designs: Designs; readonly matrix: FeatureMatrix; readonly fold: TuningFold },
): Promise<FoldSource> {
  if (source.table) {
    const gone = new Set(dropped);
    const positions = Int32Array.from(source.features.keys()).filter((i) => !gone.has(source.features[i] as number));
    return {
      table: source.table.select(positions),
      features: positions.map((i) => source.features[i] as number),
    };
  }
  const rest =
    source.gram instanceof Float32Array ? new Float32Array(source.gram.length) : new Float64Array(source.gram.length);
  await gramOf(designs.engine, await designs.get(matrix, fold.train), dropped, rest);
  for (let at = 0; at < rest.length; at++) rest[at] = (source.gram[at] as number) - (rest[at] as number);
  return { gram: rest };
}
