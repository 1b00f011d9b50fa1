/** Rankings of features and what is selected from them: top fractions, overlap, frequency, shares per tap. */
import type { Engine } from '../engine/index.js';
import {
  correlateAll,
  criticalLambdas,
  type Design,
  multinomialProblem,
  type PathSolution,
  predictLogits,
  probabilities,
  resolvePenalty,
  solvePath,
} from '../solver/index.js';
import type { ProbeOptions } from './task.js';

/** Features in order of preference. */
export interface Ranking {
  /** All features, best first. */
  readonly order: Int32Array;
  /** Score of every feature, (p). For the group lasso the l2 norm of its row of W: zero outside the support. */
  readonly scores: Float64Array;
  /** Features with a score that is not zero; undefined where every feature has one. */
  readonly support?: number;
}

/** Ranks by score, then by `second`, then by position. */
export function rankBy(scores: Float64Array, second?: ArrayLike<number>): Int32Array {
  return Int32Array.from(scores.keys()).sort(
    (i, j) =>
      (scores[j] as number) - (scores[i] as number) ||
      (second ? (second[j] as number) - (second[i] as number) : 0) ||
      i - j,
  );
}

/** How many features a keep fraction of p is: at least one. */
export function keepCount(fraction: number, p: number): number {
  return Math.max(1, Math.min(p, Math.round(fraction * p)));
}

/** The first k of a ranking, ascending. */
export function topFeatures({ order }: Ranking, k: number): Int32Array {
  return order.slice(0, k).sort();
}

/**
 * Relevance rankings of the group-lasso path at the given points of it. Features in the support come first, by the l2
 * norm of their row of W; the others follow by how close they are to entering: the norm of their correlation with the
 * residual, whose limit is lambda. Both parts are properties of the one optimum that the duality gap certifies.
 */
export async function pathRankings(
  engine: Engine,
  design: Design,
  labels: ArrayLike<number>,
  path: PathSolution,
  points: readonly number[],
): Promise<Ranking[]> {
  const K = path.classes;
  const problem = multinomialProblem(design, labels, K);
  const penalty = resolvePenalty(design.matrix);
  const correlations = new Float32Array(design.matrix.features * K);
  const rankings: Ranking[] = [];
  for (const point of points) {
    const scores = path.scores(point);
    const p = probabilities(await predictLogits(engine, path.model(point), design.matrix, design.rows), K);
    for (let i = 0, at = 0; i < problem.n; i++) {
      const share = problem.shares[i] as number;
      for (let k = 0; k < K; k++, at++) p[at] = share * ((problem.labels[i] === k ? 1 : 0) - (p[at] as number));
    }
    await correlateAll(engine, problem, 'float32', p, correlations);
    const norms = criticalLambdas(correlations, K, penalty, new Float32Array(penalty.count));
    rankings.push({
      order: rankBy(scores, norms),
      scores,
      support: scores.reduce((count, s) => count + (s > 0 ? 1 : 0), 0),
    });
  }
  return rankings;
}

/** The group-lasso path as the options ask for it. */
export function relevancePath(
  engine: Engine,
  design: Design,
  labels: ArrayLike<number>,
  classes: number,
  options: ProbeOptions,
  tolerance = options.tolerance,
): Promise<PathSolution> {
  return solveRatios(engine, design, labels, classes, options, tolerance, 0);
}

/** A path over the grid of ratios to its own lambda_max; mix 0 is the group lasso, 1 the element-wise lasso. */
export async function solveRatios(
  engine: Engine,
  design: Design,
  labels: ArrayLike<number>,
  classes: number,
  options: ProbeOptions,
  tolerance: number,
  mix: number,
): Promise<PathSolution> {
  const base = { penalty: { mix }, tolerance, classes };
  const { lambdaRatios, lambdaCount, lambdaRatio } = options;
  if (!lambdaRatios) return solvePath(engine, design, labels, { ...base, count: lambdaCount, ratio: lambdaRatio });
  const first = await solvePath(engine, design, labels, { ...base, count: 1, ratio: 1 });
  return solvePath(engine, design, labels, { ...base, lambdas: lambdaRatios.map((r) => r * first.lambdaMax) });
}

/** Share of two sets: |A and B| / |A or B|; 1 for two empty sets. */
export function jaccard(a: Iterable<number>, b: Iterable<number>): number {
  const first = new Set(a);
  const second = new Set(b);
  let shared = 0;
  for (const j of first) if (second.has(j)) shared++;
  const all = first.size + second.size - shared;
  return all === 0 ? 1 : shared / all;
}

/** Mean of the pairwise Jaccard indices of several selections; 1 for fewer than two. */
export function meanJaccard(sets: readonly ArrayLike<number>[]): number {
  let sum = 0;
  let pairs = 0;
  for (let i = 0; i < sets.length; i++) {
    for (let j = 0; j < i; j++) {
      sum += jaccard(Array.from(sets[i] as ArrayLike<number>), Array.from(sets[j] as ArrayLike<number>));
      pairs++;
    }
  }
  return pairs ? sum / pairs : 1;
}

/** Share of the selections that hold each feature, (p). */
export function frequencies(sets: readonly ArrayLike<number>[], p: number): Float64Array {
  const counts = new Float64Array(p);
  for (const set of sets)
    for (let i = 0; i < set.length; i++) {
      const j = set[i] as number;
      counts[j] = (counts[j] as number) + 1 / sets.length;
    }
  return counts;
}

/** What a method selected, for reports. */
export interface Selection {
  /** Selected features, ascending. */
  readonly features: Int32Array;
  readonly ranking: Ranking;
  /** Largest lambda of the reported path at which each feature has a weight, (p); 0 for never. */
  readonly entryLambda?: Float64Array;
  /** Share of the fold selections (over all repetitions) that hold each feature, (p). */
  readonly frequency?: Float64Array;
  /** Mean Jaccard index between the selections of folds. */
  readonly stability?: number;
}

/** Kept features and score mass of one tap. */
export interface TapShare {
  readonly alias: string;
  readonly features: number;
  readonly kept: number;
  /** Share of the kept features' score mass. */
  readonly mass: number;
}

export function tapShares(
  selection: Selection,
  offsets: ArrayLike<number>,
  taps: readonly { alias: string; features: number }[],
): TapShare[] {
  const { features, ranking } = selection;
  const kept = new Float64Array(taps.length);
  const mass = new Float64Array(taps.length);
  let total = 0;
  let block = 0;
  for (const j of features) {
    while (j >= (offsets[block + 1] as number)) block++;
    kept[block] = (kept[block] as number) + 1;
    mass[block] = (mass[block] as number) + (ranking.scores[j] as number);
    total += ranking.scores[j] as number;
  }
  return taps.map((tap, b) => ({
    alias: tap.alias,
    features: tap.features,
    kept: kept[b] as number,
    mass: total > 0 ? (mass[b] as number) / total : 0,
  }));
}
