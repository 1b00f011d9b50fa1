/** What is selected from a ranking: top fractions, and how often features come again. */
import { jaccard } from '../stats/index.js';
import type { KeepRule } from './options.js';
import type { Ranking } from './ranking.js';

export { jaccard };

/** How many features a keep fraction of p is: at least one. */
export function keepCount(fraction: number, p: number): number {
  return Math.max(1, Math.min(p, Math.round(fraction * p)));
}

/** The first k of a ranking, ascending. */
export function topFeatures({ order }: Ranking, k: number): Int32Array {
  return order.slice(0, k).sort();
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
  /** As many features, ranked at the same point of the path on other rows: what its stability is measured by. */
  readonly again?: (rows: readonly number[]) => Promise<Int32Array>;
  /** Why so many. */
  readonly kept?: Kept;
}

/** How the number of features was chosen. */
export interface Kept {
  /** Validation score of each fraction at its best lambda, as measured, rising by fraction. */
  readonly points: readonly { readonly fraction: number; readonly score: number }[];
  readonly rule: KeepRule;
  /** The fraction with the highest validation score, and the standard error of the kept one's difference from it. */
  readonly best: number;
  readonly standardError: number;
}

/** Features of each tap among some, ascending, by the taps' order. */
export function countByTap(features: ArrayLike<number>, offsets: ArrayLike<number>): Int32Array {
  const counts = new Int32Array(offsets.length - 1);
  let block = 0;
  for (let i = 0; i < features.length; i++) {
    while ((features[i] as number) >= (offsets[block + 1] as number)) block++;
    counts[block] = (counts[block] as number) + 1;
  }
  return counts;
}
