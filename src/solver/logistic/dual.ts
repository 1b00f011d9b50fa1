/**
 * Logistic regression with an l2 penalty, of one class an example or of several labels each by itself, in the span of the
 * training examples:
 *
 *   minimise  sum_i s_i CE_i(G A + b) + lambda / 2 tr(A' G A)
 *
 * over A (n, K) and b, with the cross-entropy CE of a class or the sum of those of labels, shares s that sum to one (1/n each by default) and G the centred kernel. This is the dual of
 * a pair: W = X' A is the same probe in features (see primal.ts, whose lambda is n / 2 times this one). Used where
 * hundreds of probes are compared in cross-validation: limited-memory BFGS in the inner product of G, one product with G
 * per iteration, in the precision of G.
 */
import type { Engine } from '../../engine/index.js';
import { GraphBuilder } from '../../ir/index.js';
import { giveBuffers, takeBuffer } from '../buffers.js';
import type { Kernel } from '../gram-sum.js';
import { logisticLoss } from '../losses/index.js';
import { countMacs } from '../macs.js';
import { type Floats, precisionOf, programFor, tensor } from '../programs.js';
import { totalLoss } from '../softmax.js';
import { inner, plus } from '../vectors.js';
import { meanOne } from '../weights.js';
import { extrapolated, POINTS, type Iterate as Point, type Solution } from './extrapolation.js';
import { Curvature, type Direction, dot, giveUp, scaleBy } from './lbfgs.js';

/** A logistic regression in the span of the examples. */
export interface KernelFit {
  readonly lambda: number;
  /** (n, K). */
  readonly coefficients: Float64Array;
  readonly intercept: Float64Array;
  readonly objective: number;
  readonly iterations: number;
  /** Whether the tolerance was met; the best iterate is returned all the same. */
  readonly converged: boolean;
}

/** Penalty and tolerance. */
export interface KernelLogisticOptions {
  /**
   * Norm of the gradient relative to that of the loss's part of it, which the penalty's part cancels at the optimum. A
   * kernel in float32 may not let it below 1e-3, where the objective is within 1e-6 of the optimum.
   */
  tolerance: number;
  maxIterations: number;
  /** Weight per training row; any positive scale. Equal weights by default. */
  weights: ArrayLike<number> | undefined;
}
/** What holds where nothing is said. */
export const kernelLogisticDefaults: KernelLogisticOptions = {
  tolerance: 0.1,
  maxIterations: 150,
  weights: undefined,
};

/** Classes of a kernel's training rows, and how many there are. */
export interface KernelLabels {
  readonly labels: ArrayLike<number>;
  readonly classes: number;
}

/** Several labels of a kernel's training rows, each 0 or 1, (n, classes). */
export interface KernelTruth {
  readonly truth: Float64Array;
  readonly classes: number;
}

/** Loss of scores z + b, (n, K), and where the intercept starts. */
interface RowLoss {
  readonly intercept: Float64Array;
  /** @param residual receives s (y - p) */
  at(z: Float64Array, b: Float64Array, residual: Float64Array): number;
}

/** @param weights s */
function lossOfClasses({ labels: given, classes: K }: KernelLabels, weights: Float64Array): RowLoss {
  const labels = Int32Array.from(given);
  const n = labels.length;
  const frequencies = new Float64Array(K);
  for (const [i, c] of labels.entries()) frequencies[c] += weights[i];
  return {
    intercept: frequencies.map((f) => Math.log(Math.max(1e-3 / n, f))),
    at(z, b, residual) {
      const loss = totalLoss(z, b, { labels, weights }, residual);
      for (let i = 0, e = 0; i < n; i++) {
        for (let k = 0; k < K; k++, e++) residual[e] *= -weights[i];
        residual[i * K + labels[i]] += weights[i];
      }
      return loss;
    },
  };
}

function lossOfLabels({ truth, classes: K }: KernelTruth, weights: Float64Array): RowLoss {
  const n = weights.length;
  const frequencies = new Float64Array(K);
  for (const [at, t] of truth.entries()) frequencies[at % K] += weights[Math.floor(at / K)] * t;
  const within = (f: number) => Math.min(1 - 1e-3 / n, Math.max(1e-3 / n, f));
  return {
    intercept: frequencies.map((f) => Math.log(within(f)) - Math.log1p(-within(f))),
    at(z, b, residual) {
      let loss = 0;
      for (let i = 0, e = 0; i < n; i++) {
        for (let k = 0; k < K; k++, e++) {
          const score = z[e] + b[k];
          loss += weights[i] * logisticLoss(score, truth[e]);
          residual[e] = weights[i] * (truth[e] - 1 / (1 + Math.exp(-score)));
        }
      }
      return loss;
    },
  };
}

/** Where the solver stands. */
interface Iterate {
  /** Coefficients, and logits without intercept, (n, K). */
  readonly a: Float64Array;
  readonly z: Float64Array;
  readonly b: Float64Array;
  /** tr(A' G A). */
  readonly square: number;
  readonly objective: number;
  /** s (y - p), (n, K): minus the gradient of the loss with respect to the logits. */
  readonly residual: Float64Array;
}

type Arrays = Pick<Iterate, 'a' | 'z' | 'residual'>;

interface Gradient extends Direction {
  readonly norm: number;
  /** Norm of the loss's part alone. */
  readonly parts: number;
}

/** A direction to search along. */
interface Step extends Direction {
  /** Of the objective along it. */
  readonly slope: number;
  /** Whether its length means nothing yet. */
  readonly unscaled: boolean;
}

/** Steps in a row, each gaining less than this share of the objective, after which it is as low as rounding lets it. */
const STILL = 3;
const ROUNDING = 1e-12;
/** Lengths of a step that are tried. */
const TRIES = 25;

/** Logistic regression by the kernel of the examples: for more features than examples. */
export class KernelLogistic {
  readonly #engine: Engine;
  readonly #kernel: Kernel;
  readonly #options: KernelLogisticOptions;
  readonly #classes: number;
  readonly #loss: RowLoss;
  /** The intercept's unit, in which it has the curvature of an average kernel direction. */
  readonly #unit: number;
  /** The last fits, of which the next one starts from the last or from where they lead to. */
  #past: Solution[];

  constructor(
    engine: Engine,
    kernel: Kernel,
    examples: KernelLabels | KernelTruth,
    options: Partial<KernelLogisticOptions> = {},
  ) {
    this.#engine = engine;
    this.#kernel = kernel;
    this.#options = { ...kernelLogisticDefaults, ...options };
    const { classes } = examples;
    this.#classes = classes;
    const { n, train } = kernel;
    const weights = meanOne(this.#options.weights, n).map((w) => w / n);
    this.#loss = 'truth' in examples ? lossOfLabels(examples, weights) : lossOfClasses(examples, weights);
    const zero = () => new Float64Array(n * classes);
    this.#past = [{ a: zero(), logits: zero(), b: this.#loss.intercept, lambda: Number.NaN }];
    let trace = 0;
    for (let i = 0; i < n; i++) trace += train[i * n + i] / n;
    this.#unit = Math.sqrt(Math.max(trace, 1e-12));
  }

  /** Starts the next fit from these coefficients (of another kernel over the same rows). */
  async warmStart(coefficients: Float64Array, intercept: Float64Array): Promise<void> {
    const a = coefficients.slice();
    this.#past = [{ a, logits: await this.#product(a), b: intercept.slice(), lambda: Number.NaN }];
  }

  #product(a: Float64Array): Promise<Float64Array> {
    const { train, n } = this.#kernel;
    return multiply(this.#engine, { data: train, rows: n, columns: n }, a, this.#classes);
  }

  /** Fits one lambda, from where the last ended or where the last ones lead to. */
  async fit(lambda: number): Promise<KernelFit> {
    const { tolerance, maxIterations } = this.#options;
    const size = this.#kernel.n * this.#classes;
    const copy = (values: Float64Array) => {
      const own = takeBuffer(size);
      own.set(values);
      return own;
    };
    const at = ({ a, logits, b }: Point) => {
      const own = { a: copy(a), z: copy(logits), b, square: inner(a, logits) };
      return this.#evaluate(own, lambda, takeBuffer(size));
    };
    const last = at(this.#past.at(-1) as Solution);
    const foretold = extrapolated(this.#past, lambda);
    const ahead = foretold && at(foretold);
    // A square below zero is the rounding of a kernel that lacks rank.
    let now = ahead && ahead.objective < last.objective && ahead.square >= 0 ? ahead : last;
    let gradient = await this.#gradient(now, lambda);
    // What the last iterate leaves behind is written over: large arrays are costly to allocate.
    let spare: Arrays = { a: takeBuffer(size), z: takeBuffer(size), residual: takeBuffer(size) };
    const curvature = new Curvature();
    let converged = gradient.norm <= tolerance * gradient.parts;
    let iterations = 0;
    let still = 0;
    while (!converged && iterations < maxIterations) {
      iterations++;
      const direction = curvature.step(gradient, 1 / this.#unit ** 2);
      const step = { ...direction, slope: dot(gradient, direction), unscaled: curvature.isEmpty };
      const next = this.#lineSearch(now, step, lambda, spare);
      if (!next) {
        giveUp(step);
        // The curvature that was gathered misleads; without it the step is down the gradient.
        if (curvature.isEmpty) break;
        curvature.clear();
        continue;
      }
      const there = await this.#gradient(next, lambda);
      curvature.add(step, gradient, there, 1e-14 * Math.abs(now.objective));
      still = now.objective - next.objective > ROUNDING * now.objective ? 0 : still + 1;
      giveUp(gradient);
      [spare, now, gradient] = [now, next, there];
      converged = gradient.norm <= tolerance * gradient.parts || still >= STILL;
    }
    curvature.clear();
    giveUp(gradient);
    giveBuffers(spare.a, spare.z, spare.residual, now.residual);
    const solution = { a: now.a, logits: now.z, b: now.b, lambda };
    this.#past = [...this.#past.filter((past) => past.lambda !== lambda), solution].slice(-POINTS);
    const { a: coefficients, b: intercept, objective } = now;
    return { lambda, coefficients, intercept, objective, iterations, converged };
  }

  #evaluate(at: Pick<Iterate, 'a' | 'z' | 'b' | 'square'>, lambda: number, residual: Float64Array): Iterate {
    const loss = this.#loss.at(at.z, at.b, residual);
    return { ...at, objective: loss + 0.5 * lambda * at.square, residual };
  }

  /** Coefficients of the gradient, their image under the kernel, and its part for the intercept in units. */
  async #gradient({ a, z, residual: r }: Iterate, lambda: number): Promise<Gradient> {
    const [K, unit] = [this.#classes, this.#unit];
    const b = new Float64Array(K);
    const ga = takeBuffer(a.length);
    const image = await this.#product(r);
    const parts = Math.sqrt(Math.max(0, inner(r, image)));
    for (let at = 0; at < a.length; ) {
      for (let k = 0; k < K; k++, at++) {
        ga[at] = lambda * a[at] - r[at];
        image[at] = lambda * z[at] - image[at];
        b[k] -= r[at] * unit;
      }
    }
    const gradient = { a: ga, z: image, b };
    return { ...gradient, norm: Math.sqrt(Math.max(0, dot(gradient, gradient))), parts };
  }

  /**
   * A point along a step at which the objective falls enough, in the arrays of `into`; `step` is scaled to what was gone
   * of it. Undefined when there is none, or the step does not lead down.
   */
  #lineSearch(now: Iterate, step: Step, lambda: number, into: Arrays): Iterate | undefined {
    const { slope } = step;
    if (!(slope < 0)) return undefined;
    const crossing = inner(now.a, step.z);
    const curvature = inner(step.a, step.z);
    const evaluate = (t: number) => {
      const z = plus(now.z, t, step.z, into.z);
      const b = plus(now.b, t * this.#unit, step.b);
      const square = now.square + 2 * t * crossing + t * t * curvature;
      return this.#evaluate({ a: into.a, z, b, square }, lambda, into.residual);
    };
    /** Where the parabola through this value, and through value and slope at 0, is lowest. */
    const lowest = (t: number, value: number) => (-slope * t * t) / (2 * (value - now.objective - slope * t));
    let t = 1;
    let next = evaluate(t);
    // A square below zero is the rounding of a kernel that lacks rank.
    for (let tries = 0; !(next.objective <= now.objective + 1e-4 * t * slope && next.square >= 0); tries++) {
      if (tries === TRIES) return undefined;
      const fit = lowest(t, next.objective);
      t = Number.isFinite(fit) ? Math.min(0.6 * t, Math.max(0.1 * t, fit)) : 0.1 * t;
      next = evaluate(t);
    }
    for (let tries = 0; step.unscaled && tries < TRIES; tries++) {
      const fit = lowest(t, next.objective);
      const longer = fit > 0 ? Math.min(10 * t, fit) : 10 * t;
      if (longer < 2 * t) break;
      const there = evaluate(longer);
      if (!(there.objective < next.objective && there.square >= 0)) {
        next = evaluate(t);
        break;
      }
      [t, next] = [longer, there];
    }
    const a = plus(now.a, t, step.a, into.a);
    scaleBy(step, t);
    return { ...next, a, square: inner(a, next.z) };
  }

  /** Logits (m, K) of the kernel's other rows. */
  async predict({ coefficients, intercept }: KernelFit): Promise<Float64Array> {
    const { others, m, n } = this.#kernel;
    const K = this.#classes;
    const logits = await multiply(this.#engine, { data: others, rows: m, columns: n }, coefficients, K);
    for (let at = 0; at < logits.length; at++) logits[at] += intercept[at % K];
    return logits;
  }
}

/** Multiply-adds below which a call of the engine costs more than the product. */
const SMALL = 3e4;

/** g (rows, columns) times a (columns, K), in the precision of g. */
async function multiply(
  engine: Engine,
  { data: g, rows, columns }: { data: Floats; rows: number; columns: number },
  a: Float64Array,
  K: number,
): Promise<Float64Array> {
  countMacs(engine, rows * columns * K);
  if (rows * columns * K < SMALL) return multiplySmall({ data: g, rows, columns }, a, K);
  const precision = precisionOf(g);
  const program = await programFor(engine, `kernel product ${precision}`, () => {
    const m = GraphBuilder.of(precision);
    m.output(m.matmul(m.input('g'), m.input('a')), 'z');
    return m.build();
  });
  const product = takeBuffer(rows * K);
  const run = (from: Floats, into: Floats) =>
    program.run({ g: tensor([rows, columns], g), a: tensor([columns, K], from) }, undefined, {
      z: tensor([rows, K], into),
    });
  if (precision === 'float64') {
    await run(a, product);
    return product;
  }
  const [rounded, z] = [takeBuffer(a.length, 'float32'), takeBuffer(product.length, 'float32')];
  rounded.set(a);
  await run(rounded, z);
  product.set(z);
  giveBuffers(rounded, z);
  return product;
}

/** Row by row against the columns of a, one after another in memory; four sums, since one would wait for itself. */
function multiplySmall(
  { data: g, rows, columns }: { data: Floats; rows: number; columns: number },
  a: Float64Array,
  K: number,
): Float64Array {
  const z = new Float64Array(rows * K);
  const column = new Float64Array(columns);
  const whole = columns - (columns % 4);
  for (let k = 0; k < K; k++) {
    for (let j = 0; j < columns; j++) column[j] = a[j * K + k];
    for (let i = 0, from = 0; i < rows; i++, from += columns) {
      let [p, q, r, s] = [0, 0, 0, 0];
      for (let j = 0; j < whole; j += 4) {
        p += g[from + j] * column[j];
        q += g[from + j + 1] * column[j + 1];
        r += g[from + j + 2] * column[j + 2];
        s += g[from + j + 3] * column[j + 3];
      }
      for (let j = whole; j < columns; j++) p += g[from + j] * column[j];
      z[i * K + k] = p + q + r + s;
    }
  }
  return z;
}
