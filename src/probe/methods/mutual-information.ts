/** Features by their mutual information with the class. */
import { shapes } from '../../record/index.js';
import type { MethodContext } from '../context.js';
import { eachFeature } from '../fitting/each-feature.js';
import { byScore } from '../fitting/selected.js';
import { fitLikeHead2toe } from './head2toe.js';
import type { ProbeMethod } from './method.js';

/** Bins of equal counts that a feature is cut into for its mutual information with the class. */
const BINS = 10;

/** Mutual information, in nats, between the class and the feature cut into ten bins of equal counts. */
async function mutualInformation({ train, classes }: MethodContext, rows: readonly number[]): Promise<Float64Array> {
  const labels = rows.map((row) => train.labels[row] as number);
  const n = rows.length;
  const sizes = new Float64Array(classes);
  for (const c of labels) sizes[c] = (sizes[c] as number) + 1;
  const scores = new Float64Array(train.matrix.features);
  const joint = new Float64Array(BINS * classes);
  const bins = new Float64Array(BINS);
  await eachFeature(train.matrix, rows, (j, values) => {
    const sorted = values.slice().sort();
    if (sorted[0] === sorted[n - 1]) return;
    const edges = Array.from({ length: BINS - 1 }, (_, b) => sorted[Math.floor(((b + 1) * n) / BINS)] as number);
    joint.fill(0);
    bins.fill(0);
    for (let i = 0; i < n; i++) {
      let bin = 0;
      while (bin < BINS - 1 && (values[i] as number) >= (edges[bin] as number)) bin++;
      bins[bin] = (bins[bin] as number) + 1;
      const at = bin * classes + (labels[i] as number);
      joint[at] = (joint[at] as number) + 1;
    }
    let sum = 0;
    for (let b = 0; b < BINS; b++) {
      for (let c = 0; c < classes; c++) {
        const count = joint[b * classes + c] as number;
        if (count > 0) sum += (count / n) * Math.log((count * n) / ((bins[b] as number) * (sizes[c] as number)));
      }
    }
    scores[j] = Math.max(0, sum);
  });
  return scores;
}

const ranking = byScore(mutualInformation);

export const mutualInformationK: ProbeMethod = {
  card: {
    id: 'mutual-info-k',
    label: 'Mutual-info-k',
    plain: 'features by mutual information',
    advice: 'select features by mutual information',
    title: 'features by mutual information with the class, as many as head2toe keeps',
    reads: 'all layers',
    role: 'baseline',
    simplicity: 2,
    light: '#7b3f73',
    dark: '#d69bcf',
    shape: shapes.hexagon,
  },
  seconds: 70,
  options: ['path', 'fractions'],
  fit: (context) => fitLikeHead2toe(context, ranking),
};
