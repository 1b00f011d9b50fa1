/** Newton's method with conjugate gradients for one l2 penalty after another, each from the one before. */
import { totalLoss, type Weighted } from '../softmax.js';
import { inner, plus, sum, times } from '../vectors.js';
import { extrapolated, type Iterate, POINTS, type Solution } from './extrapolation.js';
import { centred, type Preconditioner } from './preconditioner.js';
import type { HessianProduct, Space } from './space.js';

export interface NewtonOptions {
  /** Largest gradient norm (Frobenius, over W and b) relative to that of the penalty, 2 lambda ||W||. */
  tolerance: number;
  /** Norm of the gradient per example below which it need not fall, however small the penalty's is; 0 by default. */
  floor?: number;
  /** Conjugate-gradient iterations for one lambda after which it counts as not converged. */
  maxIterations: number;
}

/** What is fitted to. */
export interface Examples extends Weighted {
  /** (n); examples of weight zero are predicted and count for nothing else. */
  readonly weights: Float64Array;
  readonly classes: number;
  /** Intercept of the model without features, (K). */
  readonly nullIntercept: Float64Array;
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

/** A direction: coefficients, what inner products with them need (see Space.image), intercept. */
interface Direction {
  readonly a: Float64Array;
  readonly image: Float64Array;
  readonly b: Float64Array;
}

interface Step extends Iterate {
  readonly iterations: number;
}

/** A Newton step's, and how far they are to be solved. */
interface NewtonEquations {
  readonly hessian: HessianProduct;
  readonly gradient: Gradient;
  readonly lambda: number;
  readonly forcing: number;
  readonly limit: number;
}

/** Steps that lower neither gradient nor objective by enough, after which rounding has taken over. */
const PATIENCE = 8;
/** Share of the objective that is enough: far from the optimum it falls while the gradient does not. */
const FALL = 1e-6;
/** Share of what is wanted of a step that its equations are solved to, and the least that is. */
const SAFE = 0.7;
const LOOSEST = 0.1;
/** Shares of a step's length times its slope that the objective has to fall by, and that it does where the Hessian holds. */
const LEAST = 1e-4;
const FORETOLD = 0.25;
/** Gradient per example that rounding leaves where the optimum has no weights. */
const ROUNDING = 1e-12;

export class NewtonSolver {
  readonly #examples: Examples;
  readonly #space: Space;
  readonly #options: NewtonOptions;
  /** Sum of the weights. */
  readonly #total: number;
  /** Solutions of the last lambdas, for extrapolation. */
  #past: Solution[] = [];
  /** Whether a step took so many iterations that a closer preconditioner pays: it will at smaller lambdas too. */
  #hard = false;
  /** Whether steps of a Hessian in float32 have stood still. */
  #exactly = false;

  constructor(examples: Examples, space: Space, options: NewtonOptions) {
    this.#examples = examples;
    this.#space = space;
    this.#options = options;
    this.#total = sum(examples.weights);
  }

  /** Starts the next lambda from these coefficients. */
  async startFrom(a: Float64Array, b: Float64Array): Promise<void> {
    this.#past = [{ a, b, logits: await this.#space.forward(a), lambda: Number.NaN }];
  }

  /** The best iterate that was reached, whether or not it met the tolerance. */
  async solve(lambda: number): Promise<NewtonResult> {
    const { tolerance, floor = 0, maxIterations } = this.#options;
    const isDone = ({ relative, norm }: Gradient) => relative <= tolerance || norm <= floor * this.#total;
    let now = this.#start(lambda);
    let gradient = await this.#gradient(now, lambda);
    let iterations = 0;
    let smallest = Number.POSITIVE_INFINITY;
    let lowest = Number.POSITIVE_INFINITY;
    let waited = 0;
    while (!isDone(gradient)) {
      const falls = gradient.relative < 0.9 * smallest || now.objective < (1 - FALL) * lowest;
      waited = falls ? 0 : waited + 1;
      lowest = now.objective;
      smallest = Math.min(smallest, gradient.relative);
      if (waited > 1) this.#exactly = true;
      if (iterations >= maxIterations || waited > PATIENCE) break;
      const step = await this.#newtonStep(now, gradient, lambda, maxIterations - iterations);
      iterations += step.iterations;
      const next = this.#lineSearch(now, step, gradient, lambda);
      if (!next) break;
      now = next;
      gradient = await this.#gradient(now, lambda);
    }
    const { a, b, objective } = now;
    const { gathersRounding } = this.#space;
    const solution = { a, b, logits: gathersRounding ? await this.#space.forward(a) : now.logits };
    this.#past = [...this.#past.filter((past) => past.lambda !== lambda), { ...solution, lambda }].slice(-POINTS);
    return {
      ...solution,
      objective,
      gradient: gradient.norm,
      relativeGradient: gradient.relative,
      iterations,
      converged: isDone(gradient),
    };
  }

  /** The last solution, or where the solutions before lead to at this lambda when that is better. */
  #start(lambda: number): Evaluated {
    const { labels, classes: K, nullIntercept } = this.#examples;
    const zero = {
      a: new Float64Array(this.#space.size * K),
      logits: new Float64Array(labels.length * K),
      b: nullIntercept,
    };
    const now = this.#evaluate(this.#past.at(-1) ?? zero, lambda);
    const ahead = extrapolated(this.#past, lambda);
    if (!ahead) return now;
    const there = this.#evaluate(ahead, lambda);
    return there.objective < now.objective ? there : now;
  }

  #evaluate({ a, logits, b }: Iterate, lambda: number): Evaluated {
    const probabilities = new Float64Array(logits.length);
    const loss = totalLoss(logits, b, this.#examples, probabilities);
    return { a, logits, b, probabilities, objective: loss + lambda * this.#space.dot(a, a, logits) };
  }

  async #gradient({ a, logits, probabilities: p }: Evaluated, lambda: number): Promise<Gradient> {
    const { classes: K, labels, weights } = this.#examples;
    const space = this.#space;
    const d = new Float64Array(p.length);
    const sums = new Float64Array(K);
    for (let i = 0, at = 0; i < labels.length; i++) {
      const v = weights[i];
      for (let k = 0; k < K; k++, at++) {
        d[at] = v * (p[at] - (k === labels[i] ? 1 : 0));
        sums[k] += d[at];
      }
    }
    const g = plus(await space.adjoint(d), 2 * lambda, a);
    const image = await space.image(g);
    const norm = Math.sqrt(Math.max(0, space.dot(g, g, image)) + inner(sums, sums));
    const pull = 2 * lambda * Math.sqrt(Math.max(0, space.dot(a, a, logits)));
    const relative = pull > 0 ? norm / pull : norm > ROUNDING * this.#total ? Number.POSITIVE_INFINITY : 0;
    return { a: g, image, b: sums, norm, relative };
  }

  /**
   * A point along a step at which the objective falls enough: the whole step where it falls as the Hessian foretells, else
   * the best of its halves. (A whole step far from the optimum may lower the objective a little and leave every example
   * beyond doubt, where nothing curves any more.) Undefined when rounding hides every fall.
   */
  #lineSearch(now: Evaluated, step: Step, gradient: Gradient, lambda: number): Evaluated | undefined {
    if (step.iterations === 0) return undefined;
    const slope = this.#space.dot(step.a, gradient.a, gradient.image) + inner(step.b, gradient.b);
    // Rounding of a sum over the examples, below which a smaller objective cannot be told from a larger one.
    const noise = 1e-13 * Math.abs(now.objective) + 1e-15 * this.#total;
    let best: Evaluated | undefined;
    for (let size = 1, tries = 0; tries < 40; tries++, size /= 2) {
      const next = this.#evaluate(along(now, size, step), lambda);
      if (best && next.objective >= best.objective) return best;
      const fall = now.objective - next.objective + noise;
      if (fall < -LEAST * size * slope) continue;
      if (fall >= -FORETOLD * size * slope) return next;
      best = next;
    }
    return best;
  }

  /** The Newton step, the closer the nearer the optimum is. */
  async #newtonStep({ probabilities: p }: Evaluated, gradient: Gradient, lambda: number, limit: number): Promise<Step> {
    const { classes: K, weights } = this.#examples;
    const space = this.#space;
    const curvature = new Float64Array(p.length);
    for (let i = 0, at = 0; i < weights.length; i++) {
      const v = weights[i];
      for (let k = 0; k < K; k++, at++) curvature[at] = v * p[at] * (1 - p[at]);
    }
    const { tolerance, floor = 0 } = this.#options;
    const wanted = Math.max(tolerance / gradient.relative, (floor * this.#total) / gradient.norm);
    // So near the optimum the steps converge quadratically: few steps, each solved far, spare gradients.
    const forcing = Math.max(SAFE * wanted, Math.min(LOOSEST, gradient.relative));
    const hessian = await space.hessian(p, weights, this.#exactly);
    const equations = { hessian, gradient, lambda, forcing, limit };
    const precondition = await space.preconditioner(curvature, lambda, this.#hard);
    const step = await this.#conjugateGradients(equations, precondition);
    this.#hard ||= step.iterations > Math.max(20, space.size / 4);
    // A preconditioner that rounding has made indefinite goes nowhere; the gradient itself is a direction of descent.
    return step.iterations > 0 ? step : this.#conjugateGradients(equations, async (a, b) => ({ a, b: centred(b) }));
  }

  /** Solves Hessian x = -gradient until the preconditioned residual has fallen to `forcing` of what it was. */
  async #conjugateGradients(equations: NewtonEquations, precondition: Preconditioner): Promise<Step> {
    const space = this.#space;
    const { hessian, gradient, lambda, forcing, limit } = equations;
    let r = times(-1, gradient.a);
    let rb = times(-1, gradient.b);
    const x: Direction = {
      a: new Float64Array(r.length),
      image: new Float64Array(gradient.image.length),
      b: new Float64Array(rb.length),
    };
    let direction: Direction | undefined;
    let rho = 0;
    let first = 0;
    let iterations = 0;
    while (iterations < limit) {
      const { a, b } = await precondition(r, rb);
      const z: Direction = { a, image: await space.image(a), b };
      // Product of the residual with its preconditioned self: also the measure of how much is left.
      const next = space.dot(r, z.a, z.image) + inner(rb, z.b);
      if (!(next > 0)) break;
      if (iterations === 0) first = next;
      else if (next <= forcing * forcing * first) break;
      direction = direction ? moved(z, next / rho, direction) : z;
      rho = next;
      const curved = await hessian(direction);
      const m = plus(curved.a, 2 * lambda, direction.a);
      const steepness = space.dot(m, direction.a, direction.image) + inner(curved.b, direction.b);
      if (!(steepness > 0)) break;
      const alpha = rho / steepness;
      plus(x.a, alpha, direction.a, x.a);
      plus(x.image, alpha, direction.image, x.image);
      plus(x.b, alpha, direction.b, x.b);
      r = plus(r, -alpha, m);
      rb = plus(rb, -alpha, curved.b);
      iterations++;
    }
    return { a: x.a, b: x.b, logits: await space.logits(x.a, x.image), iterations };
  }
}

/** x + t y. */
function along(x: Iterate, t: number, y: Iterate): Iterate {
  return { a: plus(x.a, t, y.a), logits: plus(x.logits, t, y.logits), b: plus(x.b, t, y.b) };
}

function moved(x: Direction, t: number, y: Direction): Direction {
  return { a: plus(x.a, t, y.a), image: plus(x.image, t, y.image), b: plus(x.b, t, y.b) };
}
