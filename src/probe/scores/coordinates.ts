/** The features of one tap in as few numbers as its examples span: all that scores without training need of them. */
import { UserError } from '../../base/index.js';
import type { Engine } from '../../engine/index.js';
import {
  addGram,
  choleskyPivoted,
  type FeatureMatrix,
  type Matrix,
  type Multiply,
  notFinite,
} from '../../solver/index.js';
import { featuresOfBlock } from '../task.js';

/** Examples of one tap, with their classes. Distances and angles of the rows of `z` are those of the features. */
export interface Coordinates {
  /** (n, r), r at most n and at most `width`; not centred. */
  readonly z: Matrix;
  /** Of the features, p. */
  readonly width: number;
}

/**
 * Values as they are where they are fewer than the examples; otherwise a factor of their Gram matrix. The row scaling of
 * the matrix (unit norm) is applied.
 * @throws UserError for values that are not finite
 */
export async function coordinatesOf(engine: Engine, matrix: FeatureMatrix, block: number): Promise<Coordinates> {
  const n = matrix.rows;
  const own = matrix.select(featuresOfBlock(matrix, block));
  const width = own.features;
  if (width > n) {
    const gram = new Float64Array(n * n);
    const same = { mean: new Float64Array(width), scale: new Float64Array(width).fill(1) };
    await addGram(engine, own, same, gram);
    if (!gram.every(Number.isFinite)) throw new UserError(`${own.blocks[0]?.name}: values that are not finite numbers`);
    return { z: choleskyPivoted(gram, n), width };
  }
  const data = new Float64Array(n * width);
  const scale = await own.rowScale(0);
  for await (const chunk of own.chunks()) {
    for (let j = 0; j < chunk.count; j++) {
      for (let i = 0; i < n; i++) {
        const value = chunk.data[j * n + i] as number;
        if (!Number.isFinite(value)) throw notFinite(own, chunk, j);
        data[i * width + chunk.first + j] = value * (scale[i] as number);
      }
    }
  }
  return { z: { rows: n, columns: width, data }, width };
}

/** Rows less their mean. */
export function centred({ rows, columns, data }: Matrix): Matrix {
  const mean = new Float64Array(columns);
  for (let i = 0; i < rows; i++)
    for (let j = 0; j < columns; j++) mean[j] = at(mean, j) + at(data, i * columns + j) / rows;
  return { rows, columns, data: data.map((v, e) => v - at(mean, e % columns)) };
}

/** An element that is there. */
export const at = (values: Float64Array, i: number): number => values[i] as number;

/** Z' Z, (columns, columns). */
export const squareOf = (multiply: Multiply, z: Matrix): Promise<Float64Array> => multiply(z, z, true);
