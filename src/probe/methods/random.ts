/** Random features: what any choice of that many would give. */
import { Random } from '../../base/index.js';
import { shapes } from '../../record/index.js';
import type { MethodContext } from '../context.js';
import { byScore } from '../fitting/selected.js';
import { fitLikeHead2toe } from './head2toe.js';
import type { ProbeMethod } from './method.js';

/** A random order, one per seed, the same in every fold: it knows nothing that folds could tell apart. */
async function randomScores({ train, options }: MethodContext): Promise<Float64Array> {
  const random = new Random(options.seed, 'random-k');
  return Float64Array.from({ length: train.matrix.features }, () => random.uniform());
}

const ranking = byScore(randomScores);

export const random: ProbeMethod = {
  card: {
    id: 'random-k',
    label: 'Random-k',
    plain: 'random features',
    advice: 'select features at random',
    title: 'random features, as many as head2toe keeps',
    reads: 'all layers',
    role: 'baseline',
    simplicity: 2,
    light: '#5d5470',
    dark: '#b9aed0',
    shape: shapes.up,
  },
  seconds: 70,
  options: ['path', 'fractions'],
  fit: (context) => fitLikeHead2toe(context, ranking),
};
