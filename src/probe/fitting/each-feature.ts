/** Single features, one after another, for scores that need no model. */
import type { FeatureMatrix } from '../../solver/index.js';

/** Calls `visit` with every feature's row-scaled values on `rows`, up to a constant; the array is reused. */
export async function eachFeature(
  matrix: FeatureMatrix,
  rows: readonly number[],
  visit: (feature: number, values: Float64Array) => void,
): Promise<void> {
  const values = new Float64Array(rows.length);
  for await (const chunk of matrix.chunks()) {
    const s = await matrix.rowScale(chunk.block);
    for (let k = 0; k < chunk.count; k++) {
      const at = k * matrix.rows;
      for (let i = 0; i < rows.length; i++) {
        const row = rows[i] as number;
        values[i] = (chunk.data[at + row] as number) * (s[row] as number);
      }
      visit(chunk.first + k, values);
    }
  }
}

export function meanOf(values: Float64Array): number {
  let sum = 0;
  for (const v of values) sum += v;
  return sum / values.length;
}
