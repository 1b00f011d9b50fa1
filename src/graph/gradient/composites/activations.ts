/** Gradients of activations that take fewer passes than their formulas. */
import type { Emitter, Node } from '../../../ir/index.js';
import { type Composite, inputOf, type Lower, outputOf } from './composite.js';

type Expand = Composite['expand'];

/** y > 0 as 0 or 1 in one pass: a very steep HardSigmoid, which runtimes vectorise where they do not Sign. */
const expandRelu: Expand = (e, node) => {
  const y = inputOf(node, 1);
  const mask = e.type === 'float32' ? e.unary('HardSigmoid', y, { alpha: 2 ** 100, beta: 0 }) : e.unary('Sign', y);
  return [e.mul(inputOf(node, 0), mask)];
};

/** low < y < high as products of steep HardSigmoids; powers of two keep y = bound exact. */
const expandClip: Expand = (e, node) => {
  const [dy, y, low, high] = node.inputs as [string, string, string, string];
  const bounds = [low, high].map((v) => (v ? e.known(v) : undefined));
  if (e.type === 'float32' && bounds.every((v, i) => v !== undefined || !node.inputs[i + 2])) {
    const steep = 2 ** 100;
    const slopes = [steep, -steep];
    const masks = bounds.flatMap((v, i) => {
      const alpha = slopes[i] as number;
      return v === undefined ? [] : [e.unary('HardSigmoid', y, { alpha, beta: -v * alpha })];
    });
    return [masks.reduce((g, mask) => e.mul(g, mask), dy)];
  }
  const above = low && e.binary('Greater', y, low);
  const below = high && e.binary('Less', y, high);
  return [e.where(above && below ? e.binary('And', above, below) : above || below, dy, e.scalar(0))];
};

/** The standard expansion, on blocked operands: dy and y; any further ones are plain. */
const elementwise =
  (expand: Expand): Lower =>
  (l, node) => {
    if (!l.is4d(inputOf(node, 0)) || !node.inputs.slice(0, 2).some((i) => l.isBlocked(i))) return false;
    const inputs = node.inputs.map((i, k) => (k < 2 ? l.blocked(i) : i && l.plain(i)));
    l.setBlocked(outputOf(node), expand(l.e, { ...node, inputs })[0] as string);
    return true;
  };

/** Inputs dy, y. */
export const reluGradient = {
  name: 'ReluGradient',
  attributes: {},
  expand: expandRelu,
  lower: elementwise(expandRelu),
} as const satisfies Composite;

/** Inputs dy, y, low, high; '' for an absent bound. */
export const clipGradient = {
  name: 'ClipGradient',
  attributes: {},
  expand: expandClip,
  lower: elementwise(expandClip),
} as const satisfies Composite;

/** Phi(x) = (1 + erf(x / sqrt 2)) / 2; a HardSigmoid within its bounds is an affine map in one pass. */
export function normalCdf(e: Emitter, x: string): string {
  const erf = e.unary('Erf', e.scale(x, Math.SQRT1_2));
  if (e.type === 'float32') return e.unary('HardSigmoid', erf, { alpha: 0.5, beta: 0.5 });
  return e.add(e.scale(erf, 0.5), e.scalar(0.5));
}

/** d gelu / dx = Phi(x) + x phi(x); inputs dy, x, and the Phi(x) of the forward pass where that was kept. */
export const geluGradient = {
  name: 'GeluGradient',
  attributes: {},
  expand: (e: Emitter, node: Node) => {
    const [dy, x, kept] = node.inputs as [string, string, string?];
    const density = e.unary('Exp', e.mul(x, e.scale(x, -0.5)));
    const slope = e.scale(e.mul(x, density), 1 / Math.sqrt(2 * Math.PI));
    return [e.mul(dy, e.add(kept ?? normalCdf(e, x), slope))];
  },
  lower: 'expand',
} as const satisfies Composite;
