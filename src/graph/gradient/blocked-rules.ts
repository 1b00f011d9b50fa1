/** How each operator is written in the blocked layout. */
import { intsAttribute, type Node, sizeOf, toNumbers } from '../../ir/index.js';
import type { Lowering } from './blocked.js';
import * as convolution from './blocked-convolution.js';
import { expansionOf, sliceGradient, windowFrom } from './composites.js';
import type { Dims } from './emitter.js';
import { blockedDomain } from './names.js';
import { type Window, windowAttributes, windowOf } from './window.js';

/** Writes a node in blocked layout; false where that cannot be. */
type Handler = (l: Lowering, node: Node) => boolean;

const unitWindow = (group: number): Window => ({
  kernel: [1, 1],
  strides: [1, 1],
  dilations: [1, 1],
  begin: [0, 0],
  end: [0, 0],
  group,
});

const is4d = (l: Lowering, value: string) => l.dims(value).length === 4;

/** Sum over H and W of x times y for every example and channel: a depthwise convolution whose kernel is as large as its input. */
function dots(l: Lowering, x: string, y: string): string {
  const [n, , h, w] = l.dims(x) as [number, number, number, number];
  const groups = n * l.channels(x);
  const image = l.e.reshape(l.blocked(x), [1, groups, h, w]);
  const kernel = l.e.reshape(l.blocked(y), [groups, 1, h, w]);
  const window = { ...unitWindow(groups), kernel: [h, w] };
  return l.overBatch(l.convolve([image, kernel, ''], window, [1, groups, 1, 1]), l.dims(x)[1] as number);
}

function sums(l: Lowering, x: string): string {
  const [n, , h, w] = l.dims(x) as [number, number, number, number];
  const rows = l.e.reshape(l.blocked(x), [(n * l.channels(x)) / l.block, h * w, l.block]);
  return l.overBatch(l.e.sum(rows, [1]), l.dims(x)[1] as number);
}

const conv: Handler = (l, node) => {
  const [x, w, bias] = node.inputs as [string, string, string?];
  const y = node.outputs[0] as string;
  // With constant weights the runtime chooses the blocked form, and folds norms into it, by itself.
  if (!is4d(l, x) || l.graph.constants.has(w)) return false;
  const window = windowOf(node, l.dims(w).slice(2), l.dims(x).slice(2), l.dims(y).slice(2));
  return convolution.forward(l, { x, w, bias: bias ?? '', y, window });
};

/** Of the operators that reverse mode writes. */
export const composites: Readonly<Record<string, Handler>> = {
  ConvInputGradient: (l, node) => {
    const [dy, w] = node.inputs as [string, string];
    return (
      is4d(l, dy) && convolution.inputGradient(l, { dy, w, dx: node.outputs[0] as string, window: windowFrom(node) })
    );
  },
  ConvWeightGradient: (l, node) => {
    const [x, dy] = node.inputs as [string, string];
    return (
      is4d(l, x) && convolution.weightGradient(l, { x, dy, dw: node.outputs[0] as string, window: windowFrom(node) })
    );
  },
  ChannelSum: (l, node) => {
    const [x] = node.inputs as [string];
    if (!is4d(l, x) || !l.isBlocked(x)) return false;
    l.setPlain(node.outputs[0] as string, sums(l, x));
    return true;
  },
  ChannelDot: (l, node) => {
    const [x, y] = node.inputs as [string, string];
    if (!is4d(l, x) || !(l.isBlocked(x) || l.isBlocked(y))) return false;
    l.setPlain(node.outputs[0] as string, dots(l, x, y));
    return true;
  },
  /** Variance as E[x^2] - E[x]^2: one pass, and norms follow convolutions, whose outputs lie near zero. */
  BatchStatistics: (l, node) => {
    const [x] = node.inputs as [string];
    if (!is4d(l, x) || !l.isBlocked(x)) return false;
    const [n, c, h, w] = l.dims(x) as [number, number, number, number];
    const mean = l.e.scale(sums(l, x), 1 / (n * h * w));
    const square = l.e.scale(dots(l, x, x), 1 / (n * h * w));
    const variance = l.e.op('Max', [l.e.sub(square, l.e.mul(mean, mean)), l.e.scalar(0)], [c]);
    l.setPlain(node.outputs[0] as string, mean);
    l.setPlain(node.outputs[1] as string, variance);
    return true;
  },
  ChannelAffine: (l, node) => {
    const [x, a, b, z, c] = node.inputs as [string, string, string, string?, string?];
    if (!is4d(l, x) || !l.isBlocked(x)) return false;
    const y = node.outputs[0] as string;
    const dims = l.padded(l.dims(x));
    const window = unitWindow(l.channels(x));
    const [scale, shift] = [l.vector(a, [1, 1]), l.vector(b, [1])];
    if (!z || !c) {
      l.postpone(y, [l.blocked(x), scale, shift], window);
      return true;
    }
    const other = l.convolve([l.blocked(z), l.vector(c, [1, 1]), shift], window, dims);
    // Without a bias of its own: the sum brings it.
    const name = l.e.op('Conv', [l.blocked(x), scale, '', other], dims, windowAttributes(window), blockedDomain);
    l.setBlocked(y, name);
    return true;
  },
  /** Equal maxima of a window share its gradient: finding the first of them would take the layout apart. */
  MaxPoolGradient: (l, node) => {
    const [dy, indices, x, y] = node.inputs as [string, string, string, string];
    if (!l.tiledPools.has(indices)) return false;
    const dx = node.outputs[0] as string;
    const window = windowFrom(node);
    const dims = l.padded(l.dims(dx));
    const scales = [1, 1, ...window.kernel];
    const spread = (v: string) => l.e.op('Upsample', [v], dims, { scales }, blockedDomain);
    const below = l.e.sub(l.blocked(x), spread(l.blocked(y)));
    const mask = l.e.unary('HardSigmoid', below, { alpha: 2 ** 100, beta: 1 });
    const { kernel_shape, strides, pads } = windowAttributes(window);
    const small = l.padded(l.dims(dy));
    const mean = l.e.op('AveragePool', [mask], small, { kernel_shape, strides, pads }, blockedDomain);
    const share = l.e.div(l.blocked(dy), l.e.scale(mean, sizeOf(window.kernel)));
    l.setBlocked(dx, l.e.mul(mask, spread(share)));
    return true;
  },
  /** Along the image's axes, with blocks of channels moving as a whole. */
  SliceGradient: (l, node) => {
    const [dy] = node.inputs as [string];
    const dx = node.outputs[0] as string;
    if (!is4d(l, dy) || !intsAttribute(node, 'axes')?.every((a) => a >= 2)) return false;
    const [from, to] = [l.padded(l.dims(dy)), l.padded(l.dims(dx))] as [Dims, Dims];
    const rows = (d: Dims) => [
      ((d[0] as number) * (d[1] as number)) / l.block,
      1,
      d[2] as number,
      d[3] as number,
      l.block,
    ];
    const g = sliceGradient(l.e, l.e.reshape(l.blocked(dy), rows(from)), node, rows(to));
    l.setBlocked(dx, l.e.reshape(g, to));
    return true;
  },
  ReluGradient: gradientOf(),
  ClipGradient: gradientOf(),
};

/** Elementwise composites: their standard expansion, on blocked operands. */
function gradientOf(): Handler {
  return (l, node) => {
    if (!is4d(l, node.inputs[0] as string) || !node.inputs.slice(0, 2).some((i) => l.isBlocked(i))) return false;
    const y = node.outputs[0] as string;
    const inputs = node.inputs.map((i, k) => (k < 2 ? l.blocked(i) : i && l.plain(i)));
    const result = expansionOf(node)(l.e, { ...node, inputs });
    l.setBlocked(y, result as string);
    return true;
  };
}

/** Of the standard operators. */
export const standard: Readonly<Record<string, Handler>> = {
  Conv: conv,
  /** Along the image's axes. */
  Slice: (l, node) => {
    const [x, starts, ends, axes] = node.inputs as string[];
    const y = node.outputs[0] as string;
    const along = l.graph.constants.get(axes ?? '');
    if (!is4d(l, x as string) || !l.isBlocked(x as string) || !along || !toNumbers(along).every((a) => a >= 2))
      return false;
    if (![starts, ends].every((v) => l.graph.constants.has(v as string))) return false;
    const [from, to] = [l.padded(l.dims(x as string)), l.padded(l.dims(y))] as [Dims, Dims];
    const rows = (d: Dims) => [
      ((d[0] as number) * (d[1] as number)) / l.block,
      1,
      d[2] as number,
      d[3] as number,
      l.block,
    ];
    const inputs = [l.e.reshape(l.blocked(x as string), rows(from)), ...node.inputs.slice(1)];
    l.setBlocked(y, l.e.reshape(l.e.op('Slice', inputs, rows(to)), to));
    return true;
  },
  /** Windows that tile the image. */
  MaxPool: (l, node) => {
    const [x] = node.inputs as [string];
    const [y, indices] = node.outputs as [string, string?];
    if (!is4d(l, x) || !l.isBlocked(x)) return false;
    const [from, to] = [l.dims(x).slice(2), l.dims(y).slice(2)];
    const window = { ...windowOf(node, intsAttribute(node, 'kernel_shape') ?? [], from, to), group: 1 };
    const tiled = window.kernel.every(
      (k, i) => k === window.strides[i] && window.dilations[i] === 1 && k * (to[i] as number) === from[i],
    );
    if (!tiled || (indices && !l.onlyForGradient(indices))) return false;
    const { kernel_shape, strides, pads } = windowAttributes(window);
    const name = l.e.op('MaxPool', [l.blocked(x)], l.padded(l.dims(y)), { kernel_shape, strides, pads }, blockedDomain);
    l.setBlocked(y, name);
    if (indices) l.tiledPools.add(indices);
    return true;
  },
  GlobalAveragePool: (l, node) => {
    const [x] = node.inputs as [string];
    if (!is4d(l, x) || !l.isBlocked(x)) return false;
    const [n, c, h, w] = l.dims(x) as [number, number, number, number];
    const full = l.channels(x);
    const means = l.e.mean(l.e.reshape(l.blocked(x), [(n * full) / l.block, h * w, l.block]), [1]);
    const flat = l.e.slice(l.e.reshape(means, [n, full]), 1, 0, c);
    l.setPlain(node.outputs[0] as string, l.e.reshape(flat, [n, c, 1, 1]));
    return true;
  },
  /** From one value per example and channel, as the gradient of a global pool has it. */
  Expand: (l, node) => {
    const [x] = node.inputs as [string];
    const y = node.outputs[0] as string;
    const [from, to] = [l.dims(x), l.dims(y)];
    if (to.length !== 4 || from.length !== 4 || sizeOf(from.slice(2)) !== 1 || from[0] !== to[0] || from[1] !== to[1])
      return false;
    if ((to[1] as number) % l.block !== 0) return false;
    const n = ((to[0] as number) * (to[1] as number)) / l.block;
    const rows = l.e.expand(l.e.reshape(l.plain(x), [n, 1, l.block]), [
      n,
      (to[2] as number) * (to[3] as number),
      l.block,
    ]);
    l.setBlocked(y, l.e.reshape(rows, to));
    return true;
  },
};
