/** Head2Toe (Evci et al., 2022) with a certified path: features with the largest group-lasso weights, refitted with l2. */
import { shapes } from '../../record/index.js';
import type { MethodContext } from '../context.js';
import { groupLassoRanking } from '../fitting/group-lasso-ranking.js';
import { fitSelected, type Ranker } from '../fitting/selected.js';
import type { Fit, ProbeMethod } from './method.js';

const fit = (context: MethodContext): Promise<Fit> =>
  fitSelected(context, groupLassoRanking, context.options.fractions);

export const head2toe: ProbeMethod = {
  card: {
    id: 'head2toe',
    label: 'Head2Toe',
    plain: 'a selection of features from all layers',
    advice: 'select features from all layers (Head2Toe)',
    title: 'features with the largest group-lasso weights, refitted with l2',
    reads: 'all layers',
    role: 'candidate',
    simplicity: 2,
    light: '#0a66c2',
    dark: '#66b2ff',
    shape: shapes.square,
  },
  seconds: 60,
  options: ['path', 'fractions'],
  ranks: true,
  fit,
};

/** The Head2Toe fit of this run, made for whoever asks first. */
export const head2toeOf = (context: MethodContext): Promise<Fit> => context.memo.once(fit, context);

/**
 * A baseline that keeps as many features as Head2Toe, by another ranking: its answer is the same whether Head2Toe was
 * asked for or not. With a single keep fraction there is nothing to follow.
 */
export async function fitLikeHead2toe(context: MethodContext, ranker: Ranker): Promise<Fit> {
  const { fractions } = context.options;
  if (fractions.length === 1) return fitSelected(context, ranker, fractions);
  const { tuned, selection } = await head2toeOf(context);
  const followed = await fitSelected(context, ranker, [tuned.keepFraction as number]);
  return {
    ...followed,
    notes: [`keeps as many features as head2toe (${selection?.features.length})`, ...followed.notes],
  };
}
