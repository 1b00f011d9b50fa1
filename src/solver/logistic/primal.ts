/**
 * l2 logistic regression to optimality over a grid of lambdas:
 *
 *   minimise sum_i v_i CE_i(W, b) + lambda ||W||^2,   v with mean one, intercept free
 *
 * which is the convention of the linear-evaluation literature; scikit-learn's C is 1 / (2 lambda), and 1 / lambda where
 * two classes have one vector of weights between them. This is the primal of a pair: it takes features and gives W (p, K),
 * in float64, for probes that are reported. Its dual, dual.ts, takes a kernel and gives coefficients of examples, for the
 * many probes that cross-validation compares; its lambda is 2 / n times this one.
 *
 * With more features than examples W = X' A for some A (n, K), so everything happens on the n x n Gram matrix: exact,
 * and one pass over the features whatever the number of lambdas. Newton's method with conjugate gradients; the top of
 * the Gram matrix's spectrum, found once, preconditions every lambda.
 */
import { UserError } from '../../base/index.js';
import type { Engine } from '../../engine/index.js';
import { allFeatures, type Design } from '../design.js';
import { positiveGrid } from '../grid.js';
import type { Rows } from '../matrix.js';
import { type LinearModel, linearModel } from '../model.js';
import { multinomialProblem } from '../problem.js';
import { sum } from '../vectors.js';
import { type NewtonResult, NewtonSolver } from './newton.js';
import { spaceOf } from './spaces.js';

/** Penalties and tolerance. */
export interface LogisticOptions {
  /** Positive grid in any order; solved from the largest down. */
  lambdas: ArrayLike<number>;
  /**
   * Largest gradient norm (Frobenius, over W and b) relative to that of the penalty, 2 lambda ||W||. By strong
   * convexity the weights are then within this share of ||W|| of the optimal ones.
   */
  tolerance: number;
  /** Norm of the gradient per example that is small enough whatever the penalty's; 0: none. */
  floor: number;
  /** Conjugate-gradient iterations for one lambda after which it counts as not converged. */
  maxIterations: number;
  classes: number | undefined;
  /** Weights (p, K) and intercept (K) to start from, used where there are fewer features than examples; zero by default. */
  start: { readonly weights: Float64Array; readonly intercept: Float64Array } | undefined;
}
/** What holds where nothing is said. */
export const logisticDefaults: LogisticOptions = {
  lambdas: Array.from({ length: 45 }, (_, i) => 10 ** (-6 + i / 4)),
  tolerance: 1e-5,
  floor: 0,
  maxIterations: 5000,
  classes: undefined,
  start: undefined,
};

/** The solution at one penalty. */
export interface LogisticPoint {
  readonly lambda: number;
  /** The same strength in scikit-learn's terms, 1 / (2 lambda). */
  readonly C: number;
  readonly objective: number;
  /** Frobenius norm of the gradient with respect to W and b, absolute and relative to 2 lambda ||W||. */
  readonly gradient: number;
  readonly relativeGradient: number;
  readonly iterations: number;
  readonly seconds: number;
  /** Whether the tolerance was met; the best iterate is kept all the same. */
  readonly converged: boolean;
}

/** The solutions at all penalties. */
export interface LogisticSolution {
  /** In the order of the given grid. */
  readonly points: readonly LogisticPoint[];
  readonly classes: number;
  /** Whether every lambda met the tolerance. */
  readonly converged: boolean;
  /** The probe at one lambda of the grid. One pass over the features. */
  model(index: number): Promise<LinearModel>;
  /** Logits (rows.length, K) of other rows at every lambda of the grid, in one pass over the features. */
  logits(rows: Rows): Promise<Float64Array[]>;
}

/** @throws UserError on labels or a grid that make no sense. */
export async function fitLogistic(
  engine: Engine,
  design: Design,
  labels: ArrayLike<number>,
  options: Partial<LogisticOptions> = {},
): Promise<LogisticSolution> {
  const settings = { ...logisticDefaults, ...options };
  const lambdas = positiveGrid(settings.lambdas);
  const problem = multinomialProblem(design, labels, settings.classes);
  const space = await spaceOf(engine, problem);
  const { n, labels: y, classes, nullIntercept } = problem;
  const examples = { labels: y, weights: problem.shares.map((share) => n * share), classes, nullIntercept };
  const solver = new NewtonSolver(examples, space, settings);
  const { start } = settings;
  if (start && space.ofFeatures) {
    // What all intercepts share changes no probability; it is that of a fit from zero.
    const shift = (sum(nullIntercept) - sum(start.intercept)) / classes;
    await solver.startFrom(
      start.weights,
      start.intercept.map((b) => b + shift),
    );
  }
  const order = Array.from(lambdas.keys()).sort((i, j) => lambdas[j] - lambdas[i]);
  const points: LogisticPoint[] = [];
  const solved: Pick<NewtonResult, 'a' | 'b'>[] = [];
  for (const i of order) {
    const began = performance.now();
    const lambda = lambdas[i];
    const { a, b, objective, gradient, relativeGradient, iterations, converged } = await solver.solve(lambda);
    const seconds = (performance.now() - began) / 1000;
    points[i] = { lambda, C: 1 / (2 * lambda), objective, gradient, relativeGradient, iterations, seconds, converged };
    solved[i] = { a, b };
  }
  const K = problem.classes;
  return {
    points,
    classes: K,
    converged: points.every((point) => point.converged),
    async model(index) {
      if (!solved[index]) throw new UserError(`lambda number ${index} of a grid of ${solved.length}`);
      const { a, b } = solved[index];
      const weights = await space.weights(a);
      return linearModel(design, { classes: K, indices: allFeatures(design.matrix), weights, intercept: b });
    },
    async logits(rows) {
      const logitsOf = await space.others(rows);
      const results: Float64Array[] = [];
      for (const { a, b } of solved) results.push((await logitsOf(a)).map((z, i) => z + b[i % K]));
      return results;
    },
  };
}
