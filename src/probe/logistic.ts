/**
 * l2 logistic regression (All-l2) to optimality over a grid of lambdas:
 *
 *   sum_i v_i CE_i(W, b) + lambda ||W||^2,   v with mean one, intercept free
 *
 * which is the convention of the linear-evaluation literature; scikit-learn's C is 1 / (2 lambda).
 *
 * With more features than examples W = X' A for some A (n, K), so everything happens on the n x n Gram matrix: exact,
 * and one pass over the features whatever the number of lambdas. Newton's method with conjugate gradients; the top of
 * the Gram matrix's spectrum, found once, preconditions every lambda.
 */
import { UserError } from '../base/index.js';
import type { Engine, Program } from '../engine/index.js';
import type { Design } from './design.js';
import { normalised } from './design.js';
import type { FeatureMatrix } from './features.js';
import { crossGram, gram, primalWeights } from './gram.js';
import { type LinearModel, linearModel } from './model.js';
import { MathBuilder, programFor, tensor } from './programs.js';
import { multinomialProblem, type Problem } from './solver/problem.js';
import { topEigen } from './solver/spectrum.js';

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
export const logisticDefaults: LogisticOptions = {
  lambdas: Array.from({ length: 45 }, (_, i) => 10 ** (-6 + i / 4)),
  tolerance: 1e-5,
  maxIterations: 5000,
  classes: undefined,
};

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

export interface LogisticSolution {
  /** In the order of the given grid. */
  readonly points: readonly LogisticPoint[];
  readonly classes: number;
  readonly converged: boolean;
  /** The probe at one lambda of the grid. One pass over the features. */
  model(index: number): Promise<LinearModel>;
  /** Logits (rows.length, K) at every lambda of the grid, in one pass over the features. */
  logits(matrix: FeatureMatrix, rows: ArrayLike<number>): Promise<Float64Array[]>;
}

/** Where the weights live: on the examples through the Gram matrix, or on the features themselves. */
interface Space {
  /** Number of coefficients per class. */
  readonly size: number;
  /** Logits of coefficients, (n, K). */
  forward(a: Float64Array): Promise<Float64Array>;
  /** Coefficients of the gradient for a gradient with respect to the logits. */
  adjoint(d: Float64Array): Promise<Float64Array>;
  /** Inner product in weight space; `image` is forward(b). */
  dot(a: Float64Array, b: Float64Array, image: Float64Array): number;
  /** Approximate inverse of curvature * X'X + 2 lambda. */
  precondition(r: Float64Array, curvature: number, lambda: number): Promise<Float64Array>;
  weights(a: Float64Array): Promise<Float64Array>;
}

/** @throws UserError on labels or a grid that make no sense. */
export async function fitLogistic(
  engine: Engine,
  design: Design,
  labels: ArrayLike<number>,
  options: Partial<LogisticOptions> = {},
): Promise<LogisticSolution> {
  const settings = { ...logisticDefaults, ...options };
  const lambdas = Float64Array.from(settings.lambdas);
  if (lambdas.length === 0) throw new UserError('the lambda grid is empty: give at least one value');
  const bad = lambdas.find((l) => !(l > 0 && Number.isFinite(l)));
  if (bad !== undefined) throw new UserError(`lambda ${bad} in the grid: every lambda must be positive`);
  const problem = multinomialProblem(design, labels, settings.classes);
  const space = await spaceOf(engine, problem);
  const solver = new NewtonSolver(problem, space, settings);
  const order = Array.from(lambdas, (_, i) => i).sort((i, j) => (lambdas[j] as number) - (lambdas[i] as number));
  const points: LogisticPoint[] = [];
  const solved: { a: Float64Array; b: Float64Array }[] = [];
  for (const i of order) {
    points[i] = await solver.solve(lambdas[i] as number);
    solved[i] = { a: solver.a.slice(), b: solver.b.slice() };
  }
  const K = problem.classes;
  return {
    points,
    classes: K,
    converged: points.every((point) => point.converged),
    async model(index) {
      const chosen = solved[index];
      if (!chosen) throw new UserError(`lambda number ${index} of a grid of ${solved.length}`);
      const all = Int32Array.from({ length: design.matrix.features }, (_, j) => j);
      return linearModel(design, K, all, await space.weights(chosen.a), chosen.b);
    },
    async logits(matrix, rows) {
      const others = await space.others(matrix, rows);
      const results: Float64Array[] = [];
      for (const { a, b } of solved) {
        const z = await others(a);
        for (let i = 0; i < z.length; i++) z[i] = (z[i] as number) + (b[i % K] as number);
        results.push(z);
      }
      return results;
    },
  };
}

/** Matrix products a b in float64, a transposed when asked. */
async function products(
  engine: Engine,
): Promise<(a: Matrix, b: Matrix, transposed?: boolean) => Promise<Float64Array>> {
  const build = (transposed: boolean) =>
    programFor(engine, `product ${transposed}`, () => {
      const g = new MathBuilder('float64');
      const a = g.input('a');
      g.output(g.op('MatMul', [transposed ? g.op('Transpose', [a], { perm: [1, 0] }) : a, g.input('b')]), 'c');
      return g.builder.build();
    });
  const [plain, flipped] = (await Promise.all([build(false), build(true)])) as [Program, Program];
  return async (a, b, transposed = false) => {
    const { c } = await (transposed ? flipped : plain).run({
      a: tensor([a.rows, a.columns], a.data),
      b: tensor([b.rows, b.columns], b.data),
    });
    return c?.data as Float64Array;
  };
}

interface Matrix {
  rows: number;
  columns: number;
  data: Float64Array;
}

async function spaceOf(engine: Engine, problem: Problem) {
  const { design, n, classes: K } = problem;
  const p = design.matrix.features;
  const multiply = await products(engine);
  const dual = p > n;
  const size = dual ? n : p;
  const x = dual
    ? undefined
    : await normalised(
        design,
        Array.from({ length: p }, (_, j) => j),
        new Float64Array(p * n),
      );
  const features: Matrix | undefined = x && { rows: p, columns: n, data: x };
  const kernel: Matrix = {
    rows: size,
    columns: size,
    data: features
      ? await multiply(features, { rows: n, columns: p, data: await transposed(engine, features) })
      : await gram(engine, design),
  };
  const top = await topEigen(engine, kernel.data, size);
  const vectors: Matrix = { rows: size, columns: top.values.length, data: top.vectors };
  // In the Gram space a preconditioner must be symmetric in the inner product a'Gb: a multiple of one plus U S U'G.
  const images: Matrix = dual
    ? { rows: size, columns: top.values.length, data: await multiply(kernel, vectors) }
    : vectors;
  const space: Space = {
    size,
    forward: (a) =>
      dual
        ? multiply(kernel, { rows: n, columns: K, data: a })
        : multiply(features as Matrix, { rows: p, columns: K, data: a }, true),
    adjoint: async (d) => (dual ? d : multiply(features as Matrix, { rows: n, columns: K, data: d })),
    dot: (a, b, image) => inner(a, dual ? image : b),
    async precondition(r, curvature, lambda) {
      const rest = 1 / (curvature * top.rest + 2 * lambda);
      if (top.values.length === 0) return r.map((v) => v * rest);
      const parts = await multiply(images, { rows: size, columns: K, data: r }, true);
      for (let e = 0; e < top.values.length; e++) {
        const value = top.values[e] as number;
        const factor = (1 / (curvature * value + 2 * lambda) - rest) / (dual ? value : 1);
        for (let k = 0; k < K; k++) parts[e * K + k] = (parts[e * K + k] as number) * factor;
      }
      const result = await multiply(vectors, { rows: top.values.length, columns: K, data: parts });
      for (let i = 0; i < r.length; i++) result[i] = (result[i] as number) + rest * (r[i] as number);
      return result;
    },
    weights: async (a) => (dual ? primalWeights(engine, design, a, K) : a.slice()),
  };
  const others = async (matrix: FeatureMatrix, rows: ArrayLike<number>) => {
    if (dual) {
      const cross: Matrix = { rows: rows.length, columns: n, data: await crossGram(engine, design, matrix, rows) };
      return (a: Float64Array) => multiply(cross, { rows: n, columns: K, data: a });
    }
    const all = Array.from({ length: p }, (_, j) => j);
    const chosen = Int32Array.from({ length: rows.length }, (_, i) => rows[i] as number);
    const values = await normalised({ ...design, matrix, rows: chosen }, all, new Float64Array(p * rows.length));
    return (a: Float64Array) =>
      multiply({ rows: p, columns: rows.length, data: values }, { rows: p, columns: K, data: a }, true);
  };
  return { ...space, others };
}

async function transposed(engine: Engine, m: Matrix): Promise<Float64Array> {
  const program = await programFor(engine, 'transpose float64', () => {
    const g = new MathBuilder('float64');
    g.output(g.op('Transpose', [g.input('x')], { perm: [1, 0] }), 'xt');
    return g.builder.build();
  });
  const { xt } = await program.run({ x: tensor([m.rows, m.columns], m.data) });
  return xt?.data as Float64Array;
}

function inner(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] as number) * (b[i] as number);
  return sum;
}

/** y + s x into a new array. */
function plus(y: Float64Array, s: number, x: Float64Array): Float64Array {
  const result = new Float64Array(y.length);
  for (let i = 0; i < y.length; i++) result[i] = (y[i] as number) + s * (x[i] as number);
  return result;
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

class NewtonSolver {
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
      let top = Number.NEGATIVE_INFINITY;
      for (let k = 0; k < K; k++) {
        const value = (image[at + k] as number) + (b[k] as number);
        probabilities[at + k] = value;
        if (value > top) top = value;
      }
      const own = probabilities[at + (labels[i] as number)] as number;
      let total = 0;
      for (let k = 0; k < K; k++) {
        const e = Math.exp((probabilities[at + k] as number) - top);
        probabilities[at + k] = e;
        total += e;
      }
      for (let k = 0; k < K; k++) probabilities[at + k] = (probabilities[at + k] as number) / total;
      loss += (this.#v[i] as number) * (Math.log(total) + top - own);
    }
    return { probabilities, objective: loss + lambda * this.#space.dot(a, a, image) };
  }

  /** v (p - y), (n, K), and its column sums. */
  #residual({ probabilities }: Evaluated): { d: Float64Array; sums: Float64Array } {
    const { n, classes: K, labels } = this.#problem;
    const d = new Float64Array(n * K);
    const sums = new Float64Array(K);
    for (let i = 0; i < n; i++) {
      const v = this.#v[i] as number;
      for (let k = 0; k < K; k++) {
        const value = v * ((probabilities[i * K + k] as number) - (k === labels[i] ? 1 : 0));
        d[i * K + k] = value;
        sums[k] = (sums[k] as number) + value;
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
      for (let k = 0; k < K; k++) mean += (p[at + k] as number) * ((image[at + k] as number) + (b[k] as number));
      const v = this.#v[i] as number;
      for (let k = 0; k < K; k++) {
        const value = v * (p[at + k] as number) * ((image[at + k] as number) + (b[k] as number) - mean);
        d[at + k] = value;
        sums[k] = (sums[k] as number) + value;
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
    const on = (x: Float64Array, y: Float64Array) => y.map((v, i) => v + t * (v - (x[i] as number)));
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
        const value = (this.#v[i] as number) * (p[at] as number) * (1 - (p[at] as number));
        curvature += value;
        perClass[k] = (perClass[k] as number) + value;
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
      const z = await space.precondition(r, curvature, lambda);
      const zImage = await space.forward(z);
      const zb = rb.map((v, k) => v * (scaleB[k] as number));
      // Product of the residual with its preconditioned self: also the measure of how much is left.
      const next = space.dot(r, z, zImage) + inner(rb, zb);
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
