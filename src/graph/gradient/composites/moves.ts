/** Gradients that put elements back where they came from. */

import type { Dims, Emitter } from '../../../ir/index.js';
import { intsAttribute, type Node, sizeOf } from '../../../ir/index.js';
import { blockedDomain } from '../names.js';
import { windowAttributes } from '../window.js';
import { type Composite, inputOf, outputOf, windowFrom, windowKinds } from './composite.js';

/** Puts a slice back in place: reversed for negative steps, spread by zeros for steps beyond 1, padded at both ends. */
function putBack(e: Emitter, dy: string, node: Node, dims: Dims): string {
  const ints = (name: 'axes' | 'starts' | 'steps') => intsAttribute(node, name) ?? [];
  const [axes, starts, steps] = [ints('axes'), ints('starts'), ints('steps')];
  let g = dy;
  for (const [i, axis] of axes.entries()) {
    const [start, step] = [starts[i] as number, steps[i] as number];
    const count = e.dims(g)[axis] as number;
    const size = dims[axis] as number;
    if (count === 0) return e.zeros(dims);
    let first = start;
    if (step < 0) {
      first = start + (count - 1) * step;
      g = e.emit('Slice', [g, e.ints([-1]), e.ints([-size - 1]), e.ints([axis]), e.ints([-1])], e.dims(g));
    }
    g = spreadAlong(e, g, axis, Math.abs(step));
    const at = (value: number) => dims.map((_, k) => (k === axis ? value : 0));
    g = e.pad(g, at(first), at(size - first - (e.dims(g)[axis] as number)));
  }
  return g;
}

/** Puts `step - 1` zeros between neighbours along an axis. */
function spreadAlong(e: Emitter, value: string, axis: number, step: number): string {
  const dims = e.dims(value);
  const count = dims[axis] as number;
  if (step === 1 || count === 1) return value;
  const split = e.reshape(value, [...dims.slice(0, axis + 1), 1, ...dims.slice(axis + 1)]);
  const after = [...dims, 0].map((_, i) => (i === axis + 1 ? step - 1 : 0));
  const none = after.map(() => 0);
  const flat = e.reshape(
    e.pad(split, none, after),
    dims.map((d, i) => (i === axis ? d * step : d)),
  );
  return e.slice(flat, axis, 0, count * step - (step - 1));
}

/** Input dy; the attributes are those of the slice after ONNX's clamping. */
export const sliceGradient = {
  name: 'SliceGradient',
  attributes: { axes: 'ints', starts: 'ints', steps: 'ints' },
  expand: (e, node): readonly string[] => [putBack(e, inputOf(node, 0), node, e.dims(outputOf(node)))],
  /** Along the image's axes, with blocks of channels moving as a whole. */
  lower: (l, node) => {
    const [dy, dx] = [inputOf(node, 0), outputOf(node)];
    if (!l.is4d(dy) || !intsAttribute(node, 'axes')?.every((a) => a >= 2)) return false;
    const [from, to] = [l.padded(l.dims(dy)), l.padded(l.dims(dx))];
    const g = putBack(l.e, l.e.reshape(l.blocked(dy), l.asRows(from)), node, l.asRows(to));
    l.setBlocked(dx, l.e.reshape(g, to));
    return true;
  },
} as const satisfies Composite;

/** Inputs dy, the pool's indices, x, y. */
export const maxPoolGradient = {
  name: 'MaxPoolGradient',
  attributes: windowKinds,
  /** Disjoint windows name each element at most once (MaxUnpool); those of overlapping ones add up. */
  expand: (e, node) => {
    const [dy, indices] = node.inputs as [string, string];
    const w = windowFrom(node);
    const dims = e.dims(outputOf(node));
    const disjoint = w.kernel.every((k, i) => (k - 1) * (w.dilations[i] as number) < (w.strides[i] as number));
    if (disjoint && e.type === 'float32') {
      // Only the indices matter to MaxUnpool; a window of one keeps its own guess of the shape out of the way.
      return [e.emit('MaxUnpool', [dy, indices, e.ints(dims)], dims, { kernel_shape: w.kernel.map(() => 1) })];
    }
    const [size, count] = [sizeOf(dims), sizeOf(e.dims(dy))];
    const inputs = [e.zeros([size]), e.reshape(indices, [count]), e.reshape(dy, [count])];
    return [e.reshape(e.emit('ScatterElements', inputs, [size], { reduction: 'add' }), dims)];
  },
  /** Equal maxima of a window share its gradient: finding the first of them would take the layout apart. */
  lower: (l, node) => {
    const [dy, indices, x, y] = node.inputs as [string, string, string, string];
    if (!l.tiledPools.has(indices)) return false;
    const dx = outputOf(node);
    const window = windowFrom(node);
    const dims = l.padded(l.dims(dx));
    const scales = [1, 1, ...window.kernel];
    const spread = (v: string) => l.e.emit('Upsample', [v], dims, { scales }, blockedDomain);
    const below = l.e.sub(l.blocked(x), spread(l.blocked(y)));
    const mask = l.e.unary('HardSigmoid', below, { alpha: 2 ** 100, beta: 1 });
    const { kernel_shape, strides, pads } = windowAttributes(window);
    const small = l.padded(l.dims(dy));
    const mean = l.e.emit('AveragePool', [mask], small, { kernel_shape, strides, pads }, blockedDomain);
    const share = l.e.div(l.blocked(dy), l.e.scale(mean, sizeOf(window.kernel)));
    l.setBlocked(dx, l.e.mul(mask, spread(share)));
    return true;
  },
} as const satisfies Composite;
