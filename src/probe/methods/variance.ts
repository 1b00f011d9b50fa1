/** Features of largest variance. */
import { shapes } from '../../record/index.js';
import type { MethodContext } from '../context.js';
import { eachFeature, meanOf } from '../fitting/each-feature.js';
import { byScore } from '../fitting/selected.js';
import { fitLikeHead2toe } from './head2toe.js';
import type { ProbeMethod } from './method.js';

async function variance({ train }: MethodContext, rows: readonly number[]): Promise<Float64Array> {
  const scores = new Float64Array(train.matrix.features);
  await eachFeature(train.matrix, rows, (j, values) => {
    const mean = meanOf(values);
    let squares = 0;
    for (const v of values) squares += (v - mean) ** 2;
    scores[j] = squares / values.length;
  });
  return scores;
}

const ranking = byScore(variance);

export const varianceK: ProbeMethod = {
  card: {
    id: 'variance-k',
    label: 'Variance-k',
    plain: 'features of largest variance',
    advice: 'select features by variance',
    title: 'features of largest variance, as many as head2toe keeps',
    reads: 'all layers',
    role: 'baseline',
    simplicity: 2,
    light: '#8a5a44',
    dark: '#d6a58c',
    shape: shapes.down,
  },
  seconds: 70,
  options: ['path', 'fractions'],
  fit: (context) => fitLikeHead2toe(context, ranking),
};
