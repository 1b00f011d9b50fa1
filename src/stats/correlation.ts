/** How two lists go together: Pearson, Spearman, Kendall, and a fitted line, with bootstrap over the pairs. */
import { Random, UserError } from '../base/index.js';
import { type Interval, mean, percentileInterval } from './interval.js';
import { rank } from './ranks.js';

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

/** Spearman's rho: Pearson's r of the ranks. */
export function spearman(x: ArrayLike<number>, y: ArrayLike<number>): number {
  return pearson(rank(x), rank(y));
}

/** Kendall's tau-b, which allows for ties; NaN when either list is constant. */
export function kendall(x: ArrayLike<number>, y: ArrayLike<number>): number {
  let [agree, untiedX, untiedY] = [0, 0, 0];
  for (let i = 0; i < x.length; i++)
    for (let j = 0; j < i; j++) {
      const [dx, dy] = [Math.sign(x[i] - x[j]), Math.sign(y[i] - y[j])];
      agree += dx * dy;
      untiedX += Math.abs(dx);
      untiedY += Math.abs(dy);
    }
  return untiedX && untiedY ? agree / Math.sqrt(untiedX * untiedY) : Number.NaN;
}

const coefficients = { pearson, spearman, kendall };
export type CorrelationKind = keyof typeof coefficients;

export interface BootstrapOptions {
  seed: number;
  draws: number;
  level: number;
}

const defaults: BootstrapOptions = { seed: 0, draws: 10_000, level: 0.95 };

export interface Correlation {
  kind: CorrelationKind;
  /** Undefined below three pairs or when a list is constant. */
  coefficient: number | undefined;
  /** Percentile bootstrap interval over the pairs (resamples that leave a list constant are drawn again). */
  interval: Interval | undefined;
  n: number;
}

/** A correlation with its bootstrap interval. */
export function correlation(
  kind: CorrelationKind,
  x: readonly number[],
  y: readonly number[],
  options: Partial<BootstrapOptions> = {},
): Correlation {
  samePairs(x, y);
  const { seed, draws, level } = { ...defaults, ...options };
  const n = x.length;
  const coefficient = n < 3 ? Number.NaN : coefficients[kind](x, y);
  if (Number.isNaN(coefficient)) return { kind, coefficient: undefined, interval: undefined, n };
  const replicates = new Float64Array(draws);
  const resample = resampler(x, y, new Random(seed, 'correlation'));
  for (let draw = 0; draw < draws; draw++) {
    let value = Number.NaN;
    while (Number.isNaN(value)) value = coefficients[kind](...resample());
    replicates[draw] = value;
  }
  return { kind, coefficient, interval: percentileInterval(replicates, level), n };
}

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
  const { seed, draws, level } = { ...defaults, draws: 2_000, ...options };
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
