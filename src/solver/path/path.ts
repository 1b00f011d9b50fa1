/**
 * The certified path: minimise over W (p, K) and b (K)
 *
 *   sum_i v_i L_i(W, b) + lambda * sum_j [ (1 - mix) ||W_j||_2 + mix ||W_j||_1 ]
 *
 * with the cross-entropy of classes or of labels, or half the squared error of values, for L (see losses/), and example weights v that sum to one (1/n each by default), so lambda is that of a mean loss, as glmnet's; on a
 * falling grid of lambdas, warm-started from the lambda at which the first feature enters. Every lambda carries its
 * duality gap over all features.
 *
 * Three nested sets: all features (bounded, and seen in a full pass only where the bounds are too wide), a pool of those
 * that may enter soon (sequential strong rule), and the working set on which accelerated proximal gradient runs.
 */
import { UserError } from '../../base/index.js';
import type { Engine } from '../../engine/index.js';
import type { Design } from '../design.js';
import { positiveGrid } from '../grid.js';
import type { Fitted } from '../losses/index.js';
import { type LinearModel, linearModel, predictLogits } from '../model.js';
import { checkMix } from '../penalty.js';
import { floats, type Precision } from '../programs.js';
import { largest } from '../vectors.js';
import { CorrelationBounds } from './bounds.js';
import { Certifier } from './certificate.js';
import { correlateAll } from './full-pass.js';
import { type Candidate, objectiveOf, PoolSolver } from './pool-solver.js';
import { classesProblem, type PathProblem } from './problem.js';

/** Penalties of the path, and the tolerance of each solution. */
export interface PathOptions {
  /** Share of the element-wise l1 norm in the penalty: 0 group lasso over classes, 1 lasso. */
  mix: number;
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
}
/** What holds where nothing is said. */
export const pathDefaults: PathOptions = {
  mix: 0,
  lambdas: undefined,
  count: 50,
  ratio: 0.05,
  tolerance: 1e-3,
  maxIterations: 20_000,
  precision: undefined,
};

/** The solution at one penalty, with its duality gap. */
export interface PathPoint {
  readonly lambda: number;
  /** lambda / lambda_max. */
  readonly ratio: number;
  /** Weighted mean loss plus penalty. */
  readonly objective: number;
  readonly loss: number;
  /** Duality gap / loss of the model without features; at least (objective - optimum) over the same. */
  readonly gap: number;
  /** Features with a weight that is not zero. */
  readonly nonzero: number;
  readonly iterations: number;
  readonly seconds: number;
  /** Share of features that are zero in every optimum at this lambda, by the gap-safe sphere. */
  readonly inactiveShare: number;
  /** Whether the gap is within the tolerance; the best iterate is kept all the same. */
  readonly converged: boolean;
}

/** The solutions along the path. */
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
  /** v (y - p) at one lambda, (n, K): what features that have no weight are correlated with. One pass over those that have. */
  residual(index?: number): Promise<Float64Array>;
}

/** The path of one class an example. @throws UserError on labels or settings that make no sense. */
export async function solvePath(
  engine: Engine,
  design: Design,
  labels: ArrayLike<number>,
  { classes, ...options }: Partial<PathOptions> & { readonly classes?: number | undefined } = {},
): Promise<PathSolution> {
  return solveProblem(engine, classesProblem(design, labels, classes), options);
}

/** The path of any loss: classes, several labels, real values. @throws UserError on settings that make no sense. */
export async function solveProblem(
  engine: Engine,
  problem: PathProblem,
  options: Partial<PathOptions> = {},
): Promise<PathSolution> {
  const settings = { ...pathDefaults, ...options };
  checkSettings(settings);
  return new PathSolver(engine, problem, settings).run();
}

function checkSettings({ mix, lambdas, count, ratio, tolerance, maxIterations }: PathOptions): void {
  checkMix(mix);
  if (lambdas) {
    const grid = positiveGrid(lambdas);
    const rise = grid.findIndex((lambda, i) => i > 0 && lambda >= grid[i - 1]);
    if (rise > 0) throw new UserError(`the lambda grid must fall: ${grid[rise]} follows ${grid[rise - 1]}`);
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
/** Looks at all features after which a lambda is given back as it stands. */
const ROUNDS = 20;

/** One lambda: what was found, and its certificate. */
interface Solved {
  readonly candidate: Candidate;
  readonly point: Omit<PathPoint, 'ratio' | 'seconds'>;
}

/** What is kept of a lambda: residuals of all of them would be as large as a part of the features. */
type Kept = Pick<Candidate, 'lambda' | 'features' | 'weights'> & Pick<Fitted, 'intercept'>;

class PathSolver {
  readonly #engine: Engine;
  readonly #problem: PathProblem;
  readonly #options: PathOptions;
  readonly #precision: Precision;
  readonly #certifier: Certifier;
  readonly #bounds: CorrelationBounds;
  /** Upper bound on every feature's critical lambda at the last residual, (p). */
  readonly #upper: Float64Array;

  constructor(engine: Engine, problem: PathProblem, options: PathOptions) {
    this.#engine = engine;
    this.#problem = problem;
    this.#options = options;
    this.#precision = options.precision ?? (options.tolerance > 1e-5 ? 'float32' : 'float64');
    this.#certifier = new Certifier(engine, problem);
    this.#bounds = new CorrelationBounds(engine, problem, options.mix, this.#precision);
    this.#upper = new Float64Array(problem.design.matrix.features);
  }

  async run(): Promise<PathSolution> {
    let began = performance.now();
    const empty = await this.#emptyModel();
    const { lambdaMax } = empty;
    const pool = new PoolSolver(this.#engine, {
      problem: this.#problem,
      mix: this.#options.mix,
      precision: this.#precision,
      certifier: this.#certifier,
      ...empty,
    });
    const lambdas = this.#grid(lambdaMax);
    const kept: Kept[] = [];
    let { fitted } = empty;
    const points: PathPoint[] = [];
    for (const [i, lambda] of lambdas.entries()) {
      await pool.admit(2 * lambda - (i === 0 ? lambdaMax : lambdas[i - 1]));
      const { candidate, point } = await this.#solve(pool, lambda, fitted, extrapolationTo(lambdas, i));
      const now = performance.now();
      ({ fitted } = candidate);
      const { features, weights } = candidate;
      kept.push({ lambda, features, weights, intercept: fitted.intercept });
      points.push({ ...point, ratio: lambda / lambdaMax, seconds: (now - began) / 1000 });
      began = now;
    }
    return { lambdaMax, points, converged: points.every((q) => q.converged), ...this.#solution(kept) };
  }

  /** The model without features, every critical lambda at it, and the largest. @throws UserError when none is positive */
  async #emptyModel(): Promise<{ fitted: Fitted; critical: Float64Array; lambdaMax: number }> {
    const { n, classes: K, nullIntercept } = this.#problem;
    const fitted = await this.#certifier.fit(floats(this.#precision, n * K), nullIntercept);
    const critical = await this.#pass(fitted.residual);
    const lambdaMax = largest(critical);
    if (!(lambdaMax > 0)) throw new UserError('no feature varies with the labels: every feature is constant or zero');
    return { fitted, critical, lambdaMax };
  }

  #grid(lambdaMax: number): Float64Array {
    const { lambdas, count, ratio } = this.#options;
    if (lambdas) return Float64Array.from(lambdas);
    return Float64Array.from({ length: count }, (_, i) => lambdaMax * ratio ** (count === 1 ? 1 : i / (count - 1)));
  }

  /** One lambda, to the tolerance where that is reached within the iterations, else the best that was met. */
  async #solve(pool: PoolSolver, lambda: number, start: Fitted, extrapolation: number): Promise<Solved> {
    const { tolerance, maxIterations } = this.#options;
    let from = start;
    let iterations = 0;
    let best: Solved | undefined;
    for (let round = 0; ; round++) {
      const candidate = await pool.solve({
        lambda,
        from,
        target: TARGET_SHARE * 0.5 ** round * tolerance * this.#problem.nullLoss,
        limit: maxIterations - iterations,
        extrapolation: round === 0 ? extrapolation : undefined,
      });
      iterations += candidate.iterations;
      await this.#look(pool, candidate);
      const solved = { candidate, point: this.#certify(candidate, iterations) };
      if (solved.point.converged) return solved;
      if (!best || objectiveOf(candidate) < objectiveOf(best.candidate)) best = solved;
      if (iterations >= maxIterations || round >= ROUNDS) {
        if (best !== solved) await pool.restore(best.candidate);
        return { ...best, point: { ...best.point, iterations } };
      }
      from = candidate.fitted;
    }
  }

  /** Correlates every feature with a residual and keeps that for the bounds. @returns every critical lambda */
  async #pass(residual: Float64Array): Promise<Float64Array> {
    const correlations = this.#bounds.buffer();
    await correlateAll(this.#engine, this.#problem, residual, correlations);
    return this.#bounds.add(residual, correlations);
  }

  /**
   * Bounds every feature's critical lambda at the candidate's residual. Where a bound exceeds lambda the feature itself is
   * looked at, alone or in a full pass, and joins the pool if it is in the way.
   */
  async #look(pool: PoolSolver, { lambda, fitted: { residual } }: Candidate): Promise<void> {
    const bounds = await this.#bounds.at(residual);
    const upper = this.#upper;
    const open: number[] = [];
    for (let j = 0; j < upper.length; j++) {
      if (pool.has(j)) upper[j] = pool.critical[j];
      else {
        upper[j] = bounds.upper[j];
        pool.critical[j] = bounds.critical[j];
        if (upper[j] > lambda) open.push(j);
      }
    }
    if (open.length === 0) return;
    if (open.length > OPEN_SHARE * upper.length) {
      const exact = await this.#pass(residual);
      const above: number[] = [];
      for (let j = 0; j < upper.length; j++) {
        if (pool.has(j)) continue;
        upper[j] = exact[j];
        pool.critical[j] = exact[j];
        if (exact[j] > lambda) above.push(j);
      }
      await pool.add(above);
    } else {
      await pool.add(open);
      await pool.correlate(residual);
      for (const j of open) upper[j] = pool.critical[j];
    }
  }

  /** The record of one lambda, from the bounds on all features. */
  #certify(candidate: Candidate, iterations: number): Solved['point'] {
    const { loss, nullLoss, shares } = this.#problem;
    const { lambda, fitted, features } = candidate;
    const upper = this.#upper;
    const { objective, gap, scale } = this.#certifier.gap(fitted, candidate.penalty, lambda, largest(upper));
    // By strong convexity the dual optimum is within this radius.
    const radius = Math.sqrt((2 / loss.dualConvexity) * Math.max(0, gap) * largest(shares));
    const { reach } = this.#bounds;
    let inactive = 0;
    for (let j = 0; j < upper.length; j++) if (scale * upper[j] + reach[j] * radius < lambda) inactive++;
    const relative = gap / nullLoss;
    return {
      lambda,
      objective,
      loss: fitted.loss,
      gap: relative,
      nonzero: features.length,
      iterations,
      inactiveShare: inactive / upper.length,
      converged: fitted.exact && relative <= this.#options.tolerance,
    };
  }

  /** What the path tells of its models. */
  #solution(kept: readonly Kept[]): Pick<PathSolution, 'classes' | 'entryLambda' | 'model' | 'scores' | 'residual'> {
    const { design, classes: K } = this.#problem;
    const p = design.matrix.features;
    const entryLambda = new Float64Array(p);
    for (const { features, lambda } of [...kept].reverse()) for (const j of features) entryLambda[j] = lambda;
    const chosen = (index: number): Kept => {
      const own = kept.at(index);
      if (!own) throw new UserError(`lambda number ${index} of a path of ${kept.length}`);
      return own;
    };
    const model = (index = -1) => {
      const { features: indices, weights, intercept } = chosen(index);
      return linearModel(design, { classes: K, indices, weights: Float64Array.from(weights), intercept });
    };
    return {
      classes: K,
      entryLambda,
      model,
      scores: (index = -1) => {
        const { features, weights } = chosen(index);
        const scores = new Float64Array(p);
        for (const [i, j] of features.entries()) scores[j] = Math.hypot(...weights.subarray(i * K, (i + 1) * K));
        return scores;
      },
      residual: async (index = -1) => {
        const own = model(index);
        const { matrix, rows } = design;
        const logits = await predictLogits(this.#engine, { ...own, intercept: new Float64Array(K) }, matrix, rows);
        return (await this.#certifier.fit(logits, own.intercept)).residual;
      },
    };
  }
}

/** How far along the last change of the weights the next ones are looked for, on the scale of log lambda. */
function extrapolationTo(lambdas: Float64Array, i: number): number {
  if (i < 2) return 0;
  const [a, b, c] = [i - 2, i - 1, i].map((k) => Math.log(lambdas[k]));
  return EXTRAPOLATION * Math.min(1, (b - c) / (a - b));
}
