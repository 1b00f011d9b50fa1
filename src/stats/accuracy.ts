/** Accuracies compared across models and tasks: logit scale, adjusted means with Morey's errors. */
import { UserError } from '../base/index.js';
import { type Interval, mean, standardDeviation } from './interval.js';
import { studentQuantile } from './special.js';

/** ln(p / (1 - p)). */
export function logit(p: number): number {
  return Math.log(p) - Math.log1p(-p);
}

/**
 * Logit of an accuracy measured on n examples. 0 and 1 have no logit: they become (k + 1/2) / (n + 1),
 * k right answers of n, and `clamped` says so.
 */
export function logitAccuracy(accuracy: number, n: number): { value: number; clamped: boolean } {
  const clamped = accuracy <= 0 || accuracy >= 1;
  return { value: logit(clamped ? (accuracy * n + 0.5) / (n + 1) : accuracy), clamped };
}

export interface AdjustedMeans {
  /** Per model: mean over data sets of x. */
  means: number[];
  /** Per model: mean over data sets of x minus the data set's mean over models (Cousineau's normalisation). */
  adjusted: number[];
  /** Per model: standard error of `adjusted`, corrected by sqrt(M / (M - 1)) (Morey, 2008). */
  standardErrors: number[];
  /** Per model: adjusted -+ t (D - 1 degrees of freedom) times the standard error. */
  intervals: Interval[];
  /** Columns left out because a model has no value there: the method needs complete columns. */
  dropped: number[];
}

/**
 * Compares models over data sets with the data sets' difficulty removed (Kornblith, Shlens and Le, 2019).
 * @param x (M models, D data sets), usually logit accuracies; NaN = not run.
 */
export function adjustedMeans(x: readonly (readonly number[])[], level = 0.95): AdjustedMeans {
  const models = x.length;
  const columns = Array.from({ length: x[0]?.length ?? 0 }, (_, d) => d);
  const kept = columns.filter((d) => x.every((row) => Number.isFinite(row[d])));
  const count = kept.length;
  if (models < 2 || count < 2)
    throw new UserError(
      `adjusted means need two models and two data sets with a figure for every model; found ${models} and ${count}`,
    );
  const difficulty = new Map(kept.map((d) => [d, mean(x.map((row) => row[d]))]));
  const rows = x.map((row) => kept.map((d) => row[d] - (difficulty.get(d) as number)));
  const adjusted = rows.map(mean);
  const correction = Math.sqrt(models / (models - 1));
  const standardErrors = rows.map((row) => (standardDeviation(row) / Math.sqrt(count)) * correction);
  const t = studentQuantile((1 + level) / 2, count - 1);
  return {
    means: x.map((row) => mean(kept.map((d) => row[d]))),
    adjusted,
    standardErrors,
    intervals: adjusted.map((a, m) => [a - t * standardErrors[m], a + t * standardErrors[m]]),
    dropped: columns.filter((d) => !kept.includes(d)),
  };
}
