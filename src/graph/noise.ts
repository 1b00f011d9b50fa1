/** Deterministic noise to run a graph on: varied enough that no channel is constant by accident. */
import { arrayClass, type DataType, sizeOf, type Tensor } from '../ir/index.js';

/** Of position `i`: a uniform 32-bit integer (Knuth's multiplicative hash). */
export function hashOf(i: number): number {
  return Math.imul(i + 1, 2654435761) >>> 0;
}

/** A tensor of any type that holds numbers: floats uniform in [low, high], bytes over their whole range. */
export function noise(type: DataType, dims: readonly number[], [low, high] = [-2, 2]): Tensor {
  const data = new (arrayClass(type))(sizeOf(dims));
  for (let i = 0; i < data.length; i++) {
    const v = ((hashOf(i) >>> 8) & 0xffff) / 0xffff;
    data[i] = (type === 'uint8' ? Math.floor(v * 255) : low + v * (high - low)) as never;
  }
  return { type, dims, data };
}
