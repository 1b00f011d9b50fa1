/**
 * A convolution over three axes, of those over two that TensorFlow.js has on every backend: the slices along one axis are a
 * batch, and the filter's slices along it are summed. Gradients with respect to filters are of this form, with a filter of
 * one slice (graph/gradient/composites/convolution.ts).
 */
import { intAttribute, type Node } from '../../../ir/index.js';
import type { Device, Tf } from '../device.js';
import { maths } from '../maths.js';
import { permuted, type Value } from '../value.js';
import type { Window } from '../window.js';
import { type Activation, bordered, convolve, filterOf, shown } from './convolve.js';
import { fail, made, show } from './op.js';
import { stepped } from './pieces.js';
import { windowOf } from './window.js';

export function overVolume(
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
  if (x.type !== 'float32') fail(`TensorFlow.js does not compute it in ${x.type}`);
  if (weight.dims.length !== 5 || each * groups !== c || o % groups !== 0) fail(`${shown(x, weight)} do not fit`);
  const w = windowOf(node, weight.dims.slice(2), x.dims.slice(2));
  // The axis with the fewest slices of the filter; one that stays as it is before one that is padded or stepped over.
  const isStill = (i: number) => w.strides[i] === 1 && w.before[i] === 0 && w.after[i] === 0;
  const cost = (i: number) => 2 * (w.kernel[i] as number) - (isStill(i) ? 1 : 0);
  const deep = [0, 1, 2].reduce((best, i) => (cost(i) < cost(best) ? i : best), 0);
  const flat = [0, 1, 2].filter((axis) => axis !== deep);
  const two = (v: readonly number[]) => flat.map((axis) => v[axis] as number);
  const window: Window = {
    kernel: two(w.kernel),
    strides: two(w.strides),
    dilations: two(w.dilations),
    before: two(w.before),
    after: two(w.after),
    declared: two(w.declared),
    output: two(w.output),
  };
  const [height, width] = two(x.dims.slice(2)) as [number, number];
  const [rows, columns] = window.output as [number, number];
  const depth = w.output[deep] as number;
  const slices = slicesOf(device, stackOf(device, x, deep, flat), [n, x.dims[deep + 2] as number], w, deep);
  const terms = w.kernel[deep] as number;
  const m = maths(device);
  let sum: Tf | undefined;
  for (let at = 0; at < terms; at++) {
    const image = device.reshape(slices(at), [n * depth, height, width, c]);
    const { x: padded, pad } = bordered(device, image, window);
    const isOnly = terms === 1;
    const y = convolve(device, {
      x: padded,
      filter: filterOf(device, weight, groups, false, { axis: deep, at }),
      groups,
      strides: window.strides,
      dilations: window.dilations,
      pad,
      bias: at === 0 ? bias?.tensor() : undefined,
      activation: isOnly ? activation : 'linear',
    });
    sum = sum ? m.add(sum, y) : y;
  }
  const linear = sum ?? fail(`a filter of ${show(weight.dims)} has no elements`);
  const y = terms === 1 || activation === 'linear' ? linear : device.call(activations[activation], { x: linear });
  // (n, depth, rows, columns, o) to the order of the graph; of one example the first axis is none.
  const back = [0, 4, ...[0, 1, 2].map((axis) => (axis === deep ? 1 : flat.indexOf(axis) + 2))];
  const dims = permuted([n, depth, rows, columns, o], back);
  const single = n === 1;
  const whole = device.reshape(y, single ? [depth, rows, columns, o] : [n, depth, rows, columns, o]);
  const order = single ? back.slice(1).map((axis) => axis - 1) : back;
  return made(device, device.reshape(device.transpose(whole, order), dims), dims);
}

const activations = { relu: 'Relu', relu6: 'Relu6' } as const;

/** (n, depth, rows, columns, channels). Fewer axes move faster: of one example the first is none. */
function stackOf(device: Device, x: Value, deep: number, flat: readonly number[]): Tf {
  const perm = [0, deep + 2, ...flat.map((axis) => axis + 2), 1];
  if (x.dims[0] !== 1) return device.transpose(x.tensor(), perm);
  return device.transpose(
    device.reshape(x.tensor(), x.dims.slice(1)),
    perm.slice(1).map((axis) => axis - 1),
  );
}

/** For each slice of the filter the slices of the image that it meets, as many as there are of the output. */
function slicesOf(device: Device, stack: Tf, [n, depth]: readonly [number, number], w: Window, deep: number) {
  const [before, after] = [w.before[deep] as number, w.after[deep] as number];
  const [stride, output] = [w.strides[deep] as number, w.output[deep] as number];
  const plane = stack.size / (n * depth);
  let all = stack;
  if (before > 0 || after > 0) {
    const paddings = [
      [0, 0],
      [before, after],
      [0, 0],
    ];
    all = device.call('PadV2', { x: device.reshape(stack, [n, depth, plane]) }, { paddings, constantValue: 0 });
  }
  const inside = depth + before + after;
  return (at: number): Tf => {
    if (output === inside && stride === 1) return all;
    const begin = [0, at * (w.dilations[deep] as number), 0];
    return stepped(device, device.reshape(all, [n, inside, plane]), begin, [n, output, plane], [1, stride, 1]);
  };
}
