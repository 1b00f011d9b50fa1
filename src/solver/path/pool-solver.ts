/**
 * One lambda over the pool, the features that may matter: accelerated proximal gradient on a working set that grows
 * until no other feature of the pool is in the way.
 */
import type { Engine } from '../../engine/index.js';
import type { Fitted } from '../losses/index.js';
import { penaltyValue } from '../penalty.js';
import { type Floats, floats, type Precision } from '../programs.js';
import type { Certifier } from './certificate.js';
import { correlationNorm, criticalLambda } from './dual-norm.js';
import { Pool } from './pool.js';
import type { PathProblem } from './problem.js';
import { RestrictedSolver, type WorkingSet } from './restricted.js';

/** Features predicted to come within this share of the step in lambda below their limit join the working set as well. */
const SLACK = 0.3;
/** Relative gap within which the model without features stands: float32 rounding of lambda_max. */
const EMPTY_GAP = 1e-6;
/** Growths of the working set after which a lambda is given back as it stands. */
const ROUNDS = 30;

/** What was found for one lambda. */
export interface Candidate {
  readonly lambda: number;
  /** Features with a weight, ascending, and their weights (length, K). */
  readonly features: Int32Array;
  readonly weights: Floats;
  readonly fitted: Fitted;
  /** The penalty's value, lambda included. */
  readonly penalty: number;
  readonly iterations: number;
}

/** Loss and penalty. */
export const objectiveOf = ({ fitted, penalty }: Candidate): number => fitted.loss + penalty;

/** What a pool is made for. */
export interface PoolProblem {
  readonly problem: PathProblem;
  readonly mix: number;
  readonly precision: Precision;
  readonly certifier: Certifier;
  /** Critical lambda of every feature at the model without features, (p), and the largest of them. */
  readonly critical: Float64Array;
  readonly lambdaMax: number;
}

export interface PoolTask {
  readonly lambda: number;
  /** The model to go on from. */
  readonly from: Fitted;
  /** Gap over the pool at which to stop. */
  readonly target: number;
  /** Iterations after which to stop short. */
  readonly limit: number;
  /** How far along their last change the weights are looked for; undefined to go on at the lambda of the last call. */
  readonly extrapolation: number | undefined;
}

export class PoolSolver {
  /** Critical lambda of every feature: of those in the pool at the last residual, of the others as last written. */
  readonly critical: Float64Array;
  readonly #engine: Engine;
  readonly #problem: PathProblem;
  readonly #mix: number;
  readonly #certifier: Certifier;
  readonly #precision: Precision;
  readonly #restricted: RestrictedSolver;
  readonly #pool: Pool;
  /** The critical lambdas one lambda before. */
  readonly #criticalBefore: Float64Array;
  /** Largest critical lambda within the pool at the last residual. */
  #worst: number;
  #lastLambda: number;
  /** Working set of the last solve, reused while it stays the same. */
  #set: { slots: Int32Array; set: WorkingSet } | undefined;
  #buffer: Floats;
  #transposed: Floats;

  constructor(engine: Engine, { problem, mix, precision, certifier, critical, lambdaMax }: PoolProblem) {
    this.#engine = engine;
    this.#problem = problem;
    this.#mix = mix;
    this.#certifier = certifier;
    this.#precision = precision;
    this.#restricted = new RestrictedSolver(engine, problem, mix, precision);
    this.#pool = new Pool(problem.design, problem.classes, precision);
    this.#buffer = floats(precision, 0);
    this.#transposed = floats(precision, 0);
    this.critical = critical.slice();
    this.#criticalBefore = critical.slice();
    this.#worst = lambdaMax;
    this.#lastLambda = lambdaMax;
  }

  has(feature: number): boolean {
    return this.#pool.has(feature);
  }

  /** Brings every feature with a critical lambda from `threshold` up; drops the rest first when the pool is too large. */
  async admit(threshold: number): Promise<void> {
    const strong: number[] = [];
    for (let j = 0; j < this.critical.length; j++) if (this.critical[j] >= threshold) strong.push(j);
    if (this.#pool.count > 2 * this.#limit()) {
      await this.#pool.keep([...strong, ...this.#pool.activeFeatures()]);
      this.#set = undefined;
    }
    await this.#pool.add(strong);
  }

  /** Brings more features, whose critical lambdas are known. */
  async add(features: readonly number[]): Promise<void> {
    await this.#pool.add(features);
  }

  /** Features from which on the pool is cut back. */
  #limit(): number {
    const { n, design } = this.#problem;
    const bytes = this.#precision === 'float32' ? 4 : 8;
    const { features, rows, options } = design.matrix;
    // Streamed features leave the pool a part of the memory that was allowed; it may double before it is pruned.
    const room =
      features * rows * 4 > options.memory ? Math.max(2 ** 24, Math.min(2 ** 27, options.memory / 4)) : 2 ** 28;
    return Math.min(Math.max(500, features / 8), room / (bytes * n));
  }

  /** Solves for lambda over the pool: to the target where that is reached, else the best that was met. */
  async solve(task: PoolTask): Promise<Candidate> {
    const { lambda, from, target, limit, extrapolation } = task;
    if (this.#isEmpty() && this.#emptyServes(task)) {
      return {
        lambda,
        features: new Int32Array(0),
        weights: floats(this.#precision, 0),
        fitted: from,
        penalty: 0,
        iterations: 0,
      };
    }
    const moved = extrapolation ?? 0;
    const extra = this.#predicted(lambda, moved);
    this.#lastLambda = lambda;
    if (extrapolation !== undefined) this.#criticalBefore.set(this.critical);
    let inner = 0.9 * target;
    let { intercept } = from;
    let iterations = 0;
    let best: Candidate | undefined;
    for (let round = 0; ; round++) {
      const { slots, set } = await this.#workingSet(extra);
      const weights = this.#gatherWeights(slots, round === 0 ? moved : 0);
      if (round === 0 && extrapolation !== undefined) this.#pool.remember();
      const left = Math.max(1, limit - iterations);
      const result = await this.#restricted.solve(set, { lambda, weights, intercept, target: inner, limit: left });
      iterations += result.iterations;
      this.#scatterWeights(slots, result.weights);
      const fitted = await this.#certifier.fit(await this.#restricted.logits(set, result.weights), result.intercept);
      const penalty = lambda * penaltyValue(result.weights, this.#problem.classes, this.#mix);
      ({ intercept } = fitted);
      this.#worst = await this.correlate(fitted.residual);
      const { gap, objective } = this.#certifier.gap(fitted, penalty, lambda, this.#worst);
      const candidate = { lambda, ...this.#kept(slots, result.weights), fitted, penalty, iterations };
      if (gap <= target) return candidate;
      if (!best || objective < objectiveOf(best)) best = candidate;
      if (iterations >= limit || round >= ROUNDS) {
        if (best !== candidate) await this.restore(best);
        return { ...best, iterations };
      }
      for (const j of this.#pool.activeFeatures()) extra.add(j);
      if (!this.#entering(lambda, 0, extra)) inner *= 0.5;
    }
  }

  /** Makes an earlier candidate the pool's weights again. */
  async restore({ features, weights, fitted }: Candidate): Promise<void> {
    await this.#pool.add(features);
    this.#scatterWeights(
      features.map((j) => this.#pool.slotOf[j]),
      weights,
    );
    this.#worst = await this.correlate(fitted.residual);
  }

  #isEmpty(): boolean {
    return !this.#pool.active.subarray(0, this.#pool.count).includes(1);
  }

  /** Whether the model without features does already: it has no rounding to tell an entry at lambda_max from none. */
  #emptyServes({ from, lambda, target }: PoolTask): boolean {
    const { gap } = this.#certifier.gap(from, 0, lambda, this.#worst);
    return gap <= Math.min(target, EMPTY_GAP * this.#problem.nullLoss);
  }

  /** Brings the critical lambdas of the pool's features up to date; returns the largest. */
  async correlate(residual: Float64Array): Promise<number> {
    const norm = correlationNorm(this.#mix);
    const cast = this.#precision === 'float64' ? residual : Float32Array.from(residual);
    const c = await this.#pool.correlations(this.#engine, cast, norm);
    const K = this.#problem.classes;
    const { count, features } = this.#pool;
    let worst = 0;
    for (let slot = 0; slot < count; slot++) {
      const value = norm === 'none' ? criticalLambda(c, slot * K, K, this.#mix) : c[slot];
      this.critical[features[slot]] = value;
      if (value > worst) worst = value;
    }
    return worst;
  }

  /** Features of the pool that are likely to have a weight at lambda. */
  #predicted(lambda: number, extrapolation: number): Set<number> {
    const predicted = new Set<number>();
    this.#entering(lambda - SLACK * Math.max(0, this.#lastLambda - lambda), extrapolation, predicted);
    return predicted;
  }

  /** Adds to `chosen` the features of the pool whose critical lambda, moved on by `extrapolation`, exceeds lambda. */
  #entering(lambda: number, extrapolation: number, chosen: Set<number>): boolean {
    const { count, features } = this.#pool;
    const known = chosen.size;
    for (let slot = 0; slot < count; slot++) {
      const j = features[slot];
      const now = this.critical[j];
      if (now + extrapolation * (now - this.#criticalBefore[j]) > lambda) chosen.add(j);
    }
    return chosen.size > known;
  }

  /** The features of a working set that have weights, ascending, and these. */
  #kept(slots: Int32Array, all: Floats): Pick<Candidate, 'features' | 'weights'> {
    const K = this.#problem.classes;
    const { active, features } = this.#pool;
    // A working set's features ascend.
    const kept = Array.from(slots.keys()).filter((a) => active[slots[a]]);
    const weights = floats(this.#precision, kept.length * K);
    for (const [i, a] of kept.entries()) weights.set(all.subarray(a * K, (a + 1) * K), i * K);
    return { features: Int32Array.from(kept, (a) => features[slots[a]]), weights };
  }

  /** The features that have weights and the extra ones, as a working set. */
  async #workingSet(extra: ReadonlySet<number>): Promise<{ slots: Int32Array; set: WorkingSet }> {
    const chosen = Int32Array.from(new Set([...extra, ...this.#pool.activeFeatures()])).sort();
    const slots = chosen.map((j) => this.#pool.slotOf[j]);
    const last = this.#set;
    if (last && last.slots.length === slots.length && last.slots.every((s, i) => s === slots[i])) return last;
    const n = this.#problem.n;
    const size = slots.length;
    if (this.#buffer.length < size * n) {
      this.#buffer = floats(this.#precision, Math.ceil(1.5 * size) * n);
      this.#transposed = floats(this.#precision, this.#buffer.length);
    }
    const set = { size, x: this.#buffer.subarray(0, size * n), xt: this.#transposed.subarray(0, size * n) };
    for (const [a, slot] of slots.entries()) set.x.set(this.#pool.values.subarray(slot * n, (slot + 1) * n), a * n);
    if (size > 0) await this.#restricted.transpose(set);
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
        result[at] = weights[from] + extrapolation * (weights[from] - previous[from]);
      }
    }
    return result;
  }

  #scatterWeights(slots: Int32Array, weights: Floats): void {
    const K = this.#problem.classes;
    this.#pool.clear();
    for (const [a, slot] of slots.entries()) this.#pool.set(slot, weights.subarray(a * K, (a + 1) * K));
  }
}
