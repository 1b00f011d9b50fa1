/**
 * One lambda over the pool, the features that may matter: accelerated proximal gradient on a working set that grows
 * until no other group of the pool is in the way.
 */
import type { Engine } from '../../engine/index.js';
import type { Penalty } from '../penalty.js';
import type { Problem } from '../problem.js';
import { type Floats, floats, type Precision } from '../programs.js';
import type { Certifier, Fitted } from './certificate.js';
import { correlationNorm, criticalLambda } from './dual-norm.js';
import { Pool } from './pool.js';
import { RestrictedSolver, type WorkingSet } from './restricted.js';

/** Groups predicted to come within this share of the step in lambda below their limit join the working set as well. */
const SLACK = 0.3;
/** Relative gap within which the model without features stands: float32 rounding of lambda_max. */
const EMPTY_GAP = 1e-6;

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

export class PoolSolver {
  /**
   * Critical lambda of every group: of those in the pool at the last residual, of the others as the owner last
   * wrote them.
   */
  readonly critical: Float64Array;
  readonly #engine: Engine;
  readonly #problem: Problem;
  readonly #penalty: Penalty;
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

  /** @param critical of every group at the model without features, lambdaMax the largest of them */
  constructor(
    engine: Engine,
    problem: Problem,
    penalty: Penalty,
    certifier: Certifier,
    precision: Precision,
    critical: Float64Array,
    lambdaMax: number,
  ) {
    this.#engine = engine;
    this.#problem = problem;
    this.#penalty = penalty;
    this.#certifier = certifier;
    this.#precision = precision;
    this.#restricted = new RestrictedSolver(engine, problem, penalty, precision);
    this.#pool = new Pool(problem.design, problem.classes, precision);
    this.#buffer = floats(precision, 0);
    this.#transposed = floats(precision, 0);
    this.critical = critical.slice();
    this.#criticalBefore = critical.slice();
    this.#worst = lambdaMax;
    this.#lastLambda = lambdaMax;
  }

  /** Whether a group's features are here. */
  has(group: number): boolean {
    const { starts, members } = this.#penalty;
    const feature = starts && members ? members[starts[group]] : group;
    return this.#pool.slotOf[feature] >= 0;
  }

  /** Brings every group with a critical lambda from `threshold` up; drops the rest first when the pool is too large. */
  async admit(threshold: number): Promise<void> {
    const strong: number[] = [];
    for (let g = 0; g < this.critical.length; g++) if (this.critical[g] >= threshold) strong.push(g);
    const features = this.featuresOf(strong);
    if (this.#pool.count > 2 * this.#limit()) {
      await this.#pool.keep([...features, ...this.#activeFeatures()]);
      this.#set = undefined;
    }
    await this.#pool.add(features);
  }

  /** Brings more groups, whose critical lambdas are known. */
  async add(groups: readonly number[]): Promise<void> {
    await this.#pool.add(this.featuresOf(groups));
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

  /** The features of the given groups. */
  featuresOf(groups: readonly number[]): number[] {
    const { starts, members } = this.#penalty;
    if (!starts || !members) return [...groups];
    return groups.flatMap((g) => Array.from(members.subarray(starts[g], starts[g + 1])));
  }

  #groupOf(feature: number): number {
    return this.#penalty.groupOf ? this.#penalty.groupOf[feature] : feature;
  }

  #activeFeatures(): number[] {
    const active: number[] = [];
    for (let slot = 0; slot < this.#pool.count; slot++) {
      if (this.#pool.active[slot]) active.push(this.#pool.features[slot]);
    }
    return active;
  }

  /**
   * Solves for lambda over the pool until its gap there is at most `target`, or `limit` iterations are spent.
   * @param from the model to go on from
   * @param extrapolation how far along their last change the weights are looked for; undefined to go on at the lambda
   *   of the last call
   */
  async solve(
    lambda: number,
    from: Fitted,
    target: number,
    limit: number,
    extrapolation: number | undefined,
  ): Promise<Candidate> {
    let iterations = 0;
    if (!this.#pool.active.subarray(0, this.#pool.count).includes(1)) {
      // The model without features may do already: it has no rounding to tell an entry at lambda_max from none.
      const { gap } = this.#certifier.gap(from, 0, lambda, this.#worst);
      if (gap <= Math.min(target, EMPTY_GAP * this.#problem.nullLoss)) {
        const set = await this.#workingSet(new Set());
        return this.#candidate(lambda, set, this.#gatherWeights(set.slots, 0), from, 0, 0);
      }
    }
    let inner = 0.9 * target;
    let { intercept } = from;
    const extra = new Set<number>();
    const moved = extrapolation ?? 0;
    this.#entering(lambda - SLACK * Math.max(0, this.#lastLambda - lambda), moved, extra);
    this.#lastLambda = lambda;
    if (extrapolation !== undefined) this.#criticalBefore.set(this.critical);
    for (let round = 0; ; round++) {
      const set = await this.#workingSet(extra);
      const start = this.#gatherWeights(set.slots, round === 0 ? moved : 0);
      if (round === 0 && extrapolation !== undefined) this.#pool.remember();
      const result = await this.#restricted.solve(
        set.set,
        lambda,
        start,
        intercept,
        inner,
        Math.max(1, limit - iterations),
      );
      iterations += result.iterations;
      this.#scatterWeights(set.slots, result.weights);
      const z = await this.#restricted.logits(set.set, result.weights);
      const fitted = await this.#certifier.fit(z, result.intercept);
      const penalty = lambda * this.#restricted.penaltyValue(set.set, result.weights);
      ({ intercept } = fitted);
      this.#worst = await this.correlate(fitted.residual);
      const { gap } = this.#certifier.gap(fitted, penalty, lambda, this.#worst);
      if (gap <= target || iterations >= limit || round >= 30) {
        return this.#candidate(lambda, set, result.weights, fitted, penalty, iterations);
      }
      for (const j of this.#activeFeatures()) extra.add(this.#groupOf(j));
      if (!this.#entering(lambda, 0, extra)) inner *= 0.5;
    }
  }

  /** Brings the critical lambdas of the pool's groups up to date; returns the largest. */
  async correlate(residual: Float64Array): Promise<number> {
    const norm = correlationNorm(this.#penalty);
    const width = norm === 'none' ? this.#problem.classes : 1;
    const cast = this.#precision === 'float64' ? residual : Float32Array.from(residual);
    const c = await this.#pool.correlations(this.#engine, cast, norm);
    const { weights, mix, starts, members } = this.#penalty;
    const { count, features, slotOf } = this.#pool;
    const { critical } = this;
    let worst = 0;
    for (let slot = 0; slot < count; slot++) {
      const g = this.#groupOf(features[slot]);
      let value: number;
      if (starts && members) {
        if (members[starts[g]] !== features[slot]) continue;
        const at = Array.from(members.subarray(starts[g], starts[g + 1]), (j) => slotOf[j] * width);
        value = criticalLambda(c, at, width, weights[g], mix);
      } else if (width > 1) value = criticalLambda(c, [slot * width], width, weights[g], mix);
      else value = c[slot] / weights[g];
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
      const g = this.#groupOf(features[slot]);
      const now = this.critical[g];
      if (now + extrapolation * (now - this.#criticalBefore[g]) > lambda) groups.add(g);
    }
    return groups.size > known;
  }

  #candidate(
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
    const feature = (a: number) => this.#pool.features[slots[a]];
    kept.sort((a, b) => feature(a) - feature(b));
    const weights = floats(this.#precision, kept.length * K);
    for (const [i, a] of kept.entries()) weights.set(all.subarray(a * K, (a + 1) * K), i * K);
    return { lambda, features: Int32Array.from(kept, feature), weights, fitted, penalty, iterations };
  }

  /** The groups that have weights and the extra ones, as a working set. */
  async #workingSet(extra: ReadonlySet<number>): Promise<{ slots: Int32Array; set: WorkingSet }> {
    const chosen = new Set<number>(extra);
    for (const j of this.#activeFeatures()) chosen.add(this.#groupOf(j));
    const groups = [...chosen].sort((a, b) => a - b);
    const features = this.featuresOf(groups);
    const slots = Int32Array.from(features, (j) => this.#pool.slotOf[j]);
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
      groupWeights: Float64Array.from(groups, (g) => this.#penalty.weights[g]),
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
        const w = weights[from];
        result[at] = w + extrapolation * (w - previous[from]);
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
