/** Rankings of features, and the penalised paths that they come from. */
import type { Engine } from '../engine/index.js';
import { correlateAll, criticalLambdas, type Design, type PathSolution, solvePath } from '../solver/index.js';
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
  path: PathSolution,
  points: readonly number[],
): Promise<Ranking[]> {
  const { classes } = path;
  const correlations = new Float32Array(design.matrix.features * classes);
  const rankings: Ranking[] = [];
  for (const point of points) {
    const scores = path.scores(point);
    await correlateAll(engine, { design, classes }, await path.residual(point), correlations);
    const norms = criticalLambdas(correlations, classes, 0, new Float32Array(design.matrix.features));
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
