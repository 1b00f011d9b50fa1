/** Probes without training: k nearest neighbours and nearest class centroid, on the normalised features. */
import { UserError } from '../base/index.js';
import type { Engine } from '../engine/index.js';
import type { Design } from './design.js';
import { crossGram, gram } from './gram.js';
import type { FeatureMatrix } from './matrix.js';
import { multinomialProblem } from './problem.js';

export interface NeighbourOptions {
  /** Number of neighbours. */
  k: number;
  /** Euclidean distance, or 1 - cosine similarity. */
  metric: 'euclidean' | 'cosine';
  classes: number | undefined;
}
export const neighbourDefaults: NeighbourOptions = { k: 5, metric: 'cosine', classes: undefined };

/**
 * Share of the k nearest training examples in each class, (rows.length, K). Equal distances go to the earlier row.
 * @param matrix features of the examples to classify, with the design's features
 */
export async function nearestNeighbours(
  engine: Engine,
  design: Design,
  labels: ArrayLike<number>,
  matrix: FeatureMatrix,
  rows: ArrayLike<number>,
  options: Partial<NeighbourOptions> = {},
): Promise<Float64Array> {
  const { k, metric, classes } = { ...neighbourDefaults, ...options };
  const { n, classes: K, labels: y } = multinomialProblem(design, labels, classes);
  if (!(Number.isInteger(k) && k >= 1 && k <= n)) {
    throw new UserError(`${k} neighbours: give a whole number from 1 to the ${n} training examples`);
  }
  const products = await crossGram(engine, design, matrix, rows);
  const kernel = await gram(engine, design);
  const squares = Float64Array.from({ length: n }, (_, i) => kernel[i * n + i]);
  const votes = new Float64Array(rows.length * K);
  const order = Array.from({ length: n }, (_, i) => i);
  for (let r = 0; r < rows.length; r++) {
    // An example's own norm changes no order among its neighbours.
    const distance = squares.map((square, i) => {
      const product = products[r * n + i];
      return metric === 'euclidean' ? square - 2 * product : square > 0 ? -product / Math.sqrt(square) : 0;
    });
    const nearest = order.slice().sort((a, b) => distance[a] - distance[b] || a - b);
    for (const i of nearest.slice(0, k)) {
      const at = r * K + y[i];
      votes[at] += 1 / k;
    }
  }
  return votes;
}

/** Minus the squared distance to each class's (weighted) mean, up to a constant per row, (rows.length, K). */
export async function nearestCentroid(
  engine: Engine,
  design: Design,
  labels: ArrayLike<number>,
  matrix: FeatureMatrix,
  rows: ArrayLike<number>,
  classes?: number,
): Promise<Float64Array> {
  const { n, classes: K, labels: y, shares, frequencies } = multinomialProblem(design, labels, classes);
  const products = await crossGram(engine, design, matrix, rows);
  const kernel = await gram(engine, design);
  const share = Float64Array.from(shares, (s, i) => s / frequencies[y[i]]);
  const norms = new Float64Array(K);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      if (y[i] !== y[j]) continue;
      const k = y[i];
      norms[k] += share[i] * share[j] * kernel[i * n + j];
    }
  }
  const scores = new Float64Array(rows.length * K);
  for (let r = 0; r < rows.length; r++) {
    for (let k = 0; k < K; k++) scores[r * K + k] = -norms[k];
    for (let i = 0; i < n; i++) {
      const at = r * K + y[i];
      scores[at] += 2 * share[i] * products[r * n + i];
    }
  }
  return scores;
}
