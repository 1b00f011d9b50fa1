/** Cross-entropy of one class an example: softmax predictions, whose dual is their entropy. */
import { choleskySolve } from '../cholesky.js';
import { crossEntropy } from '../softmax.js';
import { sum } from '../vectors.js';
import type { Loss } from './loss.js';

const TINY = 1e-30;

export const multinomial = {
  id: 'multinomial',
  // sum of d^2 / q is at least (sum of |d|)^2, which is at least 2 |d|^2 where d sums to zero.
  dualConvexity: 2,

  /** The intercept's mean is zero. */
  empty(frequencies: Float64Array) {
    const logs = frequencies.map(Math.log);
    const average = sum(logs) / logs.length;
    return { intercept: logs.map((v) => v - average), loss: -sum(frequencies.map((f, k) => f * logs[k])) };
  },
  value(z, { targets, classes: K, shares }) {
    let loss = 0;
    for (let i = 0; i < shares.length; i++) {
      loss += shares[i] * crossEntropy(z, i * K, K, targets.subarray(i * K, (i + 1) * K).indexOf(1));
    }
    return loss;
  },

  predict: (g, z) => g.softmax(z, 1),
  /** The variance of the change under the predicted probabilities. */
  curvature(g, p, change) {
    const expected = g.mul(p, change);
    const mean = g.sum(expected, [1], true);
    return g.sub(g.sum(g.mul(expected, change), [1], true), g.mul(mean, mean));
  },
  losses: (g, { p, y }) => g.unary('Neg', g.sum(g.mul(y, g.unary('Log', g.add(p, g.scalar(TINY)))), [1], true)),
  duals(g, { y, e }, a) {
    const q = g.sub(y, g.mul(a, e));
    const log = g.unary('Log', g.add(g.relu(q), g.scalar(TINY)));
    return g.unary('Neg', g.sum(g.mul(q, log), [1], true));
  },

  precisely(g, z, y) {
    const shifted = g.sub(z, g.reduce('ReduceMax', z, [1], true));
    const e = g.unary('Exp', shifted);
    const total = g.sum(e, [1], true);
    const p = g.div(e, total);
    const logTotal = g.unary('Log', total);
    const less = (weights: string) => g.sub(logTotal, g.sum(g.mul(shifted, weights), [1], true));
    return { p, losses: less(y), duals: less(p) };
  },
  /** (K, K). */
  moments: (g, p, weighted) => g.matmul(g.transpose(weighted, [1, 0]), p),
  /** Solves (diag(totals) - moments) d = gradient, singular along the ones, by Cholesky with that direction filled in. */
  interceptStep({ totals, moments }, gradient) {
    const K = totals.length;
    const a = new Float64Array(K * K);
    let trace = 0;
    for (let k = 0; k < K; k++) trace += totals[k] - moments[k * K + k];
    const fill = Math.max(trace, 1e-300) / (K * K);
    for (let k = 0; k < K; k++) {
      for (let l = 0; l < K; l++) {
        a[k * K + l] = (k === l ? totals[k] : 0) - moments[k * K + l] + fill;
      }
      a[k * K + k] += 1e-12 * trace;
    }
    return choleskySolve(a, gradient);
  },
  dual(fitted, a, { shares }) {
    const logA = Math.log(a);
    let total = 0;
    for (let i = 0; i < shares.length; i++) {
      const logPy = -fitted.losses[i];
      const py = Math.exp(logPy);
      const entropy = fitted.duals[i];
      if (a >= 1) {
        total += shares[i] * entropy;
        continue;
      }
      const qy = 1 - a + a * py;
      // Sum over the other classes of p log p, which is minus the entropy less the label's own part.
      const others = -entropy - (py > 0 ? py * logPy : 0);
      total -= shares[i] * (a * (others + logA * (1 - py)) + qy * Math.log(qy));
    }
    return total;
  },
} satisfies Loss;
