/** Convolutions. Kernels of TensorFlow.js take images channels-last and filters (rows, columns, inputs, outputs). */
import { intAttribute, intsAttribute, type Node, stringAttribute } from '../../../ir/index.js';
import type { Device, Tf } from '../device.js';
import { permuted, type Value } from '../value.js';
import type { Window } from '../window.js';
import { fail, made, type OpTable, required, type Site, show } from './op.js';
import { stepped } from './shape.js';
import { windowOf } from './window.js';

/** What a convolution does to its result besides: set where a plan joins nodes. */
export type Activation = 'linear' | 'relu' | 'relu6';

interface Filter {
  /** (rows, columns, inputs of a group, outputs); where `depthwise`, (rows, columns, channels, outputs of each). */
  readonly tensor: Tf;
  readonly depthwise: boolean;
}

/** A value of one spatial axis as an image of one row. */
export function asImage(device: Device, x: Value, what: string): { image: Value; isLine: boolean } {
  const { dims } = x;
  if (x.type !== 'float32') fail(`TensorFlow.js does not compute it in ${x.type}`);
  if (dims.length === 4) return { image: x, isLine: false };
  if (dims.length !== 3) fail(`TensorFlow.js has ${what} over one and two axes of space, not over ${dims.length - 2}`);
  const [n, c, w] = dims as [number, number, number];
  return { image: made(device, device.reshape(x.tensor(), [n, c, 1, w]), [n, c, 1, w]), isLine: true };
}

/** A window of one axis as one of a single row. */
export function asRows(w: Window): Window {
  if (w.kernel.length !== 1) return w;
  const one = (v: readonly number[]) => [1, ...v];
  const none = (v: readonly number[]) => [0, ...v];
  return {
    kernel: one(w.kernel),
    strides: one(w.strides),
    dilations: one(w.dilations),
    before: none(w.before),
    after: none(w.after),
    declared: none(w.declared),
    output: one(w.output),
  };
}

/** The border as the kernels take it; where the backend cannot, it is put around the image. */
export function bordered(device: Device, x: Tf, w: Window, value = 0): { x: Tf; pad: unknown } {
  if ([...w.before, ...w.after].every((p) => p === 0)) return { x, pad: 'valid' };
  const paddings = [[0, 0], ...w.before.map((b, i) => [b, w.after[i] as number]), [0, 0]];
  if (device.padsWindows) return { x, pad: paddings };
  return { x: device.call('PadV2', { x }, { paddings, constantValue: value }), pad: 'valid' };
}

/** Gives the filter of a value, once for constants. */
function filterOf(device: Device, weight: Value, groups: number, isTransposed: boolean): Filter {
  const [first = 1, second = 1] = weight.dims;
  const [rows = 1, columns = 1] = weight.dims.length === 3 ? [1, weight.dims[2]] : weight.dims.slice(2);
  // Of a transposed convolution the first axis is that of inputs, and the window is turned around.
  const inputs = isTransposed ? first / groups : second;
  const depthwise = groups > 1 && inputs === 1;
  const key = `filter ${groups} ${isTransposed}`;
  const tensor = weight.prepared(key, () => {
    const plain = weight.tensor();
    if (isTransposed) {
      const turned = device.transpose(device.reshape(plain, [first, second, rows, columns]), [2, 3, 0, 1]);
      return device.call('Reverse', { x: turned }, { dims: [0, 1] });
    }
    const split = depthwise ? [groups, first / groups, rows, columns] : [first, second, rows, columns];
    return device.transpose(device.reshape(plain, split), depthwise ? [2, 3, 0, 1] : [2, 3, 1, 0]);
  });
  return { tensor, depthwise };
}

interface Convolution {
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

function convolve(device: Device, c: Convolution): Tf {
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

/** From channels-last, as an image or a line. */
function result(device: Device, y: Tf, isLine: boolean): Value {
  const [n, h, w, c] = y.shape as [number, number, number, number];
  if (!isLine) return made(device, y, [n, c, h, w], 'last');
  return made(device, device.transpose(device.reshape(y, [n, w, c]), [0, 2, 1]), [n, c, w]);
}

const shown = (x: Value, weight: Value) => `an image of ${show(x.dims)} and a filter of ${show(weight.dims)}`;

/** Conv, with what a plan has joined to it. */
export function conv({ device, node }: Pick<Site, 'device' | 'node'>, activation: Activation = 'linear') {
  const groups = intAttribute(node, 'group', 1);
  return (inputs: readonly (Value | undefined)[]): Value => {
    const [x, weight] = [required(inputs, 0), required(inputs, 1)];
    if (x.dims.length === 5) return overStack(device, node, x, weight, inputs[2], activation);
    const { image, isLine } = asImage(device, x, 'convolutions');
    const channels = image.dims[1] as number;
    const [outputs = 1, each = 1] = weight.dims;
    if (weight.dims.length !== x.dims.length || each * groups !== channels || outputs % groups !== 0) {
      fail(`${shown(x, weight)} do not fit in ${groups} group${groups > 1 ? 's' : ''}`);
    }
    const w = asRows(windowOf(node, weight.dims.slice(2), x.dims.slice(2)));
    const { x: padded, pad } = bordered(device, image.tensor('last'), w);
    const y = convolve(device, {
      x: padded,
      filter: filterOf(device, weight, groups, false),
      groups,
      strides: w.strides,
      dilations: w.dilations,
      pad,
      bias: inputs[2]?.tensor(),
      activation,
    });
    if (image !== x) image.hold().release();
    return result(device, y, isLine);
  };
}

/**
 * A convolution over three axes whose window does not extend along one of them: the slices along it are a batch.
 * Gradients with respect to filters are of this form (graph/gradient/composites/convolution.ts).
 */
function overStack(
  device: Device,
  node: Node,
  x: Value,
  weight: Value,
  bias: Value | undefined,
  activation: Activation,
): Value {
  const groups = intAttribute(node, 'group', 1);
  const [n, c] = x.dims as [number, number];
  const [o = 1, each = 1] = weight.dims;
  const w = windowOf(node, weight.dims.slice(2), x.dims.slice(2));
  const still = w.kernel.findIndex((k, i) => k === 1 && w.strides[i] === 1 && w.before[i] === 0 && w.after[i] === 0);
  if (still < 0) fail('TensorFlow.js has convolutions over one and two axes of space, not over 3');
  if (weight.dims.length !== 5 || each * groups !== c) fail(`${shown(x, weight)} do not fit`);
  const moving = [0, 1, 2].filter((axis) => axis !== still);
  const two = (v: readonly number[]) => moving.map((axis) => v[axis] as number);
  const depth = x.dims[still + 2] as number;
  const [height, width] = two(x.dims.slice(2)) as [number, number];
  // Of one example the first axis is none, and fewer axes move faster.
  const perm = [0, still + 2, ...moving.map((axis) => axis + 2), 1];
  const single = n === 1;
  const stacked = single
    ? device.transpose(
        device.reshape(x.tensor(), x.dims.slice(1)),
        perm.slice(1).map((axis) => axis - 1),
      )
    : device.transpose(x.tensor(), perm);
  const window: Window = {
    kernel: two(w.kernel),
    strides: two(w.strides),
    dilations: two(w.dilations),
    before: two(w.before),
    after: two(w.after),
    declared: two(w.declared),
    output: two(w.output),
  };
  const flat = made(device, device.reshape(weight.tensor(), [o, each, ...window.kernel]), [
    o,
    each,
    ...window.kernel,
  ]).hold();
  const { x: padded, pad } = bordered(device, device.reshape(stacked, [n * depth, height, width, c]), window);
  const y = convolve(device, {
    x: padded,
    filter: filterOf(device, flat, groups, false),
    groups,
    strides: window.strides,
    dilations: window.dilations,
    pad,
    bias: bias?.tensor(),
    activation,
  });
  flat.release();
  const [rows, columns] = window.output as [number, number];
  // (n, depth, rows, columns, o) to the order of the graph.
  const back = [0, 4, ...[0, 1, 2].map((axis) => (axis === still ? 1 : moving.indexOf(axis) + 2))];
  const dims = permuted([n, depth, rows, columns, o], back);
  const whole = device.reshape(y, single ? [depth, rows, columns, o] : [n, depth, rows, columns, o]);
  const order = single ? back.slice(1).map((axis) => axis - 1) : back;
  return made(device, device.reshape(device.transpose(whole, order), dims), dims);
}

/** Zeros between neighbours, and none after the last. Two passes, since kernels pad few axes fast. */
function spread(device: Device, x: Tf, strides: readonly number[]): Tf {
  const [n, h, w, c] = x.shape as [number, number, number, number];
  const [down = 1, right = 1] = strides;
  const between = (t: Tf, shape: readonly number[], by: number) =>
    by === 1
      ? t
      : device.call(
          'PadV2',
          { x: device.reshape(t, shape) },
          {
            paddings: [
              [0, 0],
              [0, by - 1],
              [0, 0],
            ],
            constantValue: 0,
          },
        );
  const rows = between(x, [n * h, 1, w * c], down);
  const all = between(rows, [n * h * down * w, 1, c], right);
  return device.reshape(all, [n, h * down, w * right, c]);
}

/** Border widths that may be negative. */
function framed(device: Device, x: Tf, before: readonly number[], after: readonly number[]): Tf {
  const cut = (p: number) => Math.max(0, -p);
  const begin = [0, ...before.map(cut), 0];
  const ends = [0, ...after.map(cut), 0];
  const size = x.shape.map((d, i) => d - (begin[i] as number) - (ends[i] as number));
  const isCut = [...begin, ...ends].some((p) => p > 0);
  const inner = isCut ? device.call('Slice', { x }, { begin, size }) : x;
  const paddings = [[0, 0], ...before.map((b, i) => [Math.max(0, b), Math.max(0, after[i] as number)]), [0, 0]];
  if (paddings.every(([a, b]) => a === 0 && b === 0)) return inner;
  return device.call('PadV2', { x: inner }, { paddings, constantValue: 0 });
}

/** A convolution of the image with zeros between its elements, by the window turned around. */
function convTranspose({ device, node }: Site) {
  const groups = intAttribute(node, 'group', 1);
  return (inputs: readonly (Value | undefined)[]): Value => {
    const [x, weight] = [required(inputs, 0), required(inputs, 1)];
    const { image, isLine } = asImage(device, x, 'convolutions');
    if (
      weight.dims.length !== x.dims.length ||
      weight.dims[0] !== image.dims[1] ||
      (weight.dims[0] ?? 0) % groups !== 0
    ) {
      fail(`${shown(x, weight)} do not fit`);
    }
    const { strides, dilations, before, after } = transposedBorder(node, weight.dims.slice(2), x.dims.slice(2));
    const rows = (v: readonly number[], fill: number) => (isLine ? [fill, ...v] : v);
    const wide = spread(device, image.tensor('last'), rows(strides, 1));
    // After the last element there are zeros already.
    const ends = after.map((a, i) => a - ((strides[i] as number) - 1));
    const y = convolve(device, {
      x: framed(device, wide, rows(before, 0), rows(ends, 0)),
      filter: filterOf(device, weight, groups, true),
      groups,
      strides: [1, 1],
      dilations: rows(dilations, 1),
      pad: 'valid',
      bias: inputs[2]?.tensor(),
      activation: 'linear',
      isTransposed: true,
    });
    if (image !== x) image.hold().release();
    return result(device, y, isLine);
  };
}

function transposedBorder(node: Node, kernel: readonly number[], space: readonly number[]) {
  const ones = kernel.map(() => 1);
  const strides = intsAttribute(node, 'strides') ?? ones;
  const dilations = intsAttribute(node, 'dilations') ?? ones;
  const extra = intsAttribute(node, 'output_padding') ?? ones.map(() => 0);
  const shape = intsAttribute(node, 'output_shape')?.slice(-kernel.length);
  const auto = stringAttribute(node, 'auto_pad', 'NOTSET');
  const pads = intsAttribute(node, 'pads') ?? [...ones, ...ones].map(() => 0);
  const [before, after]: [number[], number[]] = [[], []];
  kernel.forEach((k, i) => {
    const [stride, size] = [strides[i] as number, space[i] as number];
    const span = (k - 1) * (dilations[i] as number) + 1;
    let [begin, end] = [pads[i] as number, pads[i + kernel.length] as number];
    const wanted = shape?.[i] ?? (auto.startsWith('SAME') ? size * stride : undefined);
    if (wanted !== undefined) {
      const total = Math.max(0, (size - 1) * stride + (extra[i] as number) + span - wanted);
      begin = auto === 'SAME_UPPER' ? Math.floor(total / 2) : Math.ceil(total / 2);
      if (auto === 'NOTSET') begin = Math.ceil(total / 2);
      end = total - begin;
    }
    before.push(span - 1 - begin);
    after.push(span - 1 - end + (extra[i] as number));
  });
  return { strides, dilations, before, after };
}

export const convolution: OpTable = { Conv: (site) => conv(site), ConvTranspose: convTranspose };
