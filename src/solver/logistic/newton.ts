/** Newton's method with conjugate gradients for one l2 penalty after another, each from the one before. */
import type { Problem } from '../problem.js';
import { totalLoss } from '../softmax.js';
import { inner, plus, sum, times } from '../vectors.js';
import type { Preconditioner } from './preconditioner.js';
import type { Space } from './space.js';

export interface NewtonOptions {
  /** Largest gradient norm (Frobenius, over W and b) relative to that of the penalty, 2 lambda ||W||. */
  tolerance: number;
  /** Conjugate-gradient iterations for one lambda after which it counts as not converged. */
  maxIterations: number;
}

/** Where the solver stands: coefficients (size, K), their logits without intercept (n, K), the intercept (K). */
export interface Iterate {
  readonly a: Float64Array;
  readonly image: Float64Array;
  readonly b: Float64Array;
}

export interface NewtonResult extends Iterate {
  readonly objective: number;
  /** Frobenius norm of the gradient with respect to W and b, absolute and relative to 2 lambda ||W||. */
  readonly gradient: number;
  readonly relativeGradient: number;
  readonly iterations: number;
  readonly converged: boolean;
}

/** An iterate with its predictions. */
interface Evaluated extends Iterate {
  readonly probabilities: Float64Array;
  readonly objective: number;
}

/** Of the objective, with respect to coefficients and intercept. */
interface Gradient {
  readonly a: Float64Array;
  readonly image: Float64Array;
  readonly b: Float64Array;
  readonly norm: number;
  readonly relative: number;
}

interface Step extends Iterate {
  readonly iterations: number;
}

/** A Newton step's, and how far they are to be solved. */
interface NewtonEquations {
  readonly probabilities: Float64Array;
  readonly gradient: Gradient;
  readonly lambda: number;
  /** (K). */
  readonly interceptCurvature: Float64Array;
  readonly forcing: number;
  readonly limit: number;
}

/** Steps that lower neither gradient nor objective by enough, after which rounding has taken over. */
const PATIENCE = 8;
/** Share of the objective that is enough: far from the optimum it falls while the gradient does not. */
const FALL = 1e-6;
/** Gradient per example that rounding leaves where the optimum has no weights. */
const ROUNDING = 1e-12;

export class NewtonSolver {
  readonly #problem: Problem;
  readonly #space: Space;
  readonly #options: NewtonOptions;
  /** Example weights with mean one, (n). */
  readonly #v: Float64Array;
  /** Solutions of the last two lambdas, for extrapolation. */
  #before: (Iterate & { lambda: number }) | undefined;
  #last: (Iterate & { lambda: number }) | undefined;
  /** Whether a step took so many iterations that a closer preconditioner pays: it will at smaller lambdas too. */
  #hard = false;

  constructor(problem: Problem, space: Space, options: NewtonOptions) {
    this.#problem = problem;
    this.#space = space;
    this.#options = options;
    this.#v = problem.shares.map((s) => s * problem.n);
  }

  /** The best iterate that was reached, whether or not it met the tolerance. */
  async solve(lambda: number): Promise<NewtonResult> {
    const { tolerance, maxIterations } = this.#options;
    let now = this.#start(lambda);
    let gradient = await this.#gradient(now, lambda);
    let iterations = 0;
    let smallest = Number.POSITIVE_INFINITY;
    let lowest = Number.POSITIVE_INFINITY;
    let waited = 0;
    while (gradient.relative > tolerance) {
      const falls = gradient.relative < 0.9 * smallest || now.objective < (1 - FALL) * lowest;
      waited = falls ? 0 : waited + 1;
      lowest = now.objective;
      smallest = Math.min(smallest, gradient.relative);
      if (iterations >= maxIterations || waited > PATIENCE) break;
      const step = await this.#newtonStep(now, gradient, lambda, maxIterations - iterations);
      iterations += step.iterations;
      const next = this.#lineSearch(now, step, gradient, lambda);
      if (!next) break;
      now = next;
      gradient = await this.#gradient(now, lambda);
    }
    // Rounding gathers in the updated logits: they are computed afresh once per lambda.
    const { a, b, objective } = now;
    const solution = { a, b, image: await this.#space.forward(a) };
    [this.#before, this.#last] = [this.#last, { ...solution, lambda }];
    return {
      ...solution,
      objective,
      gradient: gradient.norm,
      relativeGradient: gradient.relative,
      iterations,
      converged: gradient.relative <= tolerance,
    };
  }

  /** The last solution, or the last two moved on along log lambda where that is better. */
  #start(lambda: number): Evaluated {
    const { n, classes: K, nullIntercept } = this.#problem;
    const [one, two] = [this.#before, this.#last];
    const zero = { a: new Float64Array(this.#space.size * K), image: new Float64Array(n * K), b: nullIntercept };
    const now = this.#evaluate(two ?? zero, lambda);
    if (!one || !two) return now;
    const t = Math.log(lambda / two.lambda) / Math.log(two.lambda / one.lambda);
    const there = this.#evaluate(moved(two, t, moved(two, -1, one)), lambda);
    return there.objective < now.objective ? there : now;
  }

  #evaluate({ a, image, b }: Iterate, lambda: number): Evaluated {
    const { n, classes: K, labels } = this.#problem;
    const probabilities = new Float64Array(n * K);
    const loss = totalLoss(image, b, { labels, weights: this.#v }, probabilities);
    return { a, image, b, probabilities, objective: loss + lambda * this.#space.dot(a, a, image) };
  }

  async #gradient({ a, image, probabilities: p }: Evaluated, lambda: number): Promise<Gradient> {
    const { n, classes: K, labels } = this.#problem;
    const space = this.#space;
    const d = new Float64Array(n * K);
    const sums = new Float64Array(K);
    for (let i = 0, at = 0; i < n; i++) {
      for (let k = 0; k < K; k++, at++) {
        d[at] = this.#v[i] * (p[at] - (k === labels[i] ? 1 : 0));
        sums[k] += d[at];
      }
    }
    const g = plus(await space.adjoint(d), 2 * lambda, a);
    const gImage = await space.forward(g);
    const norm = Math.sqrt(Math.max(0, space.dot(g, g, gImage)) + inner(sums, sums));
    const pull = 2 * lambda * Math.sqrt(Math.max(0, space.dot(a, a, image)));
    const relative = pull > 0 ? norm / pull : norm > ROUNDING * n ? Number.POSITIVE_INFINITY : 0;
    return { a: g, image: gImage, b: sums, norm, relative };
  }

  /** The first point along a step at which the objective falls enough; undefined when rounding hides every fall. */
  #lineSearch(now: Evaluated, step: Step, gradient: Gradient, lambda: number): Evaluated | undefined {
    if (step.iterations === 0) return undefined;
    const slope = this.#space.dot(step.a, gradient.a, gradient.image) + inner(step.b, gradient.b);
    // Rounding of a sum over the examples, below which a smaller objective cannot be told from a larger one.
    const noise = 1e-13 * Math.abs(now.objective) + 1e-15 * this.#problem.n;
    for (let size = 1, tries = 0; tries < 40; tries++, size /= 2) {
      const next = this.#evaluate(moved(now, size, step), lambda);
      if (next.objective <= now.objective + 1e-4 * size * slope + noise) return next;
    }
    return undefined;
  }

  /** The Newton step, the closer the nearer the optimum is. */
  async #newtonStep({ probabilities }: Evaluated, gradient: Gradient, lambda: number, limit: number): Promise<Step> {
    const { n, classes: K } = this.#problem;
    const curvature = new Float64Array(n * K);
    const perClass = new Float64Array(K);
    for (let i = 0, at = 0; i < n; i++) {
      for (let k = 0; k < K; k++, at++) {
        curvature[at] = this.#v[i] * probabilities[at] * (1 - probabilities[at]);
        perClass[k] += curvature[at];
      }
    }
    const { tolerance } = this.#options;
    const forcing = Math.max((0.3 * tolerance) / gradient.relative, Math.min(0.1, Math.sqrt(gradient.relative)));
    const interceptCurvature = perClass.map((c) => Math.max(c, 1e-12 * n));
    const equations = { probabilities, gradient, lambda, interceptCurvature, forcing, limit };
    const step = await this.#conjugateGradients(
      equations,
      await this.#space.preconditioner(curvature, lambda, this.#hard),
    );
    this.#hard ||= step.iterations > Math.max(20, this.#space.size / 4);
    // A preconditioner that rounding has made indefinite goes nowhere; the gradient itself is a direction of descent.
    return step.iterations > 0 ? step : this.#conjugateGradients(equations, async (r) => r);
  }

  /** Solves Hessian x = -gradient until the preconditioned residual has fallen to `forcing` of what it was. */
  async #conjugateGradients(equations: NewtonEquations, precondition: Preconditioner): Promise<Step> {
    const { n, classes: K } = this.#problem;
    const space = this.#space;
    const { probabilities, gradient, lambda, interceptCurvature, forcing, limit } = equations;
    let r = times(-1, gradient.a);
    let rb = times(-1, gradient.b);
    let x: Iterate = { a: new Float64Array(r.length), image: new Float64Array(n * K), b: new Float64Array(K) };
    let direction: Iterate | undefined;
    let rho = 0;
    let first = 0;
    let iterations = 0;
    while (iterations < limit) {
      const a = await precondition(r);
      const z = { a, image: await space.forward(a), b: centred(rb.map((v, k) => v / interceptCurvature[k])) };
      // Product of the residual with its preconditioned self: also the measure of how much is left.
      const next = space.dot(r, z.a, z.image) + inner(rb, z.b);
      if (!(next > 0)) break;
      if (iterations === 0) first = next;
      else if (next <= forcing * forcing * first) break;
      direction = direction ? moved(z, next / rho, direction) : z;
      rho = next;
      const curved = this.#curve(probabilities, direction);
      const m = plus(await space.adjoint(curved.d), 2 * lambda, direction.a);
      const along = space.dot(m, direction.a, direction.image) + inner(curved.sums, direction.b);
      if (!(along > 0)) break;
      const alpha = rho / along;
      x = moved(x, alpha, direction);
      r = plus(r, -alpha, m);
      rb = plus(rb, -alpha, curved.sums);
      iterations++;
    }
    return { ...x, iterations };
  }

  /** Hessian of the losses with respect to the logits, times a change of the logits and of the intercept. */
  #curve(p: Float64Array, { image, b }: Iterate): { d: Float64Array; sums: Float64Array } {
    const { n, classes: K } = this.#problem;
    const d = new Float64Array(n * K);
    const sums = new Float64Array(K);
    for (let i = 0, at = 0; i < n; i++, at += K) {
      let mean = 0;
      for (let k = 0; k < K; k++) mean += p[at + k] * (image[at + k] + b[k]);
      for (let k = 0; k < K; k++) {
        const value = this.#v[i] * p[at + k] * (image[at + k] + b[k] - mean);
        d[at + k] = value;
        sums[k] += value;
      }
    }
    return { d, sums };
  }
}

/** Less its mean: a constant that is added to all classes changes nothing, and is kept out. */
function centred(b: Float64Array): Float64Array {
  const mean = sum(b) / b.length;
  return b.map((v) => v - mean);
}

/** x + t y. */
function moved(x: Iterate, t: number, y: Iterate): Iterate {
  return { a: plus(x.a, t, y.a), image: plus(x.image, t, y.image), b: plus(x.b, t, y.b) };
}
