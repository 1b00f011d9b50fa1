/** Writes the composite operators of gradients out in standard ONNX operators, for any engine. */
import { type Graph, GraphBuilder, intAttribute, intsAttribute, type Node, sizeOf } from '../../ir/index.js';
import { type Dims, Emitter } from './emitter.js';
import { compositeDomain } from './names.js';
import type { Differentiated } from './reverse.js';
import { uncovered, type Window, windowAttributes } from './window.js';

type Expansion = (e: Emitter, node: Node) => string | readonly string[];

export function expandComposites({ graph, shapes }: Differentiated): Graph {
  const b = GraphBuilder.rewriting(graph, 'grad');
  const type = shapes.size > 0 ? (graph.outputs[0]?.type ?? 'float32') : 'float32';
  const e = new Emitter(b, shapes, type);
  const renamed = new Map<string, string>();
  for (const original of graph.nodes) {
    const node = { ...original, inputs: original.inputs.map((i) => renamed.get(i) ?? i) };
    if (node.domain !== compositeDomain) {
      b.add(node);
      continue;
    }
    const results = expansionOf(node)(e, node);
    (typeof results === 'string' ? [results] : results).forEach((value, i) => {
      renamed.set(node.outputs[i] as string, value);
    });
  }
  // Outputs keep their names.
  const produced = new Set(graph.outputs.map((o) => o.name));
  for (const [from, to] of renamed) if (produced.has(from)) b.node('Identity', [to], [from]);
  return b.build();
}

export function expansionOf(node: Node): Expansion {
  const expansion = expansions[node.op];
  if (!expansion) throw new Error(`composite operator ${node.op} has no expansion`);
  return expansion;
}

/** The window that a composite carries in its attributes. */
export function windowFrom(node: Node): Window {
  const kernel = intsAttribute(node, 'kernel_shape') as readonly number[];
  const pads = intsAttribute(node, 'pads') as readonly number[];
  return {
    kernel,
    strides: intsAttribute(node, 'strides') as readonly number[],
    dilations: intsAttribute(node, 'dilations') as readonly number[],
    begin: pads.slice(0, kernel.length),
    end: pads.slice(kernel.length),
    group: intAttribute(node, 'group', 1),
  };
}

const input = (node: Node, i: number) => node.inputs[i] as string;
const outputDims = (e: Emitter, node: Node) => e.dims(node.outputs[0] as string);

/** (O, I/g, k...) -> (I, O/g, k... reversed): the kernel of the convolution that carries gradients back. */
export function flippedKernel(e: Emitter, w: string, group: number): string {
  const [o, i, ...kernel] = e.dims(w) as [number, number, ...number[]];
  const size = sizeOf(kernel);
  const split = e.reshape(w, [group, o / group, i, size]);
  const swapped = o === group && i === 1 ? split : e.transpose(split, [0, 2, 1, 3]);
  const dims = [group, i, o / group, size];
  const reversed = e.ints([...Array(size).keys()].reverse());
  const flipped = size === 1 ? swapped : e.op('Gather', [swapped, reversed], dims, { axis: 3 });
  return e.reshape(flipped, [group * i, o / group, ...kernel]);
}

/** Puts stride - 1 zeros between neighbours of every spatial axis of (N, C, ...). */
export function spreadByStride(e: Emitter, dy: string, strides: readonly number[]): string {
  if (strides.every((s) => s === 1)) return dy;
  const dims = e.dims(dy);
  const space = dims.slice(2);
  const split = e.reshape(dy, [dims[0] as number, dims[1] as number, ...space.flatMap((d) => [d, 1])]);
  const after = [0, 0, ...strides.flatMap((s) => [0, s - 1])];
  const padded = e.pad(
    split,
    after.map(() => 0),
    after,
  );
  return e.reshape(padded, [dims[0] as number, dims[1] as number, ...space.map((d, i) => d * (strides[i] as number))]);
}

const isDepthwise = (group: number, wDims: Dims) => group > 1 && wDims[0] === group && wDims[1] === 1;

/** By a convolution with the flipped kernel where that is possible, else by ConvTranspose. */
const convInputGradient: Expansion = (e, node) => {
  const [dy, w] = [input(node, 0), input(node, 1)];
  const window = windowFrom(node);
  const dims = outputDims(e, node);
  const rest = uncovered(window, dims.slice(2), e.dims(dy).slice(2));
  const unit = window.strides.every((s) => s === 1);
  if (unit || isDepthwise(window.group, e.dims(w))) {
    const spread = spreadByStride(e, dy, window.strides);
    const begin = window.kernel.map((k, i) => (k - 1) * (window.dilations[i] as number) - (window.begin[i] as number));
    // A spread axis ends with stride - 1 zeros that stand for uncovered positions.
    const end = window.kernel.map(
      (k, i) =>
        (k - 1) * (window.dilations[i] as number) -
        (window.end[i] as number) +
        (rest[i] as number) -
        ((window.strides[i] as number) - 1),
    );
    if ([...begin, ...end].every((p) => p >= 0)) {
      const attributes = windowAttributes({ ...window, strides: window.strides.map(() => 1), begin, end });
      return e.op('Conv', [spread, flippedKernel(e, w, window.group)], dims, attributes);
    }
  }
  return e.op('ConvTranspose', [dy, w], dims, { ...windowAttributes(window), output_padding: rest });
};

/** Depthwise weights: one multiplication and sum per kernel position. */
function depthwiseWeightGradient(e: Emitter, node: Node): string {
  const [x, dy] = [input(node, 0), input(node, 1)];
  const w = windowFrom(node);
  const padded = e.pad(x, [0, 0, ...w.begin], [0, 0, ...w.end]);
  const out = e.dims(dy).slice(2);
  const axes = [...e.dims(x).keys()].filter((i) => i !== 1);
  const sums: string[] = [];
  for (let at = 0; at < sizeOf(w.kernel); at++) {
    let part = padded;
    let rest = at;
    for (let axis = w.kernel.length - 1; axis >= 0; axis--) {
      const offset = (rest % (w.kernel[axis] as number)) * (w.dilations[axis] as number);
      rest = Math.floor(rest / (w.kernel[axis] as number));
      const stride = w.strides[axis] as number;
      part = e.slice(part, axis + 2, offset, offset + ((out[axis] as number) - 1) * stride + 1, stride);
    }
    sums.push(e.reshape(e.sum(e.mul(part, dy), axes), [e.dims(x)[1] as number, 1]));
  }
  return e.reshape(e.concat(sums, 1), outputDims(e, node));
}

/**
 * dW[o, i, k] = sum over n and positions p of dy[n, o, p] x[n, i, p s + k d]: a convolution in which the batch plays
 * the channels, the input channels are a further spatial axis, dy is the kernel, and stride and dilation swap.
 */
const convWeightGradient: Expansion = (e, node) => {
  const [x, dy] = [input(node, 0), input(node, 1)];
  const w = windowFrom(node);
  const dims = outputDims(e, node);
  if (isDepthwise(w.group, dims)) return depthwiseWeightGradient(e, node);
  const [n, channels, ...space] = e.dims(x) as [number, number, ...number[]];
  const [, o, ...out] = e.dims(dy) as [number, number, ...number[]];
  const per = channels / w.group;
  let image = e.reshape(x, [1, n, channels, ...space]);
  if (w.group > 1) {
    const split = e.reshape(x, [n, w.group, per, ...space]);
    const order = [1, 0, ...[...e.dims(split).keys()].slice(2)];
    image = e.reshape(e.transpose(split, order), [1, w.group * n, per, ...space]);
  }
  const order = [1, 0, ...[...e.dims(dy).keys()].slice(2)];
  const kernel = e.reshape(e.transpose(dy, order), [o, n, 1, ...out]);
  const size = space.map((d, i) =>
    Math.floor(
      (d + (w.begin[i] as number) + (w.end[i] as number) - ((out[i] as number) - 1) * (w.strides[i] as number) - 1) /
        (w.dilations[i] as number) +
        1,
    ),
  );
  let result = e.op('Conv', [image, kernel], [1, o, per, ...size], {
    kernel_shape: [1, ...out],
    strides: [1, ...w.dilations],
    dilations: [1, ...w.strides],
    pads: [0, ...w.begin, 0, ...w.end],
    group: w.group,
  });
  // Input positions beyond the last window give kernel positions that do not exist.
  w.kernel.forEach((k, i) => {
    result = e.slice(result, i + 3, 0, k);
  });
  return e.reshape(result, dims);
};

/** Puts a slice back in place: reversed for negative steps, spread by zeros for steps beyond 1, padded at both ends. */
export function sliceGradient(e: Emitter, dy: string, node: Node, dims: Dims): string {
  const [axes, starts, steps] = ['axes', 'starts', 'steps'].map((name) => intsAttribute(node, name) as number[]);
  let g = dy;
  for (const [i, axis] of (axes as number[]).entries()) {
    const [start, step] = [starts?.[i] as number, steps?.[i] as number];
    const count = e.dims(g)[axis] as number;
    const size = dims[axis] as number;
    if (count === 0) return e.zeros(dims);
    let first = start;
    if (step < 0) {
      first = start + (count - 1) * step;
      g = e.op('Slice', [g, e.ints([-1]), e.ints([-size - 1]), e.ints([axis]), e.ints([-1])], e.dims(g));
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

/** Phi(x) = (1 + erf(x / sqrt 2)) / 2; a HardSigmoid within its bounds is an affine map in one pass. */
export function normalCdf(e: Emitter, x: string): string {
  const erf = e.unary('Erf', e.scale(x, Math.SQRT1_2));
  if (e.type === 'float32') return e.unary('HardSigmoid', erf, { alpha: 0.5, beta: 0.5 });
  return e.add(e.scale(erf, 0.5), e.scalar(0.5));
}

const channelAxes = (e: Emitter, x: string) => [...e.dims(x).keys()].filter((i) => i !== 1);
const perChannel = (e: Emitter, v: string, rank: number) =>
  e.reshape(v, [e.dims(v)[0] as number, ...Array(rank - 2).fill(1)]);

const expansions: Readonly<Record<string, Expansion>> = {
  ConvInputGradient: convInputGradient,
  ConvWeightGradient: convWeightGradient,
  ChannelSum: (e, node) => e.sum(input(node, 0), channelAxes(e, input(node, 0))),
  ChannelDot: (e, node) => e.sum(e.mul(input(node, 0), input(node, 1)), channelAxes(e, input(node, 0))),
  BatchStatistics: (e, node) => {
    const x = input(node, 0);
    const axes = channelAxes(e, x);
    const mean = e.mean(x, axes);
    const centred = e.sub(x, perChannel(e, mean, e.rank(x)));
    return [mean, e.mean(e.mul(centred, centred), axes)];
  },
  /** BatchNormalization is an affine map per channel in one pass; mean 0 and variance 1 leave only that. */
  ChannelAffine: (e, node) => {
    const [x, a, b, z, c] = node.inputs as [string, string, string, string?, string?];
    const dims = e.dims(a);
    const y = e.op('BatchNormalization', [x, a, b, e.zeros(dims), e.full(dims, 1)], e.dims(x), { epsilon: 0 });
    return z && c ? e.add(y, e.mul(z, perChannel(e, c, e.rank(x)))) : y;
  },
  /** y > 0 as 0 or 1 in one pass: a very steep HardSigmoid, which runtimes vectorise where they do not Sign. */
  ReluGradient: (e, node) => {
    const y = input(node, 1);
    const mask = e.type === 'float32' ? e.unary('HardSigmoid', y, { alpha: 2 ** 100, beta: 0 }) : e.unary('Sign', y);
    return e.mul(input(node, 0), mask);
  },
  /** low < y < high as products of steep HardSigmoids; powers of two keep y = bound exact. */
  ClipGradient: (e, node) => {
    const [dy, y, low, high] = node.inputs as [string, string, string, string];
    const bounds = [low, high].map((v) => (v ? e.known(v) : undefined));
    if (e.type === 'float32' && bounds.every((v, i) => v !== undefined || !node.inputs[i + 2])) {
      const steep = 2 ** 100;
      const masks = bounds.flatMap((v, i) =>
        v === undefined
          ? []
          : [
              e.unary(
                'HardSigmoid',
                y,
                i === 0 ? { alpha: steep, beta: -v * steep } : { alpha: -steep, beta: v * steep },
              ),
            ],
      );
      return masks.reduce((g, mask) => e.mul(g, mask), dy);
    }
    const above = low && e.binary('Greater', y, low);
    const below = high && e.binary('Less', y, high);
    return e.where(above && below ? e.binary('And', above, below) : above || below, dy, e.scalar(0));
  },
  /** d gelu / dx = Phi(x) + x phi(x), from the Phi(x) of the forward pass where that was kept. */
  GeluGradient: (e, node) => {
    const [dy, x, kept] = node.inputs as [string, string, string?];
    const density = e.unary('Exp', e.mul(x, e.scale(x, -0.5)));
    const slope = e.scale(e.mul(x, density), 1 / Math.sqrt(2 * Math.PI));
    return e.mul(dy, e.add(kept ?? normalCdf(e, x), slope));
  },
  SliceGradient: (e, node) => sliceGradient(e, input(node, 0), node, outputDims(e, node)),
  /** Disjoint windows name each element at most once (MaxUnpool); those of overlapping ones add up. */
  MaxPoolGradient: (e, node) => {
    const [dy, indices] = node.inputs as [string, string];
    const w = windowFrom(node);
    const dims = outputDims(e, node);
    const disjoint = w.kernel.every((k, i) => (k - 1) * (w.dilations[i] as number) < (w.strides[i] as number));
    if (disjoint && e.type === 'float32') {
      // Only the indices matter to MaxUnpool; a window of one keeps its own guess of the shape out of the way.
      return e.op('MaxUnpool', [dy, indices, e.ints(dims)], dims, { kernel_shape: w.kernel.map(() => 1) });
    }
    const count = sizeOf(e.dims(dy));
    const sum = e.op(
      'ScatterElements',
      [e.zeros([sizeOf(dims)]), e.reshape(indices, [count]), e.reshape(dy, [count])],
      [sizeOf(dims)],
      { reduction: 'add' },
    );
    return e.reshape(sum, dims);
  },
};
