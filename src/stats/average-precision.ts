/** Average precision of one class as PASCAL VOC 2007 defines it. */
import { UserError } from '../base/index.js';

/** Recall 0, .1 ... 1, each the nearest double. */
const elevenths = Array.from({ length: 11 }, (_, t) => t / 10);

/**
 * Mean over thresholds of the highest precision at that recall or a higher one.
 * @param thresholds 11 by default; sums of .1 in floating point, as np.arange has them, miss a recall of exactly .6
 */
export function elevenPointPrecision(
  precision: readonly number[],
  recall: readonly number[],
  thresholds: readonly number[] = elevenths,
): number {
  const highest = thresholds.map((t) => Math.max(0, ...precision.filter((_, i) => recall[i] >= t)));
  return highest.reduce((a, b) => a + b, 0) / thresholds.length;
}

/**
 * The same of scores: examples are taken in falling order, of equal scores all at once.
 * @param positive 1 where an example is of the class, 0 where it is not, -1 where it does not count (VOC's "difficult")
 */
export function averagePrecision(scores: ArrayLike<number>, positive: ArrayLike<number>): number {
  const order = Array.from({ length: scores.length }, (_, i) => i)
    .filter((i) => positive[i] >= 0)
    .sort((a, b) => scores[b] - scores[a]);
  const all = order.filter((i) => positive[i] > 0).length;
  if (all === 0) throw new UserError('average precision: no example is of the class');
  const [precision, recall] = [[] as number[], [] as number[]];
  let right = 0;
  for (const [at, i] of order.entries()) {
    right += positive[i];
    const next = order[at + 1];
    if (next !== undefined && scores[next] === scores[i]) continue;
    precision.push(right / (at + 1));
    recall.push(right / all);
  }
  return elevenPointPrecision(precision, recall);
}
