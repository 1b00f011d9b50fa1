/** Intervals for one number: a proportion, a difference of proportions, a bootstrap. */
import { normalQuantile } from './special.js';

/** [low, high]. */
export type Interval = [number, number];

/** Wilson's score interval of `successes` in `n` trials (Wilson, 1927). n = 0 knows nothing: [0, 1]. */
export function wilsonInterval(successes: number, n: number, level = 0.95): Interval {
  if (n === 0) return [0, 1];
  const z = normalQuantile((1 + level) / 2);
  const p = successes / n;
  const scale = 1 + (z * z) / n;
  const centre = (p + (z * z) / (2 * n)) / scale;
  const half = (z / scale) * Math.sqrt((p * (1 - p)) / n + (z * z) / (4 * n * n));
  return [successes === 0 ? 0 : Math.max(0, centre - half), successes === n ? 1 : Math.min(1, centre + half)];
}

/**
 * Interval of p1 - p2 for two independent proportions (Newcombe, 1998, method 10: from their Wilson intervals).
 * On one shared test set it is wider than the paired bootstrap: for when the predictions were not kept.
 */
export function newcombeInterval(
  [successes1, n1]: readonly [number, number],
  [successes2, n2]: readonly [number, number],
  level = 0.95,
): Interval {
  const [p1, p2] = [successes1 / n1, successes2 / n2];
  const [low1, high1] = wilsonInterval(successes1, n1, level);
  const [low2, high2] = wilsonInterval(successes2, n2, level);
  return [p1 - p2 - Math.hypot(p1 - low1, high2 - p2), p1 - p2 + Math.hypot(high1 - p1, p2 - low2)];
}

/** The arithmetic mean; NaN of nothing. */
export function mean(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i];
  return sum / values.length;
}

/** Sample standard deviation (n - 1). */
export function standardDeviation(values: readonly number[]): number {
  const average = mean(values);
  return Math.sqrt(values.reduce((sum, v) => sum + (v - average) ** 2, 0) / (values.length - 1));
}

/** Quantile of sorted values with linear interpolation between order statistics (numpy's default). */
export function quantileOfSorted(sorted: ArrayLike<number>, q: number): number {
  const at = q * (sorted.length - 1);
  const low = Math.floor(at);
  const a = sorted[low];
  return low + 1 < sorted.length ? a + (at - low) * (sorted[low + 1] - a) : a;
}

/** The central `level` of a sample of bootstrap replicates. */
export function percentileInterval(replicates: Float64Array, level: number): Interval {
  const sorted = replicates.slice().sort();
  return [quantileOfSorted(sorted, (1 - level) / 2), quantileOfSorted(sorted, (1 + level) / 2)];
}
