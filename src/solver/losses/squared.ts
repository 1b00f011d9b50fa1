/** Half the squared error of real values. */
import type { Loss } from './loss.js';

export const squared: Loss = {
  id: 'squared',
  dualConvexity: 1,

  empty(frequencies, examples) {
    const z = examples.targets.map((_, at) => frequencies[at % examples.classes]);
    return { intercept: frequencies.slice(), loss: squared.value(z, examples) };
  },
  value(z, { targets, classes: K, shares }) {
    let loss = 0;
    for (let at = 0; at < z.length; at++) loss += 0.5 * shares[Math.floor(at / K)] * (targets[at] - z[at]) ** 2;
    return loss;
  },

  predict: (_, z) => z,
  curvature: (g, _, change) => g.reduce('ReduceSumSquare', change, [1], true),
  losses: (g, { e }) => g.scale(g.reduce('ReduceSumSquare', e, [1], true), 0.5),
  /** a e'(y - a e / 2). */
  duals(g, { y, e }, a) {
    const moved = g.mul(a, e);
    return g.sum(g.mul(moved, g.sub(y, g.scale(moved, 0.5))), [1], true);
  },

  precisely(g, z, y) {
    const at = { z, p: z, y, e: g.sub(y, z) };
    return { p: z, losses: squared.losses(g, at), duals: squared.duals(g, at, g.scalar(1)) };
  },
  // The curvature is one whatever the predictions are.
  moments: (g, _, weighted) => g.sum(weighted, [0], true),
  interceptStep: (_, gradient) => gradient,
  dual({ residual }, a, { targets, classes: K, shares }) {
    let total = 0;
    for (let at = 0; at < targets.length; at++) {
      const share = shares[Math.floor(at / K)];
      if (!(share > 0)) continue;
      const moved = (a * residual[at]) / share;
      total += share * moved * (targets[at] - 0.5 * moved);
    }
    return total;
  },
};
