/** Newton's method with conjugate gradients for one l2 penalty after another, each from the one before. */
import { softmaxRow } from './model.js';
import type { Problem } from './problem.js';
import { inner, plus } from './products.js';
import type { Space } from './space.js';

export interface LogisticOptions {
  /** Positive grid in any order; solved from the largest down. */
  lambdas: ArrayLike<number>;
  /**
   * Largest gradient norm (Frobenius, over W and b) relative to that of the penalty, 2 lambda ||W||. By strong
   * convexity the weights are then within this share of ||W|| of the optimal ones.
   */
  tolerance: number;
  /** Conjugate-gradient iterations for one lambda after which it counts as not converged. */
  maxIterations: number;
  classes: number | undefined;
}

export interface LogisticPoint {
  readonly lambda: number;
  /** The same strength in scikit-learn's terms, 1 / (2 lambda). */
  readonly C: number;
  readonly objective: number;
  /** Frobenius norm of the gradient with respect to W and b, absolute and relative to 2 lambda ||W||. */
  readonly gradient: number;
  readonly relativeGradient: number;
  readonly iterations: number;
  readonly seconds: number;
  readonly converged: boolean;
}

interface Solved {
  readonly a: Float64Array;
  readonly image: Float64Array;
  readonly b: Float64Array;
  readonly lambda: number;
}

interface Evaluated {
  readonly probabilities: Float64Array;
  readonly objective: number;
}

export class NewtonSolver {
  readonly #problem: Problem;
  readonly #space: Space;
  readonly #options: LogisticOptions;
  readonly #v: Float64Array;
  /** Coefficients (size, K), intercept (K) and logits without intercept: the warm start of the next lambda. */
  a: Float64Array;
  b: Float64Array;
  #image: Float64Array;
  /** Solutions of the last two lambdas, for extrapolation. */
  #before: Solved | undefined;
  #kept: Solved | undefined;

  constructor(problem: Problem, space: Space, options: LogisticOptions) {
    this.#problem = problem;
    this.#space = space;
    this.#options = options;
    this.#v = problem.shares.map((s) => s * problem.n);
    this.a = new Float64Array(space.size * problem.classes);
    this.b = problem.nullIntercept.slice();
    this.#image = new Float64Array(problem.n * problem.classes);
  }

  #evaluate(a: Float64Array, image: Float64Array, b: Float64Array, lambda: number): Evaluated {
    const { n, classes: K, labels } = this.#problem;
    const probabilities = new Float64Array(n * K);
    let loss = 0;
    for (let i = 0; i < n; i++) {
      const at = i * K;
      for (let k = 0; k < K; k++) probabilities[at + k] = image[at + k] + b[k];
      const own = probabilities[at + labels[i]];
      loss += this.#v[i] * (softmaxRow(probabilities, at, K) - own);
    }
    return { probabilities, objective: loss + lambda * this.#space.dot(a, a, image) };
  }

  /** v (p - y), (n, K), and its column sums. */
  #residual({ probabilities }: Evaluated): { d: Float64Array; sums: Float64Array } {
    const { n, classes: K, labels } = this.#problem;
    const d = new Float64Array(n * K);
    const sums = new Float64Array(K);
    for (let i = 0; i < n; i++) {
      const v = this.#v[i];
      for (let k = 0; k < K; k++) {
        const value = v * (probabilities[i * K + k] - (k === labels[i] ? 1 : 0));
        d[i * K + k] = value;
        sums[k] += value;
      }
    }
    return { d, sums };
  }

  /** Hessian of the losses with respect to the logits, times a change of the logits and of the intercept. */
  #curve(p: Float64Array, image: Float64Array, b: Float64Array): { d: Float64Array; sums: Float64Array } {
    const { n, classes: K } = this.#problem;
    const d = new Float64Array(n * K);
    const sums = new Float64Array(K);
    for (let i = 0, at = 0; i < n; i++, at += K) {
      let mean = 0;
      for (let k = 0; k < K; k++) mean += p[at + k] * (image[at + k] + b[k]);
      const v = this.#v[i];
      for (let k = 0; k < K; k++) {
        const value = v * p[at + k] * (image[at + k] + b[k] - mean);
        d[at + k] = value;
        sums[k] += value;
      }
    }
    return { d, sums };
  }

  async solve(lambda: number): Promise<LogisticPoint> {
    const began = performance.now();
    const { tolerance, maxIterations } = this.#options;
    const space = this.#space;
    let now = this.#evaluate(this.a, this.#image, this.b, lambda);
    const start = this.#extrapolated(lambda);
    if (start) {
      const ahead = this.#evaluate(start.a, start.image, start.b, lambda);
      if (ahead.objective < now.objective) {
        [this.a, this.#image, this.b] = [start.a, start.image, start.b];
        now = ahead;
      }
    }
    this.#before = this.#kept;
    let iterations = 0;
    let gradient = 0;
    let relative = 0;
    let best = Number.POSITIVE_INFINITY;
    let stalled = 0;
    let converged = false;
    for (;;) {
      const { d, sums } = this.#residual(now);
      const g = plus(await space.adjoint(d), 2 * lambda, this.a);
      const gImage = await space.forward(g);
      gradient = Math.sqrt(Math.max(0, space.dot(g, g, gImage)) + inner(sums, sums));
      const pull = 2 * lambda * Math.sqrt(Math.max(0, space.dot(this.a, this.a, this.#image)));
      relative = pull > 0 ? gradient / pull : Number.POSITIVE_INFINITY;
      if (relative <= tolerance) {
        converged = true;
        break;
      }
      stalled = relative < 0.9 * best ? 0 : stalled + 1;
      best = Math.min(best, relative);
      // In float64 the gradient stops falling where rounding takes over.
      if (iterations >= maxIterations || stalled > 8) break;
      const forcing = Math.max((0.3 * tolerance) / relative, Math.min(0.1, Math.sqrt(relative)));
      const step = await this.#direction(now.probabilities, g, sums, lambda, forcing, maxIterations - iterations);
      if (step.iterations === 0) break;
      iterations += step.iterations;
      const slope = space.dot(step.a, g, gImage) + inner(step.b, sums);
      // Rounding of a sum over the examples, below which a smaller objective cannot be told from a larger one.
      const noise = 1e-13 * Math.abs(now.objective) + 1e-15 * this.#problem.n;
      let size = 1;
      let accepted = false;
      for (let tries = 0; tries < 40; tries++) {
        const a = plus(this.a, size, step.a);
        const image = plus(this.#image, size, step.image);
        const b = plus(this.b, size, step.b);
        const next = this.#evaluate(a, image, b, lambda);
        if (next.objective <= now.objective + 1e-4 * size * slope + noise) {
          [this.a, this.#image, this.b, now] = [a, image, b, next];
          accepted = true;
          break;
        }
        size /= 2;
      }
      if (!accepted) break;
    }
    // Rounding gathers in the updated logits: they are computed afresh once per lambda.
    this.#image = await space.forward(this.a);
    this.#kept = { a: this.a, image: this.#image, b: this.b, lambda };
    return {
      lambda,
      C: 1 / (2 * lambda),
      objective: now.objective,
      gradient,
      relativeGradient: relative,
      iterations,
      seconds: (performance.now() - began) / 1000,
      converged,
    };
  }

  /** The last two solutions, moved on along log lambda. */
  #extrapolated(lambda: number) {
    const [one, two] = [this.#before, this.#kept];
    if (!one || !two) return undefined;
    const t = Math.log(lambda / two.lambda) / Math.log(two.lambda / one.lambda);
    const on = (x: Float64Array, y: Float64Array) => y.map((v, i) => v + t * (v - x[i]));
    return { a: on(one.a, two.a), image: on(one.image, two.image), b: on(one.b, two.b) };
  }

  /** Solves the Newton equations by preconditioned conjugate gradients to a relative residual of `forcing`. */
  async #direction(
    p: Float64Array,
    g: Float64Array,
    sums: Float64Array,
    lambda: number,
    forcing: number,
    limit: number,
  ) {
    const { n, classes: K } = this.#problem;
    const space = this.#space;
    let curvature = 0;
    const perClass = new Float64Array(K);
    for (let i = 0, at = 0; i < n; i++) {
      for (let k = 0; k < K; k++, at++) {
        const value = this.#v[i] * p[at] * (1 - p[at]);
        curvature += value;
        perClass[k] += value;
      }
    }
    curvature /= n * K;
    const scaleB = perClass.map((c) => 1 / Math.max(c, 1e-12 * n));
    let r: Float64Array = g.map((v) => -v);
    let rb: Float64Array = sums.map((v) => -v);
    let x: Float64Array = new Float64Array(r.length);
    let image: Float64Array = new Float64Array(n * K);
    let xb: Float64Array = new Float64Array(K);
    let direction: { a: Float64Array; image: Float64Array; b: Float64Array } | undefined;
    let rho = 0;
    let first = 0;
    let iterations = 0;
    while (iterations < limit) {
      let z = await space.precondition(r, curvature, lambda);
      let zImage = await space.forward(z);
      const zb = rb.map((v, k) => v * scaleB[k]);
      // Product of the residual with its preconditioned self: also the measure of how much is left.
      let next = space.dot(r, z, zImage) + inner(rb, zb);
      if (!(next > 0) && iterations === 0) {
        // Rounding has made the preconditioner indefinite: without it the gradient itself is a direction of descent.
        [z, zImage] = [r, await space.forward(r)];
        next = space.dot(r, z, zImage) + inner(rb, zb);
      }
      if (!(next > 0)) break;
      if (iterations === 0) first = next;
      else if (next <= forcing * forcing * first) break;
      const beta = direction ? next / rho : 0;
      rho = next;
      direction = direction
        ? { a: plus(z, beta, direction.a), image: plus(zImage, beta, direction.image), b: plus(zb, beta, direction.b) }
        : { a: z, image: zImage, b: zb };
      const curved = this.#curve(p, direction.image, direction.b);
      const m = plus(await space.adjoint(curved.d), 2 * lambda, direction.a);
      const along = space.dot(m, direction.a, direction.image) + inner(curved.sums, direction.b);
      if (!(along > 0)) break;
      const alpha = rho / along;
      x = plus(x, alpha, direction.a);
      image = plus(image, alpha, direction.image);
      xb = plus(xb, alpha, direction.b);
      r = plus(r, -alpha, m);
      rb = plus(rb, -alpha, curved.sums);
      iterations++;
    }
    return { a: x, image, b: xb, iterations };
  }
}
