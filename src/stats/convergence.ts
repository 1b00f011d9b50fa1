/** How long training takes to come near its best: accuracy against the number of steps, each a run of its own. */

import { logit } from './adjusted-means.js';
import { quantileOfSorted } from './interval.js';

/**
 * The smallest budget whose odds of being right are at least 90 % of the highest odds over all budgets (Kornblith, Shlens
 * and Le, 2019): logit within ln(1 / .9) of the maximum.
 */
export function nearBest<T extends { readonly steps: number; readonly score: number }>(
  runs: readonly T[],
  share = 0.9,
): T | undefined {
  const top = Math.max(...runs.map((r) => logit(r.score)));
  const near = runs.filter((r) => logit(r.score) >= top + Math.log(share) - 1e-12);
  return near.reduce<T | undefined>((a, b) => (a === undefined || b.steps < a.steps ? b : a), undefined);
}

/** Geometric mean of positive values, with their quartiles. */
export function geometricMean(values: readonly number[]): {
  readonly mean: number;
  readonly quartiles: [number, number];
} {
  const logs = values.map(Math.log).sort((a, b) => a - b);
  const at = (q: number) => Math.exp(quantileOfSorted(logs, q));
  return { mean: Math.exp(logs.reduce((a, b) => a + b, 0) / logs.length), quartiles: [at(0.25), at(0.75)] };
}
