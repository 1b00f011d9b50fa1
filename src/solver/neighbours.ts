/** Probes without training: k nearest neighbours and nearest class centroid. */
import { UserError } from '../base/index.js';
import type { Engine } from '../engine/index.js';
import type { Design, Normalisation } from './design.js';
import { crossGram, gram } from './gram-exact.js';
import type { Rows } from './matrix.js';
import { multinomialProblem } from './problem.js';

/** The examples that are looked at: training rows of a design with their labels. */
export interface Known {
  readonly design: Design;
  /** Class of every row of the matrix, or of every training row. */
  readonly labels: ArrayLike<number>;
  /** Number of classes; one more than the largest label by default. */
  readonly classes?: number | undefined;
}

export interface NeighbourOptions {
  /** Number of neighbours. */
  k: number;
  /**
   * 1 - cosine similarity of the features as they are (standardised, where the design does that; never only centred), or
   * Euclidean distance of the normalised features, in which those that are constant on the training rows do not count.
   */
  metric: 'euclidean' | 'cosine';
}
export const neighbourDefaults: NeighbourOptions = { k: 5, metric: 'cosine' };

/**
 * Share of the k nearest training examples in each class, (rows.length, K). Every example has one vote, whatever its
 * weight. Equal distances go to the earlier row; rows of zeros have similarity 0 to all.
 * @param others examples to classify, with the design's features
 */
export async function nearestNeighbours(
  engine: Engine,
  { design, labels, classes }: Known,
  others: Rows,
  options: Partial<NeighbourOptions> = {},
): Promise<Float64Array> {
  const { k, metric } = { ...neighbourDefaults, ...options };
  const { n, classes: K, labels: y } = multinomialProblem(design, labels, classes);
  if (!(Number.isInteger(k) && k >= 1 && k <= n)) {
    throw new UserError(`${k} neighbours: give a whole number from 1 to the ${n} training examples`);
  }
  const seen = metric === 'cosine' ? asTheyAre(design) : design;
  const products = await crossGram(engine, design, others, seen);
  const kernel = await gram(engine, design, seen);
  const squares = Float64Array.from({ length: n }, (_, i) => kernel[i * n + i]);
  // What an example's own norm adds or divides by changes no order among its neighbours.
  const distance = (square: number, product: number) =>
    metric === 'euclidean' ? square - 2 * product : square > 0 ? -product / Math.sqrt(square) : 0;
  const votes = new Float64Array(others.rows.length * K);
  const order = Array.from({ length: n }, (_, i) => i);
  for (let r = 0; r < others.rows.length; r++) {
    const distances = squares.map((square, i) => distance(square, products[r * n + i]));
    const nearest = order.slice().sort((a, b) => distances[a] - distances[b] || a - b);
    for (const i of nearest.slice(0, k)) votes[r * K + y[i]] += 1 / k;
  }
  return votes;
}

/** Without the centring that moves an intercept only: an angle is seen from the origin. */
function asTheyAre({ matrix, standardize, mean, scale }: Design): Normalisation {
  if (standardize) return { mean, scale };
  return { mean: new Float64Array(matrix.features), scale: new Float64Array(matrix.features).fill(1) };
}

/**
 * Minus the squared Euclidean distance of the normalised features to each class's mean, up to a constant per row,
 * (rows.length, K). Means are weighted as the design's examples are; features that are constant on the training rows do
 * not count.
 */
export async function nearestCentroid(
  engine: Engine,
  { design, labels, classes }: Known,
  others: Rows,
): Promise<Float64Array> {
  const { n, classes: K, labels: y, shares, frequencies } = multinomialProblem(design, labels, classes);
  const products = await crossGram(engine, design, others);
  const kernel = await gram(engine, design);
  /** Of each example in its class's mean. */
  const share = shares.map((s, i) => s / frequencies[y[i]]);
  const norms = new Float64Array(K);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) if (y[i] === y[j]) norms[y[i]] += share[i] * share[j] * kernel[i * n + j];
  }
  const scores = new Float64Array(others.rows.length * K);
  for (let r = 0; r < others.rows.length; r++) {
    for (let k = 0; k < K; k++) scores[r * K + k] = -norms[k];
    for (let i = 0; i < n; i++) scores[r * K + y[i]] += 2 * share[i] * products[r * n + i];
  }
  return scores;
}
