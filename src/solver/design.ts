/**
 * A design is a feature matrix seen from its training rows: which rows, how they are weighted, and the mean and scale
 * of every feature on them. The normalised value of feature j in row i is (s_i x_ij - mean_j) * scale_j; it is applied
 * where values are used, the matrix itself is never copied. Centring only moves the intercept.
 */
import { UserError } from '../base/index.js';
import type { Engine } from '../engine/index.js';
import type { FeatureMatrix } from './matrix.js';
import { MathBuilder, programFor, tensor } from './programs.js';

export interface DesignOptions {
  /** Training rows (indices into the matrix); all by default. */
  rows: ArrayLike<number> | undefined;
  /** Divide every feature by its standard deviation over the training rows (constant features become 0). */
  standardize: boolean;
  /** Weight per training row, in the order of `rows`; any positive scale. Equal weights by default. */
  weights: ArrayLike<number> | undefined;
}
export const designDefaults: DesignOptions = { rows: undefined, standardize: true, weights: undefined };

export interface Design {
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
  const [mean, scale, power] = [0, 0, 0].map(() => new Float64Array(matrix.features)) as [
    Float64Array,
    Float64Array,
    Float64Array,
  ];
  const program = await programFor(engine, 'statistics', statisticsGraph);
  const ones = new Float32Array(matrix.rows).fill(1);
  for await (const chunk of matrix.chunks(STATISTICS_BYTES)) {
    const { mean: m, variance: v } = await program.run({
      x: tensor([chunk.count, matrix.rows], chunk.data),
      s: tensor([1, matrix.rows], (await matrix.rowScale(chunk.block)) ?? ones),
      v: tensor([matrix.rows, 1], shares),
    });
    const means = m?.data as Float32Array;
    const variances = v?.data as Float32Array;
    for (let k = 0; k < chunk.count; k++) {
      const average = means[k];
      const variance = variances[k];
      if (!Number.isFinite(variance) || !Number.isFinite(average)) refuse(matrix, chunk.first + k, chunk.data, k);
      const j = chunk.first + k;
      const constant = variance <= CONSTANT * CONSTANT * (variance + average * average);
      mean[j] = average;
      scale[j] = constant ? 0 : standardize ? 1 / Math.sqrt(variance) : 1;
      power[j] = constant ? 0 : standardize ? 1 : variance;
    }
  }
  return { matrix, rows, weights, mean, scale, power, standardize };
}

function statisticsGraph() {
  const g = new MathBuilder('float32');
  const [x, s, v] = ['x', 's', 'v'].map((name) => g.input(name)) as [string, string, string];
  const scaled = g.op('Mul', [x, s]);
  const mean = g.op('MatMul', [scaled, v]);
  const centred = g.op('Sub', [scaled, mean]);
  g.output(mean, 'mean');
  g.output(g.op('MatMul', [g.op('Mul', [centred, centred]), v]), 'variance');
  return g.builder.build();
}

function refuse(matrix: FeatureMatrix, feature: number, data: Float32Array, k: number): never {
  const values = data.subarray(k * matrix.rows, (k + 1) * matrix.rows);
  const row = values.findIndex((v) => !Number.isFinite(v));
  const what = row < 0 ? 'values too large for float32 arithmetic' : `${values[row]} in row ${row}`;
  throw new UserError(
    `${matrix.describe(feature)}: ${what}; extract the features again or remove the example (rows count from 0)`,
  );
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

function meanOne(given: ArrayLike<number> | undefined, n: number): Float64Array {
  const weights = new Float64Array(n).fill(1);
  if (!given) return weights;
  if (given.length !== n) throw new UserError(`${given.length} example weights for ${n} training rows: give one each`);
  let total = 0;
  for (let i = 0; i < n; i++) {
    const w = given[i];
    if (!(w > 0 && Number.isFinite(w)))
      throw new UserError(`example weight ${w} at row ${i}: weights must be positive`);
    total += w;
  }
  for (let i = 0; i < n; i++) weights[i] = (given[i] * n) / total;
  return weights;
}

/**
 * Normalised values of the given features on the given rows (training rows by default), (indices.length, rows).
 * Computed in float64, rounded to the type of `into`.
 */
export async function normalised<T extends Float32Array | Float64Array>(
  design: Design,
  indices: ArrayLike<number>,
  into: T,
): Promise<T> {
  const { matrix, rows, mean, scale } = design;
  const n = matrix.rows;
  const all = rows.length === n && rows.every((row, i) => row === i);
  const step = Math.max(1, Math.floor((1 << 24) / (4 * n)));
  const buffer = new Float32Array(Math.min(step, indices.length) * n);
  for (let from = 0; from < indices.length; from += step) {
    const part = Int32Array.from({ length: Math.min(step, indices.length - from) }, (_, k) => indices[from + k]);
    await matrix.gather(part, buffer.subarray(0, part.length * n));
    for (const [k, j] of part.entries()) {
      const s = await matrix.rowScale(matrix.locate(j).block);
      const m = mean[j];
      const factor = scale[j];
      const source = k * n;
      const target = (from + k) * rows.length;
      for (let i = 0; i < rows.length; i++) {
        const row = all ? i : rows[i];
        const x = buffer[source + row] * (s ? s[row] : 1);
        into[target + i] = (x - m) * factor;
      }
    }
  }
  return into;
}
