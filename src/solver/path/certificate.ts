/**
 * Certificates in float64: the exact intercept, the objective and the duality gap.
 *
 * The dual problem is to maximise the mean dual of Q (its entropy where the targets are classes or labels) whose residual
 * Y - Q has no correlation above lambda with any feature (in the penalty's dual norm) and, because the intercept is free,
 * totals equal to the targets'. Q = (1 - a) Y + a P is such a point once the intercept is optimal and a shrinks the largest
 * correlation of Y - P to its limit. So gap = objective - mean dual of Q bounds the distance to the optimum from above.
 */
import type { Engine } from '../../engine/index.js';
import type { Fitted } from '../losses/index.js';
import { countMacs } from '../macs.js';
import { type Floats, precisionOf, programFor, tensor } from '../programs.js';
import { inner, largest, plus } from '../vectors.js';
import { certificateGraph } from './graphs.js';
import type { PathProblem } from './problem.js';

/** Largest difference of totals (shares of one, or in units of the values) that counts as an exact intercept. */
const INTERCEPT_TOLERANCE = 1e-10;

/** Scores that are looked at together: what is computed of them takes several times as much memory. */
const VALUES = 2 ** 20;

export class Certifier {
  readonly #problem: PathProblem;
  readonly #engine: Engine;

  constructor(engine: Engine, problem: PathProblem) {
    this.#engine = engine;
    this.#problem = problem;
  }

  /** Solves the intercept for scores z (n, K) without intercept, by Newton from `start`. */
  async fit(z: Floats, start: Float64Array): Promise<Fitted> {
    const { frequencies, loss } = this.#problem;
    const { evaluate, residual, losses, duals } = await this.#evaluator(z);
    let intercept: Float64Array = start.slice();
    let at = await evaluate(intercept);
    let exact = false;
    for (let iteration = 0; iteration < 50; iteration++) {
      const gradient = plus(frequencies, -1, at.totals);
      exact = largest(gradient.map(Math.abs)) <= INTERCEPT_TOLERANCE;
      if (exact) break;
      const step = loss.interceptStep(at, gradient);
      const slack = 1e-13 * Math.abs(at.loss);
      for (let size = 1; ; size /= 4) {
        const candidate = plus(intercept, size, step);
        const next = await evaluate(candidate);
        if (next.loss <= at.loss + slack || size < 1e-6) {
          [intercept, at] = [candidate, next];
          break;
        }
      }
    }
    return { intercept, loss: at.loss, residual, losses, duals, exact };
  }

  /** What scores z and an intercept say of the examples: in the arrays returned, for the intercept tried last. */
  async #evaluator(z: Floats) {
    const { n, classes: K, shares, targets, loss } = this.#problem;
    const stored = precisionOf(z);
    const program = await programFor(
      this.#engine,
      `certificate ${loss.id} ${stored}`,
      () => certificateGraph(loss, stored),
      { planMemory: false },
    );
    const [residual, losses, duals] = [new Float64Array(n * K), new Float64Array(n), new Float64Array(n)];
    const step = Math.max(1, Math.floor(VALUES / K));
    const runs = Array.from({ length: Math.ceil(n / step) }, (_, run) => {
      const [from, to] = [run * step, Math.min(n, (run + 1) * step)];
      const part = <T extends Floats>(values: T, columns: number) =>
        tensor([to - from, columns], values.subarray(from * columns, to * columns) as T);
      return {
        feeds: { z: part(z, K), y: part(targets, K), v: part(shares, 1) },
        into: { r: part(residual, K), losses: part(losses, 1), duals: part(duals, 1) },
      };
    });
    const evaluate = async (b: Float64Array) => {
      const sums: { totals: Float64Array; moments: Float64Array }[] = [];
      for (const { feeds, into } of runs) {
        const out = await program.run({ ...feeds, b: tensor([1, K], b) }, ['totals', 'moments'], into);
        sums.push({ totals: out.totals.data as Float64Array, moments: out.moments.data as Float64Array });
      }
      countMacs(this.#engine, n * K * K);
      const added = (pick: (of: (typeof sums)[number]) => Float64Array) =>
        sums.map(pick).reduce((total, part) => plus(total, 1, part));
      return { loss: inner(shares, losses), totals: added((of) => of.totals), moments: added((of) => of.moments) };
    };
    return { evaluate, residual, losses, duals };
  }

  /**
   * @param penalty value of the penalty, lambda included
   * @param worst largest critical lambda of any feature: a = min(1, lambda / worst)
   */
  gap(
    fitted: Fitted,
    penalty: number,
    lambda: number,
    worst: number,
  ): { objective: number; gap: number; scale: number } {
    const objective = fitted.loss + penalty;
    const scale = worst > lambda ? lambda / worst : 1;
    return { objective, gap: objective - this.#problem.loss.dual(fitted, scale, this.#problem), scale };
  }
}
