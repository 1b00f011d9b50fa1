/** The interval of one method's mean score over test examples that come in clusters, and over seeds. */
import { type Interval, wilsonInterval } from './interval.js';
import { between, type PairedScores, satterthwaite } from './paired-difference.js';
import { normalQuantile, studentQuantile } from './special.js';
import { influences, sumOfSquares, type TestDesign, weightsOf } from './test-design.js';

export interface ScoreInterval {
  readonly mean: number;
  readonly interval: Interval;
  /** Independent examples that would give the same variance: n over the design effect, seeds included. */
  readonly effectiveN: number;
}

/**
 * Wilson's interval at the effective number of examples (Korn and Graubard, 1998): of a proportion p with the
 * cluster-robust variance v over examples and the variance s of the mean over seeds it is p (1 - p) / (v + s), and shrinks
 * further where few clusters or seeds leave few degrees of freedom. Without any error, clusters count as one example each.
 */
export function scoreInterval({ values, seeds }: PairedScores, design: TestDesign = {}, level = 0.95): ScoreInterval {
  if (!design.clusters && !design.strata && seeds.length < 2) {
    const n = values.length;
    const mean = values.length === 0 ? 0 : Array.from(values).reduce((sum, v) => sum + v, 0) / n;
    return { mean, interval: wilsonInterval(Math.round(mean * n), n, level), effectiveN: n };
  }
  const weights = weightsOf(values.length, design);
  let mean = 0;
  for (let i = 0; i < values.length; i++) mean += weights[i] * values[i];
  const influence = influences(values, weights, design);
  const [over, seedVariance] = [sumOfSquares(influence), between(seeds)];
  const variance = over + seedVariance;
  if (variance === 0) {
    const n = influence.length;
    return { mean, interval: wilsonInterval(mean * n, n, level), effectiveN: n };
  }
  const df = satterthwaite([
    [over, influence.length - 1],
    [seedVariance, seeds.length - 1],
  ]);
  const effectiveN = (mean * (1 - mean)) / variance;
  const q = (1 + level) / 2;
  const shrink = df > 1e6 ? 1 : (normalQuantile(q) / studentQuantile(q, df)) ** 2;
  const n = effectiveN * shrink;
  return { mean, interval: wilsonInterval(mean * n, n, level), effectiveN };
}

/**
 * The mean over strata (classes) of the mean score in each, as balanced accuracy is, with its interval: from the interval
 * of every stratum by itself (Zou and Donner, 2008, as Newcombe's of a difference), so that a stratum of few examples that
 * are all right or all wrong counts as the little that it shows.
 */
export function stratifiedScore(
  values: ArrayLike<number>,
  { clusters, strata }: { readonly clusters?: TestDesign['clusters']; readonly strata: ArrayLike<number> },
  level = 0.95,
): { mean: number; interval: Interval } {
  const members = new Map<number, number[]>();
  for (let i = 0; i < values.length; i++) {
    const c = strata[i];
    const own = members.get(c);
    if (own) own.push(i);
    else members.set(c, [i]);
  }
  let [mean, below, above] = [0, 0, 0];
  for (const own of members.values()) {
    const scored = scoreInterval(
      { values: own.map((i) => values[i]), seeds: [0] },
      clusters ? { clusters: own.map((i) => clusters[i] as string | number) } : {},
      level,
    );
    mean += scored.mean / members.size;
    below += ((scored.mean - scored.interval[0]) / members.size) ** 2;
    above += ((scored.interval[1] - scored.mean) / members.size) ** 2;
  }
  return { mean, interval: [Math.max(0, mean - Math.sqrt(below)), Math.min(1, mean + Math.sqrt(above))] };
}
