/** Features as a fold normalises and weighs them, and their Gram matrices over all training rows. */
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
import type { ProbeOptions } from '../options.js';

/** Weight of each of some examples: n / (K n_c) where classes are to count alike (as scikit-learn's), else undefined. */
export type Weigh = (rows?: readonly number[]) => Float64Array | undefined;

export function weighBy(labels: ArrayLike<number>, { classWeight }: Pick<ProbeOptions, 'classWeight'>): Weigh {
  if (classWeight === 'none') return () => undefined;
  return (rows) => {
    const own = rows ? rows.map((row) => labels[row] as number) : Array.from(labels);
    const sizes = new Map<number, number>();
    for (const c of own) sizes.set(c, (sizes.get(c) ?? 0) + 1);
    return Float64Array.from(own, (c) => own.length / (sizes.size * (sizes.get(c) as number)));
  };
}

/** Features normalised on some rows, with the weights of their examples. */
export class Designs {
  readonly #held = new WeakMap<FeatureMatrix, Map<string, Promise<Design>>>();

  constructor(
    readonly engine: Engine,
    readonly standardize: boolean,
    readonly weigh: Weigh = () => undefined,
  ) {}

  /** One design per fold where standardisation makes them differ; else all rows serve, since centring comes later. */
  get(matrix: FeatureMatrix, rows?: readonly number[]): Promise<Design> {
    const own = this.standardize ? rows : undefined;
    const key = own ? own.join() : 'all';
    const designs = this.#held.get(matrix) ?? new Map<string, Promise<Design>>();
    this.#held.set(matrix, designs);
    const design = designs.get(key) ?? this.on(matrix, own);
    designs.set(key, design);
    return design;
  }

  /** The design that is fitted to these rows (all by default). */
  on(matrix: FeatureMatrix, rows?: readonly number[]): Promise<Design> {
    return fitDesign(this.engine, matrix, { rows, standardize: this.standardize, weights: this.weigh(rows) });
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
