/** Convolution and its transpose. How their gradients are computed is the lowering's matter. */

import type { Dims } from '../../../ir/index.js';
import { channelSum, convInputGradient, convWeightGradient, emitComposite } from '../composites/index.js';
import { type Window, windowAttributes, windowOf } from '../window.js';
import type { Backward, RuleContext, RuleTable } from './rule.js';

const axesButChannel = (rank: number) => [...Array(rank).keys()].filter((i) => i !== 1);

function biasGradient(c: RuleContext): string | undefined {
  if (!c.has(2) || !c.needs(2)) return undefined;
  const rank = c.yDims().length;
  return rank === 4
    ? emitComposite(c.e, channelSum, [c.dy()], [c.yDims()[1] as number])
    : c.e.sum(c.dy(), axesButChannel(rank));
}

/** Gradient of Conv(x, w) with respect to x, which has shape `dims`. */
export function inputGradient(c: RuleContext, dy: string, w: string, dims: Dims, window: Window): string {
  return emitComposite(c.e, convInputGradient, [dy, w], dims, windowAttributes(window));
}

/** Gradient of Conv(x, w) with respect to w, which has shape `dims`. */
function weightGradient(c: RuleContext, x: string, dy: string, dims: Dims, window: Window): string {
  return emitComposite(c.e, convWeightGradient, [x, dy], dims, windowAttributes(window));
}

const conv: Backward = (c) => {
  const window = windowOf(c.node, c.xDims(1).slice(2), c.xDims().slice(2), c.yDims().slice(2));
  return [
    c.needs(0) ? inputGradient(c, c.dy(), c.x(1), c.xDims(), window) : undefined,
    c.needs(1) ? weightGradient(c, c.x(), c.dy(), c.xDims(1), window) : undefined,
    biasGradient(c),
  ];
};

/** ConvTranspose(x, w) is the input gradient of the convolution with w that maps y's shape to x's. */
const convTranspose: Backward = (c) => {
  // Roles swap: the convolution reads shape y and writes shape x.
  const [x, y] = [c.xDims().slice(2), c.yDims().slice(2)];
  const kernel = c.xDims(1).slice(2);
  const declared = windowOf(c.node, kernel, y, x);
  const window = { ...declared, ...transposedPads(declared, y, x) };
  const attributes = windowAttributes(window);
  return [
    c.needs(0) ? c.e.emit('Conv', [c.dy(), c.x(1)], c.xDims(), attributes) : undefined,
    c.needs(1) ? weightGradient(c, c.dy(), c.x(), c.xDims(1), window) : undefined,
    biasGradient(c),
  ];
};

/** Padding that makes the convolution of shape `y` give exactly shape `x`; output_padding lengthens y beyond it. */
function transposedPads(w: Window, y: Dims, x: Dims): Pick<Window, 'begin' | 'end'> {
  const end = w.kernel.map((k, i) => {
    const reach = ((x[i] as number) - 1) * (w.strides[i] as number) + (k - 1) * (w.dilations[i] as number) + 1;
    const most = reach + (w.strides[i] as number) - 1 - (y[i] as number) - (w.begin[i] as number);
    return Math.max(0, Math.min(w.end[i] as number, most));
  });
  return { begin: w.begin, end };
}

export const convolution: RuleTable = { Conv: conv, ConvTranspose: convTranspose };
