/**
 * What each example adds to a figure that is no mean over examples: its value under the infinitesimal jackknife (Jaeckel,
 * 1972; Efron, 1982), the figure + n times its derivative by the example's weight. Their mean is the figure, their standard
 * error its standard error to first order, so that clusters, seeds and paired differences work as they do for accuracy.
 */
import { mean } from './interval.js';

/** Of R2, (n). NaN for constant truth. */
export function r2Contributions(predicted: ArrayLike<number>, truth: ArrayLike<number>): Float64Array {
  const n = truth.length;
  const centre = mean(truth);
  const error = Float64Array.from({ length: n }, (_, i) => (predicted[i] - truth[i]) ** 2);
  const spread = Float64Array.from({ length: n }, (_, i) => (truth[i] - centre) ** 2);
  const [errors, spreads] = [sum(error), sum(spread)];
  if (!(spreads > 0)) return new Float64Array(n).fill(Number.NaN);
  const unexplained = errors / spreads;
  return error.map((e, i) => 1 - unexplained + (n * (unexplained * spread[i] - e)) / spreads);
}

/** Of average precision as areaUnderPrecision has it, (n). NaN where no example has the label. @param positive 0 or 1 */
export function averagePrecisionContributions(scores: ArrayLike<number>, positive: ArrayLike<number>): Float64Array {
  const n = scores.length;
  const order = Array.from(scores, (_, i) => i).sort((a, b) => scores[b] - scores[a]);
  const precision = new Float64Array(n);
  const above = new Float64Array(n);
  let right = 0;
  for (let from = 0, to = 0; from < n; from = to) {
    while (to < n && scores[order[to]] === scores[order[from]]) right += positive[order[to++]];
    for (let at = from; at < to; at++) [precision[order[at]], above[order[at]]] = [right / to, to];
  }
  if (right === 0) return new Float64Array(n).fill(Number.NaN);
  const figure = order.reduce((total, i) => total + positive[i] * precision[i], 0) / right;
  const found = new Float64Array(n);
  // Over examples with the label that score no higher: sums of 1 / (examples above) and of precision / (examples above).
  let [counts, shares] = [0, 0];
  for (let to = n, from = n; to > 0; to = from) {
    while (from > 0 && scores[order[from - 1]] === scores[order[to - 1]]) {
      const i = order[--from];
      counts += positive[i] / above[i];
      shares += (positive[i] * precision[i]) / above[i];
    }
    for (let at = from; at < to; at++) {
      const i = order[at];
      const slope = positive[i] * (precision[i] - figure) + positive[i] * counts - shares;
      found[i] = figure + (n * slope) / right;
    }
  }
  return found;
}

const sum = (values: Float64Array): number => values.reduce((total, v) => total + v, 0);
