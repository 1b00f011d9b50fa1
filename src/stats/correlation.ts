/** How two lists go together: Pearson's r with Fisher's interval, and a fitted line with its bootstrap band. */
import { Random, UserError } from '../base/index.js';
import { type Interval, mean, percentileInterval } from './interval.js';
import { normalQuantile } from './special.js';

/** Pearson's r; NaN when either list is constant. */
export function pearson(x: ArrayLike<number>, y: ArrayLike<number>): number {
  const [mx, my] = [mean(x), mean(y)];
  let [sxy, sxx, syy] = [0, 0, 0];
  for (let i = 0; i < x.length; i++) {
    const [dx, dy] = [x[i] - mx, y[i] - my];
    sxy += dx * dy;
    sxx += dx * dx;
    syy += dy * dy;
  }
  return sxx > 0 && syy > 0 ? Math.max(-1, Math.min(1, sxy / Math.sqrt(sxx * syy))) : Number.NaN;
}

/** Spearman's rho: r of the ranks, ties sharing the mean of theirs. */
export function spearman(x: ArrayLike<number>, y: ArrayLike<number>): number {
  const ranks = (values: ArrayLike<number>) => {
    const sorted = Array.from(values).sort((a, b) => a - b);
    return Array.from(values, (v) => (sorted.indexOf(v) + sorted.lastIndexOf(v)) / 2);
  };
  return pearson(ranks(x), ranks(y));
}

/** 95 % interval of a correlation of n pairs by its arc tangent (Fisher, 1921); exact r of -1 and 1 stay a hair inside. */
export function fisherInterval(r: number, n: number): Interval {
  const half = normalQuantile(0.975) / Math.sqrt(n - 3);
  const z = Math.atanh(Math.max(-1 + 1e-12, Math.min(1 - 1e-12, r)));
  return [Math.tanh(z - half), Math.tanh(z + half)];
}

/** How an interval is drawn by resampling. */
export interface BootstrapOptions {
  seed: number;
  draws: number;
  level: number;
}

const defaults: BootstrapOptions = { seed: 0, draws: 2_000, level: 0.95 };

/** A line by least squares. */
export interface Line {
  slope: number;
  intercept: number;
}

/** The least-squares line of y on x; slope NaN when x is constant. */
export function fitLine(x: ArrayLike<number>, y: ArrayLike<number>): Line {
  const [mx, my] = [mean(x), mean(y)];
  let [sxy, sxx] = [0, 0];
  for (let i = 0; i < x.length; i++) {
    sxy += (x[i] - mx) * (y[i] - my);
    sxx += (x[i] - mx) ** 2;
  }
  const slope = sxx > 0 ? sxy / sxx : Number.NaN;
  return { slope, intercept: my - slope * mx };
}

/** The fitted line at each of `at`, with the pointwise bootstrap band. */
export function lineWithBand(
  x: readonly number[],
  y: readonly number[],
  at: readonly number[],
  options: Partial<BootstrapOptions> = {},
): { x: number; y: number; low: number; high: number }[] {
  samePairs(x, y);
  const { seed, draws, level } = { ...defaults, ...options };
  const line = fitLine(x, y);
  if (x.length < 3 || Number.isNaN(line.slope)) return [];
  const resample = resampler(x, y, new Random(seed, 'line'));
  const values = at.map(() => new Float64Array(draws));
  for (let draw = 0; draw < draws; draw++) {
    let fit = fitLine(...resample());
    while (Number.isNaN(fit.slope)) fit = fitLine(...resample());
    for (let i = 0; i < at.length; i++) (values[i] as Float64Array)[draw] = fit.intercept + fit.slope * at[i];
  }
  return at.map((point, i) => {
    const [low, high] = percentileInterval(values[i] as Float64Array, level);
    return { x: point, y: line.intercept + line.slope * point, low, high };
  });
}

function resampler(x: readonly number[], y: readonly number[], random: Random): () => [Float64Array, Float64Array] {
  const [bx, by] = [new Float64Array(x.length), new Float64Array(x.length)];
  return () => {
    for (let i = 0; i < x.length; i++) {
      const j = random.integer(x.length);
      bx[i] = x[j];
      by[i] = y[j];
    }
    return [bx, by];
  };
}

function samePairs(x: readonly number[], y: readonly number[]): void {
  if (x.length !== y.length)
    throw new UserError(`correlation: ${x.length} values against ${y.length}; they come in pairs`);
}

/**
 * Kendall's tau weighted by rank (Vigna, 2015), as scipy.stats.weightedtau has it by default: exchanges among the largest
 * values count most, an element of rank r (from 0) with 1 / (r + 1), pairs with the sum of their elements'; the mean of the two
 * taus with ranks by x and by y. NaN when either list is constant.
 */
export function weightedKendall(x: ArrayLike<number>, y: ArrayLike<number>): number {
  return (tauBy(x, y, ranksOf(x, y)) + tauBy(x, y, ranksOf(y, x))) / 2;
}

/** Rank of each element from 0, the largest first; ties by `then`, and then the later first. */
function ranksOf(by: ArrayLike<number>, then: ArrayLike<number>): number[] {
  const order = Array.from(by, (_, i) => i).sort((i, j) => by[j] - by[i] || then[j] - then[i] || j - i);
  const ranks = new Array<number>(by.length);
  for (const [rank, i] of order.entries()) ranks[i] = rank;
  return ranks;
}

function tauBy(x: ArrayLike<number>, y: ArrayLike<number>, ranks: readonly number[]): number {
  let [both, ofX, ofY] = [0, 0, 0];
  for (let i = 0; i < x.length; i++) {
    for (let j = 0; j < i; j++) {
      const weight = 1 / (ranks[i] + 1) + 1 / (ranks[j] + 1);
      const [dx, dy] = [Math.sign(x[i] - x[j]), Math.sign(y[i] - y[j])];
      both += weight * dx * dy;
      ofX += weight * dx * dx;
      ofY += weight * dy * dy;
    }
  }
  return ofX > 0 && ofY > 0 ? both / Math.sqrt(ofX * ofY) : Number.NaN;
}
