/** Large arrays that are written over, instead of being allocated and collected at every step of an iteration. */
import { type Floats, floats, type Precision, precisionOf } from './programs.js';

/** Bytes that are kept for those who come next. */
const MOST = 2 ** 28;

const kept = { float32: new Map<number, Float32Array[]>(), float64: new Map<number, Float64Array[]>() };
let bytes = 0;

/** An array of this length, with whatever was left in it. */
export function takeBuffer(length: number, precision?: 'float64'): Float64Array<ArrayBuffer>;
export function takeBuffer(length: number, precision: 'float32'): Float32Array<ArrayBuffer>;
export function takeBuffer(length: number, precision: Precision = 'float64'): Floats {
  const found = kept[precision].get(length)?.pop();
  if (!found) return floats(precision, length);
  bytes -= found.byteLength;
  return found;
}

/** Gives arrays up to whoever takes the next ones of their length: nobody else may hold them. */
export function giveBuffers(...arrays: readonly Floats[]): void {
  for (const array of arrays) {
    if (array.byteLength > MOST) continue;
    if (bytes + array.byteLength > MOST) {
      for (const lists of Object.values(kept)) lists.clear();
      bytes = 0;
    }
    const lists: Map<number, Floats[]> = kept[precisionOf(array)];
    const own = lists.get(array.length) ?? [];
    lists.set(array.length, own);
    own.push(array);
    bytes += array.byteLength;
  }
}
