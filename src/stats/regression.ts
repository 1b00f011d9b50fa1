/** Scores of predicted real values of n examples; of predictions and truth lists of n. */
import { Random } from '../base/index.js';
import { spearman } from './correlation.js';
import { type Interval, mean, percentileInterval } from './interval.js';

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

/**
 * 95 % percentile bootstrap interval of a figure of test examples. Draws on which it is not defined are left out.
 * @param figure of the given rows
 */
export function bootstrapInterval(
  n: number,
  figure: (rows: readonly number[]) => number,
  {
    groups,
    draws = 1000,
  }: {
    /** Drawn as wholes where there are some. */
    groups?: readonly string[] | undefined;
    draws?: number;
  } = {},
): Interval {
  const members = new Map<string, number[]>();
  for (let i = 0; i < n; i++) {
    const key = groups?.[i] ?? String(i);
    const own = members.get(key);
    if (own) own.push(i);
    else members.set(key, [i]);
  }
  const units = [...members.values()];
  const random = new Random(0, 'bootstrap of a figure');
  const found: number[] = [];
  for (let draw = 0; draw < draws; draw++) {
    const value = figure(units.flatMap(() => units[random.integer(units.length)]));
    if (Number.isFinite(value)) found.push(value);
  }
  return found.length > 0 ? percentileInterval(Float64Array.from(found), 0.95) : [Number.NaN, Number.NaN];
}
