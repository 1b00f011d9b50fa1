/**
 * Certificates in float64: the exact intercept, the objective and the duality gap.
 *
 * The dual of the multinomial problem is to maximise the mean entropy of Q, rows in the simplex, whose residual Y - Q
 * has no correlation above lambda with any feature (in the penalty's dual norm) and, because the intercept is free,
 * class totals equal to the labels'. Q = (1 - a) Y + a P is such a point once the intercept is optimal and a shrinks the
 * largest correlation of Y - P to its limit. So gap = objective - mean entropy of Q bounds the distance to the optimum
 * from above.
 */
import type { Engine } from '../../engine/index.js';
import { choleskySolve } from '../cholesky.js';
import { countMacs } from '../macs.js';
import { oneHot, type Problem } from '../problem.js';
import { type Floats, precisionOf, programFor, tensor } from '../programs.js';
import { inner, largest, plus } from '../vectors.js';
import { softmaxGraph } from './graphs.js';

/** The model's state on the training examples, with the intercept that is optimal for its logits. */
export interface Fitted {
  /** Exact intercept, (K), mean zero. */
  readonly intercept: Float64Array;
  /** Mean loss. */
  readonly loss: number;
  /** v (y - p), (n, K): minus the gradient of the loss with respect to the logits. */
  readonly residual: Float64Array;
  /** Loss and entropy of each example. */
  readonly losses: Float64Array;
  readonly entropies: Float64Array;
  /** Whether the intercept's own equations were solved. */
  readonly exact: boolean;
}

/** Largest difference of class totals (shares of one) that counts as an exact intercept. */
const INTERCEPT_TOLERANCE = 1e-10;

export class Certifier {
  readonly #problem: Problem;
  readonly #engine: Engine;
  readonly #y: Floats;

  constructor(engine: Engine, problem: Problem) {
    this.#engine = engine;
    this.#problem = problem;
    this.#y = oneHot(problem, 'float64');
  }

  /** Solves the intercept for logits z (n, K) without intercept, by Newton from `start`. */
  async fit(z: Floats, start: Float64Array): Promise<Fitted> {
    const { frequencies } = this.#problem;
    const { evaluate, residual, losses, entropies } = await this.#evaluator(z);
    let intercept: Float64Array = start.slice();
    let at = await evaluate(intercept);
    let exact = false;
    for (let iteration = 0; iteration < 50; iteration++) {
      const gradient = plus(frequencies, -1, at.totals);
      exact = largest(gradient.map(Math.abs)) <= INTERCEPT_TOLERANCE;
      if (exact) break;
      const step = newtonStep(at.totals, at.moments, gradient);
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
    return { intercept, loss: at.loss, residual, losses, entropies, exact };
  }

  /** What logits z and an intercept say of the examples: in the arrays returned, for the intercept tried last. */
  async #evaluator(z: Floats) {
    const { n, classes: K, shares } = this.#problem;
    const stored = precisionOf(z);
    const program = await programFor(this.#engine, `softmax ${stored}`, () => softmaxGraph(stored));
    const [residual, losses, entropies] = [new Float64Array(n * K), new Float64Array(n), new Float64Array(n)];
    const into = { r: tensor([n, K], residual), loss: tensor([n, 1], losses), entropy: tensor([n, 1], entropies) };
    const feeds = { z: tensor([n, K], z), y: tensor([n, K], this.#y), v: tensor([n, 1], shares) };
    const evaluate = async (b: Float64Array) => {
      const { totals, moments } = await program.run({ ...feeds, b: tensor([1, K], b) }, ['totals', 'moments'], into);
      countMacs(this.#engine, n * K * K);
      return {
        loss: inner(shares, losses),
        totals: totals.data as Float64Array,
        moments: moments.data as Float64Array,
      };
    };
    return { evaluate, residual, losses, entropies };
  }

  /** Mean entropy of Q = (1 - a) Y + a P. */
  #dual(fitted: Fitted, a: number): number {
    const { n, shares } = this.#problem;
    const logA = Math.log(a);
    let total = 0;
    for (let i = 0; i < n; i++) {
      const logPy = -fitted.losses[i];
      const py = Math.exp(logPy);
      const entropy = fitted.entropies[i];
      if (a >= 1) {
        total += shares[i] * entropy;
        continue;
      }
      const qy = 1 - a + a * py;
      // Sum over the other classes of p log p, which is minus the entropy less the label's own part.
      const others = -entropy - (py > 0 ? py * logPy : 0);
      total -= shares[i] * (a * (others + logA * (1 - py)) + qy * Math.log(qy));
    }
    return total;
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
    return { objective, gap: objective - this.#dual(fitted, scale), scale };
  }
}

/** Solves (diag(totals) - moments) d = gradient, singular along the ones, by Cholesky with that direction filled in. */
function newtonStep(totals: Float64Array, moments: Float64Array, gradient: Float64Array): Float64Array {
  const K = totals.length;
  const a = new Float64Array(K * K);
  let trace = 0;
  for (let k = 0; k < K; k++) trace += totals[k] - moments[k * K + k];
  const fill = Math.max(trace, 1e-300) / (K * K);
  for (let k = 0; k < K; k++) {
    for (let l = 0; l < K; l++) {
      a[k * K + l] = (k === l ? totals[k] : 0) - moments[k * K + l] + fill;
    }
    a[k * K + k] += 1e-12 * trace;
  }
  return choleskySolve(a, gradient);
}
