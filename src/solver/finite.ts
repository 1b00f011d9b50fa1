/** Features that are not numbers: named, wherever they are met. */
import { UserError } from '../base/index.js';
import type { Chunk, FeatureMatrix } from './matrix.js';

/**
 * Reads every value once. What a model is fitted on is checked where it is normalised (fitDesign); this is for rows that
 * are only predicted, where a NaN would pass for a wrong answer.
 * @throws UserError naming block, feature and row of the first NaN or infinity
 */
export async function checkFinite(matrix: FeatureMatrix): Promise<void> {
  for await (const chunk of matrix.chunks()) {
    const { data } = chunk;
    for (let at = 0; at < data.length; at++) {
      if (!Number.isFinite(data[at])) throw notFinite(matrix, chunk, Math.floor(at / matrix.rows));
    }
  }
}

/** Feature `k` of a chunk holds a value that is not finite, or finite ones that overflow. */
export function notFinite(matrix: FeatureMatrix, { first, data }: Chunk, k: number): UserError {
  const values = data.subarray(k * matrix.rows, (k + 1) * matrix.rows);
  const row = values.findIndex((v) => !Number.isFinite(v));
  const what = row < 0 ? 'values too large for float32 arithmetic' : `${values[row]} in row ${row}`;
  return new UserError(
    `${matrix.describe(first + k)}: ${what}; extract the features again or remove the example (rows count from 0)`,
  );
}
