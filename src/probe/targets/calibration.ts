/** Probabilities of labels from scores: one logistic curve per label, fitted to scores of left-out examples (Platt, 2000). */

import { logisticLoss } from '../../solver/index.js';

/** P = 1 / (1 + exp(-(slope score + offset))). */
export interface Curve {
  readonly slope: number;
  readonly offset: number;
}

/** Newton's steps, of which a few suffice. */
const STEPS = 50;

/** @param truth 0 or 1; drawn towards 1/2 as one more example of either would, so that separated scores have a curve */
export function fitCurve(scores: ArrayLike<number>, truth: ArrayLike<number>): Curve {
  const n = scores.length;
  let positive = 0;
  for (let i = 0; i < n; i++) positive += truth[i] as number;
  const [high, low] = [(positive + 1) / (positive + 2), 1 / (n - positive + 2)];
  let [slope, offset] = [0, Math.log((positive + 1) / (n - positive + 1))];
  if (positive === 0 || positive === n) return { slope, offset };
  let last = lossOf(scores, truth, { slope, offset }, high, low);
  for (let step = 0; step < STEPS; step++) {
    let [gs, go, ss, so, oo] = [0, 0, 1e-10, 0, 1e-10];
    for (let i = 0; i < n; i++) {
      const s = scores[i] as number;
      const p = probabilityOf({ slope, offset }, s);
      const gap = p - ((truth[i] as number) > 0 ? high : low);
      const weight = p * (1 - p);
      gs += gap * s;
      go += gap;
      ss += weight * s * s;
      so += weight * s;
      oo += weight;
    }
    const determinant = ss * oo - so * so;
    const [ds, down] = [(oo * gs - so * go) / determinant, (ss * go - so * gs) / determinant];
    let rate = 1;
    let next = last;
    for (; rate > 1e-6; rate /= 2) {
      next = lossOf(scores, truth, { slope: slope - rate * ds, offset: offset - rate * down }, high, low);
      if (next <= last) break;
    }
    if (!(next < last)) break;
    [slope, offset] = [slope - rate * ds, offset - rate * down];
    if (last - next < 1e-10 * n) break;
    last = next;
  }
  return { slope, offset };
}

export const probabilityOf = ({ slope, offset }: Curve, score: number): number =>
  1 / (1 + Math.exp(-(slope * score + offset)));

function lossOf(scores: ArrayLike<number>, truth: ArrayLike<number>, curve: Curve, high: number, low: number): number {
  let sum = 0;
  for (let i = 0; i < scores.length; i++) {
    const x = curve.slope * (scores[i] as number) + curve.offset;
    sum += logisticLoss(x, (truth[i] as number) > 0 ? high : low);
  }
  return sum;
}
