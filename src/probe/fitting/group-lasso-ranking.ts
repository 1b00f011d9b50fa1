/** Features ranked by the group-lasso path: what Head2Toe selects by. */
import { pathRankings, solveRatios } from '../ranking.js';
import type { Ranker } from './selected.js';
import { TUNING_TOLERANCE } from './sparse.js';

/** Points of the path whose rankings are tried: few, since neighbours select nearly the same features. */
const CANDIDATES = 4;

/**
 * Evenly over the last three quarters of the path in log lambda, where the support is large enough to rank by, its end
 * included.
 */
export function candidatePoints(count: number): number[] {
  const first = Math.floor(count / 4);
  const picks = Array.from({ length: CANDIDATES }, (_, i) =>
    Math.round(first + ((count - 1 - first) * i) / Math.max(1, CANDIDATES - 1)),
  );
  return [...new Set(picks)];
}

export const groupLassoRanking: Ranker = async (context, rows) => {
  const { engine, train, designs } = context;
  const design = rows ? await designs.on(train.matrix, rows) : await designs.get(train.matrix);
  const path = await solveRatios(context, design, { mix: 0, ...(rows ? { loosest: TUNING_TOLERANCE } : {}) });
  const points = candidatePoints(path.points.length);
  return {
    rankings: await pathRankings(engine, design, path, points),
    path: path.points,
    points,
    entryLambda: path.entryLambda,
    converged: path.converged,
  };
};
