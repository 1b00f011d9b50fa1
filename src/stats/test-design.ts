/** How test examples were drawn, and how they are averaged: what the error of a mean over them follows from. */
import { UserError } from '../base/index.js';

export interface TestDesign {
  /** Cluster of every example, by any name: tracks, patients, authors. Every example is its own by default. */
  readonly clusters?: readonly (string | number)[] | undefined;
  /** Class of every example, where the mean of the classes' means is the figure. */
  readonly strata?: ArrayLike<number> | undefined;
}

/** Weight of every example in the mean, (n); they sum to one. */
export function weightsOf(n: number, { strata }: TestDesign): Float64Array {
  if (!strata) return new Float64Array(n).fill(1 / n);
  const sizes = new Map<number, number>();
  for (let i = 0; i < n; i++) sizes.set(strata[i], (sizes.get(strata[i]) ?? 0) + 1);
  return Float64Array.from({ length: n }, (_, i) => 1 / (sizes.size * (sizes.get(strata[i]) as number)));
}

/**
 * Each cluster's part in the error of a weighted mean, (clusters): the sum of its examples' weighted deviations from the
 * mean of their stratum, times sqrt(G / (G - 1)). The squares add up to the cluster-robust variance of the mean.
 */
export function influences(values: ArrayLike<number>, weights: Float64Array, design: TestDesign): Float64Array {
  const n = values.length;
  const { clusters, strata } = design;
  if (clusters && clusters.length !== n) {
    throw new UserError(`${clusters.length} groups for ${n} test examples: give every example one`);
  }
  const means = new Map<number, { sum: number; count: number }>();
  for (let i = 0; i < n; i++) {
    const c = strata ? strata[i] : 0;
    const own = means.get(c) ?? { sum: 0, count: 0 };
    means.set(c, { sum: own.sum + values[i], count: own.count + 1 });
  }
  const sums = new Map<string | number, number>();
  for (let i = 0; i < n; i++) {
    const { sum, count } = means.get(strata ? strata[i] : 0) as { sum: number; count: number };
    const name = clusters ? clusters[i] : i;
    sums.set(name, (sums.get(name) ?? 0) + weights[i] * (values[i] - sum / count));
  }
  const factor = sums.size > 1 ? Math.sqrt(sums.size / (sums.size - 1)) : 1;
  return Float64Array.from(sums.values(), (v) => v * factor);
}

export const sumOfSquares = (values: Float64Array): number => values.reduce((sum, v) => sum + v * v, 0);

/** Standard error of the mean of `values` over examples that come in clusters. */
export function standardErrorOf(values: ArrayLike<number>, design: TestDesign = {}): number {
  return Math.sqrt(sumOfSquares(influences(values, weightsOf(values.length, design), design)));
}
