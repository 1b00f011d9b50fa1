/** Sums and affine maps per channel of (N, C, ...), which normalisations and biases are made of. */
import type { Emitter } from '../../../ir/index.js';
import { blockedDomain } from '../names.js';
import { unitWindow, windowAttributes } from '../window.js';
import { type Composite, inputOf, outputOf } from './composite.js';

const channelAxes = (e: Emitter, x: string) => [...e.dims(x).keys()].filter((i) => i !== 1);
const perChannel = (e: Emitter, v: string, rank: number) =>
  e.reshape(v, [e.dims(v)[0] as number, ...Array<number>(rank - 2).fill(1)]);

/** Sum of (N, C, ...) over all but the channels: (C). */
export const channelSum = {
  name: 'ChannelSum',
  attributes: {},
  expand: (e, node) => [e.sum(inputOf(node, 0), channelAxes(e, inputOf(node, 0)))],
  lower: (l, node) => {
    const x = inputOf(node, 0);
    if (!l.is4d(x) || !l.isBlocked(x)) return false;
    l.setPlain(outputOf(node), l.sums(x));
    return true;
  },
} as const satisfies Composite;

/** Sum of the product of two (N, C, ...) over all but the channels: (C). */
export const channelDot = {
  name: 'ChannelDot',
  attributes: {},
  expand: (e, node) => [e.sum(e.mul(inputOf(node, 0), inputOf(node, 1)), channelAxes(e, inputOf(node, 0)))],
  lower: (l, node) => {
    const [x, y] = [inputOf(node, 0), inputOf(node, 1)];
    if (!l.is4d(x) || !(l.isBlocked(x) || l.isBlocked(y))) return false;
    l.setPlain(outputOf(node), l.dots(x, y));
    return true;
  },
} as const satisfies Composite;

/** Mean and population variance of each channel of (N, C, ...). */
export const batchStatistics = {
  name: 'BatchStatistics',
  attributes: {},
  expand: (e, node) => {
    const x = inputOf(node, 0);
    const axes = channelAxes(e, x);
    const mean = e.mean(x, axes);
    const centred = e.sub(x, perChannel(e, mean, e.rank(x)));
    return [mean, e.mean(e.mul(centred, centred), axes)];
  },
  /** Variance as E[x^2] - E[x]^2: one pass, and norms follow convolutions, whose outputs lie near zero. */
  lower: (l, node) => {
    const x = inputOf(node, 0);
    if (!l.is4d(x) || !l.isBlocked(x)) return false;
    const [n, , h, w] = l.dims(x) as [number, number, number, number];
    const mean = l.e.scale(l.sums(x), 1 / (n * h * w));
    const square = l.e.scale(l.dots(x, x), 1 / (n * h * w));
    const variance = l.e.binary('Max', l.e.sub(square, l.e.mul(mean, mean)), l.e.scalar(0));
    l.setPlain(outputOf(node, 0), mean);
    l.setPlain(outputOf(node, 1), variance);
    return true;
  },
} as const satisfies Composite;

/** a x + b (+ c z), one a, b, c per channel; inputs x, a, b and, together, z, c. */
export const channelAffine = {
  name: 'ChannelAffine',
  attributes: {},
  /** BatchNormalization is an affine map per channel in one pass; mean 0 and variance 1 leave only that. */
  expand: (e, node) => {
    const [x, a, b, z, c] = node.inputs as [string, string, string, string?, string?];
    const dims = e.dims(a);
    const y = e.emit('BatchNormalization', [x, a, b, e.zeros(dims), e.full(dims, 1)], e.dims(x), { epsilon: 0 });
    return [z && c ? e.add(y, e.mul(z, perChannel(e, c, e.rank(x)))) : y];
  },
  lower: (l, node) => {
    const [x, a, b, z, c] = node.inputs as [string, string, string, string?, string?];
    if (!l.is4d(x) || !l.isBlocked(x)) return false;
    const dims = l.padded(l.dims(x));
    const window = unitWindow(l.channels(x));
    const [scale, shift] = [l.vector(a, [1, 1]), l.vector(b, [1])];
    if (!z || !c) {
      l.postpone(outputOf(node), [l.blocked(x), scale, shift], window);
      return true;
    }
    const other = l.convolve([l.blocked(z), l.vector(c, [1, 1]), shift], window, dims);
    // Without a bias of its own: the sum brings it.
    const inputs = [l.blocked(x), scale, '', other];
    l.setBlocked(outputOf(node), l.e.emit('Conv', inputs, dims, windowAttributes(window), blockedDomain));
    return true;
  },
} as const satisfies Composite;
