/**
 * Multinomial logistic regression with an l2 penalty, in the span of the training examples:
 *
 *   minimise  mean cross-entropy of softmax(G A + b) + lambda / 2 tr(A' G A)
 *
 * over A (n, K) and b, G the centred kernel. W = X' A is the same probe in features. Used where hundreds of probes are
 * compared in cross-validation: limited-memory BFGS in the inner product of G, one product with G per iteration.
 */
import type { Engine } from '../../engine/index.js';
import { MathBuilder, programFor, tensor } from '../programs.js';
import type { Kernel } from './gram.js';

export interface KernelFit {
  readonly lambda: number;
  /** (n, K). */
  readonly coefficients: Float64Array;
  readonly intercept: Float64Array;
  readonly objective: number;
  readonly iterations: number;
  readonly converged: boolean;
}

export interface KernelLogisticOptions {
  /** Norm of the gradient relative to that of its two parts, which cancel at the optimum. */
  tolerance: number;
  maxIterations: number;
}
export const kernelLogisticDefaults: KernelLogisticOptions = { tolerance: 0.1, maxIterations: 150 };

/** Pairs that BFGS remembers. */
const MEMORY = 6;

export class KernelLogistic {
  readonly #options: KernelLogisticOptions;
  readonly #y: Int32Array;
  /** Logits without intercept of the current coefficients. */
  #z: Float64Array;
  #a: Float64Array;
  #b: Float64Array;

  constructor(
    readonly engine: Engine,
    readonly kernel: Kernel,
    labels: ArrayLike<number>,
    readonly classes: number,
    options: Partial<KernelLogisticOptions> = {},
  ) {
    this.#options = { ...kernelLogisticDefaults, ...options };
    this.#y = Int32Array.from(labels);
    const { n } = kernel;
    this.#a = new Float64Array(n * classes);
    this.#z = new Float64Array(n * classes);
    this.#b = new Float64Array(classes);
    for (const c of this.#y) this.#b[c] += 1 / n;
    for (let k = 0; k < classes; k++) this.#b[k] = Math.log(Math.max(1e-3 / n, this.#b[k]));
  }

  /** Starts the next fit from these coefficients (of another kernel over the same rows). */
  async warmStart(coefficients: Float64Array, intercept: Float64Array): Promise<void> {
    this.#a = coefficients.slice();
    this.#b = intercept.slice();
    this.#z = await this.#product(this.#a);
  }

  async #product(a: Float64Array): Promise<Float64Array> {
    const { train, n } = this.kernel;
    return multiply(this.engine, train, n, a, n, this.classes);
  }

  /** Fits one lambda, warm-started from the last. */
  async fit(lambda: number): Promise<KernelFit> {
    const { n } = this.kernel;
    const K = this.classes;
    const size = n * K;
    const { tolerance, maxIterations } = this.#options;
    let [a, z, b] = [this.#a.slice(), this.#z.slice(), this.#b];
    const value = (za: Float64Array, ba: Float64Array, square: number, r: Float64Array) =>
      lossAndResidual(za, ba, this.#y, n, K, r) + 0.5 * lambda * square;
    let r = new Float64Array(size);
    let square = inner(a, z);
    let f = value(z, b, square, r);
    // Gradient: coefficients ga (its image under G is gz), and gb for the intercept.
    const gradient = async (aa: Float64Array, za: Float64Array, ra: Float64Array) => {
      const ga = new Float64Array(size);
      const gb = new Float64Array(K);
      for (let i = 0, at = 0; i < n; i++) {
        for (let k = 0; k < K; k++, at++) {
          ga[at] = lambda * aa[at] - ra[at];
          gb[k] -= ra[at];
        }
      }
      const image = await this.#product(ra);
      let parts = 0;
      for (let at = 0; at < size; at++) parts += ra[at] * image[at];
      for (let at = 0; at < size; at++) image[at] = lambda * za[at] - image[at];
      return { a: ga, z: image, b: gb.map((v) => v * unit), parts: Math.sqrt(Math.max(0, parts)) };
    };
    // The intercept is measured in units in which it has the curvature of an average kernel direction.
    let trace = 0;
    for (let i = 0; i < n; i++) trace += this.kernel.train[i * n + i] / n;
    const unit = Math.sqrt(Math.max(trace, 1e-12));
    const dot = (u: Triple, v: Triple) => inner(u.a, v.z) + inner(u.b, v.b);
    let g = await gradient(a, z, r);
    let norm = Math.sqrt(Math.max(0, dot(g, g)));
    const history: { s: Triple; y: Triple; rho: number }[] = [];
    // What the last iterate leaves behind is written over: large arrays are costly to allocate.
    let [aNew, zNew, rNew] = [new Float64Array(size), new Float64Array(size), new Float64Array(size)];
    let iterations = 0;
    let converged = norm <= tolerance * g.parts;
    while (!converged && iterations < maxIterations) {
      iterations++;
      const d: Triple = { a: negated(g.a), z: negated(g.z), b: negated(g.b) };
      const alphas: number[] = [];
      for (let h = history.length - 1; h >= 0; h--) {
        const { s, y, rho } = history[h];
        const alpha = rho * dot(s, d);
        alphas[h] = alpha;
        add(d, y, -alpha);
      }
      const last = history.at(-1);
      const gamma = last ? 1 / (last.rho * dot(last.y, last.y)) : 1 / (unit * unit);
      scaleBy(d, gamma);
      for (const [h, { s, y, rho }] of history.entries()) {
        const beta = rho * dot(y, d);
        add(d, s, alphas[h] - beta);
      }
      const slope = dot(g, d);
      if (!(slope < 0)) {
        if (history.length === 0) break;
        history.length = 0;
        continue;
      }
      const crossing = inner(a, d.z);
      const curvature = inner(d.a, d.z);
      let t = 1;
      let accepted = false;
      const bNew = new Float64Array(K);
      let fNew = f;
      for (let attempt = 0; attempt < 25; attempt++) {
        for (let at = 0; at < size; at++) zNew[at] = z[at] + t * d.z[at];
        for (let k = 0; k < K; k++) bNew[k] = b[k] + t * d.b[k] * unit;
        fNew = value(zNew, bNew, square + 2 * t * crossing + t * t * curvature, rNew);
        if (fNew <= f + 1e-4 * t * slope) {
          accepted = true;
          break;
        }
        const fit = (-slope * t * t) / (2 * (fNew - f - slope * t));
        t = Number.isFinite(fit) ? Math.min(0.6 * t, Math.max(0.1 * t, fit)) : 0.1 * t;
      }
      if (!accepted) break;
      for (let at = 0; at < size; at++) aNew[at] = a[at] + t * d.a[at];
      const gNew = await gradient(aNew, zNew, rNew);
      const s: Triple = d;
      scaleBy(s, t);
      const y: Triple = { a: difference(gNew.a, g.a), z: difference(gNew.z, g.z), b: difference(gNew.b, g.b) };
      const sy = dot(s, y);
      if (sy > 1e-14 * Math.abs(f)) {
        history.push({ s, y, rho: 1 / sy });
        if (history.length > MEMORY) history.shift();
      }
      [aNew, a, zNew, z, rNew, r] = [a, aNew, z, zNew, r, rNew];
      [b, g, f] = [bNew, gNew, fNew];
      square = inner(a, z);
      norm = Math.sqrt(Math.max(0, dot(g, g)));
      converged = norm <= tolerance * g.parts;
    }
    [this.#a, this.#z, this.#b] = [a, z, b];
    return { lambda, coefficients: a, intercept: b, objective: f, iterations, converged };
  }

  /** Logits (m, K) of the kernel's other rows. */
  async predict({ coefficients, intercept }: KernelFit): Promise<Float64Array> {
    const { others, m, n } = this.kernel;
    const logits = await multiply(this.engine, others, m, coefficients, n, this.classes);
    for (let at = 0; at < logits.length; at++) {
      logits[at] += intercept[at % this.classes];
    }
    return logits;
  }
}

/** A direction: coefficients, their image under the kernel, and the intercept in its units. */
interface Triple {
  readonly a: Float64Array;
  readonly z: Float64Array;
  readonly b: Float64Array;
}

/** Inner product in four sums: one sum would wait for itself at every term. */
function inner(u: Float64Array, v: Float64Array): number {
  const n = u.length;
  const whole = n - (n % 4);
  let [a, b, c, d] = [0, 0, 0, 0];
  for (let i = 0; i < whole; i += 4) {
    a += u[i] * v[i];
    b += u[i + 1] * v[i + 1];
    c += u[i + 2] * v[i + 2];
    d += u[i + 3] * v[i + 3];
  }
  for (let i = whole; i < n; i++) a += u[i] * v[i];
  return a + b + c + d;
}

function negated(u: Float64Array): Float64Array {
  const v = new Float64Array(u.length);
  for (let i = 0; i < u.length; i++) v[i] = -u[i];
  return v;
}

function difference(u: Float64Array, v: Float64Array): Float64Array {
  const w = new Float64Array(u.length);
  for (let i = 0; i < u.length; i++) w[i] = u[i] - v[i];
  return w;
}

function add(d: Triple, u: Triple, t: number): void {
  for (let i = 0; i < d.a.length; i++) {
    d.a[i] += t * u.a[i];
    d.z[i] += t * u.z[i];
  }
  for (let k = 0; k < d.b.length; k++) d.b[k] += t * u.b[k];
}

function scaleBy(d: Triple, t: number): void {
  for (let i = 0; i < d.a.length; i++) {
    d.a[i] *= t;
    d.z[i] *= t;
  }
  for (let k = 0; k < d.b.length; k++) d.b[k] *= t;
}

/** Mean cross-entropy of softmax(z + b); fills r with (y - p) / n. */
function lossAndResidual(
  z: Float64Array,
  b: Float64Array,
  labels: Int32Array,
  n: number,
  K: number,
  r: Float64Array,
): number {
  let loss = 0;
  for (let i = 0; i < n; i++) {
    const at = i * K;
    let top = Number.NEGATIVE_INFINITY;
    for (let k = 0; k < K; k++) {
      const v = z[at + k] + b[k];
      r[at + k] = v;
      if (v > top) top = v;
    }
    const label = labels[i];
    const own = r[at + label];
    let total = 0;
    for (let k = 0; k < K; k++) {
      const e = Math.exp(r[at + k] - top);
      r[at + k] = e;
      total += e;
    }
    loss += top + Math.log(total) - own;
    const factor = -1 / (total * n);
    for (let k = 0; k < K; k++) r[at + k] *= factor;
    r[at + label] += 1 / n;
  }
  return loss / n;
}

/** Multiply-adds below which a call of the engine costs more than the product. */
const SMALL = 2e5;

/** g (rows, n) times a (n, K), in float32. */
async function multiply(
  engine: Engine,
  g: Float32Array,
  rows: number,
  a: Float64Array,
  n: number,
  K: number,
): Promise<Float64Array> {
  if (rows * n * K < SMALL) {
    const z = new Float64Array(rows * K);
    for (let i = 0; i < rows; i++) {
      for (let j = 0; j < n; j++) {
        const v = g[i * n + j];
        for (let k = 0; k < K; k++) z[i * K + k] += v * a[j * K + k];
      }
    }
    return z;
  }
  const program = await programFor(engine, 'kernel product', () => {
    const m = new MathBuilder('float32');
    m.output(m.op('MatMul', [m.input('g'), m.input('a')]), 'z');
    return m.builder.build();
  });
  const { z } = await program.run({ g: tensor([rows, n], g), a: tensor([n, K], Float32Array.from(a)) });
  return Float64Array.from(z?.data as Float32Array);
}
