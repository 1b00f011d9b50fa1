/**
 * What a page says of an image beside its class: each tap's part of the logits against that of an average training image,
 * and where the image lies among training images as the head sees them.
 */
import type { Engine } from '../../engine/index.js';
import { readView, type ViewedTap } from '../../features/index.js';
import { products, symmetricEigen } from '../../solver/index.js';
import type { OpenedExport } from '../export.js';
import type { Explained, LinearHead } from '../head-graph.js';

/** An example of the store. */
export interface StoredExample {
  readonly split: string;
  readonly row: number;
}

export interface Neighbourhood {
  /** Coordinates of the examples, (n, d). */
  readonly coordinates: Float32Array;
  readonly dimensions: number;
}

/** Coordinates that are kept: enough for this share of the variance, and so many at most. */
const kept = { share: 0.99, most: 48 } as const;

/**
 * @param examples training examples: their mean is the average image, and with `neighbours` they get coordinates
 * @returns of the head's features (p) and the examples (n), `baseline` (taps, K) and coordinates (n, d): the first principal
 *   components of the features, each times the norm of its weights less their mean over classes, so that distances are
 *   differences in what the logits are made of
 */
export async function explain(
  engine: Engine,
  { head, store, chosen, unitNorm, run }: OpenedExport & { readonly head: LinearHead },
  examples: readonly StoredExample[],
  neighbours: boolean,
): Promise<{ explained: Explained; neighbourhood?: Neighbourhood }> {
  const K = run.outputs.length;
  const n = examples.length;
  const baseline = new Float64Array(chosen.length * K);
  const importance = weightNorms(head.weights, K);
  const means = new Float64Array(importance.length);
  // (p, n): a feature's values side by side.
  const values = neighbours ? new Float64Array(head.features.length * n) : undefined;
  let first = 0;
  for (const [t, { tap, positions }] of chosen.entries()) {
    const columns = await tapFeatures(store, tap, positions, examples, unitNorm);
    for (const [i] of positions.entries()) {
      const column = columns.subarray(i * n, (i + 1) * n);
      const mean = column.reduce((sum, v) => sum + v, 0) / n;
      means[first + i] = mean;
      for (let k = 0; k < K; k++) {
        baseline[t * K + k] = (baseline[t * K + k] as number) + mean * (head.weights[(first + i) * K + k] as number);
      }
      if (!values) continue;
      const scale = importance[first + i] as number;
      for (let e = 0; e < n; e++) values[(first + i) * n + e] = ((column[e] as number) - mean) * scale;
    }
    centreRow(baseline.subarray(t * K, (t + 1) * K));
    first += positions.length;
  }
  if (!values) return { explained: { baseline } };
  return withCoordinates(engine, { baseline, values, importance, means, n });
}

interface Features {
  readonly baseline: Float64Array;
  /** (p, n), centred and weighted. */
  readonly values: Float64Array;
  /** Weights and means of the features, (p). */
  readonly importance: Float64Array;
  readonly means: Float64Array;
  readonly n: number;
}

/** Principal components of centred features, (p, n), by the matrix of their products over examples (n, n). */
async function withCoordinates(
  engine: Engine,
  { baseline, values, importance, means, n }: Features,
): Promise<{ explained: Explained; neighbourhood: Neighbourhood }> {
  const p = importance.length;
  const multiply = await products(engine);
  const matrix = { rows: p, columns: n, data: values };
  const { values: variances, vectors } = symmetricEigen(await multiply(matrix, matrix, true), n);
  const d = dimensionsOf(variances);
  // Directions in the space of features: X' u / s.
  const scaled = new Float64Array(n * d);
  for (let e = 0; e < n; e++) {
    for (let j = 0; j < d; j++) {
      scaled[e * d + j] = (vectors[e * n + j] as number) / Math.sqrt(variances[j] as number);
    }
  }
  const directions = await multiply(matrix, { rows: n, columns: d, data: scaled });
  const coordinates = await multiply(matrix, { rows: p, columns: d, data: directions }, true);
  const weights = Float32Array.from(directions, (v, at) => v * (importance[Math.floor(at / d)] as number));
  const offset = new Float64Array(d);
  for (let at = 0; at < weights.length; at++) {
    offset[at % d] = (offset[at % d] as number) + (weights[at] as number) * (means[Math.floor(at / d)] as number);
  }
  return {
    explained: { baseline, embedding: { weights, offset: Float32Array.from(offset) } },
    neighbourhood: { coordinates: Float32Array.from(coordinates), dimensions: d },
  };
}

/** At least one. */
function dimensionsOf(variances: Float64Array): number {
  const total = variances.reduce((sum, v) => sum + Math.max(0, v), 0);
  let held = 0;
  for (const [i, v] of variances.entries()) {
    if (i >= kept.most || held >= kept.share * total || !(v > 1e-12 * total)) return Math.max(1, i);
    held += v;
  }
  return Math.max(1, variances.length);
}

/** Norm of each feature's weights less their mean over classes, (p): what a change of the feature can do to the answer. */
function weightNorms(weights: Float64Array, K: number): Float64Array {
  return Float64Array.from({ length: weights.length / K }, (_, i) => {
    const row = weights.slice(i * K, (i + 1) * K);
    centreRow(row);
    return Math.hypot(...row);
  });
}

function centreRow(row: Float64Array): void {
  const mean = row.reduce((sum, v) => sum + v, 0) / row.length;
  for (let k = 0; k < row.length; k++) row[k] = (row[k] as number) - mean;
}

/** The features of a tap at some positions, as the head reads them: (positions, examples). */
async function tapFeatures(
  store: OpenedExport['store'],
  tap: ViewedTap,
  positions: readonly number[],
  examples: readonly StoredExample[],
  unitNorm: boolean,
): Promise<Float64Array> {
  const n = examples.length;
  const squares = new Float64Array(n);
  const columns = new Float64Array(positions.length * n);
  const placeOf = new Map(positions.map((position, i) => [position, i]));
  for (const split of new Set(examples.map((e) => e.split))) {
    const rows = store.split(split).n;
    const step = Math.max(1, Math.floor((1 << 23) / rows));
    for (let from = 0; from < tap.features; from += step) {
      const count = Math.min(step, tap.features - from);
      const values = await readView(store, split, tap, from, count);
      for (const [e, example] of examples.entries()) {
        if (example.split !== split) continue;
        for (let j = 0; j < count; j++) {
          const v = values[j * rows + example.row] as number;
          squares[e] = (squares[e] as number) + v * v;
          const place = placeOf.get(from + j);
          if (place !== undefined) columns[place * n + e] = v;
        }
      }
    }
  }
  if (!unitNorm) return columns;
  for (let at = 0; at < columns.length; at++) {
    const square = squares[at % n] as number;
    columns[at] = square > 0 ? (columns[at] as number) / Math.sqrt(square) : 0;
  }
  return columns;
}
