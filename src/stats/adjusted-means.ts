/**
 * Accuracies of several models on several data sets, as Kornblith, Shlens and Le (2019) summarise them: on the logit scale,
 * means over data sets with error bars from which the difficulty of data sets has been taken.
 */
import { UserError } from '../base/index.js';
import { type Interval, mean, standardDeviation } from './interval.js';
import { studentQuantile } from './special.js';

/** ln(p / (1 - p)); -Infinity and Infinity at 0 and 1. */
export const logit = (p: number): number => Math.log(p / (1 - p));

/** The share that has this logit. */
export const inverseLogit = (x: number): number => 1 / (1 + Math.exp(-x));

/**
 * Logit of a score on n test examples. A score of 0 or 1 has none: (k + .5) / (n + 1) takes its place, k = n p.
 * @param n test examples
 */
export function logitAccuracy(score: number, n: number): { readonly value: number; readonly clamped: boolean } {
  const clamped = score <= 0 || score >= 1;
  return { value: logit(clamped ? (n * score + 0.5) / (n + 1) : score), clamped };
}

/** One model over all data sets. */
export interface AdjustedMean {
  /** Mean over data sets. */
  readonly mean: number;
  /** The same less the mean of all models: what it is above the average model. */
  readonly adjusted: number;
  /** Morey's standard error; undefined with fewer than two models or data sets. */
  readonly standardError: number | undefined;
  /** adjusted -+ t(.975, D - 1) standard errors. */
  readonly interval: Interval | undefined;
}

/**
 * Means over data sets with within-subject errors: the mean over models is taken from each data set (Cousineau, 2005), and
 * the standard error over data sets is scaled by sqrt(M / (M - 1)) (Morey, 2008).
 * @param values complete, one row of D data sets for each of M models
 * @throws UserError on rows of unequal length or values that are not numbers
 */
export function adjustedMeans(values: readonly (readonly number[])[]): AdjustedMean[] {
  const M = values.length;
  const D = values[0]?.length ?? 0;
  if (values.some((row) => row.length !== D || row.some((v) => !Number.isFinite(v)))) {
    throw new UserError('adjusted means need a number for every model on every data set');
  }
  const centre = Array.from({ length: D }, (_, d) => mean(values.map((row) => row[d] as number)));
  return values.map((row) => {
    const own = row.map((v, d) => v - (centre[d] as number));
    const adjusted = mean(own);
    const standardError = M < 2 || D < 2 ? undefined : (standardDeviation(own) / Math.sqrt(D)) * Math.sqrt(M / (M - 1));
    const half = standardError === undefined ? undefined : studentQuantile(0.975, D - 1) * standardError;
    return {
      mean: mean(row),
      adjusted,
      standardError,
      interval: half === undefined ? undefined : [adjusted - half, adjusted + half],
    };
  });
}
