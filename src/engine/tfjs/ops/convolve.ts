/** A convolution over two axes by the backend's kernels: images channels-last, filters (rows, columns, inputs, outputs). */
import type { Device, Tf } from '../device.js';
import type { Value } from '../value.js';
import type { Window } from '../window.js';
import { show } from './op.js';
import { stepped } from './pieces.js';

/** What a convolution does to its result besides: set where a plan joins nodes. */
export type Activation = 'linear' | 'relu' | 'relu6';

interface Filter {
  /** (rows, columns, inputs of a group, outputs); where `depthwise`, (rows, columns, channels, outputs of each). */
  readonly tensor: Tf;
  readonly depthwise: boolean;
}

/** The border as the kernels take it; where the backend cannot, it is put around the image. */
export function bordered(device: Device, x: Tf, w: Window, value = 0): { x: Tf; pad: unknown } {
  if ([...w.before, ...w.after].every((p) => p === 0)) return { x, pad: 'valid' };
  const paddings = [[0, 0], ...w.before.map((b, i) => [b, w.after[i] as number]), [0, 0]];
  if (device.padsWindows) return { x, pad: paddings };
  return { x: device.call('PadV2', { x }, { paddings, constantValue: value }), pad: 'valid' };
}

/** A filter over two axes of a weight that has three: where along the third. */
export interface Slice {
  /** Among the axes of space. */
  readonly axis: number;
  readonly at: number;
}

/** Gives the filter of a value, once for constants. */
export function filterOf(device: Device, weight: Value, groups: number, isTransposed: boolean, slice?: Slice): Filter {
  const [first = 1, second = 1] = weight.dims;
  const space = weight.dims.slice(2).filter((_, axis) => axis !== slice?.axis);
  const [rows = 1, columns = 1] = space.length === 1 ? [1, space[0]] : space;
  // Of a transposed convolution the first axis is that of inputs, and the window is turned around.
  const inputs = isTransposed ? first / groups : second;
  const depthwise = groups > 1 && inputs === 1;
  const key = `filter ${groups} ${isTransposed} ${slice?.axis} ${slice?.at}`;
  const tensor = weight.prepared(key, () => {
    const plain = slice ? sliced(device, weight, slice) : weight.tensor();
    if (isTransposed) {
      const turned = device.transpose(device.reshape(plain, [first, second, rows, columns]), [2, 3, 0, 1]);
      return device.call('Reverse', { x: turned }, { dims: [0, 1] });
    }
    const split = depthwise ? [groups, first / groups, rows, columns] : [first, second, rows, columns];
    return device.transpose(device.reshape(plain, split), depthwise ? [2, 3, 0, 1] : [2, 3, 1, 0]);
  });
  return { tensor, depthwise };
}

function sliced(device: Device, weight: Value, { axis, at }: Slice): Tf {
  const x = weight.tensor();
  if (weight.dims[axis + 2] === 1) return x;
  const begin = weight.dims.map((_, i) => (i === axis + 2 ? at : 0));
  return device.call('Slice', { x }, { begin, size: weight.dims.map((d, i) => (i === axis + 2 ? 1 : d)) });
}

export interface Convolution {
  readonly x: Tf;
  readonly filter: Filter;
  readonly groups: number;
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  readonly pad: unknown;
  readonly bias?: Tf | undefined;
  readonly activation: Activation;
  readonly isTransposed?: boolean;
}

/** Channels-last. */
export function convolve(device: Device, c: Convolution): Tf {
  const isNative = device.backend === 'tensorflow';
  const isUneven = isNative && c.filter.depthwise && c.strides.some((s) => s !== c.strides[0]);
  if (isUneven || (c.strides.some((s) => s > 1) && c.dilations.some((d) => d > 1))) {
    // Kernels have one or the other; TensorFlow's of single channels one step for both axes.
    const all = convolve(device, { ...c, strides: c.strides.map(() => 1) });
    const step = [1, ...c.strides, 1];
    const dims = all.shape.map((d, i) => Math.ceil(d / (step[i] as number)));
    return stepped(device, all, [0, 0, 0, 0], dims, step);
  }
  const attributes = {
    strides: [...c.strides],
    dilations: [...c.dilations],
    pad: c.pad,
    dataFormat: 'NHWC',
    dimRoundingMode: 'floor',
  };
  const run = (x: Tf, filter: Tf, depthwise: boolean, bias?: Tf) => {
    if (!bias && c.activation === 'linear') {
      return device.call(depthwise ? 'DepthwiseConv2dNative' : 'Conv2D', { x, filter }, attributes);
    }
    const fused = { ...attributes, activation: c.activation, leakyreluAlpha: 0 };
    const inputs: Readonly<Record<string, Tf>> = bias ? { x, filter, bias } : { x, filter };
    return device.call(depthwise ? 'FusedDepthwiseConv2D' : 'FusedConv2D', inputs, fused);
  };
  const { x, groups } = c;
  const { tensor: filter, depthwise } = c.filter;
  // TensorFlow has no gaps in windows of single channels.
  const isApart = isNative && depthwise && c.dilations.some((d) => d > 1);
  if (groups === 1 || (depthwise && !isApart)) return run(x, filter, depthwise, c.bias);
  const part = (t: Tf, axis: number, i: number) => {
    const each = (t.shape[axis] as number) / groups;
    const begin = t.shape.map((_, a) => (a === axis ? i * each : 0));
    return device.call('Slice', { x: t }, { begin, size: t.shape.map((d, a) => (a === axis ? each : d)) });
  };
  const parts = Array.from({ length: groups }, (_, i) =>
    run(part(x, 3, i), part(filter, c.isTransposed || depthwise ? 2 : 3, i), false, c.bias && part(c.bias, 0, i)),
  );
  return device.call('Concat', Object.assign(parts, { ...parts }) as never, { axis: 3 });
}

export const shown = (x: Value, weight: Value) => `an image of ${show(x.dims)} and a filter of ${show(weight.dims)}`;
