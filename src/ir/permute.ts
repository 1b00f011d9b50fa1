/** Tensors of single precision in another order of axes. */
import { float32, sizeOf, type Tensor } from './graph.js';

/** Dims transposed, with the data. */
export function permutedTensor(tensor: Tensor, perm: readonly number[]): Tensor {
  const strides = tensor.dims.map((_, i) => sizeOf(tensor.dims.slice(i + 1)));
  const dims = perm.map((axis) => tensor.dims[axis] as number);
  const steps = perm.map((axis) => strides[axis] as number);
  const source = tensor.data as Float32Array;
  const data = new Float32Array(source.length);
  const at = dims.map(() => 0);
  let place = 0;
  for (let i = 0; i < data.length; i++) {
    data[i] = source[place] as number;
    for (let axis = dims.length - 1; axis >= 0; axis--) {
      place += steps[axis] as number;
      at[axis] = (at[axis] as number) + 1;
      if ((at[axis] as number) < (dims[axis] as number)) break;
      place -= (steps[axis] as number) * (dims[axis] as number);
      at[axis] = 0;
    }
  }
  return float32(dims, data);
}
