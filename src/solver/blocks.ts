/** Parts of row-major matrices. */
import type { Matrix } from './products.js';

/** Some rows and columns of a (size, size), written into `data`. */
export function cut(
  a: Float64Array,
  size: number,
  [top, bottom]: readonly [number, number],
  [left, right]: readonly [number, number],
  data = new Float64Array((bottom - top) * (right - left)),
): Matrix {
  const [rows, columns] = [bottom - top, right - left];
  for (let i = 0; i < rows; i++) {
    const at = (top + i) * size;
    data.set(a.subarray(at + left, at + right), i * columns);
  }
  return { rows, columns, data };
}

export function turned({ rows, columns, data }: Matrix): Matrix {
  const result = new Float64Array(data.length);
  for (let i = 0, at = 0; i < rows; i++) for (let j = 0; j < columns; j++, at++) result[j * rows + i] = data[at];
  return { rows: columns, columns: rows, data: result };
}
