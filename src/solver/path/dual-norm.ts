/**
 * The dual norm of the penalty: for every group the smallest lambda at which its correlations c are allowed with
 * W_g = 0, that is || soft(c, lambda mix w) ||_2 <= lambda (1 - mix) w.
 */
import type { Penalty } from '../penalty.js';
import type { Floats } from '../programs.js';
import type { CorrelationNorm } from './graphs.js';

/** What the correlation graph reduces each feature's correlations to, for this penalty. */
export function correlationNorm(penalty: Penalty): CorrelationNorm {
  return penalty.mix === 0 ? 'l2' : penalty.mix === 1 ? 'max' : 'none';
}

/**
 * Critical lambda of one group.
 * @param values the group's correlations: norms per feature (mix 0 or 1) or single correlations (in between), starting
 *   at each of `at` and running over `width` values
 */
export function criticalLambda(
  values: Floats,
  at: ArrayLike<number>,
  width: number,
  weight: number,
  mix: number,
): number {
  let squares = 0;
  let largest = 0;
  for (let f = 0; f < at.length; f++) {
    const start = at[f];
    for (let e = start; e < start + width; e++) {
      const v = Math.abs(values[e]);
      squares += v * v;
      if (v > largest) largest = v;
    }
  }
  if (mix === 0) return Math.sqrt(squares) / weight;
  if (mix === 1) return largest / weight;
  if (largest === 0) return 0;
  const a = mix * weight;
  const b = (1 - mix) * weight;
  const count = at.length * width;
  // || soft(c, t a) || - t b is convex and falls with t: Newton from a point left of the root never passes it.
  let t = Math.sqrt(squares) / (a * Math.sqrt(count) + b);
  for (let iteration = 0; iteration < 60; iteration++) {
    let sum = 0;
    let square = 0;
    for (let f = 0; f < at.length; f++) {
      const start = at[f];
      for (let e = start; e < start + width; e++) {
        const excess = Math.abs(values[e]) - t * a;
        if (excess > 0) {
          sum += excess;
          square += excess * excess;
        }
      }
    }
    const norm = Math.sqrt(square);
    const value = norm - t * b;
    if (value <= 1e-15 * t * b) break;
    const next = t + value / ((a * sum) / norm + b);
    if (!(next > t)) break;
    t = next;
  }
  return t;
}

/** Critical lambda of every group, from the correlations of every feature, (p, width). */
export function criticalLambdas<T extends Floats>(values: Floats, width: number, penalty: Penalty, into: T): T {
  const { starts, members, weights, mix, count } = penalty;
  const at: number[] = [];
  for (let g = 0; g < count; g++) {
    const weight = weights[g];
    if (!starts || !members) {
      if (mix === 0) {
        let squares = 0;
        for (let e = g * width; e < (g + 1) * width; e++) squares += values[e] * values[e];
        into[g] = Math.sqrt(squares) / weight;
        continue;
      }
      at[0] = g * width;
    } else {
      at.length = 0;
      for (let m = starts[g]; m < starts[g + 1]; m++) at.push(members[m] * width);
    }
    into[g] = criticalLambda(values, at, width, weight, mix);
  }
  return into;
}
