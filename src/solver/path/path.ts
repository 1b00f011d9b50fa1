/**
 * The certified path: minimise over W (p, K) and b (K)
 *
 *   sum_i v_i [ logsumexp(z_i) - z_i,y_i ] + lambda * penalty(W),   z = X W + 1 b'
 *
 * with example weights v that sum to one (1/n each by default), on a falling grid of lambdas, warm-started from the
 * lambda at which the first group enters. Every lambda carries its duality gap over all features.
 *
 * Three nested sets: all features (bounded, and seen in a full pass only where the bounds are too wide), a pool of those
 * that may enter soon (sequential strong rule), and the working set on which accelerated proximal gradient runs.
 */
import { UserError } from '../../base/index.js';
import type { Engine } from '../../engine/index.js';
import type { Design } from '../design.js';
import { type LinearModel, linearModel } from '../model.js';
import { type Penalty, type PenaltyOptions, resolvePenalty } from '../penalty.js';
import { multinomialProblem, type Problem } from '../problem.js';
import { floats, type Precision } from '../programs.js';
import { CorrelationBounds } from './bounds.js';
import { Certifier } from './certificate.js';
import { correlateAll } from './full-pass.js';
import { type Candidate, PoolSolver } from './pool-solver.js';

export interface PathOptions {
  penalty: Partial<PenaltyOptions>;
  /** Falling positive grid; by default `count` values from lambda_max to ratio * lambda_max, evenly in log. */
  lambdas: ArrayLike<number> | undefined;
  count: number;
  ratio: number;
  /** Largest duality gap, relative to the loss of the model without features. */
  tolerance: number;
  /** Iterations for one lambda after which it counts as not converged. */
  maxIterations: number;
  /** float64 throughout; by default from tolerance 1e-5 down. */
  precision: Precision | undefined;
  /** Number of classes; one more than the largest label by default. */
  classes: number | undefined;
  /** Called after each certified lambda. */
  onPoint: ((point: PathPoint, index: number) => void) | undefined;
}
export const pathDefaults: PathOptions = {
  penalty: {},
  lambdas: undefined,
  count: 50,
  ratio: 0.05,
  tolerance: 1e-3,
  maxIterations: 20_000,
  precision: undefined,
  classes: undefined,
  onPoint: undefined,
};

export interface PathPoint {
  readonly lambda: number;
  /** lambda / lambda_max. */
  readonly ratio: number;
  /** Weighted mean loss plus penalty. */
  readonly objective: number;
  readonly loss: number;
  /** Duality gap / loss of the model without features; at least (objective - optimum) over the same. */
  readonly gap: number;
  /** Features, and groups of them, with a weight that is not zero. */
  readonly nonzero: number;
  readonly groups: number;
  readonly iterations: number;
  readonly seconds: number;
  /** Share of groups that are zero in every optimum at this lambda, by the gap-safe sphere. */
  readonly inactiveShare: number;
  /** Whether the gap is within the tolerance. */
  readonly converged: boolean;
}

export interface PathSolution {
  readonly lambdaMax: number;
  readonly points: readonly PathPoint[];
  readonly classes: number;
  /** Largest lambda of the grid at which each feature has a weight, (p); 0 when it has none anywhere. */
  readonly entryLambda: Float64Array;
  /** Whether every lambda reached the tolerance. */
  readonly converged: boolean;
  /** The probe at one lambda; the last by default. */
  model(index?: number): LinearModel;
  /** Relevance of every feature at one lambda, (p): l2 norm of its row of W. */
  scores(index?: number): Float64Array;
}

/** @throws UserError on labels, groups or a grid that make no sense. */
export async function solvePath(
  engine: Engine,
  design: Design,
  labels: ArrayLike<number>,
  options: Partial<PathOptions> = {},
): Promise<PathSolution> {
  const settings = { ...pathDefaults, ...options };
  checkSettings(settings);
  const problem = multinomialProblem(design, labels, settings.classes);
  const penalty = resolvePenalty(design.matrix, settings.penalty);
  return new PathSolver(engine, problem, penalty, settings).run();
}

function checkSettings({ lambdas, count, ratio, tolerance, maxIterations }: PathOptions): void {
  if (lambdas) {
    if (lambdas.length === 0) throw new UserError('the lambda grid is empty: give at least one value');
    for (let i = 0; i < lambdas.length; i++) {
      const lambda = lambdas[i];
      if (!(lambda > 0 && Number.isFinite(lambda))) {
        throw new UserError(`lambda ${lambda} in the grid: every lambda must be positive`);
      }
      if (i > 0 && lambda >= lambdas[i - 1]) {
        throw new UserError(`the lambda grid must fall: ${lambda} follows ${lambdas[i - 1]}`);
      }
    }
  } else {
    if (!(Number.isInteger(count) && count >= 1)) throw new UserError(`${count} lambdas: give a whole number from 1`);
    if (!(ratio > 0 && ratio <= 1)) throw new UserError(`lambda ratio ${ratio}: it must lie in (0, 1]`);
  }
  if (!(tolerance > 0)) throw new UserError(`tolerance ${tolerance}: it must be positive`);
  if (!(maxIterations >= 1)) throw new UserError(`iteration limit ${maxIterations}: it must be at least 1`);
}

/** Share of the tolerance aimed at within the pool: the rest is for what lies outside. */
const TARGET_SHARE = 0.8;
/** Share of the last change along the path that the next start is moved on by. */
const EXTRAPOLATION = 1;
/** Share of the features that are looked at one by one where the bounds leave them open; a full pass beyond. */
const OPEN_SHARE = 0.005;

class PathSolver {
  readonly #engine: Engine;
  readonly #problem: Problem;
  readonly #penalty: Penalty;
  readonly #options: PathOptions;
  readonly #precision: Precision;
  readonly #certifier: Certifier;
  readonly #bounds: CorrelationBounds;
  /** Upper bound on every group's critical lambda at the last residual. */
  readonly #upper: Float64Array;

  constructor(engine: Engine, problem: Problem, penalty: Penalty, options: PathOptions) {
    this.#engine = engine;
    this.#problem = problem;
    this.#penalty = penalty;
    this.#options = options;
    this.#precision = options.precision ?? (options.tolerance > 1e-5 ? 'float32' : 'float64');
    this.#certifier = new Certifier(engine, problem);
    this.#bounds = new CorrelationBounds(problem, penalty, this.#precision);
    this.#upper = new Float64Array(penalty.count);
  }

  async run(): Promise<PathSolution> {
    const { n, classes: K, nullIntercept, nullLoss, design } = this.#problem;
    const { tolerance, maxIterations, onPoint } = this.#options;
    let began = performance.now();
    const nullFit = await this.#certifier.fit(floats(this.#precision, n * K), nullIntercept);
    const critical = await this.#pass(nullFit.residual);
    const lambdaMax = largest(critical);
    if (!(lambdaMax > 0)) throw new UserError('no feature varies with the labels: every feature is constant or zero');
    const lambdas = this.#grid(lambdaMax);
    const pool = new PoolSolver(
      this.#engine,
      this.#problem,
      this.#penalty,
      this.#certifier,
      this.#precision,
      critical,
      lambdaMax,
    );
    const points: PathPoint[] = [];
    const solved: Candidate[] = [];
    for (const [i, lambda] of lambdas.entries()) {
      const before = i === 0 ? lambdaMax : lambdas[i - 1];
      await pool.admit(2 * lambda - before);
      let from = solved[i - 1]?.fitted ?? nullFit;
      let iterations = 0;
      let extrapolation: number | undefined = extrapolationTo(lambdas, i);
      for (let round = 0; ; round++) {
        const target = TARGET_SHARE * 0.5 ** round * tolerance * nullLoss;
        const candidate = await pool.solve(lambda, from, target, maxIterations - iterations, extrapolation);
        iterations += candidate.iterations;
        await this.#look(pool, candidate);
        const now = performance.now();
        const point = this.#certify(candidate, iterations, lambdaMax, (now - began) / 1000);
        if (point.converged || iterations >= maxIterations || round >= 20) {
          points.push(point);
          solved.push(candidate);
          onPoint?.(point, i);
          began = now;
          break;
        }
        from = candidate.fitted;
        extrapolation = undefined;
      }
    }
    const entryLambda = new Float64Array(design.matrix.features);
    for (const { features, lambda } of [...solved].reverse()) for (const j of features) entryLambda[j] = lambda;
    const chosen = (index: number) => {
      const candidate = solved.at(index);
      if (!candidate) throw new UserError(`lambda number ${index} of a path of ${solved.length}`);
      return candidate;
    };
    return {
      lambdaMax,
      points,
      classes: K,
      entryLambda,
      converged: points.every((point) => point.converged),
      model: (index = -1) => {
        const { features, weights, fitted } = chosen(index);
        return linearModel(design, K, features, Float64Array.from(weights), fitted.intercept);
      },
      scores: (index = -1) => {
        const { features, weights } = chosen(index);
        const scores = new Float64Array(design.matrix.features);
        for (const [i, j] of features.entries()) scores[j] = Math.hypot(...weights.subarray(i * K, (i + 1) * K));
        return scores;
      },
    };
  }

  #grid(lambdaMax: number): Float64Array {
    const { lambdas, count, ratio } = this.#options;
    if (lambdas) return Float64Array.from(lambdas);
    return Float64Array.from({ length: count }, (_, i) => lambdaMax * ratio ** (count === 1 ? 1 : i / (count - 1)));
  }

  /** Correlates every feature with a residual and keeps that for the bounds. @returns every critical lambda */
  async #pass(residual: Float64Array): Promise<Float64Array> {
    const correlations = this.#bounds.buffer();
    await correlateAll(this.#engine, this.#problem, this.#precision, residual, correlations);
    return this.#bounds.add(residual, correlations);
  }

  /**
   * Bounds every group's critical lambda at the candidate's residual. Where a bound exceeds lambda the group itself is
   * looked at, alone or in a full pass, and joins the pool if it is in the way.
   */
  async #look(pool: PoolSolver, { lambda, fitted: { residual } }: Candidate): Promise<void> {
    const bounds = this.#bounds.at(residual);
    const upper = this.#upper;
    const open: number[] = [];
    for (let g = 0; g < upper.length; g++) {
      if (pool.has(g)) upper[g] = pool.critical[g];
      else {
        upper[g] = bounds.upper[g];
        pool.critical[g] = bounds.critical[g];
        if (upper[g] > lambda) open.push(g);
      }
    }
    if (open.length === 0) return;
    if (pool.featuresOf(open).length > OPEN_SHARE * this.#problem.design.matrix.features) {
      const exact = await this.#pass(residual);
      const above: number[] = [];
      for (let g = 0; g < upper.length; g++) {
        if (pool.has(g)) continue;
        upper[g] = exact[g];
        pool.critical[g] = exact[g];
        if (exact[g] > lambda) above.push(g);
      }
      await pool.add(above);
    } else {
      await pool.add(open);
      await pool.correlate(residual);
      for (const g of open) upper[g] = pool.critical[g];
    }
  }

  /** The record of one lambda, from the bounds on all groups. */
  #certify(candidate: Candidate, iterations: number, lambdaMax: number, seconds: number): PathPoint {
    const { nullLoss, shares } = this.#problem;
    const { lambda, fitted, features } = candidate;
    const upper = this.#upper;
    const { objective, gap, scale } = this.#certifier.gap(fitted, candidate.penalty, lambda, largest(upper));
    // The entropy is 2-strongly convex on rows that sum to zero: the dual optimum is within this radius.
    const radius = Math.sqrt(Math.max(0, gap) * shares.reduce((top, v) => Math.max(top, v), 0));
    const { reach } = this.#bounds;
    let inactive = 0;
    for (let g = 0; g < upper.length; g++) {
      if (scale * upper[g] + reach[g] * radius < lambda) inactive++;
    }
    const { groupOf, count } = this.#penalty;
    const relative = gap / nullLoss;
    return {
      lambda,
      ratio: lambda / lambdaMax,
      objective,
      loss: fitted.loss,
      gap: relative,
      nonzero: features.length,
      groups: new Set(Array.from(features, (j) => (groupOf ? groupOf[j] : j))).size,
      iterations,
      seconds,
      inactiveShare: inactive / count,
      converged: fitted.exact && relative <= this.#options.tolerance,
    };
  }
}

/** How far along the last change of the weights the next ones are looked for, on the scale of log lambda. */
function extrapolationTo(lambdas: Float64Array, i: number): number {
  if (i < 2) return 0;
  const [a, b, c] = [i - 2, i - 1, i].map((k) => Math.log(lambdas[k])) as [number, number, number];
  return EXTRAPOLATION * Math.min(1, (b - c) / (a - b));
}

function largest(values: Float64Array): number {
  let top = 0;
  for (let i = 0; i < values.length; i++) if (values[i] > top) top = values[i];
  return top;
}
