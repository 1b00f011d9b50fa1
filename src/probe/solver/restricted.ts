/** The problem restricted to a working set, solved by accelerated proximal gradient with restart. */
import type { Engine } from '../../engine/index.js';
import { int64, type Tensor } from '../../ir/index.js';
import type { Penalty } from '../penalty.js';
import { type Floats, floats, type Precision, programFor, tensor } from '../programs.js';
import type { Certifier, Fitted } from './certificate.js';
import { correlationNorm, criticalLambda } from './dual-norm.js';
import { correlationGraph, type FistaShape, fistaGraph, forwardGraph, transposeGraph } from './graphs.js';
import { oneHot, type Problem } from './problem.js';

/** Iterations in one run of the engine. */
const STEPS = 5;
/** Runs between two looks at the gap. */
const RUNS_PER_CHECK = 2;

export interface WorkingSet {
  /** Number of features, and their normalised values (size, n) and transposed (n, size). */
  readonly size: number;
  readonly x: Floats;
  readonly xt: Floats;
  /** Group of each feature (numbered within the working set) and weight of each group. */
  readonly groups: Int32Array | undefined;
  readonly groupWeights: Float64Array;
}

export interface RestrictedResult {
  readonly weights: Floats;
  readonly fitted: Fitted;
  /** lambda included. */
  readonly penalty: number;
  readonly gap: number;
  readonly iterations: number;
}

export class RestrictedSolver {
  readonly #engine: Engine;
  readonly #problem: Problem;
  readonly #penalty: Penalty;
  readonly #certifier: Certifier;
  readonly #precision: Precision;
  readonly #y: Floats;
  readonly #v: Floats;
  /** Curvature of the loss along the last steps: carried along the path. */
  #lipschitz: number;

  constructor(engine: Engine, problem: Problem, penalty: Penalty, certifier: Certifier, precision: Precision) {
    this.#engine = engine;
    this.#problem = problem;
    this.#penalty = penalty;
    this.#certifier = certifier;
    this.#precision = precision;
    this.#y = oneHot(problem, precision);
    this.#v = floats(precision, problem.n);
    this.#v.set(problem.shares);
    this.#lipschitz = 0.25 * problem.design.power.reduce((top, v) => Math.max(top, v), 1e-12);
  }

  async transpose(x: Floats, size: number): Promise<Floats> {
    const { n } = this.#problem;
    const program = await programFor(this.#engine, `transpose ${this.#precision}`, () =>
      transposeGraph(this.#precision),
    );
    const xt = floats(this.#precision, size * n);
    await program.run({ x: tensor([size, n], x) }, undefined, { xt: tensor([n, size], xt) });
    return xt;
  }

  /** Logits without intercept. */
  async logits(set: WorkingSet, weights: Floats): Promise<Floats> {
    const { n, classes: K } = this.#problem;
    const z = floats(this.#precision, n * K);
    if (set.size === 0) return z;
    const program = await programFor(this.#engine, `forward ${this.#precision}`, () => forwardGraph(this.#precision));
    await program.run({ xt: tensor([n, set.size], set.xt), w: tensor([set.size, K], weights) }, undefined, {
      z: tensor([n, K], z),
    });
    return z;
  }

  /** The certificate of given weights within the working set. */
  async check(set: WorkingSet, weights: Floats, lambda: number, intercept: Float64Array): Promise<RestrictedResult> {
    const { n, classes: K } = this.#problem;
    const z = await this.logits(set, weights);
    const fitted = await this.#certifier.fit(z, intercept);
    const penalty = lambda * this.#penaltyValue(set, weights);
    let worst = 0;
    if (set.size > 0) {
      const norm = correlationNorm(this.#penalty);
      const program = await programFor(this.#engine, `pool ${this.#precision} ${norm} ${K}`, () =>
        correlationGraph(this.#precision, this.#precision, norm, K),
      );
      const { c } = await program.run({
        x: tensor([set.size, n], set.x),
        r: tensor([n, K], this.#cast(fitted.residual)),
        scale: tensor([1, 1], floats(this.#precision, 1).fill(1)),
      });
      worst = this.#worst(set, c?.data as Floats);
    }
    const { gap } = this.#certifier.gap(fitted, penalty, lambda, worst);
    return { weights, fitted, penalty, gap, iterations: 0 };
  }

  #cast(values: Float64Array): Floats {
    return this.#precision === 'float64' ? values : Float32Array.from(values);
  }

  #worst(set: WorkingSet, c: Floats): number {
    const { mix } = this.#penalty;
    const width = correlationNorm(this.#penalty) === 'none' ? this.#problem.classes : 1;
    let worst = 0;
    for (const [g, at] of this.#membersOf(set, width).entries()) {
      worst = Math.max(worst, criticalLambda(c, at, width, set.groupWeights[g] as number, mix));
    }
    return worst;
  }

  #membersOf(set: WorkingSet, width: number): number[][] {
    if (!set.groups) return Array.from({ length: set.size }, (_, j) => [j * width]);
    const members: number[][] = Array.from(set.groupWeights, () => []);
    for (const [j, g] of set.groups.entries()) (members[g] as number[]).push(j * width);
    return members;
  }

  #penaltyValue(set: WorkingSet, weights: Floats): number {
    const K = this.#problem.classes;
    const { mix } = this.#penalty;
    const squares = new Float64Array(set.groupWeights.length);
    let total = 0;
    for (let j = 0; j < set.size; j++) {
      const g = set.groups ? (set.groups[j] as number) : j;
      let square = 0;
      let sum = 0;
      for (let k = j * K; k < (j + 1) * K; k++) {
        const w = weights[k] as number;
        square += w * w;
        sum += Math.abs(w);
      }
      squares[g] = (squares[g] as number) + square;
      total += mix * (set.groupWeights[g] as number) * sum;
    }
    for (let g = 0; g < squares.length; g++) {
      total += (1 - mix) * (set.groupWeights[g] as number) * Math.sqrt(squares[g] as number);
    }
    return total;
  }

  /**
   * Minimises over the working set from `start` until the gap within it is at most `target`.
   * The result may fall short of the target when `limit` iterations were not enough: its gap says so.
   */
  async solve(
    set: WorkingSet,
    lambda: number,
    start: Floats,
    intercept: Float64Array,
    target: number,
    limit: number,
  ): Promise<RestrictedResult> {
    const { n, classes: K } = this.#problem;
    if (set.size === 0) return this.check(set, start, lambda, intercept);
    const precision = this.#precision;
    const { mix } = this.#penalty;
    const shape: FistaShape = { precision, steps: STEPS, grouped: set.groups !== undefined, l1: mix > 0, l2: mix < 1 };
    const program = await programFor(this.#engine, `fista ${JSON.stringify(shape)}`, () => fistaGraph(shape));
    const A = set.size;
    const state = (w: Floats, b: Floats, z: Floats, t: number) => ({
      w: tensor([A, K], w),
      w0: tensor([A, K], floats(precision, A * K)),
      b: tensor([1, K], b),
      b0: tensor([1, K], floats(precision, K)),
      z: tensor([n, K], z),
      z0: tensor([n, K], floats(precision, n * K)),
      t: tensor([1, 1], floats(precision, 1).fill(t)),
    });
    const z = await this.logits(set, start);
    const b = floats(precision, K);
    b.set(intercept);
    for (let i = 0; i < n; i++) for (let k = 0; k < K; k++) z[i * K + k] = (z[i * K + k] as number) + (b[k] as number);
    let now = state(start.slice(), b, z, 1);
    (now.w0.data as Floats).set(start);
    (now.b0.data as Floats).set(b);
    (now.z0.data as Floats).set(z);
    let next = state(floats(precision, A * K), floats(precision, K), floats(precision, n * K), 1);
    const fixed: Record<string, Tensor> = {
      x: tensor([A, n], set.x),
      xt: tensor([n, A], set.xt),
      y: tensor([n, K], this.#y),
      v: tensor([n, 1], this.#v),
    };
    if (shape.grouped && shape.l2) {
      fixed.segment = int64(Array.from(set.groups as Int32Array), [A, 1]);
      fixed.zeros = tensor([set.groupWeights.length, 1], floats(precision, set.groupWeights.length));
    }
    const group = floats(precision, set.groupWeights.length);
    const element = floats(precision, A);
    const step = floats(precision, 1);
    const curvature = floats(precision, STEPS * 3);
    let iterations = 0;
    let best: RestrictedResult | undefined;
    const noise = (precision === 'float32' ? 2e-9 : 1e-16) * this.#problem.nullLoss;
    for (let run = 1; ; run++) {
      const size = 1 / this.#lipschitz;
      step[0] = size;
      for (let g = 0; g < group.length; g++) group[g] = lambda * (1 - mix) * size * (set.groupWeights[g] as number);
      for (let j = 0; j < A; j++) {
        element[j] = lambda * mix * size * (set.groupWeights[set.groups ? (set.groups[j] as number) : j] as number);
      }
      const feeds: Record<string, Tensor> = { ...fixed, ...now, step: tensor([1, 1], step) };
      if (shape.l2) feeds.group = tensor([group.length, 1], group);
      if (shape.l1) feeds.element = tensor([A, 1], element);
      await program.run(feeds, undefined, {
        wNew: next.w,
        w0New: next.w0,
        bNew: next.b,
        b0New: next.b0,
        zNew: next.z,
        z0New: next.z0,
        tNew: next.t,
        curvature: tensor([STEPS, 3], curvature),
      });
      iterations += STEPS;
      const observed = this.#observe(curvature, noise);
      if (observed.failed && iterations < limit) {
        this.#lipschitz *= Math.min(4, Math.max(1.5, (1.1 * observed.ratio) / this.#lipschitz));
        continue;
      }
      this.#lipschitz = Math.max(0.9 * this.#lipschitz, Math.min(this.#lipschitz, 1.05 * observed.ratio));
      [now, next] = [next, now];
      if (run % RUNS_PER_CHECK === 0 || iterations >= limit) {
        const from = best?.fitted.intercept ?? intercept;
        const result = await this.check(set, (now.w.data as Floats).slice(), lambda, from);
        if (!best || result.gap < best.gap) best = result;
        if (best.gap <= target || iterations >= limit) return { ...best, iterations };
      }
    }
  }

  /** Largest curvature seen in a run, and whether one of its steps was longer than it allows. */
  #observe(curvature: Floats, noise: number): { failed: boolean; ratio: number } {
    let failed = false;
    let ratio = 0;
    for (let i = 0; i < STEPS; i++) {
      const [bregman, dw, db] = curvature.subarray(3 * i, 3 * i + 3) as unknown as [number, number, number];
      const excess = bregman - 0.5 * db - noise;
      if (!(excess <= 0.5 * this.#lipschitz * dw)) failed = true;
      if (dw > 0 && excess > 0) ratio = Math.max(ratio, (2 * excess) / dw);
    }
    return { failed, ratio: Number.isFinite(ratio) ? ratio : 4 * this.#lipschitz };
  }
}
