/** Probes without training: k nearest neighbours and nearest class centroid. */
import { UserError } from '../base/index.js';
import type { Engine } from '../engine/index.js';
import { allFeatures, type Design, type Normalisation } from './design.js';
import { crossGram, primalWeights, squaredNorms } from './gram-exact.js';
import type { Rows } from './matrix.js';
import { linearModel, predictLogits } from './model.js';
import { multinomialProblem } from './problem.js';

/** The examples that are looked at: training rows of a design with their labels. */
export interface Known {
  readonly design: Design;
  /** Class of every row of the matrix, or of every training row. */
  readonly labels: ArrayLike<number>;
  /** Number of classes; one more than the largest label by default. */
  readonly classes?: number | undefined;
}

/** How many neighbours vote, and how. */
export interface NeighbourOptions {
  /** Number of neighbours. */
  k: number;
  /**
   * 1 - cosine similarity of the features as they are (standardised, where the design does that; never only centred), or
   * Euclidean distance of the normalised features, in which those that are constant on the training rows do not count.
   */
  metric: 'euclidean' | 'cosine';
}
/** What holds where nothing is said. */
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
  const squares = await squaredNorms(engine, design, seen);
  // What an example's own norm adds or divides by changes no order among its neighbours.
  const distance = (square: number, product: number) =>
    metric === 'euclidean' ? square - 2 * product : square > 0 ? -product / Math.sqrt(square) : 0;
  const m = others.rows.length;
  const votes = new Float64Array(m * K);
  const nearest = new Nearest(k);
  const step = Math.max(1, Math.floor(PRODUCTS / n));
  for (let first = 0; first < m; first += step) {
    const rows = Array.from({ length: Math.min(step, m - first) }, (_, r) => others.rows[first + r]);
    const products = await crossGram(engine, design, { matrix: others.matrix, rows }, seen);
    for (let r = 0; r < rows.length; r++) {
      nearest.clear();
      for (let i = 0; i < n; i++) nearest.offer(distance(squares[i], products[r * n + i]), i);
      for (const i of nearest.indices) votes[(first + r) * K + y[i]] += 1 / k;
    }
  }
  return votes;
}

/** Inner products that are held at once. */
const PRODUCTS = 1 << 25;

/** The k smallest of what is offered, by distance; of equals the first. */
class Nearest {
  readonly indices: Int32Array;
  readonly #distances: Float64Array;

  constructor(k: number) {
    this.indices = new Int32Array(k);
    this.#distances = new Float64Array(k);
  }

  clear(): void {
    this.#distances.fill(Number.POSITIVE_INFINITY);
  }

  offer(distance: number, index: number): void {
    const [distances, indices] = [this.#distances, this.indices];
    let place = distances.length - 1;
    if (!(distance < distances[place])) return;
    for (; place > 0 && distance < distances[place - 1]; place--) {
      distances[place] = distances[place - 1];
      indices[place] = indices[place - 1];
    }
    distances[place] = distance;
    indices[place] = index;
  }
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
  /** Of each example in its class's mean, (n, K). */
  const share = new Float64Array(n * K);
  for (let i = 0; i < n; i++) share[i * K + y[i]] = shares[i] / frequencies[y[i]];
  const means = await primalWeights(engine, design, share, K);
  const intercept = new Float64Array(K);
  for (let at = 0; at < means.length; at++) intercept[at % K] -= means[at] ** 2;
  const weights = means.map((v) => 2 * v);
  const model = linearModel(design, { classes: K, indices: allFeatures(design.matrix), weights, intercept });
  return predictLogits(engine, model, others.matrix, others.rows);
}
