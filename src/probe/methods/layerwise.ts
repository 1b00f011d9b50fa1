/** The group-lasso ranking with every tap's features moved together, best mean score first. */
import { shapes } from '../../record/index.js';
import { groupLassoRanking } from '../fitting/group-lasso-ranking.js';
import type { Ranker } from '../fitting/selected.js';
import { type Ranking, rankBy } from '../ranking.js';
import { fitLikeHead2toe } from './head2toe.js';
import type { ProbeMethod } from './method.js';

const tapByTap: Ranker = async (context, rows) => {
  const base = await context.memo.once(groupLassoRanking, context, rows);
  const { offsets, blocks } = context.train.matrix;
  const rankings = base.rankings.map(({ scores, order }): Ranking => {
    const position = new Float64Array(scores.length);
    for (const [rank, j] of order.entries()) position[j] = -rank;
    const means = new Float64Array(scores.length);
    for (let b = 0; b < blocks.length; b++) {
      const [from, to] = [offsets[b] as number, offsets[b + 1] as number];
      means.fill(scores.subarray(from, to).reduce((a, v) => a + v, 0) / Math.max(1, to - from), from, to);
    }
    return { scores: means, order: rankBy(means, position) };
  });
  return { ...base, rankings };
};

export const layerwise: ProbeMethod = {
  card: {
    id: 'layerwise-k',
    label: 'Layerwise-k',
    plain: 'whole layers by mean group-lasso weight',
    advice: 'select whole layers',
    title: 'whole taps by mean group-lasso weight, as many features as head2toe keeps',
    reads: 'all layers',
    role: 'baseline',
    simplicity: 2,
    light: '#3d5a98',
    dark: '#8fb0f0',
    shape: shapes.hexagon,
  },
  seconds: 70,
  options: ['path', 'fractions'],
  fit: (context) => fitLikeHead2toe(context, tapByTap),
};
