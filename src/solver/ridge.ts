/**
 * Ridge regression on one-hot labels, closed form on the Gram matrix, with exact leave-one-out predictions:
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
import { type Eigen, symmetricEigen } from './eigen.js';
import { gram, primalWeights } from './gram-exact.js';
import { positiveGrid } from './grid.js';
import { countMacs } from './macs.js';
import { type LinearModel, linearModel } from './model.js';
import { multinomialProblem, type Problem } from './problem.js';
import { inner } from './vectors.js';

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
  /** Mean squared error and accuracy of the leave-one-out predictions, every example counted once. */
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
  const smoother = new Smoother(problem, await gram(engine, design));
  const points = Array.from(lambdas, (lambda) => leaveOneOut(problem, smoother, lambda));
  // A symmetric eigenproblem takes 9 n^3 operations (Golub and Van Loan, 8.3); then one projection, and two per lambda.
  countMacs(engine, 4.5 * problem.n ** 3 + (1 + 2 * points.length) * problem.n ** 2 * K);
  return {
    points,
    classes: K,
    best: points.reduce((best, point, i) => (better(point, points[best]) ? i : best), 0),
    async model(index) {
      if (!points[index]) throw new UserError(`lambda number ${index} of a grid of ${points.length}`);
      const weights = await primalWeights(engine, design, smoother.coefficients(points[index].lambda), K);
      return linearModel(design, { classes: K, indices: allFeatures(design.matrix), weights, intercept });
    },
  };
}

function better(a: RidgePoint, b: RidgePoint): boolean {
  return a.looAccuracy > b.looAccuracy || (a.looAccuracy === b.looAccuracy && a.looError < b.looError);
}

/** Eigenvalues below this share of the largest are rounding of zero, which one of them is: that of the intercept. */
const ZERO = 1e-13;

/** Everything that the fits of all lambdas share. */
class Smoother {
  readonly #problem: Problem;
  /** Square root of each example's weight. */
  readonly #root: Float64Array;
  /** Of S. */
  readonly #eigen: Eigen;
  /** Weighted and centred labels in the basis of the eigenvectors, (n, K). */
  readonly #projected: Float64Array;

  /** @param kernel G, (n, n), centred and weighted in place */
  constructor(problem: Problem, kernel: Float64Array) {
    const { n, classes: K, labels, shares, frequencies } = problem;
    this.#problem = problem;
    this.#root = shares.map((s) => Math.sqrt(n * s));
    const root = this.#root;
    centre(kernel, shares);
    for (let i = 0, at = 0; i < n; i++) for (let j = 0; j < n; j++, at++) kernel[at] *= root[i] * root[j];
    const { values, vectors: u } = symmetricEigen(kernel, n);
    this.#eigen = { values: values.map((value) => (value > ZERO * values[0] ? value : 0)), vectors: u };
    const projected = new Float64Array(n * K);
    for (let i = 0; i < n; i++) {
      const centred = frequencies.map((f, k) => root[i] * ((labels[i] === k ? 1 : 0) - f));
      for (let e = 0, at = 0; e < n; e++) {
        for (let k = 0; k < K; k++, at++) projected[at] += u[i * n + e] * centred[k];
      }
    }
    this.#projected = projected;
  }

  /** A (n, K) without what the features do not see, for which X' A is the same and rounds less. */
  coefficients(lambda: number): Float64Array {
    const { values } = this.#eigen;
    return this.#combine(values.map((value) => (value > 0 ? 1 / (value + lambda) : 0)));
  }

  /** Residuals of the fit on all examples, (n, K). */
  residuals(lambda: number): Float64Array {
    const { n, classes: K } = this.#problem;
    const left = this.#combine(this.#left(lambda));
    for (let i = 0, at = 0; i < n; i++) for (let k = 0; k < K; k++, at++) left[at] /= this.#root[i] ** 2;
    return left;
  }

  /** 1 - h_i of every example, (n): the part of its own residual that it keeps. */
  slack(lambda: number): Float64Array {
    const { n, shares } = this.#problem;
    const { vectors: u } = this.#eigen;
    const left = this.#left(lambda);
    return shares.map((share, i) => {
      let kept = -share;
      for (let e = 0; e < n; e++) kept += left[e] * u[i * n + e] ** 2;
      return Math.max(kept, Number.EPSILON);
    });
  }

  /** Share of each eigenvector's part of the labels that the fit leaves, (n). */
  #left(lambda: number): Float64Array {
    return this.#eigen.values.map((value) => lambda / (value + lambda));
  }

  /** V^1/2 U diag(factors) times the projected labels, (n, K). */
  #combine(factors: Float64Array): Float64Array {
    const { n, classes: K } = this.#problem;
    const { vectors: u } = this.#eigen;
    const [root, projected] = [this.#root, this.#projected];
    const result = new Float64Array(n * K);
    for (let i = 0; i < n; i++) {
      for (let e = 0, at = 0; e < n; e++) {
        const weight = root[i] * u[i * n + e] * factors[e];
        for (let k = 0; k < K; k++, at++) result[i * K + k] += weight * projected[at];
      }
    }
    return result;
  }
}

/** Takes from a kernel (n, n) what rounding has left of the weighted means of its rows and columns. */
function centre(kernel: Float64Array, shares: Float64Array): void {
  const n = shares.length;
  const means = shares.map((_, i) => inner(shares, kernel.subarray(i * n, (i + 1) * n)));
  const grand = inner(shares, means);
  for (let i = 0, at = 0; i < n; i++) for (let j = 0; j < n; j++, at++) kernel[at] += grand - means[i] - means[j];
}

function leaveOneOut({ n, classes: K, labels }: Problem, smoother: Smoother, lambda: number): RidgePoint {
  const loo = smoother.residuals(lambda);
  const slack = smoother.slack(lambda);
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
