/** What settings are compared by: the loss of left-out examples. */
import { logisticLoss } from '../../solver/index.js';
import type { LeftOutScores, ValuedContext } from './method.js';

/** Loss of each left-out example by the scores that a probe of this kind gives: the settings' losses are their means. */
export const lossesOf = (
  { kind, values, outputs }: Pick<ValuedContext, 'kind' | 'values' | 'outputs'>,
  left: LeftOutScores,
): Float64Array =>
  kind === 'regression' ? squaredErrors(left, values, outputs) : crossEntropies(left, values, outputs);

/** Squared error as a share of the variance of the true values, mean over the outputs that vary; one of each example. */
export function squaredErrors({ rows, scores }: LeftOutScores, values: Float64Array, q: number): Float64Array {
  const losses = new Float64Array(rows.length);
  let counted = 0;
  for (let k = 0; k < q; k++) {
    const truth = rows.map((row) => values[row * q + k] as number);
    const mean = meanOf(truth);
    const variance = meanOf(truth.map((v) => (v - mean) ** 2));
    if (!(variance > 0)) continue;
    counted++;
    for (const [i, v] of truth.entries()) {
      losses[i] = (losses[i] as number) + (v - (scores[i * q + k] as number)) ** 2 / variance;
    }
  }
  return losses.map((v) => (counted > 0 ? v / counted : Number.NaN));
}

/** Cross-entropy of labels whose log odds are the scores, in nats, mean over labels; one of each example. */
export function crossEntropies({ rows, scores }: LeftOutScores, values: Float64Array, q: number): Float64Array {
  return Float64Array.from(rows, (row, i) => {
    let loss = 0;
    for (let k = 0; k < q; k++) loss += logisticLoss(scores[i * q + k] as number, values[row * q + k] as number) / q;
    return loss;
  });
}

/** NaN of none. */
export function meanOf(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i] as number;
  return sum / values.length;
}
