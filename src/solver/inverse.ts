/** Inverses of symmetric positive definite matrices by halves: what is cubic in them is the engine's products. */
import { cut, turned } from './blocks.js';
import { choleskyFactor, inverseTransposed } from './cholesky.js';
import type { Multiply } from './products.js';

/** Rows up to which a matrix is inverted by itself. */
const LEAF = 64;

/**
 * a^-1 (size, size), symmetric; undefined when rounding has made a indefinite.
 *
 *   [A  B']^-1   [A^-1 + W' S^-1 W   -W' S^-1]
 *   [B  C ]    = [-S^-1 W              S^-1  ],   W = B A^-1, S = C - W B'
 *
 * with both halves inverted likewise: 2/3 size^3 multiply-adds, nearly all in large products.
 * @param a row-major, its lower triangle is read
 */
export async function inverseOf(multiply: Multiply, a: Float64Array, size: number): Promise<Float64Array | undefined> {
  if (size <= LEAF) return leafInverse(a, size);
  const h = size >> 1;
  const rest = size - h;
  const first = await inverseOf(multiply, cut(a, size, [0, h], [0, h]).data, h);
  if (!first) return undefined;
  const b = cut(a, size, [h, size], [0, h]);
  const w = { ...b, data: await multiply(b, { rows: h, columns: h, data: first }) };
  const s = await multiply(w, turned(b));
  const second = await inverseOf(multiply, lessFrom(cut(a, size, [h, size], [h, size]).data, s), rest);
  if (!second) return undefined;
  const side = await multiply({ rows: rest, columns: rest, data: second }, w);
  const corner = await multiply(w, { rows: rest, columns: h, data: side }, true);
  return assembled({ first, corner, side, second }, h, rest);
}

function leafInverse(a: Float64Array, size: number): Float64Array | undefined {
  const factor = a.slice();
  if (!choleskyFactor(factor, size)) return undefined;
  const u = inverseTransposed(factor, size);
  const result = new Float64Array(size * size);
  for (let i = 0; i < size; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = 0;
      for (let k = i; k < size; k++) sum += u[i * size + k] * u[j * size + k];
      result[i * size + j] = sum;
      result[j * size + i] = sum;
    }
  }
  return result;
}

/** a - b, in place of a. */
function lessFrom(a: Float64Array, b: Float64Array): Float64Array {
  for (let i = 0; i < a.length; i++) a[i] -= b[i];
  return a;
}

interface Parts {
  readonly first: Float64Array;
  /** W' S^-1 W. */
  readonly corner: Float64Array;
  /** S^-1 W. */
  readonly side: Float64Array;
  readonly second: Float64Array;
}

function assembled({ first, corner, side, second }: Parts, h: number, rest: number): Float64Array {
  const size = h + rest;
  const result = new Float64Array(size * size);
  for (let i = 0; i < h; i++) {
    // Products are symmetric up to rounding; the lower triangle counts.
    for (let j = 0; j <= i; j++) {
      const value = first[i * h + j] + corner[i * h + j];
      result[i * size + j] = value;
      result[j * size + i] = value;
    }
  }
  for (let i = 0; i < rest; i++) {
    const row = (h + i) * size;
    for (let j = 0; j < h; j++) {
      const value = -side[i * h + j];
      result[row + j] = value;
      result[j * size + h + i] = value;
    }
    result.set(second.subarray(i * rest, (i + 1) * rest), row + h);
  }
  return result;
}
