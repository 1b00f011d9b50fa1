/** Scores of single features without a model, on normalised values of the training rows. Constant features score 0. */
import { Random } from '../../base/index.js';
import type { FeatureMatrix } from '../../solver/index.js';
import type { MethodContext } from './method.js';

/** Calls `visit` with every feature's row-scaled values on `rows`; the array is reused. */
async function eachFeature(
  matrix: FeatureMatrix,
  rows: readonly number[],
  visit: (feature: number, values: Float64Array) => void,
): Promise<void> {
  const values = new Float64Array(rows.length);
  for await (const chunk of matrix.chunks()) {
    const s = await matrix.rowScale(chunk.block);
    for (let k = 0; k < chunk.count; k++) {
      const at = k * matrix.rows;
      for (let i = 0; i < rows.length; i++) {
        const row = rows[i] as number;
        values[i] = (chunk.data[at + row] as number) * (s ? (s[row] as number) : 1);
      }
      visit(chunk.first + k, values);
    }
  }
}

function meanOf(values: Float64Array): number {
  let sum = 0;
  for (const v of values) sum += v;
  return sum / values.length;
}

/** A random order, one per seed, the same in every fold: it knows nothing that folds could tell apart. */
export async function randomScores({ train, options }: MethodContext): Promise<Float64Array> {
  const random = new Random(options.seed, 'random-k');
  return Float64Array.from({ length: train.matrix.features }, () => random.uniform());
}

export async function variance({ train }: MethodContext, rows: readonly number[]): Promise<Float64Array> {
  const scores = new Float64Array(train.matrix.features);
  await eachFeature(train.matrix, rows, (j, values) => {
    const mean = meanOf(values);
    let squares = 0;
    for (const v of values) squares += (v - mean) ** 2;
    scores[j] = squares / values.length;
  });
  return scores;
}

/** F statistic of the one-way analysis of variance over classes. */
export async function fTest({ train, classes }: MethodContext, rows: readonly number[]): Promise<Float64Array> {
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

/** Bins of equal counts that a feature is cut into for its mutual information with the class. */
const BINS = 10;

/** Mutual information, in nats, between the class and the feature cut into ten bins of equal counts. */
export async function mutualInformation(
  { train, classes }: MethodContext,
  rows: readonly number[],
): Promise<Float64Array> {
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
