/**
 * The dual norm of the penalty: for every feature the smallest lambda, its critical lambda, at which its correlations c
 * with the residual are allowed with W_j = 0, that is || soft(c, lambda mix) ||_2 <= lambda (1 - mix).
 */
import type { Floats } from '../programs.js';
import type { CorrelationNorm } from './graphs.js';

/** What the correlation graph reduces each feature's correlations to, for this penalty. */
export function correlationNorm(mix: number): CorrelationNorm {
  return mix === 0 ? 'l2' : mix === 1 ? 'max' : 'none';
}

/** Critical lambda of one feature, from its `width` correlations that start at `from`. */
export function criticalLambda(values: Floats, from: number, width: number, mix: number): number {
  let squares = 0;
  let top = 0;
  for (let e = from; e < from + width; e++) {
    const v = Math.abs(values[e]);
    squares += v * v;
    if (v > top) top = v;
  }
  if (mix === 0) return Math.sqrt(squares);
  if (mix === 1) return top;
  if (top === 0) return 0;
  // || soft(c, t mix) || - t (1 - mix) is convex and falls with t: Newton from a point left of the root never passes it.
  let t = Math.sqrt(squares) / (mix * Math.sqrt(width) + (1 - mix));
  for (let iteration = 0; iteration < 60; iteration++) {
    let sum = 0;
    let square = 0;
    for (let e = from; e < from + width; e++) {
      const excess = Math.abs(values[e]) - t * mix;
      if (excess > 0) {
        sum += excess;
        square += excess * excess;
      }
    }
    const norm = Math.sqrt(square);
    const value = norm - t * (1 - mix);
    if (value <= 1e-15 * t * (1 - mix)) break;
    const next = t + value / ((mix * sum) / norm + (1 - mix));
    if (!(next > t)) break;
    t = next;
  }
  return t;
}

/** Critical lambda of every feature, (p), from the correlations of all, (p, width). */
export function criticalLambdas<T extends Floats>(values: Floats, width: number, mix: number, into: T): T {
  for (let j = 0; j < into.length; j++) into[j] = criticalLambda(values, j * width, width, mix);
  return into;
}
