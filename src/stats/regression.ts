/** Scores of predicted real values of n examples; of predictions and truth lists of n. */
import { spearman } from './correlation.js';
import { mean } from './interval.js';

/** How right predictions of a real value are. */
export interface RegressionScore {
  /** 1 - squared error / variance; below 0 where the mean would predict better. NaN for constant truth. */
  readonly r2: number;
  /** Mean absolute error. */
  readonly mae: number;
  /** Root of the mean squared error. */
  readonly rmse: number;
  /** NaN where either is constant. */
  readonly spearman: number;
}

/** Scores of one output. */
export function regressionScore(predicted: ArrayLike<number>, truth: ArrayLike<number>): RegressionScore {
  const n = truth.length;
  const m = mean(truth);
  let [squares, absolute, variance] = [0, 0, 0];
  for (let i = 0; i < n; i++) {
    squares += (predicted[i] - truth[i]) ** 2;
    absolute += Math.abs(predicted[i] - truth[i]);
    variance += (truth[i] - m) ** 2;
  }
  return {
    r2: variance > 0 ? 1 - squares / variance : Number.NaN,
    mae: absolute / n,
    rmse: Math.sqrt(squares / n),
    spearman: spearman(predicted, truth),
  };
}
