/** What is selected from a ranking: top fractions, their overlap and frequency, shares per tap. */
import type { Ranking } from './ranking.js';

/** How many features a keep fraction of p is: at least one. */
export function keepCount(fraction: number, p: number): number {
  return Math.max(1, Math.min(p, Math.round(fraction * p)));
}

/** The first k of a ranking, ascending. */
export function topFeatures({ order }: Ranking, k: number): Int32Array {
  return order.slice(0, k).sort();
}

/** Share of two sets: |A and B| / |A or B|; 1 for two empty sets. */
export function jaccard(a: Iterable<number>, b: Iterable<number>): number {
  const first = new Set(a);
  const second = new Set(b);
  let shared = 0;
  for (const j of first) if (second.has(j)) shared++;
  const all = first.size + second.size - shared;
  return all === 0 ? 1 : shared / all;
}

/** Mean of the pairwise Jaccard indices of several selections; 1 for fewer than two. */
export function meanJaccard(sets: readonly ArrayLike<number>[]): number {
  let sum = 0;
  let pairs = 0;
  for (let i = 0; i < sets.length; i++) {
    for (let j = 0; j < i; j++) {
      sum += jaccard(Array.from(sets[i] as ArrayLike<number>), Array.from(sets[j] as ArrayLike<number>));
      pairs++;
    }
  }
  return pairs ? sum / pairs : 1;
}

/** Share of the selections that hold each feature, (p). */
export function frequencies(sets: readonly ArrayLike<number>[], p: number): Float64Array {
  const counts = new Float64Array(p);
  for (const set of sets)
    for (let i = 0; i < set.length; i++) {
      const j = set[i] as number;
      counts[j] = (counts[j] as number) + 1 / sets.length;
    }
  return counts;
}

/** What a method selected, for reports. */
export interface Selection {
  /** Selected features, ascending. */
  readonly features: Int32Array;
  readonly ranking: Ranking;
  /** Largest lambda of the reported path at which each feature has a weight, (p); 0 for never. */
  readonly entryLambda?: Float64Array;
  /** Share of the selections made in tuning (one per fold and draw) that hold each feature, (p). */
  readonly frequency?: Float64Array;
  /** Mean Jaccard index between these selections. */
  readonly stability?: number;
  /** Number of these selections. */
  readonly repeats?: number;
}

/** Kept features and score mass of one tap. */
export interface TapShare {
  readonly alias: string;
  readonly features: number;
  readonly kept: number;
  /** Share of the kept features' score mass. */
  readonly mass: number;
}

export function tapShares(
  selection: Selection,
  offsets: ArrayLike<number>,
  taps: readonly { alias: string; features: number }[],
): TapShare[] {
  const { features, ranking } = selection;
  const kept = new Float64Array(taps.length);
  const mass = new Float64Array(taps.length);
  let total = 0;
  let block = 0;
  for (const j of features) {
    while (j >= (offsets[block + 1] as number)) block++;
    kept[block] = (kept[block] as number) + 1;
    mass[block] = (mass[block] as number) + (ranking.scores[j] as number);
    total += ranking.scores[j] as number;
  }
  return taps.map((tap, b) => ({
    alias: tap.alias,
    features: tap.features,
    kept: kept[b] as number,
    mass: total > 0 ? (mass[b] as number) / total : 0,
  }));
}
