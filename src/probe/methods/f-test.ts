/** Features by a one-way F test. */
import { shapes } from '../../record/index.js';
import type { MethodContext } from '../context.js';
import { eachFeature, meanOf } from '../fitting/each-feature.js';
import { byScore } from '../fitting/selected.js';
import { fitLikeHead2toe } from './head2toe.js';
import type { ProbeMethod } from './method.js';

/** F statistic of the one-way analysis of variance over classes. */
async function fTest({ train, classes }: MethodContext, rows: readonly number[]): Promise<Float64Array> {
  const labels = rows.map((row) => train.labels[row] as number);
  const sizes = new Float64Array(classes);
  for (const c of labels) sizes[c] = (sizes[c] as number) + 1;
  const present = sizes.reduce((count, size) => count + (size > 0 ? 1 : 0), 0);
  const within = Math.max(1, rows.length - present);
  const scores = new Float64Array(train.matrix.features);
  const sums = new Float64Array(classes);
  await eachFeature(train.matrix, rows, (j, values) => {
    const mean = meanOf(values);
    sums.fill(0);
    let total = 0;
    for (let i = 0; i < values.length; i++) {
      const v = (values[i] as number) - mean;
      const c = labels[i] as number;
      sums[c] = (sums[c] as number) + v;
      total += v * v;
    }
    let between = 0;
    for (let c = 0; c < classes; c++) {
      if ((sizes[c] as number) > 0) between += (sums[c] as number) ** 2 / (sizes[c] as number);
    }
    const rest = total - between;
    const floor = 1e-12 * (total + mean * mean * values.length);
    scores[j] = total <= floor ? 0 : between / Math.max(1, present - 1) / (Math.max(rest, floor) / within);
  });
  return scores;
}

const ranking = byScore(fTest);

export const fTestK: ProbeMethod = {
  card: {
    id: 'f-test-k',
    label: 'F-test-k',
    plain: 'features by F test',
    advice: 'select features by F test',
    title: 'features by one-way F statistic, as many as head2toe keeps',
    reads: 'all layers',
    role: 'baseline',
    simplicity: 2,
    light: '#2f6f6f',
    dark: '#86c9c9',
    shape: shapes.star,
  },
  seconds: 70,
  options: ['path', 'fractions'],
  fit: (context) => fitLikeHead2toe(context, ranking),
};
