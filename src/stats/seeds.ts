/**
 * How much a method's mean score varies from seed to seed, beyond what the examples explain. Two or three seeds say little
 * of it, so the methods and tasks of one run lend each other theirs.
 */
import { standardDeviation } from './interval.js';
import { sumOfSquares, type TestDesign } from './test-design.js';

/** Scores of a method's runs, which differ in their seed: one row per run, one value in [0, 1] per example. */
export type Runs = readonly ArrayLike<number>[];

/** Mean over runs of every example's score, (n). */
export function averageOf(runs: Runs): Float64Array {
  const n = runs[0]?.length ?? 0;
  return Float64Array.from({ length: n }, (_, i) => runs.reduce((sum, run) => sum + run[i], 0) / runs.length);
}

/** What several runs of one method on the same examples say of seeds. */
export interface SeedSpread {
  readonly runs: number;
  /** Variance between the runs' means. */
  readonly variance: number;
  /** What it would be if every example went its own way from seed to seed: nothing common to a whole run. */
  readonly apart: number;
  /** Mean over examples of the variance between runs: how much the runs disagree. */
  readonly churn: number;
}

/** Undefined for a single run, which says nothing. */
export function seedSpreadOf(runs: Runs, design: TestDesign): SeedSpread | undefined {
  const S = runs.length;
  if (S < 2) return undefined;
  const average = averageOf(runs);
  let [apart, churn] = [0, 0];
  for (const run of runs) {
    const rest = average.map((mean, i) => run[i] - mean);
    apart += sumOfSquares(design.errorOf(rest).influence) / (S - 1);
    churn += design.mean(rest.map((v) => v * v)) / (S - 1);
  }
  return { runs: S, variance: standardDeviation(runs.map((run) => design.mean(run))) ** 2, apart, churn };
}

/** A method that varies between runs but ran once: nothing of its own tells how much. */
export interface RanOnce {
  /** Variance of its mean that seeds are assumed to add at least: see `assumedSeedVariance`. */
  readonly assumed: number;
}

/** Test examples whose drawing varies an accuracy as much as one run of training is assumed to: 3 points at 80 %. */
export const assumedExamples = 200;

/**
 * The variance between seeds that is assumed where there is one run.
 * @param accuracy its mean score
 */
export function assumedSeedVariance(accuracy: number): number {
  // As Wilson's: an accuracy of 0 or 1 that was seen need not be the true one.
  const p = (accuracy * assumedExamples + 2) / (assumedExamples + 4);
  return (p * (1 - p)) / assumedExamples;
}

/** The part that seeds have in the variance of a method's mean over its runs. */
export interface SeedVariance {
  /** To be added to the variance over examples, which holds what is not common to a whole run. */
  readonly excess: number;
  /** The estimate that `excess` comes from, and its degrees of freedom. */
  readonly whole: number;
  readonly df: number;
  /** What each method of the pool contributes to `whole`, divided by the root of its degrees of freedom. */
  readonly sources: Float64Array;
  /** That pool: sources of two estimates are the same methods just where it is the same. */
  readonly pool: readonly SeedSpread[];
}

export const noSeeds: SeedVariance = {
  excess: 0,
  whole: 0,
  df: Number.POSITIVE_INFINITY,
  sources: new Float64Array(),
  pool: [],
};

/** Degrees of freedom that the other methods' spread counts for, however many they are: they need not vary alike. */
const lent = 2;

/**
 * Moderates the spreads of the methods and tasks of one run (after Smyth, 2004, with the prior's degrees of freedom held at
 * 2). Common to them is theta, the variance of a run's mean per disagreement between runs: variance = apart + theta churn.
 * Each method's estimate is its own spread and the average of the others', relative to that, weighted by degrees of freedom.
 * Where its own spread is r > 1 times as large as the others let expect, they count for a part in r: a method that trains
 * badly now and then must not borrow the calm of the others.
 * A method that ran once has the others' spread, and at least the assumed one.
 */
export function moderate(spreads: readonly (SeedSpread | RanOnce | undefined)[]): SeedVariance[] {
  const known = spreads.flatMap((s) => (s && 'runs' in s && s.churn > 0 ? [s] : []));
  const theta = commonTheta(known);
  const scales = known.map((s) => s.apart + theta * s.churn);
  const free = known.map((s) => s.runs - 1);
  const relative = known.map((s, j) => s.variance / scales[j]);
  const all = free.reduce((sum, v) => sum + v, 0);
  return spreads.map((spread) => {
    if (!spread) return noSeeds;
    if (!('runs' in spread)) return lentTo(spread, known);
    const { runs, apart, churn } = spread;
    if (churn === 0) return noSeeds;
    const me = known.indexOf(spread);
    const own = free[me];
    const others = all - own;
    const expected = others > 0 ? relative.reduce((sum, v, j) => sum + (j === me ? 0 : (v * free[j]) / others), 0) : 0;
    const excessive = relative[me] <= expected ? 1 : expected / relative[me];
    const prior = others > 0 ? excessive / (1 / lent + 1 / others) : 0;
    const df = prior + own;
    const sources = Float64Array.from(known, (_, j) => {
      const weight = j === me ? own / df : (prior / df) * (free[j] / others);
      return (weight * relative[j] * scales[me]) / runs;
    });
    const whole = sources.reduce((sum, v) => sum + v, 0);
    return {
      excess: Math.max(0, whole - apart / runs),
      whole,
      df,
      sources: sources.map((v, j) => v / Math.sqrt(free[j])),
      pool: known,
    };
  });
}

/** Of a method that ran once: what seeds add to the others' runs, and at least what is assumed. */
function lentTo({ assumed }: RanOnce, known: readonly SeedSpread[]): SeedVariance {
  const free = known.map((s) => s.runs - 1);
  const df = free.reduce((sum, v) => sum + v, 0);
  const weigh = (of: (s: SeedSpread) => number) => known.map((s, j) => (of(s) * free[j]) / df);
  const whole = weigh((s) => s.variance).reduce((sum, v) => sum + v, 0);
  const excess = whole - weigh((s) => s.apart).reduce((sum, v) => sum + v, 0);
  if (!(excess > assumed)) return { ...noSeeds, excess: assumed };
  const sources = Float64Array.from(
    weigh((s) => s.variance),
    (v, j) => v / Math.sqrt(free[j]),
  );
  return { excess, whole, df, sources, pool: known };
}

/** Degrees of freedom of the sum of two methods' seed variances, which may come from one pool (Satterthwaite, 1946). */
export function seedFreedom(a: SeedVariance, b: SeedVariance): number {
  const shared = a.pool === b.pool ? a.sources.reduce((sum, v, j) => sum + v * b.sources[j], 0) : 0;
  const spread = a.whole ** 2 / a.df + b.whole ** 2 / b.df + 2 * shared;
  return spread > 0 ? (a.whole + b.whole) ** 2 / spread : Number.POSITIVE_INFINITY;
}

/** The theta >= 0 at which the spreads are on average what they are expected to be. */
function commonTheta(spreads: readonly SeedSpread[]): number {
  const surplus = (theta: number) =>
    spreads.reduce((sum, s) => sum + (s.runs - 1) * (s.variance / (s.apart + theta * s.churn) - 1), 0);
  if (surplus(0) <= 0) return 0;
  let [low, high] = [0, 1];
  while (surplus(high) > 0) high *= 2;
  for (let i = 0; i < 60; i++) {
    const middle = (low + high) / 2;
    if (surplus(middle) > 0) low = middle;
    else high = middle;
  }
  return high;
}
