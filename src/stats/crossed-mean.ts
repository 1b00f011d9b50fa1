/**
 * The mean of a quantity over test examples and over repetitions of a whole experiment (initial weights, class splits), both
 * of which are samples. Repetitions see the same examples: rows and columns are crossed.
 */
import { ErrorScale } from './critical.js';
import type { Interval } from './interval.js';
import { averageOf, moderate, noSeeds, seedFreedom, seedSpreadOf } from './seeds.js';
import { normalQuantile } from './special.js';
import { TestDesign } from './test-design.js';

/** A mean over examples and repetitions, with its interval. */
export interface CrossedMean {
  readonly mean: number;
  /** 95 % over examples and repetitions; over examples alone where there is one repetition. */
  readonly interval: Interval;
  readonly standardError: number;
  readonly repetitions: number;
}

/**
 * The error over examples is the cluster-robust one of their averages over repetitions (test-design.ts); repetitions add what
 * their means vary beyond that. Two or three repetitions say little of it, so the quantities of one study lend each other
 * theirs (seeds.ts). Both parts enter by Student quantiles at their own degrees of freedom (critical.ts).
 * @param quantities each with one row per repetition, a value per example: 0 where a repetition does not hold the example
 */
export function crossedMeans(
  quantities: readonly (readonly ArrayLike<number>[])[],
  design = new TestDesign(quantities[0]?.[0]?.length ?? 0),
): CrossedMean[] {
  const seeds = moderate(quantities.map((rows) => seedSpreadOf(rows, design)));
  return quantities.map((rows, i) => {
    const { mean, variance, df } = design.errorOf(averageOf(rows));
    const own = seeds[i] ?? noSeeds;
    const scale = new ErrorScale([
      { variance, df },
      { variance: own.excess, df: seedFreedom(own, noSeeds) },
    ]);
    const standardError = Math.sqrt(variance + own.excess);
    const half = scale.critical(normalQuantile(0.975)) * standardError;
    return { mean, interval: [mean - half, mean + half], standardError, repetitions: rows.length };
  });
}
