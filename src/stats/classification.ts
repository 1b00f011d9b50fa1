/** Scores of a classifier on n examples and K classes. Labels and predictions are class numbers 0 ... K - 1. */
import { UserError } from '../base/index.js';

/** Counts, row = true class, column = predicted class. */
export function confusionMatrix(labels: ArrayLike<number>, predicted: ArrayLike<number>, classes: number): number[][] {
  checkLengths(labels.length, predicted.length);
  const matrix = Array.from({ length: classes }, () => new Array<number>(classes).fill(0));
  for (let i = 0; i < labels.length; i++) {
    const row = matrix[labels[i]];
    if (row?.[predicted[i]] === undefined)
      throw new UserError(
        `example ${i}: class ${labels[i]} or prediction ${predicted[i]} is not in 0 ... ${classes - 1}`,
      );
    row[predicted[i]] += 1;
  }
  return matrix;
}

/** Top-1 accuracy. */
export function accuracy(labels: ArrayLike<number>, predicted: ArrayLike<number>): number {
  checkLengths(labels.length, predicted.length);
  let right = 0;
  for (let i = 0; i < labels.length; i++) if (labels[i] === predicted[i]) right++;
  return right / labels.length;
}

/** Mean over classes of each class's accuracy; classes without examples do not count. */
export function meanPerClassAccuracy(confusion: readonly (readonly number[])[]): number {
  const recalls = confusion.flatMap((row, k) => {
    const count = row.reduce((a, b) => a + b, 0);
    return count ? [row[k] / count] : [];
  });
  return recalls.reduce((a, b) => a + b, 0) / recalls.length;
}

/**
 * Mean over classes of F1, the harmonic mean of a class's precision and recall; 0 where neither is above 0. Classes that
 * are neither true of an example nor predicted do not count (as in scikit-learn).
 */
export function macroF1(confusion: readonly (readonly number[])[]): number {
  const scores = confusion.flatMap((row, k) => {
    const truth = row.reduce((a, b) => a + b, 0);
    const predicted = confusion.reduce((sum, other) => sum + other[k], 0);
    return truth + predicted > 0 ? [(2 * row[k]) / (truth + predicted)] : [];
  });
  return scores.reduce((a, b) => a + b, 0) / scores.length;
}

/** The most probable class of each row of P (n, K), row-major; the first of equals. */
export function topClasses(probabilities: ArrayLike<number>, classes: number): Int32Array {
  return Int32Array.from({ length: probabilities.length / classes }, (_, i) => {
    let best = 0;
    for (let k = 1; k < classes; k++) if (probabilities[i * classes + k] > probabilities[i * classes + best]) best = k;
    return best;
  });
}

/** Mean of -ln P(true class), natural logarithm; probabilities are clipped to 1e-15 as scikit-learn's f64 does. */
export function logLoss(labels: ArrayLike<number>, probabilities: ArrayLike<number>, classes: number): number {
  checkLengths(labels.length * classes, probabilities.length);
  let sum = 0;
  for (let i = 0; i < labels.length; i++) sum -= Math.log(Math.max(1e-15, probabilities[i * classes + labels[i]]));
  return sum / labels.length;
}

/**
 * Expected calibration error: mean |accuracy - confidence| over `bins` equal bins of the top probability (left-open,
 * as (0, 1/b], ...), weighted by their examples (Guo et al., 2017).
 */
export function expectedCalibrationError(
  labels: ArrayLike<number>,
  probabilities: ArrayLike<number>,
  classes: number,
  bins = 15,
): number {
  checkLengths(labels.length * classes, probabilities.length);
  const gaps = new Float64Array(bins);
  topClasses(probabilities, classes).forEach((top, i) => {
    const confidence = probabilities[i * classes + top];
    const bin = Math.min(bins - 1, Math.max(0, Math.ceil(confidence * bins) - 1));
    gaps[bin] = gaps[bin] + confidence - (top === labels[i] ? 1 : 0);
  });
  return gaps.reduce((sum, gap) => sum + Math.abs(gap), 0) / labels.length;
}

function checkLengths(expected: number, found: number): void {
  if (expected !== found || expected === 0)
    throw new UserError(`classification scores: ${expected} values against ${found}; both need one per example`);
}
