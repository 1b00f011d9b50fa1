/** Ranks, and Wilcoxon's signed-rank test of paired differences (two methods over several data sets). */
import { normalTail } from './special.js';

export interface WilcoxonResult {
  /** The smaller of the two rank sums. */
  statistic: number;
  p: number;
  /** Differences that are not zero. */
  n: number;
  method: 'exact' | 'normal';
}

/** Above this many differences the normal approximation is used. */
const exactLimit = 50;

/**
 * Wilcoxon's signed-rank test, two-sided, of paired differences (zeros dropped, ties share their mean rank).
 * Up to 50 differences the null distribution is counted exactly, also with ties; above, normal with tie correction.
 */
export function wilcoxonSignedRank(differences: readonly number[]): WilcoxonResult {
  const kept = differences.filter((d) => d !== 0);
  const n = kept.length;
  if (n === 0) return { statistic: 0, p: 1, n, method: 'exact' };
  const ranks = rank(kept.map(Math.abs));
  const positive = ranks.reduce((sum, r, i) => sum + (kept[i] > 0 ? r : 0), 0);
  const total = (n * (n + 1)) / 2;
  const statistic = Math.min(positive, total - positive);
  if (n <= exactLimit) return { statistic, p: exactSignedRank(ranks, statistic), n, method: 'exact' };
  const variance = ranks.reduce((sum, r) => sum + r * r, 0) / 4;
  return {
    statistic,
    p: Math.min(1, 2 * normalTail((total / 2 - statistic) / Math.sqrt(variance))),
    n,
    method: 'normal',
  };
}

/** P(|rank sum| at least as extreme) over all 2^n sign patterns; mean ranks of ties are multiples of 1/2. */
function exactSignedRank(ranks: readonly number[], statistic: number): number {
  const doubled = ranks.map((r) => Math.round(2 * r));
  const total = doubled.reduce((a, b) => a + b, 0);
  const chance = new Float64Array(total + 1);
  chance[0] = 1;
  let reach = 0;
  for (const r of doubled) {
    reach += r;
    for (let s = reach; s >= 0; s--) chance[s] = chance[s] / 2 + (s >= r ? chance[s - r] / 2 : 0);
  }
  let p = 0;
  for (let s = 0; s <= Math.round(2 * statistic); s++) p += chance[s];
  return Math.min(1, 2 * p);
}

/** Ranks from 1; equal values share the mean of their ranks. */
export function rank(values: ArrayLike<number>): number[] {
  const order = Array.from(values, (_, i) => i).sort((a, b) => values[a] - values[b]);
  const ranks = new Array<number>(values.length);
  for (let start = 0; start < order.length; ) {
    let end = start;
    while (end + 1 < order.length && values[order[end + 1]] === values[order[start]]) end++;
    for (let i = start; i <= end; i++) ranks[order[i]] = (start + end) / 2 + 1;
    start = end + 1;
  }
  return ranks;
}
