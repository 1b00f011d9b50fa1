/** The problem restricted to a working set, solved by accelerated proximal gradient with restart. */
import type { Engine, Program } from '../../engine/index.js';
import { countMacs } from '../macs.js';
import { penaltyValue } from '../penalty.js';
import { transpose } from '../products.js';
import { type Floats, type FloatTensor, floats, type Precision, programFor, tensor } from '../programs.js';
import { fistaGraph } from './fista.js';
import { forwardGraph } from './graphs.js';
import type { PathProblem } from './problem.js';

/** Iterations in one run of the engine, and products of the set with examples and classes in each. */
const STEPS = 5;
const PRODUCTS = 2;
/** Runs without a better estimate of the gap after which the step is distrusted. */
const PATIENCE = 40;
/** Runs in a row that may be undone for too long a step. */
const REJECTIONS = 100;

export interface WorkingSet {
  /** Number of features, and their normalised values (size, n) and transposed (n, size). */
  readonly size: number;
  readonly x: Floats;
  readonly xt: Floats;
}

export interface RestrictedTask {
  readonly lambda: number;
  /** Weights (size, K) and intercept (K) to start from. */
  readonly weights: Floats;
  readonly intercept: Float64Array;
  /** Estimated gap within the set at which to stop. */
  readonly target: number;
  /** Iterations after which to stop short. */
  readonly limit: number;
}

export interface RestrictedResult {
  readonly weights: Floats;
  /** Intercept of the last iterate, a start for the exact one. */
  readonly intercept: Float64Array;
  readonly iterations: number;
}

export class RestrictedSolver {
  readonly #engine: Engine;
  readonly #problem: PathProblem;
  readonly #mix: number;
  readonly #precision: Precision;
  readonly #y: Floats;
  readonly #v: Floats;
  /** Curvature of the loss along the last steps: carried along the path. */
  #lipschitz: number;

  constructor(engine: Engine, problem: PathProblem, mix: number, precision: Precision) {
    this.#engine = engine;
    this.#problem = problem;
    this.#mix = mix;
    this.#precision = precision;
    this.#y = precision === 'float64' ? problem.targets : Float32Array.from(problem.targets);
    this.#v = floats(precision, problem.n);
    this.#v.set(problem.shares);
    this.#lipschitz = 0.25 * problem.design.power.reduce((top, v) => Math.max(top, v), 1e-12);
  }

  /** Fills xt of a set with the transpose of x. */
  async transpose({ x, xt, size }: WorkingSet): Promise<void> {
    await transpose(this.#engine, { rows: size, columns: this.#problem.n, data: x }, xt);
  }

  /** Logits without intercept, (n, K). */
  async logits(set: WorkingSet, weights: Floats): Promise<Floats> {
    const { n, classes: K } = this.#problem;
    const z = floats(this.#precision, n * K);
    if (set.size === 0) return z;
    const program = await programFor(this.#engine, `forward ${this.#precision}`, () => forwardGraph(this.#precision));
    countMacs(this.#engine, n * set.size * K);
    await program.run({ xt: tensor([n, set.size], set.xt), w: tensor([set.size, K], weights) }, undefined, {
      z: tensor([n, K], z),
    });
    return z;
  }

  /** Minimises over the working set until the estimated gap within it is small enough, or the limit is spent. */
  async solve(set: WorkingSet, task: RestrictedTask): Promise<RestrictedResult> {
    const { lambda, target, limit } = task;
    const { classes: K } = this.#problem;
    if (set.size === 0) return { ...task, iterations: 0 };
    const fista = await this.#fista(set, task);
    /** The best of the points that steps were taken from. */
    const best = { objective: Number.POSITIVE_INFINITY, weights: floats(this.#precision, set.size * K) };
    let smallest = Number.POSITIVE_INFINITY;
    let waited = 0;
    let rejected = 0;
    for (let iterations = STEPS; ; iterations += STEPS) {
      const ratio = await fista.run(1 / this.#lipschitz);
      countMacs(this.#engine, STEPS * PRODUCTS * set.size * this.#problem.n * K);
      if (!(ratio <= this.#lipschitz) && rejected < REJECTIONS) {
        this.#lipschitz *= Number.isFinite(ratio) ? Math.min(4, Math.max(1.3, (1.1 * ratio) / this.#lipschitz)) : 4;
        rejected++;
        continue;
      }
      rejected = 0;
      this.#lipschitz = Math.max(0.9 * this.#lipschitz, Math.min(this.#lipschitz, 1.1 * ratio));
      fista.accept();
      const objective = fista.loss + lambda * penaltyValue(fista.ahead, K, this.#mix);
      const gap = objective - fista.dual;
      const weights = fista.state.w.data;
      const intercept = Float64Array.from(fista.state.b.data);
      if (gap <= target) return { weights, intercept, iterations };
      if (objective < best.objective) {
        best.objective = objective;
        best.weights.set(fista.ahead);
      }
      if (iterations >= limit) {
        const last =
          this.#problem.loss.value(fista.state.z.data, this.#problem) + lambda * penaltyValue(weights, K, this.#mix);
        return { weights: last <= best.objective ? weights : best.weights, intercept, iterations };
      }
      if (gap < smallest) [smallest, waited] = [gap, 0];
      else if (++waited >= PATIENCE) {
        this.#lipschitz *= 2;
        fista.restart();
        waited = 0;
      }
    }
  }

  async #fista(set: WorkingSet, { lambda, weights, intercept }: RestrictedTask): Promise<FistaRunner> {
    const { n, classes: K } = this.#problem;
    const mix = this.#mix;
    const { loss } = this.#problem;
    const shape = { precision: this.#precision, steps: STEPS, l1: mix > 0, l2: mix < 1 };
    const program = await programFor(
      this.#engine,
      `fista ${loss.id} ${JSON.stringify(shape)}`,
      () => fistaGraph({ loss, ...shape }),
      { planMemory: false },
    );
    const logits = (await this.logits(set, weights)).map((z, i) => z + intercept[i % K]);
    const fixed = {
      x: tensor([set.size, n], set.x),
      xt: tensor([n, set.size], set.xt),
      y: tensor([n, K], this.#y),
      v: tensor([n, 1], this.#v),
    };
    const fista = new FistaRunner(program, fixed, {
      dims: { A: set.size, n, K },
      precision: this.#precision,
      thresholds: { ...(mix < 1 ? { group: lambda * (1 - mix) } : {}), ...(mix > 0 ? { element: lambda * mix } : {}) },
    });
    fista.state.w.data.set(weights);
    fista.state.b.data.set(intercept);
    fista.state.z.data.set(logits);
    return fista;
  }
}

type State = ReturnType<typeof blankState>;

function blankState({ A, n, K }: Dims, precision: Precision) {
  const zeros = (rows: number, columns: number) => tensor([rows, columns], floats(precision, rows * columns));
  return {
    w: zeros(A, K),
    dw: zeros(A, K),
    b: zeros(1, K),
    db: zeros(1, K),
    z: zeros(n, K),
    dz: zeros(n, K),
    m: zeros(1, 1),
  };
}

interface Dims {
  readonly A: number;
  readonly n: number;
  readonly K: number;
}

/** Runs of the graph of fista.ts, from one state into another. */
class FistaRunner {
  readonly #program: Program;
  readonly #fixed: Readonly<Record<string, FloatTensor>>;
  /** Multiples of the step. */
  readonly #thresholds: Readonly<Record<string, number>>;
  readonly #precision: Precision;
  state: State;
  #next: State;
  readonly #curvature: FloatTensor;
  readonly #estimate: FloatTensor;
  readonly #ahead: FloatTensor;

  constructor(
    program: Program,
    fixed: Readonly<Record<string, FloatTensor>>,
    { dims, precision, thresholds }: { dims: Dims; precision: Precision; thresholds: Readonly<Record<string, number>> },
  ) {
    this.#program = program;
    this.#fixed = fixed;
    this.#thresholds = thresholds;
    this.#precision = precision;
    this.state = blankState(dims, precision);
    this.#next = blankState(dims, precision);
    this.#curvature = tensor([STEPS, 3], floats(precision, STEPS * 3));
    this.#estimate = tensor([1, 2], floats(precision, 2));
    this.#ahead = tensor([dims.A, dims.K], floats(precision, dims.A * dims.K));
  }

  /** Loss at the last point that a step was taken from, mean dual of its dual point, and its weights. */
  get loss(): number {
    return this.#estimate.data[0];
  }
  get dual(): number {
    return this.#estimate.data[1];
  }
  get ahead(): Floats {
    return this.#ahead.data;
  }

  /**
   * Steps of one size from the state.
   * @returns the largest curvature along them, less what the intercept's own steps account for: the steps were safe when
   *   it is at most 1 / size
   */
  async run(size: number): Promise<number> {
    const number = (value: number) => tensor([1, 1], floats(this.#precision, 1).fill(value));
    const thresholds = Object.entries(this.#thresholds).map(([name, value]) => [name, number(value * size)]);
    const feeds = { ...this.#fixed, ...this.state, step: number(size), ...Object.fromEntries(thresholds) };
    const into = Object.fromEntries(Object.entries(this.#next).map(([name, value]) => [`${name}New`, value]));
    await this.#program.run(feeds, undefined, {
      ...into,
      curvature: this.#curvature,
      estimate: this.#estimate,
      ahead: this.#ahead,
    });
    const { data } = this.#curvature;
    let ratio = 0;
    for (let at = 0; at < data.length; at += 3) {
      const [second, sw, sb] = data.subarray(at, at + 3);
      if (Number.isNaN(second) || Number.isNaN(sw)) return Number.POSITIVE_INFINITY;
      if (sw > 0) ratio = Math.max(ratio, (second - sb) / sw);
    }
    return ratio;
  }

  /** Makes what the last run found the state. */
  accept(): void {
    [this.state, this.#next] = [this.#next, this.state];
  }

  /** Takes the momentum away. */
  restart(): void {
    for (const { data } of [this.state.dw, this.state.db, this.state.dz, this.state.m]) data.fill(0);
  }
}
