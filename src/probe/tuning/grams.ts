/** Gram matrices of features over all training rows, normalised as a fold has it. */
import type { Engine } from '../../engine/index.js';
import {
  addGram,
  type Design,
  emptyGram,
  type FeatureMatrix,
  type Floats,
  fitDesign,
  normalisationOf,
} from '../../solver/index.js';

/** Features normalised on some rows: one design per fold where standardisation makes them differ. */
export class Designs {
  readonly #held = new WeakMap<FeatureMatrix, Map<string, Promise<Design>>>();

  constructor(
    readonly engine: Engine,
    readonly standardize: boolean,
  ) {}

  /** The design of `matrix` on `rows`; without standardisation all rows serve, since centring comes later. */
  get(matrix: FeatureMatrix, rows?: readonly number[]): Promise<Design> {
    const own = this.standardize ? rows : undefined;
    const key = own ? own.join() : 'all';
    const designs = this.#held.get(matrix) ?? new Map<string, Promise<Design>>();
    this.#held.set(matrix, designs);
    const design = designs.get(key) ?? fitDesign(this.engine, matrix, { rows: own, standardize: this.standardize });
    designs.set(key, design);
    return design;
  }
}

/** Gram over all rows of some features as one design normalises them, added to `into`. */
export async function gramOf(
  engine: Engine,
  design: Design,
  indices: Int32Array | undefined,
  into: Floats = emptyGram(indices?.length ?? design.matrix.features, design.matrix.rows),
): Promise<Floats> {
  if (!indices) await addGram(engine, design.matrix, design, into);
  else if (indices.length > 0) {
    await addGram(engine, design.matrix.select(indices), normalisationOf(design, indices), into);
  }
  return into;
}

/** Sums Grams over the same rows. */
export function sumGrams(grams: readonly Floats[]): Floats {
  const [first, ...rest] = grams as [Floats, ...Floats[]];
  if (rest.length === 0) return first;
  const sum = first.slice();
  for (const g of rest) for (let i = 0; i < sum.length; i++) sum[i] = (sum[i] as number) + (g[i] as number);
  return sum;
}

/** The Gram of one set of features fold by fold: computed once where folds are normalised alike. */
export class FoldGrams {
  #whole: Promise<Floats> | undefined;

  /** @param indices features of `matrix`; all by default */
  constructor(
    readonly designs: Designs,
    readonly matrix: FeatureMatrix,
    readonly indices?: Int32Array,
  ) {}

  /** (n, n) over all rows, normalised on `rows`. */
  async get(rows: readonly number[]): Promise<Floats> {
    const { engine, standardize } = this.designs;
    const make = async () => gramOf(engine, await this.designs.get(this.matrix, rows), this.indices);
    if (standardize) return make();
    this.#whole ??= make();
    return this.#whole;
  }
}
