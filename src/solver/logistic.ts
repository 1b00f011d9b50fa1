/**
 * l2 logistic regression (All-l2) to optimality over a grid of lambdas:
 *
 *   sum_i v_i CE_i(W, b) + lambda ||W||^2,   v with mean one, intercept free
 *
 * which is the convention of the linear-evaluation literature; scikit-learn's C is 1 / (2 lambda).
 *
 * With more features than examples W = X' A for some A (n, K), so everything happens on the n x n Gram matrix: exact,
 * and one pass over the features whatever the number of lambdas. Newton's method with conjugate gradients; the top of
 * the Gram matrix's spectrum, found once, preconditions every lambda.
 */
import { UserError } from '../base/index.js';
import type { Engine } from '../engine/index.js';
import type { Design } from './design.js';
import type { FeatureMatrix } from './matrix.js';
import { type LinearModel, linearModel } from './model.js';
import { type LogisticOptions, type LogisticPoint, NewtonSolver } from './newton.js';
import { multinomialProblem } from './problem.js';
import { spaceOf } from './space.js';

export const logisticDefaults: LogisticOptions = {
  lambdas: Array.from({ length: 45 }, (_, i) => 10 ** (-6 + i / 4)),
  tolerance: 1e-5,
  maxIterations: 5000,
  classes: undefined,
};

export type { LogisticOptions, LogisticPoint } from './newton.js';

export interface LogisticSolution {
  /** In the order of the given grid. */
  readonly points: readonly LogisticPoint[];
  readonly classes: number;
  readonly converged: boolean;
  /** The probe at one lambda of the grid. One pass over the features. */
  model(index: number): Promise<LinearModel>;
  /** Logits (rows.length, K) at every lambda of the grid, in one pass over the features. */
  logits(matrix: FeatureMatrix, rows: ArrayLike<number>): Promise<Float64Array[]>;
}

/** @throws UserError on labels or a grid that make no sense. */
export async function fitLogistic(
  engine: Engine,
  design: Design,
  labels: ArrayLike<number>,
  options: Partial<LogisticOptions> = {},
): Promise<LogisticSolution> {
  const settings = { ...logisticDefaults, ...options };
  const lambdas = Float64Array.from(settings.lambdas);
  if (lambdas.length === 0) throw new UserError('the lambda grid is empty: give at least one value');
  const bad = lambdas.find((l) => !(l > 0 && Number.isFinite(l)));
  if (bad !== undefined) throw new UserError(`lambda ${bad} in the grid: every lambda must be positive`);
  const problem = multinomialProblem(design, labels, settings.classes);
  const space = await spaceOf(engine, problem);
  const solver = new NewtonSolver(problem, space, settings);
  const order = Array.from(lambdas, (_, i) => i).sort((i, j) => lambdas[j] - lambdas[i]);
  const points: LogisticPoint[] = [];
  const solved: { a: Float64Array; b: Float64Array }[] = [];
  for (const i of order) {
    points[i] = await solver.solve(lambdas[i]);
    solved[i] = { a: solver.a.slice(), b: solver.b.slice() };
  }
  const K = problem.classes;
  return {
    points,
    classes: K,
    converged: points.every((point) => point.converged),
    async model(index) {
      const chosen = solved[index];
      if (!chosen) throw new UserError(`lambda number ${index} of a grid of ${solved.length}`);
      const all = Int32Array.from({ length: design.matrix.features }, (_, j) => j);
      return linearModel(design, K, all, await space.weights(chosen.a), chosen.b);
    },
    async logits(matrix, rows) {
      const others = await space.others(matrix, rows);
      const results: Float64Array[] = [];
      for (const { a, b } of solved) {
        const z = await others(a);
        for (let i = 0; i < z.length; i++) z[i] += b[i % K];
        results.push(z);
      }
      return results;
    },
  };
}
