/** Scores of examples that each have any number of labels. Truth (n, L) is 0 or 1, scores and probabilities are (n, L), row-major. */
import { elevenPointPrecision } from './average-precision.js';

/** Average precision of one label as scikit-learn has it: precision weighted by the recall it adds, equal scores at once. */
export function areaUnderPrecision(scores: ArrayLike<number>, positive: ArrayLike<number>): number {
  const { precision, recall } = curveOf(scores, positive);
  return precision.reduce((sum, p, i) => sum + p * (recall[i] - (recall[i - 1] ?? 0)), 0);
}

/** The same at eleven recalls (PASCAL VOC 2007). */
export function vocPrecision(scores: ArrayLike<number>, positive: ArrayLike<number>): number {
  const { precision, recall } = curveOf(scores, positive);
  return elevenPointPrecision(precision, recall);
}

/** Precision and recall after each distinct score, falling; empty where no example has the label. */
function curveOf(scores: ArrayLike<number>, positive: ArrayLike<number>) {
  const order = Array.from(scores, (_, i) => i).sort((a, b) => scores[b] - scores[a]);
  const all = order.reduce((sum, i) => sum + positive[i], 0);
  const [precision, recall] = [[] as number[], [] as number[]];
  if (all === 0) return { precision, recall };
  let right = 0;
  for (const [at, i] of order.entries()) {
    right += positive[i];
    const next = order[at + 1];
    if (next !== undefined && scores[next] === scores[i]) continue;
    precision.push(right / (at + 1));
    recall.push(right / all);
  }
  return { precision, recall };
}

/** How right predictions of one label are. */
export interface LabelScore {
  /** NaN where no example has the label. */
  readonly averagePrecision: number;
  readonly vocPrecision: number;
  /** At a probability of .5; 0 where it is neither true nor said. */
  readonly f1: number;
  /** Mean -ln P, nats, probabilities clipped to 1e-15. */
  readonly logLoss: number;
  /** Expected calibration error of the probability of the label, 15 equal bins. */
  readonly calibrationError: number;
  /** Examples that have it. */
  readonly positive: number;
}

/** How right predictions of several labels are. */
export interface SeveralLabelsScore {
  /** Mean average precision over the labels that some example has. */
  readonly mAP: number;
  readonly vocMAP: number;
  readonly macroF1: number;
  /** Of all decisions together. */
  readonly microF1: number;
  readonly labels: readonly LabelScore[];
}

/**
 * How right probabilities of several labels are.
 * @param probabilities of each example's labels, (n, labels), row by row; `truth` likewise, 1 where a label holds
 */
export function severalLabelsScore(
  probabilities: ArrayLike<number>,
  truth: ArrayLike<number>,
  labels: number,
): SeveralLabelsScore {
  const n = truth.length / labels;
  const column = (values: ArrayLike<number>, k: number) =>
    Float64Array.from({ length: n }, (_, i) => values[i * labels + k]);
  let [hits, named] = [0, 0];
  const each = Array.from({ length: labels }, (_, k) => {
    const [p, y] = [column(probabilities, k), column(truth, k)];
    const positive = y.reduce((sum, v) => sum + v, 0);
    let [right, said, loss] = [0, 0, 0];
    for (let i = 0; i < n; i++) {
      const yes = p[i] >= 0.5;
      said += yes ? 1 : 0;
      right += yes && y[i] > 0 ? 1 : 0;
      loss -= Math.log(Math.max(1e-15, y[i] > 0 ? p[i] : 1 - p[i])) / n;
    }
    hits += right;
    named += said + positive;
    return {
      averagePrecision: positive > 0 ? areaUnderPrecision(p, y) : Number.NaN,
      vocPrecision: positive > 0 ? vocPrecision(p, y) : Number.NaN,
      f1: said + positive > 0 ? (2 * right) / (said + positive) : 0,
      logLoss: loss,
      calibrationError: binned(p, y),
      positive,
    };
  });
  const over = (values: readonly number[]) => {
    const known = values.filter((v) => !Number.isNaN(v));
    return known.reduce((sum, v) => sum + v, 0) / known.length;
  };
  return {
    mAP: over(each.map((own) => own.averagePrecision)),
    vocMAP: over(each.map((own) => own.vocPrecision)),
    macroF1: over(each.map((own) => own.f1)),
    microF1: named > 0 ? (2 * hits) / named : 0,
    labels: each,
  };
}

function binned(p: ArrayLike<number>, y: ArrayLike<number>, bins = 15): number {
  const gaps = new Float64Array(bins);
  for (let i = 0; i < p.length; i++) gaps[Math.min(bins - 1, Math.floor(p[i] * bins))] += y[i] - p[i];
  return gaps.reduce((sum, gap) => sum + Math.abs(gap), 0) / p.length;
}
