/** The interval of one method's mean score over test examples that come in clusters, and over seeds. */
import { ErrorScale } from './critical.js';
import { type Interval, wilsonInterval } from './interval.js';
import { averageOf, moderate, noSeeds, type Runs, seedFreedom, seedSpreadOf } from './seeds.js';
import { normalQuantile } from './special.js';
import { type Sampling, TestDesign } from './test-design.js';

/** A mean score with its 95 % interval. */
export interface ScoreInterval {
  readonly mean: number;
  readonly interval: Interval;
  /** Independent examples that would give the same variance: n over the design effect, seeds included. */
  readonly effectiveN: number;
}

/**
 * Wilson's interval at the effective number of examples (Korn and Graubard, 1998): of a proportion p with the
 * cluster-robust variance v over examples and the variance s that seeds add it is p (1 - p) / (v + s), and shrinks further
 * where few clusters or seeds make v or s uncertain. Without any error, clusters count as one example each. Where few
 * clusters hold all errors (or all right answers), v is drawn a little towards that same worst case: a tenth of a cluster
 * is added in which all examples are right or all wrong.
 * @param runs one row of scores in [0, 1] per seed
 */
export function scoreInterval(runs: Runs, design = new TestDesign(runs[0]?.length ?? 0), level = 0.95): ScoreInterval {
  const values = averageOf(runs);
  const { mean, variance, df } = design.errorOf(values);
  if (!design.clustered && !design.stratified && runs.length < 2) {
    const { n } = design;
    return { mean, interval: wilsonInterval(whole(mean * n), n, level), effectiveN: n };
  }
  const [seeds = noSeeds] = moderate([seedSpreadOf(runs, design)]);
  const over = design.clustered ? towardsWorst(values, design, { mean, variance }) : variance;
  const total = over + seeds.excess;
  if (total === 0) {
    const n = design.equalClusters;
    return { mean, interval: wilsonInterval(mean * n, n, level), effectiveN: n };
  }
  const effectiveN = (mean * (1 - mean)) / total;
  const z = normalQuantile((1 + level) / 2);
  const scale = new ErrorScale([
    { variance: over, df },
    { variance: seeds.excess, df: seedFreedom(seeds, noSeeds) },
  ]);
  const n = effectiveN * (z / scale.critical(z)) ** 2;
  return { mean, interval: wilsonInterval(mean * n, n, level), effectiveN };
}

/**
 * The interval of a figure from what examples add to it (contributions.ts), over examples, by cluster where there are some,
 * and over seeds: the standard error to both sides; of a figure in [0, 1] Wilson's, at the number of independent examples
 * that have its variance.
 * @param runs one row of contributions per seed
 * @param worth of a figure in [0, 1]: independent examples that it counts as where it shows no error at all
 */
export function figureInterval(
  runs: Runs,
  design = new TestDesign(runs[0]?.length ?? 0),
  { worth, level = 0.95 }: { readonly worth?: number; readonly level?: number } = {},
): Interval {
  const { mean, variance, df } = design.errorOf(averageOf(runs));
  const [seeds = noSeeds] = moderate([seedSpreadOf(runs, design)]);
  const parts = [
    { variance, df },
    { variance: seeds.excess, df: seedFreedom(seeds, noSeeds) },
  ];
  const total = variance + seeds.excess;
  const z = normalQuantile((1 + level) / 2);
  const critical = new ErrorScale(parts).critical(z);
  if (worth === undefined) return [mean - critical * Math.sqrt(total), mean + critical * Math.sqrt(total)];
  const n = total > Number.EPSILON ? (mean * (1 - mean) * z ** 2) / (total * critical ** 2) : worth;
  return wilsonInterval(mean * n, n, level);
}

/** Without the rounding error of a count. */
const whole = (count: number) => (Math.abs(count - Math.round(count)) < 1e-6 ? Math.round(count) : count);

const added = 0.1;

/** The variance with a tenth of an all-or-nothing cluster added to those that hold the rarer kind of answer. */
function towardsWorst(
  values: Float64Array,
  design: TestDesign,
  { mean, variance }: { readonly mean: number; readonly variance: number },
): number {
  const rare = design.spreadOver(mean > 0.5 ? values.map((v) => 1 - v) : values);
  const worst = (mean * (1 - mean)) / design.equalClusters;
  return Math.max(variance, (rare * variance + added * worst) / (rare + added));
}

/**
 * The mean over strata (classes) of the mean score in each, as balanced accuracy is, with its interval: from the interval
 * of every stratum by itself (Zou and Donner, 2008, as Newcombe's of a difference), so that a stratum of few examples that
 * are all right or all wrong counts as the little that it shows; and from what seeds add to the whole.
 * @param runs one row of scores in [0, 1] per seed
 */
export function stratifiedScore(
  runs: Runs,
  { clusters, strata }: Pick<Sampling, 'clusters'> & { readonly strata: ArrayLike<number> },
  level = 0.95,
): { mean: number; interval: Interval } {
  const values = averageOf(runs);
  const members = new Map<number, number[]>();
  for (let i = 0; i < values.length; i++) {
    const own = members.get(strata[i]);
    if (own) own.push(i);
    else members.set(strata[i], [i]);
  }
  let mean = 0;
  const [seeds = noSeeds] = moderate([seedSpreadOf(runs, new TestDesign(values.length, { clusters, strata }))]);
  const bySeeds = new ErrorScale([{ variance: seeds.excess, df: seeds.df }]).critical(normalQuantile((1 + level) / 2));
  let [below, above] = [seeds.excess * bySeeds ** 2, seeds.excess * bySeeds ** 2];
  for (const own of members.values()) {
    const design = new TestDesign(own.length, clusters ? { clusters: own.map((i) => clusters[i]) } : {});
    const scored = scoreInterval([own.map((i) => values[i])], design, level);
    mean += scored.mean / members.size;
    below += ((scored.mean - scored.interval[0]) / members.size) ** 2;
    above += ((scored.interval[1] - scored.mean) / members.size) ** 2;
  }
  return { mean, interval: [Math.max(0, mean - Math.sqrt(below)), Math.min(1, mean + Math.sqrt(above))] };
}
