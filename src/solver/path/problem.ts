/** What a penalised path is solved for: examples, their loss, and the model without features. */
import { UserError } from '../../base/index.js';
import type { Design } from '../design.js';
import { bernoulli, type Loss, multinomial, squared, type Targets } from '../losses/index.js';
import { multinomialProblem, oneHot } from '../problem.js';

/** A penalised problem of one design. */
export interface PathProblem extends Targets {
  readonly design: Design;
  /** Training examples. */
  readonly n: number;
  readonly loss: Loss;
  /** Weighted means of the targets, (K). */
  readonly frequencies: Float64Array;
  /** Intercept of the model without features. */
  readonly nullIntercept: Float64Array;
  /** Loss of the model without features: the scale that gaps are relative to. */
  readonly nullLoss: number;
}

/** One class an example, as multinomialProblem reads them. */
export function classesProblem(design: Design, labels: ArrayLike<number>, classes?: number): PathProblem {
  const problem = multinomialProblem(design, labels, classes);
  const targets = oneHot(problem, 'float64') as Float64Array;
  return { ...problem, loss: multinomial, targets };
}

/**
 * Several labels an example, each by itself with one penalty over all: the group lasso takes a feature for all labels at once.
 * @param truth 0 or 1, (n, outputs) over the training rows, or over every row of the matrix
 * @throws UserError for a label that is true of all or of none: it has nothing to learn
 */
export function labelsProblem(design: Design, truth: Float64Array, outputs: number): PathProblem {
  const problem = problemOf(bernoulli, design, truth, outputs);
  const { targets, n } = problem;
  const counts = new Float64Array(outputs);
  for (const [at, t] of targets.entries()) {
    if (t !== 0 && t !== 1) throw new UserError(`label ${at % outputs} is ${t} at a training row: labels are 0 or 1`);
    counts[at % outputs] += t;
  }
  for (const [k, count] of counts.entries()) {
    if (count % n === 0)
      throw new UserError(`label ${k} is true of ${count > 0 ? 'all' : 'none'} of the training rows`);
  }
  return problem;
}

/**
 * Real values, one or several: half the squared error, summed over them (the multi-task lasso where the penalty is the group's).
 * @param values (n, outputs) over the training rows, or over every row of the matrix; in units of about one, which gaps and
 *   intercepts are as exact as
 */
export function valuesProblem(design: Design, values: Float64Array, outputs: number): PathProblem {
  const problem = problemOf(squared, design, values, outputs);
  if (!(problem.nullLoss > 0))
    throw new UserError('the values are the same in all training rows: there is nothing to learn');
  return problem;
}

function problemOf(loss: Loss, design: Design, values: Float64Array, K: number): PathProblem {
  const { rows, weights, matrix } = design;
  const n = rows.length;
  if (values.length !== n * K && values.length !== matrix.rows * K) {
    throw new UserError(
      `${values.length} values for ${matrix.rows} rows of features and ${K} outputs: give one of each`,
    );
  }
  const whole = values.length === matrix.rows * K;
  const targets = new Float64Array(n * K);
  const frequencies = new Float64Array(K);
  const shares = weights.map((w) => w / n);
  for (let i = 0; i < n; i++) {
    const from = (whole ? rows[i] : i) * K;
    for (let k = 0; k < K; k++) {
      targets[i * K + k] = values[from + k];
      frequencies[k] += shares[i] * values[from + k];
    }
  }
  const examples: Targets = { targets, classes: K, shares };
  const { intercept, loss: nullLoss } = loss.empty(frequencies, examples);
  return { ...examples, design, n, loss, frequencies, nullIntercept: intercept, nullLoss };
}
