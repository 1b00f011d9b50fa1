/** Gradients of convolutions. */

import type { Emitter } from '../../../ir/index.js';
import { type Node, sizeOf } from '../../../ir/index.js';
import * as blocked from '../lower/blocked-convolution.js';
import { isDepthwise, uncovered, windowAttributes } from '../window.js';
import { type Composite, inputOf, outputOf, windowFrom, windowKinds } from './composite.js';

/** (O, I/g, k...) -> (I, O/g, k... reversed): the kernel of the convolution that carries gradients back. */
function flippedKernel(e: Emitter, w: string, group: number): string {
  const [o, i, ...kernel] = e.dims(w) as [number, number, ...number[]];
  const size = sizeOf(kernel);
  const split = e.reshape(w, [group, o / group, i, size]);
  const swapped = o === group && i === 1 ? split : e.transpose(split, [0, 2, 1, 3]);
  const reversed = e.ints([...Array(size).keys()].reverse());
  const flipped = size === 1 ? swapped : e.gather(swapped, reversed, 3);
  return e.reshape(flipped, [group * i, o / group, ...kernel]);
}

/** Puts stride - 1 zeros between neighbours of every spatial axis of (N, C, ...). */
function spreadByStride(e: Emitter, dy: string, strides: readonly number[]): string {
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

/** By a convolution with the flipped kernel where that is possible, else by ConvTranspose. */
function inputGradient(e: Emitter, node: Node): string {
  const [dy, w] = [inputOf(node, 0), inputOf(node, 1)];
  const window = windowFrom(node);
  const dims = e.dims(outputOf(node));
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
      return e.emit('Conv', [spread, flippedKernel(e, w, window.group)], dims, attributes);
    }
  }
  return e.emit('ConvTranspose', [dy, w], dims, { ...windowAttributes(window), output_padding: rest });
}

/** Depthwise weights: one multiplication and sum per kernel position. */
function depthwiseWeightGradient(e: Emitter, node: Node): string {
  const [x, dy] = [inputOf(node, 0), inputOf(node, 1)];
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
  return e.reshape(e.concat(sums, 1), e.dims(outputOf(node)));
}

/**
 * dW[o, i, k] = sum over n and positions p of dy[n, o, p] x[n, i, p s + k d]: a convolution in which the batch plays
 * the channels, the input channels are a further spatial axis, dy is the kernel, and stride and dilation swap.
 */
function weightGradient(e: Emitter, node: Node): string {
  const [x, dy] = [inputOf(node, 0), inputOf(node, 1)];
  const w = windowFrom(node);
  const dims = e.dims(outputOf(node));
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
  let result = e.emit('Conv', [image, kernel], [1, o, per, ...size], {
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
}

/** Gradient of Conv(x, w) with respect to x; inputs dy, w. */
export const convInputGradient = {
  name: 'ConvInputGradient',
  attributes: windowKinds,
  expand: (e, node) => [inputGradient(e, node)],
  lower: (l, node) => {
    const [dy, w] = [inputOf(node, 0), inputOf(node, 1)];
    return l.is4d(dy) && blocked.inputGradient(l, { dy, w, dx: outputOf(node), window: windowFrom(node) });
  },
} as const satisfies Composite;

/** Gradient of Conv(x, w) with respect to w; inputs x, dy. */
export const convWeightGradient = {
  name: 'ConvWeightGradient',
  attributes: windowKinds,
  expand: (e, node) => [weightGradient(e, node)],
  lower: (l, node) => {
    const [x, dy] = [inputOf(node, 0), inputOf(node, 1)];
    return l.is4d(x) && blocked.weightGradient(l, { x, dy, dw: outputOf(node), window: windowFrom(node) });
  },
} as const satisfies Composite;
