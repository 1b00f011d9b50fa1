/** Rankings of features, and the penalised paths that they come from. */
import type { Engine } from '../engine/index.js';
import {
  correlateAll,
  criticalLambdas,
  type Design,
  multinomialProblem,
  type PathSolution,
  predictLogits,
  probabilities,
  solvePath,
} from '../solver/index.js';
import type { MethodContext } from './context.js';

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
  const correlations = new Float32Array(design.matrix.features * K);
  const rankings: Ranking[] = [];
  for (const point of points) {
    const scores = path.scores(point);
    const p = probabilities(await predictLogits(engine, path.model(point), design.matrix, design.rows), K);
    for (let i = 0, at = 0; i < problem.n; i++) {
      const share = problem.shares[i] as number;
      for (let k = 0; k < K; k++, at++) p[at] = share * ((problem.labels[i] === k ? 1 : 0) - (p[at] as number));
    }
    await correlateAll(engine, problem, p, correlations);
    const norms = criticalLambdas(correlations, K, 0, new Float32Array(design.matrix.features));
    rankings.push({
      order: rankBy(scores, norms),
      scores,
      support: scores.reduce((count, s) => count + (s > 0 ? 1 : 0), 0),
    });
  }
  return rankings;
}

export interface RatiosRequest {
  /** 0 the group lasso, 1 the element-wise lasso. */
  readonly mix: number;
  /** Relative duality gap that suffices, where the options ask for a smaller one. */
  readonly loosest?: number;
}

/** A path over the options' grid of ratios to its own lambda_max. */
export async function solveRatios(
  { engine, train, classes, options }: Pick<MethodContext, 'engine' | 'train' | 'classes' | 'options'>,
  design: Design,
  { mix, loosest = 0 }: RatiosRequest,
): Promise<PathSolution> {
  const base = { mix, tolerance: Math.max(options.tolerance, loosest), classes };
  const { lambdaRatios, lambdaCount, lambdaRatio } = options;
  const solve = (grid: object) => solvePath(engine, design, train.labels, { ...base, ...grid });
  if (!lambdaRatios) return solve({ count: lambdaCount, ratio: lambdaRatio });
  const first = await solve({ count: 1, ratio: 1 });
  return solve({ lambdas: lambdaRatios.map((r) => r * first.lambdaMax) });
}
