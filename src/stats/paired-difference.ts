/**
 * The difference of two methods' mean scores on the same examples, when examples come in clusters (tracks, patients) and
 * methods were run with several seeds: one statistic from which interval and p follow, so that they agree.
 *
 *   z(delta) = (d - delta) / sqrt(phi V(delta) + S)
 *
 * V is the score variance of a difference of paired proportions at delta (Tango, 1998), which is not zero where no example
 * tells the methods apart; phi is the factor by which the variance over clusters exceeds it at the estimate (the design
 * effect, and the smaller variance of scores averaged over seeds); S is the variance between seeds of each method's mean
 * over the number of its seeds. z is compared with Student's t at Satterthwaite's degrees of freedom.
 */
import { UserError } from '../base/index.js';
import { type Interval, standardDeviation } from './interval.js';
import { normalQuantile, normalTail, studentCdf, studentQuantile } from './special.js';
import { influences, sumOfSquares, type TestDesign, weightsOf } from './test-design.js';

export interface PairedScores {
  /** Score of every example, averaged over the method's seeds, in [0, 1], (n). */
  readonly values: ArrayLike<number>;
  /** Mean score of every seed; a single one says nothing of the spread between seeds. */
  readonly seeds: readonly number[];
}

export class PairedDifference {
  readonly difference: number;
  /** Examples, and clusters of them. */
  readonly n: number;
  readonly clusters: number;
  /** Each cluster's part in the estimate's error, (clusters); their squares add up to the variance over examples. */
  readonly influence: Float64Array;
  /** Variance between seeds, of each method. */
  readonly seedVariance: readonly [number, number];
  readonly #right: number;
  readonly #wrong: number;
  readonly #factor: number;
  readonly #df: number;

  /** @throws UserError unless both methods have a value for each example */
  constructor(first: PairedScores, second: PairedScores, design: TestDesign = {}) {
    const n = first.values.length;
    if (n === 0 || second.values.length !== n) {
      throw new UserError(
        `paired comparison: ${n} and ${second.values.length} scores; both methods need the same test examples`,
      );
    }
    const d = Float64Array.from({ length: n }, (_, i) => first.values[i] - second.values[i]);
    const weights = weightsOf(n, design);
    this.n = n;
    this.difference = d.reduce((sum, v, i) => sum + weights[i] * v, 0);
    this.#right = n * d.reduce((sum, v, i) => sum + weights[i] * Math.max(0, v), 0);
    this.#wrong = this.#right - n * this.difference;
    this.influence = influences(d, weights, design);
    this.clusters = this.influence.length;
    const variance = sumOfSquares(this.influence);
    const plain = scoreVariance(this.#right, this.#wrong, n, this.difference);
    // Without a discordant example nothing tells how far clusters agree: each then counts as one example.
    this.#factor = plain > 0 ? variance / plain : n / this.clusters;
    this.seedVariance = [between(first.seeds), between(second.seeds)];
    this.#df = satterthwaite([
      [variance, this.clusters - 1],
      [this.seedVariance[0], first.seeds.length - 1],
      [this.seedVariance[1], second.seeds.length - 1],
    ]);
  }

  /** Standard error at the estimate: over examples and seeds. */
  get standardError(): number {
    const variance = sumOfSquares(this.influence);
    return Math.sqrt(variance + this.seedVariance[0] + this.seedVariance[1]);
  }

  /** Deviation from no difference, as the quantile of a normal that is as improbable. */
  get z(): number {
    return asNormal(this.#t(0), this.#df);
  }

  /** Two-sided p of no difference. */
  get p(): number {
    return Math.min(1, 2 * normalTail(Math.abs(this.z)));
  }

  /** All differences that are less than `z` away, `z` as above: 1.96 gives the 95 % interval. */
  interval(z = normalQuantile(0.975)): Interval {
    const critical = this.#df > 1e6 ? z : studentQuantile(1 - normalTail(z), this.#df);
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
    const variance = this.#factor * scoreVariance(this.#right, this.#wrong, this.n, delta);
    const t = (this.difference - delta) / Math.sqrt(variance + this.seedVariance[0] + this.seedVariance[1]);
    return Number.isNaN(t) ? 0 : t;
  }
}

/**
 * n times the variance of the difference at `delta`, over n^2, with the discordant share estimated under it (Tango, 1998).
 * `right` and `wrong`: examples (or parts of them) that only the first, only the second method got right.
 */
function scoreVariance(right: number, wrong: number, n: number, delta: number): number {
  const a = 2 * n;
  const b = -right - wrong + (2 * n - right + wrong) * delta;
  const c = -wrong * delta * (1 - delta);
  const q = (Math.sqrt(Math.max(0, b * b - 4 * a * c)) - b) / (2 * a);
  return Math.max(0, 2 * q + delta * (1 - delta)) / n;
}

/** Variance of a mean over seeds; 0 for one seed, which says nothing. */
export function between(seeds: readonly number[]): number {
  return seeds.length > 1 ? standardDeviation(seeds) ** 2 / seeds.length : 0;
}

/** Degrees of freedom of a sum of independent variance estimates (Satterthwaite, 1946). */
export function satterthwaite(parts: readonly (readonly [variance: number, df: number])[]): number {
  const total = parts.reduce((sum, [v]) => sum + v, 0);
  const spread = parts.reduce((sum, [v, df]) => sum + (v > 0 ? v ** 2 / Math.max(1, df) : 0), 0);
  return spread > 0 ? total ** 2 / spread : Number.POSITIVE_INFINITY;
}

/** The normal quantile with the tail of t. */
function asNormal(t: number, df: number): number {
  if (df > 1e6) return t;
  const tail = studentCdf(-Math.abs(t), df);
  if (tail < 1e-300) return Math.sign(t) * 37;
  return -Math.sign(t) * normalQuantile(tail);
}
