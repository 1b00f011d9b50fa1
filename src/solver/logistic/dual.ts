/**
 * Multinomial logistic regression with an l2 penalty, in the span of the training examples:
 *
 *   minimise  sum_i s_i CE_i(G A + b) + lambda / 2 tr(A' G A)
 *
 * over A (n, K) and b, with shares s that sum to one (1/n each by default) and G the centred kernel. This is the dual of
 * a pair: W = X' A is the same probe in features (see primal.ts, whose lambda is n / 2 times this one). Used where
 * hundreds of probes are compared in cross-validation: limited-memory BFGS in the inner product of G, one product with G
 * in float32 per iteration.
 */
import type { Engine } from '../../engine/index.js';
import type { Kernel } from '../gram-sum.js';
import { MathBuilder, programFor, tensor } from '../programs.js';
import { totalLoss, type Weighted } from '../softmax.js';
import { inner, plus } from '../vectors.js';
import { meanOne } from '../weights.js';
import { Curvature, type Direction, dot, scaleBy } from './lbfgs.js';

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

export interface KernelLogisticOptions {
  /** Norm of the gradient relative to that of its two parts, which cancel at the optimum. */
  tolerance: number;
  maxIterations: number;
  /** Weight per training row; any positive scale. Equal weights by default. */
  weights: ArrayLike<number> | undefined;
}
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

export class KernelLogistic {
  readonly #engine: Engine;
  readonly #kernel: Kernel;
  readonly #options: KernelLogisticOptions;
  readonly #classes: number;
  readonly #examples: Weighted;
  /** The intercept's unit, in which it has the curvature of an average kernel direction. */
  readonly #unit: number;
  /** Where the next fit starts. */
  #start: Pick<Iterate, 'a' | 'z' | 'b'>;

  constructor(
    engine: Engine,
    kernel: Kernel,
    { labels, classes }: KernelLabels,
    options: Partial<KernelLogisticOptions> = {},
  ) {
    this.#engine = engine;
    this.#kernel = kernel;
    this.#options = { ...kernelLogisticDefaults, ...options };
    this.#classes = classes;
    const { n, train } = kernel;
    const weights = meanOne(this.#options.weights, n).map((w) => w / n);
    this.#examples = { labels: Int32Array.from(labels), weights };
    const frequencies = new Float64Array(classes);
    for (const [i, c] of this.#examples.labels.entries()) frequencies[c] += weights[i];
    this.#start = {
      a: new Float64Array(n * classes),
      z: new Float64Array(n * classes),
      b: frequencies.map((f) => Math.log(Math.max(1e-3 / n, f))),
    };
    let trace = 0;
    for (let i = 0; i < n; i++) trace += train[i * n + i] / n;
    this.#unit = Math.sqrt(Math.max(trace, 1e-12));
  }

  /** Starts the next fit from these coefficients (of another kernel over the same rows). */
  async warmStart(coefficients: Float64Array, intercept: Float64Array): Promise<void> {
    const a = coefficients.slice();
    this.#start = { a, z: await this.#product(a), b: intercept.slice() };
  }

  #product(a: Float64Array): Promise<Float64Array> {
    const { train, n } = this.#kernel;
    return multiply(this.#engine, { data: train, rows: n, columns: n }, a, this.#classes);
  }

  /** Fits one lambda, from where the last ended. */
  async fit(lambda: number): Promise<KernelFit> {
    const { tolerance, maxIterations } = this.#options;
    const size = this.#kernel.n * this.#classes;
    const { a, z, b } = this.#start;
    let now = this.#evaluate({ a: a.slice(), z: z.slice(), b, square: inner(a, z) }, lambda, new Float64Array(size));
    let gradient = await this.#gradient(now, lambda);
    // What the last iterate leaves behind is written over: large arrays are costly to allocate.
    let spare: Arrays = { a: new Float64Array(size), z: new Float64Array(size), residual: new Float64Array(size) };
    const curvature = new Curvature();
    const met = () => gradient.norm <= tolerance * gradient.parts;
    let iterations = 0;
    while (!met() && iterations < maxIterations) {
      iterations++;
      const step = curvature.step(gradient, 1 / this.#unit ** 2);
      const next = this.#lineSearch(now, step, dot(gradient, step), lambda, spare);
      if (!next) {
        // The curvature that was gathered misleads; without it the step is down the gradient.
        if (curvature.isEmpty) break;
        curvature.clear();
        continue;
      }
      const there = await this.#gradient(next, lambda);
      curvature.add(step, gradient, there, 1e-14 * Math.abs(now.objective));
      [spare, now, gradient] = [now, next, there];
    }
    this.#start = now;
    const { a: coefficients, b: intercept, objective } = now;
    return { lambda, coefficients, intercept, objective, iterations, converged: met() };
  }

  #evaluate(at: Pick<Iterate, 'a' | 'z' | 'b' | 'square'>, lambda: number, residual: Float64Array): Iterate {
    const { labels, weights } = this.#examples;
    const K = this.#classes;
    const loss = totalLoss(at.z, at.b, this.#examples, residual);
    for (let i = 0, e = 0; i < labels.length; i++) {
      for (let k = 0; k < K; k++, e++) residual[e] *= -weights[i];
      residual[i * K + labels[i]] += weights[i];
    }
    return { ...at, objective: loss + 0.5 * lambda * at.square, residual };
  }

  /** Coefficients of the gradient, their image under the kernel, and its part for the intercept in units. */
  async #gradient({ a, z, residual: r }: Iterate, lambda: number): Promise<Gradient> {
    const K = this.#classes;
    const b = new Float64Array(K);
    const ga = new Float64Array(a.length);
    const image = await this.#product(r);
    const parts = Math.sqrt(Math.max(0, inner(r, image)));
    for (let at = 0; at < a.length; ) {
      for (let k = 0; k < K; k++, at++) {
        ga[at] = lambda * a[at] - r[at];
        image[at] = lambda * z[at] - image[at];
        b[k] -= r[at] * this.#unit;
      }
    }
    const gradient = { a: ga, z: image, b };
    return { ...gradient, norm: Math.sqrt(Math.max(0, dot(gradient, gradient))), parts };
  }

  /**
   * The first point along a step at which the objective falls enough, in the arrays of `into`; `step` is scaled to what
   * was gone of it. Undefined when there is none, or the step does not lead down.
   */
  #lineSearch(now: Iterate, step: Direction, slope: number, lambda: number, into: Arrays): Iterate | undefined {
    if (!(slope < 0)) return undefined;
    const crossing = inner(now.a, step.z);
    const curvature = inner(step.a, step.z);
    for (let t = 1, tries = 0; tries < 25; tries++) {
      const z = plus(now.z, t, step.z, into.z);
      const b = plus(now.b, t * this.#unit, step.b);
      const square = now.square + 2 * t * crossing + t * t * curvature;
      const next = this.#evaluate({ a: into.a, z, b, square }, lambda, into.residual);
      if (next.objective <= now.objective + 1e-4 * t * slope) {
        const a = plus(now.a, t, step.a, into.a);
        scaleBy(step, t);
        return { ...next, a, square: inner(a, z) };
      }
      const fit = (-slope * t * t) / (2 * (next.objective - now.objective - slope * t));
      t = Number.isFinite(fit) ? Math.min(0.6 * t, Math.max(0.1 * t, fit)) : 0.1 * t;
    }
    return undefined;
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
const SMALL = 2e5;

/** g (rows, columns) times a (columns, K), in float32. */
async function multiply(
  engine: Engine,
  { data: g, rows, columns }: { data: Float32Array; rows: number; columns: number },
  a: Float64Array,
  K: number,
): Promise<Float64Array> {
  if (rows * columns * K < SMALL) {
    const z = new Float64Array(rows * K);
    for (let i = 0, at = 0; i < rows; i++) {
      for (let j = 0; j < columns; j++, at++) for (let k = 0; k < K; k++) z[i * K + k] += g[at] * a[j * K + k];
    }
    return z;
  }
  const program = await programFor(engine, 'kernel product', () => {
    const m = new MathBuilder('float32');
    m.output(m.op('MatMul', [m.input('g'), m.input('a')]), 'z');
    return m.builder.build();
  });
  const { z } = await program.run({ g: tensor([rows, columns], g), a: tensor([columns, K], Float32Array.from(a)) });
  return Float64Array.from(z.data as Float32Array);
}
