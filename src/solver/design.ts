/**
 * A design is a feature matrix seen from its training rows: which rows, how they are weighted, and the mean and scale
 * of every feature on them. The normalised value of feature j in row i is (v_ij - mean_j) * scale_j, v the matrix's
 * value; it is applied where values are used, the matrix itself is never copied. Centring only moves the intercept.
 */
import { UserError } from '../base/index.js';
import type { Engine } from '../engine/index.js';
import { GraphBuilder } from '../ir/index.js';
import { notFinite } from './finite.js';
import type { Chunk, FeatureMatrix, Rows } from './matrix.js';
import { type Floats, programFor, tensor } from './programs.js';
import { meanOne } from './weights.js';

/** How columns are centred and scaled. */
export interface DesignOptions {
  /** Training rows (indices into the matrix); all by default. */
  rows: ArrayLike<number> | undefined;
  /** Divide every feature by its standard deviation over the training rows (constant features become 0). */
  standardize: boolean;
  /** Weight per training row, in the order of `rows`; any positive scale. Equal weights by default. */
  weights: ArrayLike<number> | undefined;
}
/** What holds where nothing is said. */
export const designDefaults: DesignOptions = { rows: undefined, standardize: true, weights: undefined };

/** What is subtracted from each feature, and what it is multiplied by then, (p). */
export interface Normalisation {
  readonly mean: Float64Array;
  readonly scale: Float64Array;
}

export interface Design extends Normalisation {
  readonly matrix: FeatureMatrix;
  readonly rows: Int32Array;
  /** Weight per training row, with mean one. */
  readonly weights: Float64Array;
  /** Weighted mean of each (row-scaled) feature over the training rows, (p). */
  readonly mean: Float64Array;
  /** Multiplier of each centred feature, (p): 1 / standard deviation, 1 without standardisation, 0 when constant. */
  readonly scale: Float64Array;
  /** Weighted mean square of the normalised feature, (p): 1 after standardisation. */
  readonly power: Float64Array;
  readonly standardize: boolean;
}

/** Features per run of the statistics graph: small enough for its intermediate values to stay in cache. */
const STATISTICS_BYTES = 1 << 22;
/** A feature whose deviation is below this share of its root mean square is rounding noise around a constant. */
const CONSTANT = 1e-6;
/** The same of the values before they were shifted, which had float64. */
const CONSTANT_SHIFTED = 1e-14;
/** Mean over deviation from which float32 sums are too coarse for centred values. */
const FAR = 10;
/** Smallest variance that float32 squares do not underflow in. */
const SMALL = 1e-30;

/** Measures means and scales on the training rows. @throws UserError naming block, feature and row of a NaN or Inf. */
export async function fitDesign(
  engine: Engine,
  matrix: FeatureMatrix,
  options: Partial<DesignOptions> = {},
): Promise<Design> {
  const { rows: chosen, standardize, weights: given } = { ...designDefaults, ...options };
  const rows = trainingRows(matrix.rows, chosen);
  const weights = meanOne(given, rows.length);
  const shares = new Float32Array(matrix.rows);
  for (const [i, row] of rows.entries()) shares[row] = weights[i] / rows.length;
  const p = matrix.features;
  const [mean, scale, power] = [new Float64Array(p), new Float64Array(p), new Float64Array(p)];
  const program = await programFor(engine, 'statistics', statisticsGraph);
  for await (const chunk of matrix.chunks(STATISTICS_BYTES)) {
    const s = await matrix.rowScale(chunk.block);
    const out = await program.run({
      x: tensor([chunk.count, matrix.rows], chunk.data),
      s: tensor([1, matrix.rows], s),
      v: tensor([matrix.rows, 1], shares),
    });
    const means = out.mean.data as Float32Array;
    const variances = out.variance.data as Float32Array;
    for (let k = 0; k < chunk.count; k++) {
      const j = chunk.first + k;
      let average: number = means[k];
      let variance: number = variances[k];
      if (!Number.isFinite(variance) || !Number.isFinite(average)) throw notFinite(matrix, chunk, k);
      const coarse = variance * FAR * FAR < average * average || variance < SMALL;
      if (coarse && average !== 0) [average, variance] = moments(matrix, chunk, k, { rows, weights, s });
      const noise = CONSTANT ** 2 * (variance + average * average) + (CONSTANT_SHIFTED * matrix.shift[j]) ** 2;
      const constant = variance <= noise;
      mean[j] = average + matrix.shift[j];
      scale[j] = constant ? 0 : standardize ? 1 / Math.sqrt(variance) : 1;
      power[j] = constant ? 0 : standardize ? 1 : variance;
    }
  }
  return { matrix, rows, weights, mean, scale, power, standardize };
}

function statisticsGraph() {
  const g = GraphBuilder.of('float32');
  const [x, s, v] = ['x', 's', 'v'].map((name) => g.input(name));
  const scaled = g.mul(x, s);
  const mean = g.matmul(scaled, v);
  const centred = g.sub(scaled, mean);
  g.output(mean, 'mean');
  g.output(g.matmul(g.mul(centred, centred), v), 'variance');
  return g.build();
}

/** Weighted mean and variance of one stored feature on the training rows, in float64. */
function moments(
  { rows: n }: FeatureMatrix,
  { data }: Chunk,
  k: number,
  { rows, weights, s }: { rows: Int32Array; weights: Float64Array; s: Float32Array },
): [mean: number, variance: number] {
  let mean = 0;
  for (let i = 0; i < rows.length; i++) mean += (weights[i] * data[k * n + rows[i]] * s[rows[i]]) / rows.length;
  let variance = 0;
  for (let i = 0; i < rows.length; i++) {
    variance += (weights[i] * (data[k * n + rows[i]] * s[rows[i]] - mean) ** 2) / rows.length;
  }
  return [mean, variance];
}

function trainingRows(n: number, chosen: ArrayLike<number> | undefined): Int32Array {
  const rows = Int32Array.from(chosen ?? { length: n }, (v, i) => (chosen ? v : i));
  const seen = new Uint8Array(n);
  for (const row of rows) {
    if (!(row >= 0 && row < n)) throw new UserError(`training row ${row} is outside the ${n} rows of the features`);
    if (seen[row]) throw new UserError(`training row ${row} is listed twice: give each row once, and weights instead`);
    seen[row] = 1;
  }
  if (rows.length < 2) throw new UserError(`${rows.length} training row(s): at least two examples are needed`);
  return rows;
}

/** What to subtract from a matrix's stored values in place of the mean of its values, (p). */
export function storedMean({ mean }: Normalisation, { shift }: FeatureMatrix): Float64Array {
  return mean.map((m, j) => m - shift[j]);
}

/** Tells features whose mean is so large beside their deviation that float32 sums lose what varies. */
export function farFeatures(design: Pick<Design, 'matrix' | 'mean' | 'scale' | 'power'>): (feature: number) => boolean {
  const { matrix, scale, power } = design;
  const mean = storedMean(design, matrix);
  // The deviation is sqrt(power) / scale.
  return (j) => (mean[j] * scale[j]) ** 2 > FAR * FAR * power[j];
}

/** The same normalisation for some of the features. */
export function normalisationOf({ mean, scale }: Normalisation, indices: ArrayLike<number>): Normalisation {
  const pick = (values: Float64Array) => Float64Array.from(indices, (j) => values[j]);
  return { mean: pick(mean), scale: pick(scale) };
}

/** All features of a matrix. */
export function allFeatures({ features }: FeatureMatrix): Int32Array {
  return Int32Array.from({ length: features }, (_, j) => j);
}

/** All rows of a matrix. */
export function allRows({ rows }: FeatureMatrix): Int32Array {
  return Int32Array.from({ length: rows }, (_, i) => i);
}

/** Some rows of a matrix, and where their normalised values go, (features, rows). */
export interface NormalisedRows<T extends Floats> {
  readonly rows: ArrayLike<number>;
  /** What each of the rows is multiplied by, (rows); one by default. */
  readonly roots?: Float64Array;
  readonly into: T;
}

/** Bytes of stored values that are read at once. */
const READ = 1 << 24;

/**
 * Values of the given features of several sets of rows as a design normalises them, in one reading.
 * Computed in float64, rounded to the type of where they go.
 */
export async function normaliseInto<T extends Floats>(
  { matrix, mean, scale }: Normalisation & Pick<Rows, 'matrix'>,
  indices: ArrayLike<number>,
  sets: readonly NormalisedRows<T>[],
): Promise<void> {
  const n = matrix.rows;
  const step = Math.max(1, Math.floor(READ / (4 * n)));
  const buffer = new Float32Array(Math.min(step, indices.length) * n);
  const places = sets.map(({ rows }) => (rows instanceof Int32Array ? rows : Int32Array.from(rows)));
  let [block, scales] = [-1, [] as Float32Array[]];
  for (let from = 0; from < indices.length; from += step) {
    const part = Int32Array.from({ length: Math.min(step, indices.length - from) }, (_, k) => indices[from + k]);
    await matrix.gather(part, buffer.subarray(0, part.length * n));
    for (const [k, j] of part.entries()) {
      const own = matrix.locate(j).block;
      if (own !== block) {
        const s = await matrix.rowScale(own);
        block = own;
        scales = places.map((rows) => Float32Array.from(rows, (row) => s[row]));
      }
      const x = buffer.subarray(k * n, (k + 1) * n);
      const linear = { centre: mean[j] - matrix.shift[j], factor: scale[j] };
      for (const [s, { into, roots }] of sets.entries()) {
        const rows = places[s];
        const target = into.subarray((from + k) * rows.length, (from + k + 1) * rows.length);
        fill(target, { x, rows, scales: scales[s], roots }, linear);
      }
    }
  }
}

/** One feature of some rows. @param values x of all rows, and of these rows what each is multiplied by, before and after */
function fill(
  into: Floats,
  values: { x: Float32Array; rows: Int32Array; scales: Float32Array; roots: Float64Array | undefined },
  { centre, factor }: { readonly centre: number; readonly factor: number },
): void {
  const { x, rows, scales, roots } = values;
  if (roots) for (let i = 0; i < into.length; i++) into[i] = (x[rows[i]] * scales[i] - centre) * factor * roots[i];
  else for (let i = 0; i < into.length; i++) into[i] = (x[rows[i]] * scales[i] - centre) * factor;
}

/** The same of one set of rows. @param into (indices.length, rows) */
export async function normalised<T extends Floats>(
  { mean, scale }: Normalisation,
  indices: ArrayLike<number>,
  into: T,
  { matrix, rows }: Rows,
): Promise<T> {
  await normaliseInto({ matrix, mean, scale }, indices, [{ rows, into }]);
  return into;
}
