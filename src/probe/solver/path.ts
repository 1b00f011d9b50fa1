/**
 * The certified path: minimise over W (p, K) and b (K)
 *
 *   sum_i v_i [ logsumexp(z_i) - z_i,y_i ] + lambda * penalty(W),   z = X W + 1 b'
 *
 * with example weights v that sum to one (1/n each by default), on a falling grid of lambdas, warm-started from the
 * lambda at which the first group enters. Every lambda carries its duality gap over all features.
 *
 * Three nested sets: all features (seen only in full passes that certify), a pool of those that may enter soon
 * (sequential strong rule), and the working set on which accelerated proximal gradient runs.
 */
import { UserError } from '../../base/index.js';
import type { Engine } from '../../engine/index.js';
import type { Design } from '../design.js';
import { type LinearModel, linearModel } from '../model.js';
import { type Penalty, type PenaltyOptions, resolvePenalty } from '../penalty.js';
import { type Floats, floats, type Precision } from '../programs.js';
import { Certifier, type Fitted } from './certificate.js';
import { correlationNorm, criticalLambda } from './dual-norm.js';
import { FullPass } from './full-pass.js';
import { Pool } from './pool.js';
import { multinomialProblem, type Problem } from './problem.js';
import { RestrictedSolver, type WorkingSet } from './restricted.js';

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

interface Candidate {
  readonly index: number;
  lambda: number;
  /** Features with a weight, ascending, and their weights (length, K). */
  features: Int32Array;
  weights: Floats;
  fitted: Fitted;
  penalty: number;
  iterations: number;
  seconds: number;
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
      const lambda = lambdas[i] as number;
      if (!(lambda > 0 && Number.isFinite(lambda))) {
        throw new UserError(`lambda ${lambda} in the grid: every lambda must be positive`);
      }
      if (i > 0 && lambda >= (lambdas[i - 1] as number)) {
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

/** Share of the tolerance aimed at within the pool: the rest is for what the full pass may find. */
const TARGET_SHARE = 0.8;
/** Groups predicted to come within this share of the step in lambda below their limit join the working set as well. */
const SLACK = 0.3;
/** Share of the last change along the path that the next start is moved on by. */
const EXTRAPOLATION = 1;
/** Relative gap within which the model without features stands: float32 rounding of lambda_max. */
const EMPTY_GAP = 1e-6;

function largest(values: ArrayLike<number>): number {
  let worst = 0;
  for (let i = 0; i < values.length; i++) if ((values[i] as number) > worst) worst = values[i] as number;
  return worst;
}

class PathSolver {
  readonly #engine: Engine;
  readonly #problem: Problem;
  readonly #penalty: Penalty;
  readonly #options: PathOptions;
  readonly #certifier: Certifier;
  readonly #precision: Precision;
  readonly #restricted: RestrictedSolver;
  readonly #pass: FullPass;
  #pool: Pool;
  /** Critical lambda of every group at the last residual and at the lambda before (old where not in the pool). */
  #critical: Floats;
  #criticalBefore: Floats;
  /** Largest critical lambda within the pool at the last residual. */
  #worst = 0;
  #lastLambda = 0;
  /** Working set of the last solve, reused while it stays the same. */
  #set: { slots: Int32Array; set: WorkingSet } | undefined;
  #buffer: Floats;
  #transposed: Floats;

  constructor(engine: Engine, problem: Problem, penalty: Penalty, options: PathOptions) {
    this.#engine = engine;
    this.#problem = problem;
    this.#penalty = penalty;
    this.#options = options;
    this.#precision = options.precision ?? (options.tolerance > 1e-5 ? 'float32' : 'float64');
    this.#certifier = new Certifier(engine, problem);
    this.#restricted = new RestrictedSolver(engine, problem, penalty, this.#precision);
    this.#pass = new FullPass(engine, problem, penalty, this.#precision);
    this.#pool = new Pool(problem.design, problem.classes, this.#precision);
    this.#buffer = floats(this.#precision, 0);
    this.#transposed = floats(this.#precision, 0);
    this.#critical = floats(this.#precision, penalty.count);
    this.#criticalBefore = floats(this.#precision, penalty.count);
  }

  async run(): Promise<PathSolution> {
    const { n, classes: K, nullIntercept, nullLoss, design } = this.#problem;
    const { tolerance } = this.#options;
    const nullFit = await this.#certifier.fit(floats(this.#precision, n * K), nullIntercept);
    let reference = (await this.#pass.run([nullFit.residual]))[0] as Floats;
    const lambdaMax = largest(reference);
    this.#critical.set(reference);
    this.#criticalBefore.set(reference);
    this.#worst = lambdaMax;
    this.#lastLambda = lambdaMax;
    if (!(lambdaMax > 0)) throw new UserError('no feature varies with the labels: every feature is constant or zero');
    const lambdas = this.#grid(lambdaMax);
    const points: PathPoint[] = [];
    const solved: Candidate[] = [];
    let referenceLambda = lambdaMax;
    let state = nullFit;
    for (let from = 0; from < lambdas.length; ) {
      const batch = this.#batch(lambdas, from, reference, referenceLambda);
      let began = performance.now();
      await this.#admit(reference, 2 * (lambdas[from + batch - 1] as number) - referenceLambda);
      let pending: Candidate[] = [];
      for (let i = from; i < from + batch; i++) {
        const candidate = await this.#solve(
          i,
          lambdas[i] as number,
          state,
          TARGET_SHARE * tolerance * nullLoss,
          this.#extrapolation(lambdas, i),
        );
        candidate.seconds = lap();
        state = candidate.fitted;
        pending.push(candidate);
      }
      for (let round = 0; pending.length > 0; round++) {
        const critical = await this.#pass.run(pending.map((c) => c.fitted.residual));
        const share = lap() / pending.length;
        const failing: Candidate[] = [];
        for (const [k, candidate] of pending.entries()) {
          const ratios = critical[k] as Floats;
          candidate.seconds += share;
          const point = this.#certify(candidate, ratios, lambdaMax);
          if (candidate.index === from + batch - 1) {
            this.#criticalBefore.set(candidate.index > from ? (critical[k - 1] ?? reference) : reference);
            this.#critical.set(ratios);
            reference = ratios;
          }
          if (point.converged || candidate.iterations >= this.#options.maxIterations || round >= 20) {
            points[candidate.index] = point;
            solved[candidate.index] = candidate;
          } else {
            failing.push(candidate);
            await this.#pool.add(this.#featuresOf(this.#above(ratios, candidate.lambda)));
          }
        }
        pending = [];
        for (const candidate of failing) {
          this.#restore(candidate);
          const target = TARGET_SHARE * 0.5 ** (round + 1) * tolerance * nullLoss;
          const again = await this.#solve(candidate.index, candidate.lambda, candidate.fitted, target, 0);
          again.iterations += candidate.iterations;
          again.seconds = candidate.seconds + lap();
          pending.push(again);
        }
      }
      for (let i = from; i < from + batch; i++) this.#options.onPoint?.(points[i] as PathPoint, i);
      const last = solved[from + batch - 1] as Candidate;
      this.#lastLambda = last.lambda;
      this.#restore(last, solved[from + batch - 2]);
      state = last.fitted;
      referenceLambda = last.lambda;
      from += batch;

      function lap(): number {
        const now = performance.now();
        const seconds = (now - began) / 1000;
        began = now;
        return seconds;
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

  /** How far along the last change of the weights the next ones are looked for, on the scale of log lambda. */
  #extrapolation(lambdas: Float64Array, i: number): number {
    if (i < 2) return 0;
    const [a, b, c] = [i - 2, i - 1, i].map((k) => Math.log(lambdas[k] as number)) as [number, number, number];
    return EXTRAPOLATION * Math.min(1, (b - c) / (a - b));
  }

  /** How many lambdas to solve before the next full pass certifies them together. */
  #batch(lambdas: Float64Array, from: number, reference: Floats, referenceLambda: number): number {
    let size = Math.min(this.#pass.columns, lambdas.length - from);
    const limit = this.#poolLimit();
    while (size > 1) {
      const threshold = 2 * (lambdas[from + size - 1] as number) - referenceLambda;
      let count = 0;
      for (const c of reference) if (c >= threshold) count++;
      if (threshold > 0 && count <= limit) break;
      size--;
    }
    return size;
  }

  #poolLimit(): number {
    const { n, design } = this.#problem;
    const bytes = this.#precision === 'float32' ? 4 : 8;
    const groupSize = design.matrix.features / this.#penalty.count;
    // Streamed features leave the pool a part of the memory that was allowed; it may double before it is pruned.
    const { features, rows, options } = design.matrix;
    const room =
      features * rows * 4 > options.memory ? Math.max(2 ** 24, Math.min(2 ** 27, options.memory / 4)) : 2 ** 28;
    return Math.min(Math.max(500, this.#penalty.count / 8), room / (bytes * n * groupSize));
  }

  /** Brings the groups that the strong rule leaves into the pool; drops the rest when the pool grows too large. */
  async #admit(reference: Floats, threshold: number): Promise<void> {
    const strong: number[] = [];
    for (let g = 0; g < reference.length; g++) if ((reference[g] as number) >= threshold) strong.push(g);
    const features = this.#featuresOf(strong);
    if (this.#pool.count > 2 * this.#poolLimit()) {
      await this.#pool.keep([...features, ...this.#activeFeatures()]);
      this.#set = undefined;
    }
    await this.#pool.add(features);
  }

  #activeFeatures(): number[] {
    const active: number[] = [];
    for (let slot = 0; slot < this.#pool.count; slot++) {
      if (this.#pool.active[slot]) active.push(this.#pool.features[slot] as number);
    }
    return active;
  }

  #groupOf(feature: number): number {
    return this.#penalty.groupOf ? (this.#penalty.groupOf[feature] as number) : feature;
  }

  #featuresOf(groups: readonly number[]): number[] {
    const { starts, members } = this.#penalty;
    if (!starts || !members) return [...groups];
    return groups.flatMap((g) => Array.from(members.subarray(starts[g], starts[g + 1])));
  }

  #above(critical: Floats, lambda: number): number[] {
    const groups: number[] = [];
    for (let g = 0; g < critical.length; g++) if ((critical[g] as number) > lambda) groups.push(g);
    return groups;
  }

  /** Brings the critical lambdas of the pool's groups up to date; returns the largest. */
  async #poolCritical(residual: Float64Array): Promise<number> {
    const norm = correlationNorm(this.#penalty);
    const width = norm === 'none' ? this.#problem.classes : 1;
    const cast = this.#precision === 'float64' ? residual : Float32Array.from(residual);
    const c = await this.#pool.correlations(this.#engine, cast, norm);
    const { weights, mix, starts, members } = this.#penalty;
    const { count, features, slotOf } = this.#pool;
    const critical = this.#critical;
    let worst = 0;
    for (let slot = 0; slot < count; slot++) {
      const g = this.#groupOf(features[slot] as number);
      let value: number;
      if (starts && members) {
        if (members[starts[g] as number] !== features[slot]) continue;
        const at = Array.from(members.subarray(starts[g], starts[g + 1]), (j) => (slotOf[j] as number) * width);
        value = criticalLambda(c, at, width, weights[g] as number, mix);
      } else if (width > 1) value = criticalLambda(c, [slot * width], width, weights[g] as number, mix);
      else value = (c[slot] as number) / (weights[g] as number);
      critical[g] = value;
      if (value > worst) worst = value;
    }
    return worst;
  }

  /** Adds to `groups` those of the pool whose critical lambda, moved on by `extrapolation`, exceeds lambda. */
  #entering(lambda: number, extrapolation: number, groups: Set<number>): boolean {
    const { count, features } = this.#pool;
    const known = groups.size;
    for (let slot = 0; slot < count; slot++) {
      const g = this.#groupOf(features[slot] as number);
      const now = this.#critical[g] as number;
      if (now + extrapolation * (now - (this.#criticalBefore[g] as number)) > lambda) groups.add(g);
    }
    return groups.size > known;
  }

  /** Solves one lambda over the pool. */
  async #solve(
    index: number,
    lambda: number,
    start: Fitted,
    target: number,
    extrapolation: number,
  ): Promise<Candidate> {
    const { maxIterations } = this.#options;
    let iterations = 0;
    if (!this.#pool.active.subarray(0, this.#pool.count).includes(1)) {
      // The model without features may do already: it has no rounding to tell an entry at lambda_max from none.
      const { gap } = this.#certifier.gap(start, 0, lambda, this.#worst);
      if (gap <= Math.min(target, EMPTY_GAP * this.#problem.nullLoss)) {
        const set = await this.#workingSet(new Set());
        return this.#candidate(index, lambda, set, this.#gatherWeights(set.slots, 0), start, 0, 0);
      }
    }
    let inner = 0.9 * target;
    let { intercept } = start;
    const extra = new Set<number>();
    this.#entering(lambda - SLACK * Math.max(0, this.#lastLambda - lambda), extrapolation, extra);
    this.#lastLambda = lambda;
    this.#criticalBefore.set(this.#critical);
    for (let round = 0; ; round++) {
      const set = await this.#workingSet(extra);
      const from = this.#gatherWeights(set.slots, round === 0 ? extrapolation : 0);
      if (round === 0) this.#pool.remember();
      const result = await this.#restricted.solve(
        set.set,
        lambda,
        from,
        intercept,
        inner,
        Math.max(1, maxIterations - iterations),
      );
      iterations += result.iterations;
      this.#scatterWeights(set.slots, result.weights);
      const z = await this.#restricted.logits(set.set, result.weights);
      const fitted = await this.#certifier.fit(z, result.intercept);
      const penalty = lambda * this.#restricted.penaltyValue(set.set, result.weights);
      ({ intercept } = fitted);
      this.#worst = await this.#poolCritical(fitted.residual);
      const { gap } = this.#certifier.gap(fitted, penalty, lambda, this.#worst);
      if (gap <= target || iterations >= maxIterations || round >= 30) {
        return this.#candidate(index, lambda, set, result.weights, fitted, penalty, iterations);
      }
      for (const j of this.#activeFeatures()) extra.add(this.#groupOf(j));
      if (!this.#entering(lambda, 0, extra)) inner *= 0.5;
    }
  }

  #candidate(
    index: number,
    lambda: number,
    { slots }: { slots: Int32Array },
    all: Floats,
    fitted: Fitted,
    penalty: number,
    iterations: number,
  ): Candidate {
    const K = this.#problem.classes;
    const kept: number[] = [];
    for (const [a, slot] of slots.entries()) if (this.#pool.active[slot]) kept.push(a);
    const feature = (a: number) => this.#pool.features[slots[a] as number] as number;
    kept.sort((a, b) => feature(a) - feature(b));
    const weights = floats(this.#precision, kept.length * K);
    for (const [i, a] of kept.entries()) weights.set(all.subarray(a * K, (a + 1) * K), i * K);
    return {
      index,
      lambda,
      features: Int32Array.from(kept, feature),
      weights,
      fitted,
      penalty,
      iterations,
      seconds: 0,
    };
  }

  /** The groups that have weights and the extra ones, as a working set. */
  async #workingSet(extra: ReadonlySet<number>): Promise<{ slots: Int32Array; set: WorkingSet }> {
    const chosen = new Set<number>(extra);
    for (const j of this.#activeFeatures()) chosen.add(this.#groupOf(j));
    const groups = [...chosen].sort((a, b) => a - b);
    const features = this.#featuresOf(groups);
    const slots = Int32Array.from(features, (j) => this.#pool.slotOf[j] as number);
    const last = this.#set;
    if (last && last.slots.length === slots.length && last.slots.every((s, i) => s === slots[i])) return last;
    const n = this.#problem.n;
    if (this.#buffer.length < slots.length * n) {
      this.#buffer = floats(this.#precision, Math.ceil(1.5 * slots.length) * n);
      this.#transposed = floats(this.#precision, this.#buffer.length);
    }
    const x = this.#buffer.subarray(0, slots.length * n);
    const xt = this.#transposed.subarray(0, slots.length * n);
    for (const [a, slot] of slots.entries()) x.set(this.#pool.values.subarray(slot * n, (slot + 1) * n), a * n);
    if (slots.length > 0) await this.#restricted.transpose(x, xt, slots.length);
    const numbers = new Map(groups.map((g, i) => [g, i]));
    const set: WorkingSet = {
      size: slots.length,
      x,
      xt,
      groups: this.#penalty.groupOf
        ? Int32Array.from(features, (j) => numbers.get(this.#groupOf(j)) as number)
        : undefined,
      groupWeights: Float64Array.from(groups, (g) => this.#penalty.weights[g] as number),
    };
    this.#set = { slots, set };
    return this.#set;
  }

  /** Current weights of the given slots, moved on by `extrapolation` times their last change along the path. */
  #gatherWeights(slots: Int32Array, extrapolation: number): Floats {
    const K = this.#problem.classes;
    const result = floats(this.#precision, slots.length * K);
    const { weights, previous, active } = this.#pool;
    for (const [a, slot] of slots.entries()) {
      if (!active[slot]) continue;
      for (let k = 0, at = a * K, from = slot * K; k < K; k++, at++, from++) {
        const w = weights[from] as number;
        result[at] = w + extrapolation * (w - (previous[from] as number));
      }
    }
    return result;
  }

  #scatterWeights(slots: Int32Array, weights: Floats): void {
    const K = this.#problem.classes;
    this.#pool.clear();
    for (const [a, slot] of slots.entries()) this.#pool.set(slot, weights.subarray(a * K, (a + 1) * K));
  }

  /** Makes a candidate's weights the current ones, and those of `before` the ones that they changed from. */
  #restore(candidate: Candidate, before?: Candidate): void {
    const K = this.#problem.classes;
    for (const source of before ? [before, candidate] : [candidate]) {
      if (source === candidate) this.#pool.remember();
      this.#pool.clear();
      for (const [i, j] of source.features.entries()) {
        const slot = this.#pool.slotOf[j] as number;
        if (slot >= 0) this.#pool.set(slot, source.weights.subarray(i * K, (i + 1) * K));
      }
    }
  }

  /** The record of one lambda, from the critical lambdas of all groups. */
  #certify(candidate: Candidate, critical: Floats, lambdaMax: number): PathPoint {
    const { nullLoss, shares, design } = this.#problem;
    const { lambda, fitted, features } = candidate;
    const { objective, gap, scale } = this.#certifier.gap(fitted, candidate.penalty, lambda, largest(critical));
    // The entropy is 2-strongly convex on rows that sum to zero: the dual optimum is within this radius.
    const radius = Math.sqrt(Math.max(0, gap) * shares.reduce((top, v) => Math.max(top, v), 0));
    const share = 1 / shares.reduce((low, v) => Math.min(low, v), Number.POSITIVE_INFINITY);
    const { starts, members, count, weights, mix } = this.#penalty;
    let inactive = 0;
    for (let g = 0; g < count; g++) {
      let power = 0;
      if (starts && members) {
        for (let m = starts[g] as number; m < (starts[g + 1] as number); m++) {
          power += design.power[members[m] as number] as number;
        }
      } else power = design.power[g] as number;
      // The critical lambda is a norm of the correlations, at most 1 / ((1 - mix) w) or 1 / (mix w) of their l2 norm.
      const dual = 1 / (Math.max(1 - mix, mix) * (weights[g] as number));
      if (scale * (critical[g] as number) + dual * Math.sqrt(power * share) * radius < lambda) inactive++;
    }
    const relative = gap / nullLoss;
    return {
      lambda,
      ratio: lambda / lambdaMax,
      objective,
      loss: fitted.loss,
      gap: relative,
      nonzero: features.length,
      groups: new Set(Array.from(features, (j) => this.#groupOf(j))).size,
      iterations: candidate.iterations,
      seconds: candidate.seconds,
      inactiveShare: inactive / count,
      converged: fitted.exact && relative <= this.#options.tolerance,
    };
  }
}
