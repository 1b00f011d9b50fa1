/** Inverses of large symmetric positive definite matrices, block by block: what is cubic in them is the engine's products. */
import { cut, turned } from './blocks.js';
import { choleskyFactor, inverseTransposed } from './cholesky.js';
import type { Matrix, Multiply } from './products.js';

/** Rows of a block. */
const BLOCK = 128;

/**
 * V with V' V = a^-1, lower triangular; undefined when rounding has made a indefinite.
 * @param a row-major (size, size); its lower triangle is read and overwritten
 */
export async function inverseFactor(multiply: Multiply, a: Float64Array, size: number): Promise<Matrix | undefined> {
  /** Of each diagonal block of L, the inverse transposed. */
  const diagonals: Matrix[] = [];
  const part = (rows: readonly [number, number], columns: readonly [number, number]) => cut(a, size, rows, columns);
  for (let from = 0; from < size; from += BLOCK) {
    const to = Math.min(size, from + BLOCK);
    if (from > 0) {
      // What the columns before take from these.
      const before = part([from, size], [0, from]);
      const taken = await multiply(before, turned(part([from, to], [0, from])));
      subtract(a, size, [from, from], { rows: size - from, columns: to - from, data: taken });
    }
    const { data: block, rows: width } = part([from, to], [from, to]);
    if (!choleskyFactor(block, width)) return undefined;
    const diagonal = { rows: width, columns: width, data: inverseTransposed(block, width) };
    diagonals.push(diagonal);
    if (to === size) break;
    const below = await multiply(part([to, size], [from, to]), diagonal);
    put(a, size, [to, from], { rows: size - to, columns: width, data: below });
  }
  const v = new Float64Array(size * size);
  for (const [i, diagonal] of diagonals.entries()) {
    const from = i * BLOCK;
    const inverse = turned(diagonal);
    put(v, size, [from, from], inverse);
    if (i === 0) continue;
    const { rows } = diagonal;
    const row = await multiply(part([from, from + rows], [0, from]), cut(v, size, [0, from], [0, from]));
    const data = await multiply(inverse, { rows, columns: from, data: row });
    for (let at = 0; at < data.length; at++) data[at] = -data[at];
    put(v, size, [from, 0], { rows, columns: from, data });
  }
  return { rows: size, columns: size, data: v };
}

function put(a: Float64Array, size: number, [top, left]: readonly [number, number], block: Matrix): void {
  const { rows, columns, data } = block;
  for (let i = 0; i < rows; i++) a.set(data.subarray(i * columns, (i + 1) * columns), (top + i) * size + left);
}

function subtract(a: Float64Array, size: number, [top, left]: readonly [number, number], block: Matrix): void {
  const { rows, columns, data } = block;
  for (let i = 0, at = 0; i < rows; i++) {
    for (let j = 0, to = (top + i) * size + left; j < columns; j++, at++, to++) a[to] -= data[at];
  }
}
