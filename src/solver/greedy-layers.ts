/**
 * LOES (arXiv 2605.23033, ICML 2026): layers chosen one after the other, each by a score of which the lowest wins:
 *
 *   s_i = MSE_i + alpha (1 - iso_i) + gamma max_j red_ij - eta area_i
 *
 * MSE_i   of ridge regression (penalty 1e-3) of what the chosen layers leave of the labels on what they leave of layer i, on
 *         the very examples it is fitted to; iso_i = mean / standard deviation of the eigenvalues of its covariance;
 * red_ij  |X_i' X_j| / (|X_i| |X_j|) with chosen layers j; area_i the mean area of triangles of class centroids in what is
 *         left of layer i. Both from the second choice on.
 *
 * All of it follows from inner products of examples. As published the terms have different scales: the error of one-hot labels
 * is at most 1 / K and hardly differs between layers, areas grow with the square of the features, and isotropy alone decides.
 * `scaleFree` divides the error by the variance of the labels and takes the error of left-out examples, divides areas by
 * the mean squared norm, penalises in proportion to it, and takes centred CKA for redundancy.
 */
import type { Engine } from '../engine/index.js';
import { inverseOf } from './inverse.js';
import { products } from './products.js';

/** Of the published terms. */
const [ALPHA, GAMMA, ETA] = [1, 0.5, 0.1];
const PENALTY = 1e-3;
/** Of the regression on the chosen layers. */
const RESIDUAL = 1e-6;
/** Share of a layer's variance below which what is left of it is rounding: a penalty is no smaller. */
const ROUNDING = 1e-10;
/** Most features of which every eigenvalue of the covariance counts; of wider layers as many as examples. */
const FULL = 512;
const TRIPLES = 200;

/** Inner products of the layers' features with each other and with the labels. */
export interface LayerProducts {
  /** Inner products of the examples, (m, m). */
  readonly gram: Float64Array;
  readonly features: number;
}

export interface GreedyOptions {
  /** K: layers that are chosen. */
  readonly most: number;
  readonly scaleFree: boolean;
  /** A whole number from 0 to n - 1. */
  readonly random: (n: number) => number;
}

/** Layers chosen one after the other. */
export interface GreedyLayers {
  /** Layers, in the order of their choice. */
  readonly chosen: readonly number[];
  /** Scores of all layers at every choice; NaN for those chosen before. */
  readonly scores: readonly Float64Array[];
}

/**
 * Chooses layers greedily, each the one that helps those before it most.
 * @param labels class of every example, (m)
 */
export async function greedyLayers(
  engine: Engine,
  layers: readonly LayerProducts[],
  { labels, classes: K }: { readonly labels: ArrayLike<number>; readonly classes: number },
  { most, scaleFree, random }: GreedyOptions,
): Promise<GreedyLayers> {
  const m = labels.length;
  const centred = layers.map(({ gram }) => centredGram(gram, m));
  const traces = centred.map((gram) => trace(gram, m));
  const isotropy = layers.map(({ features }, i) => isotropyOf(centred[i], m, features));
  const likeness = (i: number, j: number) => {
    if (scaleFree) return dot(centred[i], centred[j]) / safe(norm(centred[i]) * norm(centred[j]));
    const [a, b] = [layers[i].gram, layers[j].gram];
    return Math.sqrt(Math.max(0, dot(a, b)) / safe(trace(a, m) * trace(b, m)));
  };
  let residual = centredLabels(labels, K);
  const variance = residual.reduce((sum, v) => sum + (v * v) / (m * K), 0);
  const triples = drawTriples(labels, K, random);
  const chosen: number[] = [];
  const scores: Float64Array[] = [];
  let sum = new Float64Array(m * m);
  while (chosen.length < Math.min(most, layers.length)) {
    const left = chosen.length > 0 ? await leftBy(engine, sum, m) : undefined;
    const own = new Float64Array(layers.length).fill(Number.NaN);
    let next: { layer: number; residual: Float64Array } | undefined;
    for (let i = 0; i < layers.length; i++) {
      if (chosen.includes(i)) continue;
      const gram = left ? await bothSides(engine, left, centred[i], m) : centred[i];
      const penalty = scaleFree ? (PENALTY * safe(trace(gram, m))) / m : PENALTY;
      const fit = await regress(engine, gram, residual, { m, K, penalty: Math.max(penalty, ROUNDING * traces[i]) });
      const error = (scaleFree ? fit.leftOut : fit.fitted).reduce((total, v) => total + (v * v) / (m * K), 0);
      let score = (scaleFree ? error / safe(variance) : error) + ALPHA * (1 - isotropy[i]);
      if (left) {
        const area = meanArea(gram, labels, K, triples);
        score += GAMMA * Math.max(...chosen.map((j) => likeness(i, j)));
        score -= ETA * (scaleFree ? (area * m) / safe(trace(gram, m)) : area);
      }
      own[i] = score;
      if (!next || score < own[next.layer]) next = { layer: i, residual: fit.fitted };
    }
    if (!next) break;
    scores.push(own);
    chosen.push(next.layer);
    residual = next.residual;
    // Scale-free, a layer of larger values counts no more than another.
    const weight = scaleFree ? m / safe(traces[next.layer]) : 1;
    const picked = centred[next.layer];
    sum = sum.map((v, at) => v + weight * picked[at]);
  }
  return { chosen, scores };
}

const safe = (v: number) => (v > 0 ? v : 1);
const dot = (a: Float64Array, b: Float64Array) => a.reduce((sum, v, at) => sum + v * b[at], 0);
const norm = (a: Float64Array) => Math.sqrt(dot(a, a));

function trace(a: Float64Array, m: number): number {
  let sum = 0;
  for (let i = 0; i < m; i++) sum += a[i * m + i];
  return sum;
}

/** Inner products of examples less their mean. */
function centredGram(gram: Float64Array, m: number): Float64Array {
  const means = new Float64Array(m);
  for (let i = 0; i < m; i++) for (let j = 0; j < m; j++) means[i] += gram[i * m + j] / m;
  const all = means.reduce((sum, v) => sum + v / m, 0);
  return gram.map((v, at) => v - means[Math.floor(at / m)] - means[at % m] + all);
}

/** Mean over standard deviation of the eigenvalues of the covariance, from its trace and norm. */
function isotropyOf(gram: Float64Array, m: number, features: number): number {
  const count = features <= FULL ? features : Math.min(m, features);
  const mean = trace(gram, m) / m / count;
  const squares = dot(gram, gram) / (m * m) / count;
  const deviation = Math.sqrt(Math.max(0, squares - mean * mean));
  return mean / (deviation + 1e-8);
}

function centredLabels(labels: ArrayLike<number>, K: number): Float64Array {
  const m = labels.length;
  const y = new Float64Array(m * K);
  const shares = new Float64Array(K);
  for (let i = 0; i < m; i++) shares[labels[i]] += 1 / m;
  for (let i = 0; i < m; i++) for (let c = 0; c < K; c++) y[i * K + c] = (labels[i] === c ? 1 : 0) - shares[c];
  return y;
}

/** What is left of an example-wise vector after regression on features with inner products `gram`: (m, m), symmetric. */
async function leftBy(engine: Engine, gram: Float64Array, m: number): Promise<Float64Array> {
  const penalty = Math.max(RESIDUAL, ROUNDING * trace(gram, m));
  const inverse = await inverseOf(engine, shifted(gram, m, penalty), m);
  if (!inverse) throw new Error('inner products of layers are not finite');
  return inverse.map((v) => v * penalty);
}

function shifted(gram: Float64Array, m: number, penalty: number): Float64Array {
  const a = gram.slice();
  for (let i = 0; i < m; i++) a[i * m + i] += penalty;
  return a;
}

/** t g t of symmetric matrices. */
async function bothSides(engine: Engine, t: Float64Array, g: Float64Array, m: number): Promise<Float64Array> {
  const multiply = await products(engine);
  const square = (data: Float64Array) => ({ rows: m, columns: m, data });
  return multiply(square(await multiply(square(t), square(g))), square(t));
}

interface Regressed {
  /** What is left of the values on the examples of the fit, (m, K). */
  readonly fitted: Float64Array;
  /** The same of each example when it is left out. */
  readonly leftOut: Float64Array;
}

async function regress(
  engine: Engine,
  gram: Float64Array,
  values: Float64Array,
  { m, K, penalty }: { readonly m: number; readonly K: number; readonly penalty: number },
): Promise<Regressed> {
  const inverse = await inverseOf(engine, shifted(gram, m, penalty), m);
  if (!inverse) throw new Error('inner products of a layer are not finite');
  const multiply = await products(engine);
  const solved = await multiply({ rows: m, columns: m, data: inverse }, { rows: m, columns: K, data: values });
  const fitted = solved.map((v) => v * penalty);
  const leftOut = solved.map((v, at) => {
    const i = Math.floor(at / K);
    return v / inverse[i * m + i];
  });
  return { fitted, leftOut };
}

/** Three different classes that have examples; none where there are fewer than three. */
function drawTriples(labels: ArrayLike<number>, K: number, random: (n: number) => number): [number, number, number][] {
  const seen = new Set(Array.from(labels));
  const present = Array.from({ length: K }, (_, c) => c).filter((c) => seen.has(c));
  if (present.length < 3) return [];
  const count = Math.min(TRIPLES, (present.length * (present.length - 1) * (present.length - 2)) / 6);
  return Array.from({ length: count }, () => {
    const left = [...present];
    const draw = () => left.splice(random(left.length), 1)[0];
    return [draw(), draw(), draw()];
  });
}

/** Mean area of triangles of class centroids. @param gram inner products of the examples, up to a shift */
function meanArea(
  gram: Float64Array,
  labels: ArrayLike<number>,
  K: number,
  triples: readonly [number, number, number][],
): number {
  if (triples.length === 0) return 0;
  const m = labels.length;
  const sizes = new Float64Array(K);
  for (let i = 0; i < m; i++) sizes[labels[i]] += 1;
  const centroids = new Float64Array(K * K);
  for (let i = 0; i < m; i++) {
    const row = labels[i] * K;
    for (let j = 0; j < m; j++) centroids[row + labels[j]] += gram[i * m + j] / (sizes[labels[i]] * sizes[labels[j]]);
  }
  const at = (a: number, b: number) => centroids[a * K + b];
  const areas = triples.map(([a, b, c]) => {
    const uu = at(b, b) - 2 * at(a, b) + at(a, a);
    const vv = at(c, c) - 2 * at(a, c) + at(a, a);
    const uv = at(b, c) - at(a, b) - at(a, c) + at(a, a);
    return Math.sqrt(Math.max(0, uu * vv - uv * uv)) / 2;
  });
  return areas.reduce((sum, v) => sum + v / areas.length, 0);
}
