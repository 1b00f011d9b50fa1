/**
 * The penalty of a path: sum over features j of (1 - mix) ||W_j||_2 + mix ||W_j||_1, W_j the feature's row of W. mix = 0
 * is the group lasso (a feature enters for all classes at once), 1 the element-wise lasso.
 */
import { UserError } from '../base/index.js';
import type { Floats } from './programs.js';

/** @throws UserError when it is not a share */
export function checkMix(mix: number): void {
  if (!(mix >= 0 && mix <= 1)) throw new UserError(`mix ${mix}: the share of the l1 norm must lie in [0, 1]`);
}

/** The penalty of weights (features, K). */
export function penaltyValue(weights: Floats, K: number, mix: number): number {
  let total = 0;
  for (let at = 0; at < weights.length; ) {
    let squares = 0;
    let sum = 0;
    for (let k = 0; k < K; k++, at++) {
      squares += weights[at] * weights[at];
      sum += Math.abs(weights[at]);
    }
    total += (1 - mix) * Math.sqrt(squares) + mix * sum;
  }
  return total;
}
