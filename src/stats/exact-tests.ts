/** Exact tests of paired values: signs of discordant examples, and signed ranks. */
import { Random } from '../base/index.js';
import { logGamma } from './special.js';

/**
 * Two-sided exact McNemar p: `first` and `second` are the numbers of examples that only the first, only the second of two
 * classifiers got right (McNemar, 1947; the binomial form). It knows one run of each: how runs vary is not in it.
 */
export function mcnemar(first: number, second: number): number {
  const n = first + second;
  const choose = (k: number) => Math.exp(logGamma(n + 1) - logGamma(k + 1) - logGamma(n - k + 1) - n * Math.LN2);
  let tail = 0;
  for (let k = 0; k <= Math.min(first, second); k++) tail += choose(k);
  return Math.min(1, 2 * tail);
}

/**
 * Two-sided p of no difference between the means of paired values, by swapping the members of random pairs.
 * @param differences one per pair
 */
export function swapTest(differences: readonly number[], { draws = 100_000, seed = 0 } = {}): number {
  const random = new Random(seed, 'swap');
  const moving = differences.filter((d) => d !== 0);
  const seen = Math.abs(moving.reduce((sum, d) => sum + d, 0));
  let extreme = 0;
  for (let draw = 0; draw < draws; draw++) {
    let sum = 0;
    for (const d of moving) sum += random.uniform() < 0.5 ? d : -d;
    if (Math.abs(sum) >= seen * (1 - 1e-12)) extreme++;
  }
  return (extreme + 1) / (draws + 1);
}

/** What Wilcoxon's signed-rank test came to. */
export interface SignedRanks {
  /** Sum of the ranks of positive differences, and of negative ones. */
  readonly positive: number;
  readonly negative: number;
  /** Differences other than zero. */
  readonly n: number;
  /** Two-sided and exact: over all signs of these ranks. */
  readonly p: number;
}

/** Wilcoxon's signed-rank test (1945). Zeros are left out; ties share the mean of their ranks, and p stays exact. */
export function signedRanks(differences: readonly number[]): SignedRanks {
  const moving = differences.filter((d) => d !== 0);
  const sizes = moving.map(Math.abs).sort((a, b) => a - b);
  // Doubled ranks are whole numbers, ties included.
  const doubled = (size: number) => sizes.indexOf(size) + sizes.lastIndexOf(size) + 2;
  const ranks = moving.map((d) => doubled(Math.abs(d)));
  const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);
  const total = sum(ranks);
  const positive = sum(ranks.filter((_, i) => (moving[i] as number) > 0));
  let ways = new Float64Array(total + 1);
  ways[0] = 1;
  for (const rank of ranks) {
    const next = ways.slice();
    for (let t = 0; t + rank <= total; t++) next[t + rank] = (next[t + rank] as number) + (ways[t] as number);
    ways = next.map((w) => w / 2);
  }
  const smaller = Math.min(positive, total - positive);
  const tail = sum(Array.from(ways.subarray(0, smaller + 1)));
  return { positive: positive / 2, negative: (total - positive) / 2, n: moving.length, p: Math.min(1, 2 * tail) };
}
