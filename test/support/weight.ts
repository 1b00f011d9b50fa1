/** Weights that a test makes of nothing: of any size, none like another. */
import { float32, sizeOf } from '../../src/graph/index.js';

export const weight = (dims: readonly number[], scale = 1) => {
  const data = Float32Array.from({ length: sizeOf(dims) }, (_, i) => scale * Math.sin(i * 1.7 + dims.length));
  return float32(dims, data);
};
