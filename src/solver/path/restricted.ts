/** The problem restricted to a working set, solved by accelerated proximal gradient with restart. */
import type { Engine } from '../../engine/index.js';
import { int64, type Tensor } from '../../ir/index.js';
import type { Penalty } from '../penalty.js';
import { oneHot, type Problem } from '../problem.js';
import { type Floats, floats, type Precision, programFor, tensor } from '../programs.js';
import { type FistaShape, fistaGraph, forwardGraph, transposeGraph } from './graphs.js';

/** Iterations in one run of the engine. */
const STEPS = 5;
/** Runs without a better estimate of the gap after which the step is distrusted. */
const PATIENCE = 40;

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
  /** Intercept of the last iterate, a start for the exact one. */
  readonly intercept: Float64Array;
  readonly iterations: number;
}

export class RestrictedSolver {
  readonly #engine: Engine;
  readonly #problem: Problem;
  readonly #penalty: Penalty;
  readonly #precision: Precision;
  readonly #y: Floats;
  readonly #v: Floats;
  /** Curvature of the loss along the last steps: carried along the path. */
  #lipschitz: number;

  constructor(engine: Engine, problem: Problem, penalty: Penalty, precision: Precision) {
    this.#engine = engine;
    this.#problem = problem;
    this.#penalty = penalty;
    this.#precision = precision;
    this.#y = oneHot(problem, precision);
    this.#v = floats(precision, problem.n);
    this.#v.set(problem.shares);
    this.#lipschitz = 0.25 * problem.design.power.reduce((top, v) => Math.max(top, v), 1e-12);
  }

  get L() {
    return this.#lipschitz;
  }
  async transpose(x: Floats, xt: Floats, size: number): Promise<void> {
    const { n } = this.#problem;
    const program = await programFor(this.#engine, `transpose ${this.#precision}`, () =>
      transposeGraph(this.#precision),
    );
    await program.run({ x: tensor([size, n], x) }, undefined, { xt: tensor([n, size], xt) });
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

  /** The penalty without lambda. */
  penaltyValue(set: WorkingSet, weights: Floats): number {
    const K = this.#problem.classes;
    const { mix } = this.#penalty;
    const squares = new Float64Array(set.groupWeights.length);
    let total = 0;
    for (let j = 0; j < set.size; j++) {
      const g = set.groups ? set.groups[j] : j;
      let square = 0;
      let sum = 0;
      for (let k = j * K; k < (j + 1) * K; k++) {
        const w = weights[k];
        square += w * w;
        sum += Math.abs(w);
      }
      squares[g] += square;
      total += mix * set.groupWeights[g] * sum;
    }
    for (let g = 0; g < squares.length; g++) {
      total += (1 - mix) * set.groupWeights[g] * Math.sqrt(squares[g]);
    }
    return total;
  }

  /**
   * Minimises over the working set from `start` until the estimated gap within it is at most `target`, or `limit`
   * iterations are spent.
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
    if (set.size === 0) return { weights: start, intercept, iterations: 0 };
    const precision = this.#precision;
    const { mix } = this.#penalty;
    const shape: FistaShape = { precision, steps: STEPS, grouped: set.groups !== undefined, l1: mix > 0, l2: mix < 1 };
    const program = await programFor(this.#engine, `fista ${JSON.stringify(shape)}`, () => fistaGraph(shape));
    const A = set.size;
    let now = this.#state(A);
    let next = this.#state(A);
    (now.w.data as Floats).set(start);
    (now.b.data as Floats).set(intercept);
    const z = await this.logits(set, start);
    for (let i = 0; i < n; i++) {
      for (let k = 0; k < K; k++) z[i * K + k] += intercept[k];
    }
    (now.z.data as Floats).set(z);
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
    const estimate = floats(precision, 3);
    const ahead = floats(precision, A * K);
    let iterations = 0;
    let best = Number.POSITIVE_INFINITY;
    let waited = 0;
    for (;;) {
      const size = 1 / this.#lipschitz;
      step[0] = size;
      for (let g = 0; g < group.length; g++) group[g] = lambda * (1 - mix) * size * set.groupWeights[g];
      for (let j = 0; j < A; j++) {
        element[j] = lambda * mix * size * set.groupWeights[set.groups ? set.groups[j] : j];
      }
      const feeds: Record<string, Tensor> = { ...fixed, ...now, step: tensor([1, 1], step) };
      if (shape.l2) feeds.group = tensor([group.length, 1], group);
      if (shape.l1) feeds.element = tensor([A, 1], element);
      await program.run(feeds, undefined, {
        wNew: next.w,
        dwNew: next.dw,
        bNew: next.b,
        dbNew: next.db,
        zNew: next.z,
        dzNew: next.dz,
        mNew: next.m,
        curvature: tensor([STEPS, 3], curvature),
        estimate: tensor([1, 3], estimate),
        ahead: tensor([A, K], ahead),
      });
      iterations += STEPS;
      const ratio = this.#observe(curvature);
      if (!(ratio <= this.#lipschitz) && iterations < limit) {
        this.#lipschitz *= Number.isFinite(ratio) ? Math.min(4, Math.max(1.3, (1.1 * ratio) / this.#lipschitz)) : 4;
        continue;
      }
      this.#lipschitz = Math.max(0.9 * this.#lipschitz, Math.min(this.#lipschitz, 1.1 * ratio));
      [now, next] = [next, now];
      const [loss, entropy] = estimate as unknown as [number, number];
      const gap = loss + lambda * this.penaltyValue(set, ahead) - entropy;
      if (gap <= target || iterations >= limit) break;
      if (gap < best) [best, waited] = [gap, 0];
      else if (++waited >= PATIENCE) {
        this.#lipschitz *= 2;
        for (const change of [now.dw, now.db, now.dz, now.m]) (change.data as Floats).fill(0);
        waited = 0;
      }
    }
    return { weights: now.w.data as Floats, intercept: Float64Array.from(now.b.data as Floats), iterations };
  }

  #state(size: number) {
    const { n, classes: K } = this.#problem;
    const zeros = (rows: number, columns: number) => tensor([rows, columns], floats(this.#precision, rows * columns));
    return {
      w: zeros(size, K),
      dw: zeros(size, K),
      b: zeros(1, K),
      db: zeros(1, K),
      z: zeros(n, K),
      dz: zeros(n, K),
      m: zeros(1, 1),
    };
  }

  /** Largest curvature along the steps of a run, less what the intercept's own steps account for. */
  #observe(curvature: Floats): number {
    let ratio = 0;
    for (let i = 0; i < STEPS; i++) {
      const [second, sw, sb] = curvature.subarray(3 * i, 3 * i + 3) as unknown as [number, number, number];
      if (Number.isNaN(second) || Number.isNaN(sw)) return Number.POSITIVE_INFINITY;
      if (sw > 0) ratio = Math.max(ratio, (second - sb) / sw);
    }
    return ratio;
  }
}
