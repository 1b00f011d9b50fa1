/**
 * Arrays of any numeric type as a block of features. Float64 values and wide integers would lose their signal in float32
 * where a feature varies little around a large mean (at 1e8, float32 has steps of 8): they are scaled and centred in
 * float64, and what is left is stored.
 */
import { addSquares, type FeatureBlock, inverseNorm } from './matrix.js';
import { sum } from './vectors.js';

/** An array of numbers, as files and programs have them. */
export interface NumericArray {
  readonly name: string;
  /** The file, for messages. */
  readonly source?: string;
  /** The shape (rows, features). */
  readonly rows: number;
  readonly features: number;
  readonly values: ArrayLike<number | bigint>;
  /** Whether `values` are feature by feature, not row by row. */
  readonly fortranOrder: boolean;
}

/** What is subtracted from features before they become float32. */
export interface ShiftOptions {
  /** As in the matrix that the block is for: rows are divided by their norm before features are shifted. */
  unitNorm: boolean;
  /**
   * What to subtract from each feature: that of the training block, for test rows. By default, and where the number of
   * features is another, each feature's mean.
   */
  shift: Float64Array | undefined;
}

/** Features that are read at once. */
const TILE = 64;

/** A block of features from an array of numbers. */
export function arrayBlock(array: NumericArray, { unitNorm, shift: wanted }: ShiftOptions): FeatureBlock {
  const { name, source, rows: n, features, values } = array;
  const named = { name, features, ...(source === undefined ? {} : { source }) };
  const data = new Float32Array(features * n);
  if (fitsFloat32(values)) {
    for (const { first, tile } of tiles(array)) data.set(tile, first * n);
    return { ...named, data };
  }
  const scale = new Float64Array(n).fill(1);
  if (unitNorm) {
    const squares = new Float64Array(n);
    for (const { tile } of tiles(array)) addSquares(tile, squares);
    scale.set(squares.map(inverseNorm));
  }
  const given = wanted?.length === features ? wanted : undefined;
  const shift = given ?? new Float64Array(features);
  for (const { first, tile } of tiles(array)) {
    for (let at = 0; at < tile.length; at += n) {
      const feature = tile.subarray(at, at + n);
      const j = first + at / n;
      for (let i = 0; i < n; i++) feature[i] *= scale[i];
      if (!given) shift[j] = finiteMean(feature);
      for (let i = 0; i < n; i++) data[j * n + i] = feature[i] - shift[j];
    }
  }
  return { ...named, data, shift };
}

function fitsFloat32(values: ArrayLike<number | bigint>): boolean {
  return [Float32Array, Uint8Array, Int8Array, Uint16Array, Int16Array].some((type) => values instanceof type);
}

/** The values feature by feature, some features at a time: (count, n), overwritten by the next. */
function* tiles({ rows: n, features, values, fortranOrder }: NumericArray): Generator<{
  first: number;
  tile: Float64Array;
}> {
  const buffer = new Float64Array(Math.min(TILE, features) * n);
  for (let first = 0; first < features; first += TILE) {
    const count = Math.min(TILE, features - first);
    for (let i = 0; i < n; i++) {
      for (let k = 0; k < count; k++) {
        const j = first + k;
        buffer[k * n + i] = Number(values[fortranOrder ? j * n + i : i * features + j]);
      }
    }
    yield { first, tile: buffer.subarray(0, count * n) };
  }
}

/** Of the values that are numbers: the others are found, and named, where features are normalised. */
function finiteMean(values: Float64Array): number {
  const finite = values.filter(Number.isFinite);
  return finite.length > 0 ? sum(finite) / finite.length : 0;
}
