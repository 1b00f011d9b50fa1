/** The multinomial problem of one design: labels, example weights and the model without features. */
import { UserError } from '../base/index.js';
import type { Design } from './design.js';
import { multinomial } from './losses/index.js';
import { type Floats, floats, type Precision } from './programs.js';

export interface Problem {
  readonly design: Design;
  /** Training examples. */
  readonly n: number;
  readonly classes: number;
  /** Class of each training example. */
  readonly labels: Int32Array;
  /** Weight of each training example in the mean loss, (n); they sum to one. */
  readonly shares: Float64Array;
  /** Weighted class frequencies, (classes). */
  readonly frequencies: Float64Array;
  /** Intercept of the model without features: log of the frequencies, with mean zero. */
  readonly nullIntercept: Float64Array;
  /** Loss of the model without features: the scale that gaps are relative to. */
  readonly nullLoss: number;
}

/**
 * The multinomial problem of these labels.
 * @param labels class of every row of the matrix, or of every training row
 * @param classes number of classes; one more than the largest label by default. Every class must have an example.
 */
export function multinomialProblem(design: Design, labels: ArrayLike<number>, classes?: number): Problem {
  const { rows, weights, matrix } = design;
  const n = rows.length;
  if (labels.length !== n && labels.length !== matrix.rows) {
    throw new UserError(`${labels.length} labels for ${matrix.rows} rows of features: give one label per row`);
  }
  const whole = labels.length === matrix.rows;
  const chosen = Int32Array.from(rows, (row, i) => checkLabel(labels[whole ? row : i], whole ? row : i));
  const count = classes ?? chosen.reduce((top, c) => Math.max(top, c + 1), 0);
  const frequencies = new Float64Array(count);
  const shares = weights.map((w) => w / n);
  for (const [i, c] of chosen.entries()) {
    if (c >= count) throw new UserError(`label ${c} at row ${i}: there are ${count} classes, numbered from 0`);
    frequencies[c] += shares[i];
  }
  if (frequencies.filter((f) => f > 0).length < 2) {
    throw new UserError(`the ${n} training labels are all of one class: a probe needs at least two`);
  }
  const absent = frequencies.indexOf(0);
  if (absent >= 0) {
    throw new UserError(
      `class ${absent} has no example among the ${n} training rows: number the classes 0 ... ${count - 1} without holes, or use fewer folds`,
    );
  }
  const empty = multinomial.empty(frequencies);
  return {
    design,
    n,
    classes: count,
    labels: chosen,
    shares,
    frequencies,
    nullIntercept: empty.intercept,
    nullLoss: empty.loss,
  };
}

function checkLabel(label: number, row: number): number {
  if (!Number.isInteger(label) || label < 0) {
    throw new UserError(`label ${label} at row ${row}: labels are whole numbers from 0`);
  }
  return label;
}

/** One-hot labels, (n, classes). */
export function oneHot({ n, classes, labels }: Problem, precision: Precision): Floats {
  const y = floats(precision, n * classes);
  for (let i = 0; i < n; i++) y[i * classes + labels[i]] = 1;
  return y;
}
