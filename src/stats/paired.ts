/**
 * Two methods on the same test examples: exact McNemar, permutation test, paired bootstrap;
 * and Holm's correction for asking several questions at once.
 *
 * Methods come as one value per example in the same order: 1 right, 0 wrong (or any score that is averaged).
 * They speak of the sampling of test examples only: run-to-run variance needs several seeds (`meanOverSeeds`).
 */
import { Random, UserError } from '../base/index.js';
import { type Interval, percentileInterval } from './interval.js';
import { fairBinomialCdf, logGamma } from './special.js';

/**
 * Exact two-sided McNemar test: were the examples that only one method got right shared out by a fair coin?
 * `onlyFirst` and `onlySecond` count the discordant examples. No discordant pairs: p = 1.
 */
export function mcnemarExact(onlyFirst: number, onlySecond: number): number {
  return Math.min(1, 2 * fairBinomialCdf(Math.min(onlyFirst, onlySecond), onlyFirst + onlySecond));
}

/** Counts of examples that only the first, and only the second method got right. */
export function discordant(first: ArrayLike<number>, second: ArrayLike<number>): [number, number] {
  sameLength(first, second);
  let [b, c] = [0, 0];
  for (let i = 0; i < first.length; i++) {
    if (first[i] && !second[i]) b++;
    if (!first[i] && second[i]) c++;
  }
  return [b, c];
}

export interface ResamplingOptions {
  seed: number;
  draws: number;
  /** Confidence level of intervals. */
  level: number;
  /** One stratum per example (its class): the mean of the strata's means is compared, as mean per-class accuracy does. */
  strata?: ArrayLike<number>;
}

const defaults: ResamplingOptions = { seed: 0, draws: 10_000, level: 0.95 };

/**
 * Paired permutation test of a difference of means: the two methods' values are swapped at random per example.
 * @returns the difference, and p = (1 + draws at least as extreme) / (1 + draws), which is never 0 (Phipson and Smyth, 2010).
 */
export function permutationTest(
  first: ArrayLike<number>,
  second: ArrayLike<number>,
  options: Partial<ResamplingOptions> = {},
): { difference: number; p: number } {
  const { seed, draws, strata } = { ...defaults, draws: 100_000, ...options };
  const terms = [...weightedDifferences(first, second, strata)];
  const difference = terms.reduce((sum, v) => sum + v, 0);
  const moving = Float64Array.from(terms.filter((v) => v !== 0));
  const random = new Random(seed, 'permutation');
  // Sums in another order differ in the last bits; ties must still count as ties.
  const threshold = Math.abs(difference) * (1 - 1e-12) - 1e-15;
  let extreme = 0;
  for (let draw = 0; draw < draws; draw++) {
    let sum = 0;
    let bits = 0;
    for (let i = 0; i < moving.length; i++) {
      if (i % 32 === 0) bits = random.uint32();
      sum += bits & 1 ? moving[i] : -moving[i];
      bits >>>= 1;
    }
    if (Math.abs(sum) >= threshold) extreme++;
  }
  return { difference, p: (1 + extreme) / (1 + draws) };
}

/** Percentile interval of a difference of means by resampling examples, both methods together. */
export function pairedBootstrap(
  first: ArrayLike<number>,
  second: ArrayLike<number>,
  options: Partial<ResamplingOptions> = {},
): { difference: number; interval: Interval } {
  const { seed, draws, level, strata } = { ...defaults, ...options };
  const terms = weightedDifferences(first, second, strata);
  const difference = terms.reduce((sum, v) => sum + v, 0);
  const random = new Random(seed, 'paired bootstrap');
  // Most examples are right or wrong with both methods: how many of the others come is one binomial draw.
  const groups = strataOf(terms.length, strata).map((members) => {
    const moving = Float64Array.from(members, (i) => terms[i]).filter((v) => v !== 0);
    return { moving, howMany: binomial(members.length, moving.length / members.length) };
  });
  const replicates = new Float64Array(draws);
  for (let draw = 0; draw < draws; draw++) {
    let sum = 0;
    for (const { moving, howMany } of groups) {
      const count = howMany(random.uniform());
      for (let i = 0; i < count; i++) sum += moving[Math.floor((random.uint32() / 2 ** 32) * moving.length)];
    }
    replicates[draw] = sum;
  }
  return { difference, interval: percentileInterval(replicates, level) };
}

/** The inverse distribution function of the binomial with n trials of probability p, tabulated. */
function binomial(n: number, p: number): (u: number) => number {
  if (p === 0 || p === 1) return () => n * p;
  const cdf = new Float64Array(n + 1);
  let sum = 0;
  for (let k = 0; k <= n; k++) {
    const ways = logGamma(n + 1) - logGamma(k + 1) - logGamma(n - k + 1);
    sum += Math.exp(ways + k * Math.log(p) + (n - k) * Math.log1p(-p));
    cdf[k] = sum;
  }
  return (u) => {
    let [low, high] = [0, n];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (cdf[middle] > u) high = middle;
      else low = middle + 1;
    }
    return low;
  };
}

/** Each example's share of the difference of (strata-averaged) means. */
function weightedDifferences(
  first: ArrayLike<number>,
  second: ArrayLike<number>,
  strata: ArrayLike<number> | undefined,
): Float64Array {
  sameLength(first, second);
  const terms = new Float64Array(first.length);
  const groups = strataOf(first.length, strata);
  for (const members of groups)
    for (const i of members) terms[i] = (first[i] - second[i]) / (members.length * groups.length);
  return terms;
}

function strataOf(n: number, strata: ArrayLike<number> | undefined): number[][] {
  const groups = new Map<number, number[]>();
  for (let i = 0; i < n; i++) {
    const key = strata ? strata[i] : 0;
    const group = groups.get(key);
    if (group) group.push(i);
    else groups.set(key, [i]);
  }
  return [...groups.values()];
}

function sameLength(first: ArrayLike<number>, second: ArrayLike<number>): void {
  if (first.length !== second.length || first.length === 0)
    throw new UserError(
      `paired comparison: ${first.length} and ${second.length} predictions; both methods need the same test examples`,
    );
}

/** Holm's step-down adjusted p-values, in the order given (Holm, 1979). */
export function holm(ps: readonly number[]): number[] {
  const order = ps.map((_, i) => i).sort((a, b) => ps[a] - ps[b]);
  const adjusted = new Array<number>(ps.length);
  let running = 0;
  order.forEach((index, i) => {
    running = Math.max(running, Math.min(1, (ps.length - i) * ps[index]));
    adjusted[index] = running;
  });
  return adjusted;
}
