/** Convolutions over one to three axes, and transposed ones. */
import { intAttribute, intsAttribute, type Node, stringAttribute } from '../../../ir/index.js';
import type { Device, Tf } from '../device.js';
import type { Value } from '../value.js';
import type { Window } from '../window.js';
import { type Activation, bordered, convolve, filterOf, shown } from './convolve.js';
import { fail, made, type OpTable, required, type Site } from './op.js';
import { overVolume } from './volume.js';
import { windowOf } from './window.js';

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

/** From channels-last, as an image or a line. */
function result(device: Device, y: Tf, isLine: boolean): Value {
  const [n, h, w, c] = y.shape as [number, number, number, number];
  if (!isLine) return made(device, y, [n, c, h, w], 'last');
  return made(device, device.transpose(device.reshape(y, [n, w, c]), [0, 2, 1]), [n, c, w]);
}

/** Conv, with what a plan has joined to it. */
export function conv({ device, node }: Pick<Site, 'device' | 'node'>, activation: Activation = 'linear') {
  const groups = intAttribute(node, 'group', 1);
  return (inputs: readonly (Value | undefined)[]): Value => {
    const [x, weight] = [required(inputs, 0), required(inputs, 1)];
    if (x.dims.length === 5) return overVolume(device, node, x, weight, inputs[2], activation);
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
