/**
 * The difference of two methods' mean scores on the same examples, when examples come in clusters (tracks, patients) and
 * methods were run with several seeds: one statistic from which interval and p follow, so that they agree.
 *
 *   t(delta) = (d - delta) / sqrt(phi V(delta) + S)
 *
 * V is the score variance of a difference of paired proportions at delta (Tango, 1998), which is not zero where no example
 * tells the methods apart; phi is the factor by which the cluster-robust variance (test-design.ts) exceeds it at the estimate
 * (the design effect, and the smaller variance of scores averaged over seeds); S is what seeds add (seeds.ts). t is compared
 * with the weighted mean of the Student quantiles of the two parts (critical.ts). Contributions to
 * a figure (contributions.ts) have no bounds, and the cluster-robust variance at every delta.
 */
import { UserError } from '../base/index.js';
import { ErrorScale } from './critical.js';
import type { Interval } from './interval.js';
import { averageOf, moderate, noSeeds, type Runs, type SeedVariance, seedFreedom, seedSpreadOf } from './seeds.js';
import { normalQuantile, normalTail } from './special.js';
import { TestDesign } from './test-design.js';

/** A method's runs, and what its seeds add, where several methods were asked together. */
export interface Scores {
  readonly runs: Runs;
  /** By its own runs alone, where absent. */
  readonly seeds?: SeedVariance | undefined;
}

/** The difference of two methods on the same examples, with its interval and p. */
export class PairedDifference {
  readonly difference: number;
  /** Each cluster's part in the estimate's error, (clusters). */
  readonly influence: Float64Array;
  /** What the seeds of each method add to the variance. */
  readonly seedVariance: readonly [number, number];
  /** Standard error at the estimate: over examples and seeds. */
  readonly standardError: number;
  /** Deviation from no difference, as the quantile of a normal that is as improbable. */
  readonly z: number;
  readonly #n: number;
  readonly #right: number;
  readonly #wrong: number;
  readonly #factor: number;
  readonly #scale: ErrorScale;
  /** Of contributions: over examples, whatever the difference. */
  readonly #constant: number | undefined;

  /** @throws UserError unless both methods have a score for each example */
  constructor(
    first: Scores,
    second: Scores,
    design: TestDesign = new TestDesign(lengthOf(first.runs)),
    {
      leastVariance,
    }: {
      /** Scores are contributions: their difference has at least this variance over examples. */ readonly leastVariance?: number;
    } = {},
  ) {
    const n = design.n;
    for (const { runs } of [first, second]) {
      if (n === 0 || runs.length === 0 || runs.some((run) => run.length !== n)) {
        throw new UserError(
          `paired comparison: ${lengthOf(first.runs)} and ${lengthOf(second.runs)} scores for ${n} test examples; both methods need the same`,
        );
      }
    }
    const [a, b] = [averageOf(first.runs), averageOf(second.runs)];
    const d = a.map((v, i) => v - b[i]);
    const { mean, variance, influence, df } = design.errorOf(d);
    this.#n = n;
    this.difference = mean;
    this.influence = influence;
    this.#right = n * design.mean(d.map((v) => Math.max(0, v)));
    this.#wrong = this.#right - n * mean;
    const plain = scoreVariance(this.#right, this.#wrong, n, mean);
    // Without an example that tells the methods apart nothing tells how far clusters agree: each then counts as one.
    this.#factor = plain > 0 && variance > 0 ? variance / plain : n / design.equalClusters;
    if (leastVariance !== undefined) this.#constant = Math.max(variance, leastVariance);
    const over = this.#constant ?? this.#factor * plain;
    const [mine, theirs] = [seedsOf(first, design), seedsOf(second, design)];
    this.seedVariance = [mine.excess, theirs.excess];
    const added = mine.excess + theirs.excess;
    this.standardError = Math.sqrt(over + added);
    this.#scale = new ErrorScale([
      { variance: over, df },
      { variance: added, df: seedFreedom(mine, theirs) },
    ]);
    this.z = this.#scale.normal(this.#t(0));
  }

  /** Two-sided p of no difference. */
  get p(): number {
    return Math.min(1, 2 * normalTail(Math.abs(this.z)));
  }

  /** All differences that are less than `z` away, `z` as above: 1.96 gives the 95 % interval. */
  interval(z = normalQuantile(0.975)): Interval {
    const critical = this.#scale.critical(z);
    if (this.#constant !== undefined) {
      const half = critical * this.standardError;
      return [this.difference - half, this.difference + half];
    }
    const edge = (sign: 1 | -1): number => {
      let inside = this.difference;
      let outside: number = sign;
      for (let i = 0; i < 60; i++) {
        const middle = (inside + outside) / 2;
        if (Math.abs(this.#t(middle)) < critical) inside = middle;
        else outside = middle;
      }
      return inside;
    };
    return [edge(-1), edge(1)];
  }

  #t(delta: number): number {
    const variance = this.#constant ?? this.#factor * scoreVariance(this.#right, this.#wrong, this.#n, delta);
    const t = (this.difference - delta) / Math.sqrt(variance + this.seedVariance[0] + this.seedVariance[1]);
    return Number.isNaN(t) ? 0 : t;
  }
}

const lengthOf = (runs: Runs): number => runs[0]?.length ?? 0;

const seedsOf = ({ runs, seeds }: Scores, design: TestDesign): SeedVariance =>
  seeds ?? moderate([seedSpreadOf(runs, design)])[0] ?? noSeeds;

/**
 * Variance of the difference of the two proportions at `delta`, with the discordant share estimated under it (Tango, 1998).
 * `right` and `wrong`: examples (or parts of them) that only the first, only the second method got right.
 */
function scoreVariance(right: number, wrong: number, n: number, delta: number): number {
  const a = 2 * n;
  const b = -right - wrong + (2 * n - right + wrong) * delta;
  const c = -wrong * delta * (1 - delta);
  const q = (Math.sqrt(Math.max(0, b * b - 4 * a * c)) - b) / (2 * a);
  return Math.max(0, 2 * q + delta * (1 - delta)) / n;
}
