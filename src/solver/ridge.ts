/**
 * Ridge regression on one-hot labels, closed form, with exact leave-one-out predictions:
 *
 *   minimise sum_i v_i ||y_i - W' x_i - b||^2 + lambda ||W||^2,   v with mean one, intercept free
 *
 * so lambda is scikit-learn's alpha with sample_weight v. One eigendecomposition serves every lambda, and nothing iterates
 * that could stop short.
 *
 * With features centred at their weighted means, G their Gram matrix and V = diag(v), W = X' A and
 * A = V^1/2 (S + lambda)^-1 V^1/2 (Y - mean), S = V^1/2 G V^1/2. Residuals are lambda A / v; without example i its own
 * would be larger by 1 / (1 - h_i), h the diagonal of the smoother.
 */
import { UserError } from '../base/index.js';
import type { Engine } from '../engine/index.js';
import { allFeatures, type Design } from './design.js';
import { positiveGrid } from './grid.js';
import { type LinearModel, linearModel } from './model.js';
import { multinomialProblem, type Problem } from './problem.js';
import { smootherOf } from './smoothers.js';

/** Penalties to fit with. */
export interface RidgeOptions {
  /** Positive values. */
  lambdas: ArrayLike<number>;
  classes: number | undefined;
}
/** What holds where nothing is said. */
export const ridgeDefaults: RidgeOptions = {
  lambdas: Array.from({ length: 13 }, (_, i) => 10 ** (i - 6)),
  classes: undefined,
};

/** The solution at one penalty, with its leave-one-out errors. */
export interface RidgePoint {
  readonly lambda: number;
  /** Mean squared error and accuracy of the leave-one-out predictions, every example counted once. */
  readonly looError: number;
  readonly looAccuracy: number;
  /** Leave-one-out scores, (n, K): row i is what the fit without example i predicts for it. */
  readonly loo: Float64Array;
}

/** The solutions at all penalties. */
export interface RidgeSolution {
  readonly points: readonly RidgePoint[];
  readonly classes: number;
  /** Index of the lambda with the best leave-one-out accuracy, ties to the lower error. */
  readonly best: number;
  /** The probe at one lambda; its "logits" are the fitted scores. One pass over the features. */
  model(index: number): Promise<LinearModel>;
}

/** @throws UserError on labels or lambdas that make no sense */
export async function fitRidge(
  engine: Engine,
  design: Design,
  labels: ArrayLike<number>,
  options: Partial<RidgeOptions> = {},
): Promise<RidgeSolution> {
  const settings = { ...ridgeDefaults, ...options };
  const lambdas = positiveGrid(settings.lambdas);
  const problem = multinomialProblem(design, labels, settings.classes);
  const { classes: K, frequencies: intercept } = problem;
  const smoother = await smootherOf(engine, problem);
  const slacks = await smoother.slacks(lambdas);
  const points: RidgePoint[] = [];
  for (const [i, lambda] of lambdas.entries()) {
    points.push(leaveOneOut(problem, lambda, await smoother.residuals(lambda), slacks[i]));
  }
  return {
    points,
    classes: K,
    best: points.reduce((best, point, i) => (better(point, points[best]) ? i : best), 0),
    async model(index) {
      if (!points[index]) throw new UserError(`lambda number ${index} of a grid of ${points.length}`);
      const weights = await smoother.weights(points[index].lambda);
      return linearModel(design, { classes: K, indices: allFeatures(design.matrix), weights, intercept });
    },
  };
}

function better(a: RidgePoint, b: RidgePoint): boolean {
  return a.looAccuracy > b.looAccuracy || (a.looAccuracy === b.looAccuracy && a.looError < b.looError);
}

/** @param loo residuals, which become the predictions */
function leaveOneOut(
  { n, classes: K, labels }: Problem,
  lambda: number,
  loo: Float64Array,
  slack: Float64Array,
): RidgePoint {
  let error = 0;
  let right = 0;
  for (let i = 0; i < n; i++) {
    let top = 0;
    for (let k = 0; k < K; k++) {
      const at = i * K + k;
      const residual = loo[at] / slack[i];
      loo[at] = (labels[i] === k ? 1 : 0) - residual;
      error += residual * residual;
      if (loo[at] > loo[i * K + top]) top = k;
    }
    if (top === labels[i]) right++;
  }
  return { lambda, looError: error / (n * K), looAccuracy: right / n, loo };
}
