/** Root-mean-square normalisation (Zhang & Sennrich 2019): x / sqrt(mean(x^2) + epsilon) scale. */

import { positiveAxis } from '../emitter.js';
import { floatAttribute, intAttribute } from '../graph.js';
import type { Expansion } from './expansion.js';

export const rmsNormalization: Expansion = (c) => {
  const { e, node } = c;
  const rank = c.dims().length;
  const axes = [...Array(rank).keys()].slice(positiveAxis(intAttribute(node, 'axis', -1), rank));
  const square = e.mean(e.mul(c.x(), c.x()), axes, true);
  const root = e.sqrt(e.add(square, e.scalar(floatAttribute(node, 'epsilon', 1e-5))));
  c.put(0, e.mul(e.div(c.x(), root), c.x(1)));
};
