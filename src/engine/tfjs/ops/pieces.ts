/** Elements at regular places, copied in pieces: kernels of the portable backends compute the place of every single one. */
import { sizeOf } from '../../../ir/index.js';
import type { Device, DeviceType, Tf } from '../device.js';
import { places, stridesOf } from '../host.js';

/** Every so manieth element along each axis. */
export function stepped(
  device: Device,
  x: Tf,
  begin: readonly number[],
  dims: readonly number[],
  step: readonly number[],
): Tf {
  if (device.backend === 'tensorflow') {
    const end = dims.map((d, i) => {
      const past = (begin[i] as number) + (d - 1) * (step[i] as number) + Math.sign(step[i] as number);
      // Before the first element there is no index that would not be counted from the end.
      return past < 0 ? -(x.shape[i] as number) - 1 : past;
    });
    const masks = { beginMask: 0, endMask: 0, ellipsisMask: 0, newAxisMask: 0, shrinkAxisMask: 0 };
    return device.call('StridedSlice', { x }, { begin: [...begin], end, strides: [...step], ...masks });
  }
  const strides = stridesOf(x.shape);
  const offset = begin.reduce((sum, b, i) => sum + b * (strides[i] as number), 0);
  return moved(
    device,
    x,
    dims,
    strides.map((s, i) => s * (step[i] as number)),
    offset,
  );
}

/** Elements at even distances. */
function moved(device: Device, x: Tf, dims: readonly number[], strides: readonly number[], offset: number): Tf {
  // What lies in one piece is copied in one.
  let whole = dims.length;
  let run = 1;
  while (whole > 0 && strides[whole - 1] === run) run *= dims[--whole] as number;
  const starts = places(dims.slice(0, whole), strides.slice(0, whole), offset);
  return copied(device, x, starts, run, dims);
}

/** Pieces of `run` elements that begin at `starts`. */
function copied(device: Device, x: Tf, starts: Int32Array, run: number, dims: readonly number[]): Tf {
  const source = device.read(x) as Float32Array;
  const result = new (source.constructor as typeof Float32Array)(starts.length * run);
  if (run === 1) for (let i = 0; i < starts.length; i++) result[i] = source[starts[i] as number] as number;
  else {
    for (let i = 0; i < starts.length; i++) {
      const start = starts[i] as number;
      result.set(source.subarray(start, start + run), i * run);
    }
  }
  return device.upload(result, dims, x.dtype as DeviceType);
}

/** The rows, columns ... at `index`. */
export function gathered(device: Device, x: Tf, index: Int32Array, axis: number): Tf {
  if (device.backend === 'tensorflow') {
    const indices = device.upload(index, [index.length], 'int32');
    return device.call('GatherV2', { x, indices }, { axis, batchDims: 0 });
  }
  const size = x.shape[axis] as number;
  const run = sizeOf(x.shape.slice(axis + 1));
  const outer = sizeOf(x.shape.slice(0, axis));
  const starts = new Int32Array(outer * index.length);
  for (let o = 0, i = 0; o < outer; o++) for (const at of index) starts[i++] = (o * size + at) * run;
  return copied(device, x, starts, run, [...x.shape.slice(0, axis), index.length, ...x.shape.slice(axis + 1)]);
}
