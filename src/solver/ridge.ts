/**
 * Ridge regression on one-hot labels, closed form on the Gram matrix, with exact leave-one-out predictions:
 * minimise sum_i ||y_i - x_i W - b||^2 + lambda ||W||^2. One eigendecomposition serves every lambda.
 */
import { EigenvalueDecomposition, Matrix } from 'ml-matrix';
import { UserError } from '../base/index.js';
import type { Engine } from '../engine/index.js';
import type { Design } from './design.js';
import { gram, primalWeights } from './gram.js';
import { type LinearModel, linearModel } from './model.js';
import { multinomialProblem } from './problem.js';

export interface RidgeOptions {
  /** Positive values. */
  lambdas: ArrayLike<number>;
  classes: number | undefined;
}
export const ridgeDefaults: RidgeOptions = {
  lambdas: Array.from({ length: 13 }, (_, i) => 10 ** (i - 6)),
  classes: undefined,
};

export interface RidgePoint {
  readonly lambda: number;
  /** Mean squared error and accuracy of the leave-one-out predictions. */
  readonly looError: number;
  readonly looAccuracy: number;
  /** Leave-one-out scores, (n, K): row i is what the fit without example i predicts for it. */
  readonly loo: Float64Array;
}

export interface RidgeSolution {
  readonly points: readonly RidgePoint[];
  readonly classes: number;
  /** Index of the lambda with the best leave-one-out accuracy, ties to the lower error. */
  readonly best: number;
  /** The probe at one lambda; its "logits" are the fitted scores. One pass over the features. */
  model(index: number): Promise<LinearModel>;
}

/** @throws UserError on labels or lambdas that make no sense, and on unequal example weights. */
export async function fitRidge(
  engine: Engine,
  design: Design,
  labels: ArrayLike<number>,
  options: Partial<RidgeOptions> = {},
): Promise<RidgeSolution> {
  const { lambdas, classes } = { ...ridgeDefaults, ...options };
  if (lambdas.length === 0) throw new UserError('the lambda grid is empty: give at least one value');
  for (let i = 0; i < lambdas.length; i++) {
    const lambda = lambdas[i];
    if (!(lambda > 0 && Number.isFinite(lambda)))
      throw new UserError(`lambda ${lambda}: every lambda must be positive`);
  }
  if (design.weights.some((w) => Math.abs(w - 1) > 1e-12)) {
    throw new UserError('ridge has no example weights: fit it with equal weights, or use all-l2');
  }
  const { n, classes: K, labels: y, frequencies } = multinomialProblem(design, labels, classes);
  const kernel = await gram(engine, design);
  const matrix = new Matrix(Array.from({ length: n }, (_, i) => Array.from(kernel.subarray(i * n, (i + 1) * n))));
  const { realEigenvalues: values, eigenvectorMatrix } = new EigenvalueDecomposition(matrix, { assumeSymmetric: true });
  const u = eigenvectorMatrix.to2DArray();
  const centred = new Float64Array(n * K);
  for (let i = 0; i < n; i++) {
    for (let k = 0; k < K; k++) centred[i * K + k] = (y[i] === k ? 1 : 0) - frequencies[k];
  }
  const projected = new Float64Array(n * K);
  for (let i = 0; i < n; i++) {
    const row = u[i];
    for (let e = 0; e < n; e++) {
      for (let k = 0; k < K; k++) {
        projected[e * K + k] += row[e] * centred[i * K + k];
      }
    }
  }
  /** Dual weights (n, K) and leverages (n) at one lambda. */
  const solve = (lambda: number) => {
    const a = new Float64Array(n * K);
    const leverage = new Float64Array(n);
    for (let i = 0; i < n; i++) {
      const row = u[i];
      let h = 1 / n;
      for (let e = 0; e < n; e++) {
        const value = Math.max(0, values[e]);
        const weight = row[e] / (value + lambda);
        h += weight * row[e] * value;
        for (let k = 0; k < K; k++) {
          a[i * K + k] += weight * projected[e * K + k];
        }
      }
      leverage[i] = h;
    }
    return { a, leverage };
  };
  const points = Array.from({ length: lambdas.length }, (_, index): RidgePoint => {
    const lambda = lambdas[index];
    const { a, leverage } = solve(lambda);
    const loo = new Float64Array(n * K);
    let error = 0;
    let right = 0;
    for (let i = 0; i < n; i++) {
      let top = 0;
      for (let k = 0; k < K; k++) {
        // The residual of the fit is lambda a; without example i it grows by 1 / (1 - leverage).
        const residual = (lambda * a[i * K + k]) / (1 - leverage[i]);
        loo[i * K + k] = (y[i] === k ? 1 : 0) - residual;
        error += residual * residual;
        if (loo[i * K + k] > loo[i * K + top]) top = k;
      }
      if (top === y[i]) right++;
    }
    return { lambda, looError: error / (n * K), looAccuracy: right / n, loo };
  });
  let best = 0;
  for (const [i, point] of points.entries()) {
    const leader = points[best];
    const better = point.looAccuracy - leader.looAccuracy;
    if (better > 0 || (better === 0 && point.looError < leader.looError)) best = i;
  }
  return {
    points,
    classes: K,
    best,
    async model(index) {
      const point = points[index];
      if (!point) throw new UserError(`lambda number ${index} of a grid of ${points.length}`);
      const { a } = solve(point.lambda);
      const all = Int32Array.from({ length: design.matrix.features }, (_, j) => j);
      return linearModel(design, K, all, await primalWeights(engine, design, a, K), frequencies.slice());
    },
  };
}
