/** Cross-entropy of several labels an example, each true or not by itself: logistic predictions, whose dual is their entropy. */
import { sum } from '../vectors.js';
import type { Loss } from './loss.js';

const TINY = 1e-30;

/** Entropy of a label that is true with probability q, in nats. */
export function labelEntropy(q: number): number {
  return q > 0 && q < 1 ? -q * Math.log(q) - (1 - q) * Math.log1p(-q) : 0;
}

/** ln(1 + e^z) - t z: loss of a score whose label is t, in nats. */
export const logisticLoss = (z: number, t: number): number =>
  Math.max(z, 0) - t * z + Math.log1p(Math.exp(-Math.abs(z)));

export const bernoulli: Loss = {
  id: 'bernoulli',
  // 1 / q + 1 / (1 - q) is at least 4.
  dualConvexity: 4,

  empty: (frequencies) => ({
    intercept: frequencies.map((f) => Math.log(f) - Math.log1p(-f)),
    loss: sum(frequencies.map(labelEntropy)),
  }),
  value(z, { targets, classes: K, shares }) {
    let loss = 0;
    for (let at = 0; at < z.length; at++) loss += shares[Math.floor(at / K)] * logisticLoss(z[at], targets[at]);
    return loss;
  },

  predict: (g, z) => g.unary('Sigmoid', z),
  curvature: (g, p, change) => g.sum(g.mul(g.mul(p, g.sub(g.scalar(1), p)), g.mul(change, change)), [1], true),
  losses: (g, { z, y }) => {
    const softplus = g.add(
      g.relu(z),
      g.unary('Log', g.add(g.scalar(1), g.unary('Exp', g.unary('Neg', g.unary('Abs', z))))),
    );
    return g.sum(g.sub(softplus, g.mul(y, z)), [1], true);
  },
  duals(g, { y, e }, a) {
    const q = g.sub(y, g.mul(a, e));
    const part = (share: string) => g.mul(share, g.unary('Log', g.add(g.relu(share), g.scalar(TINY))));
    return g.unary('Neg', g.sum(g.add(part(q), part(g.sub(g.scalar(1), q))), [1], true));
  },

  precisely(g, z, y) {
    const p = g.unary('Sigmoid', z);
    const losses = bernoulli.losses(g, { z, p, y, e: '' });
    return { p, losses, duals: bernoulli.losses(g, { z, p, y: p, e: '' }) };
  },
  /** Sum of v p^2, (1, K). */
  moments: (g, p, weighted) => g.sum(g.mul(weighted, p), [0], true),
  interceptStep: ({ totals, moments }, gradient) =>
    gradient.map((d, k) => d / Math.max(totals[k] - moments[k], 1e-12 * totals[k], 1e-300)),
  dual({ residual }, a, { targets, classes: K, shares }) {
    let total = 0;
    for (let at = 0; at < targets.length; at++) {
      const share = shares[Math.floor(at / K)];
      if (share > 0) total += share * labelEntropy(targets[at] - (a * residual[at]) / share);
    }
    return total;
  },
};
