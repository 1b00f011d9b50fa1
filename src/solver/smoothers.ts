/** Ridge regression's smoother: on the examples by their Gram matrix, or on the features where these are fewer. */
import type { Engine } from '../engine/index.js';
import { allFeatures, normalised } from './design.js';
import { type Eigen, symmetricEigen } from './eigen.js';
import { gram, primalWeights } from './gram-exact.js';
import { HeldTable } from './logistic/table.js';
import { countMacs } from './macs.js';
import type { Problem } from './problem.js';
import { type Matrix, type Multiply, products } from './products.js';
import { inner } from './vectors.js';

/** What a ridge fit says of its examples and of the features, for every lambda. */
export interface Smoother {
  /** Residuals of the fit on all examples, (n, K). */
  residuals(lambda: number): Promise<Float64Array>;
  /** 1 - h_i of every example, (n), for every lambda: the part of its own residual that it keeps. */
  slacks(lambdas: ArrayLike<number>): Promise<Float64Array[]>;
  /** On the normalised features, (p, K). */
  weights(lambda: number): Promise<Float64Array>;
}

/**
 * Share of the examples that features may be for a fit on the features: with nearly as many, what the fit leaves is too
 * small to be found by subtraction.
 */
const FEW = 0.9;

export async function smootherOf(engine: Engine, problem: Problem): Promise<Smoother> {
  const { design, n, classes: K } = problem;
  const p = design.matrix.features;
  if (p <= FEW * n) return FeatureSmoother.of(engine, problem);
  // A symmetric eigenproblem takes 9 n^3 operations (Golub and Van Loan, 8.3); then one projection.
  countMacs(engine, 4.5 * n ** 3 + n ** 2 * K);
  return new KernelSmoother(engine, problem, await gram(engine, design));
}

/** Eigenvalues below this share of the largest are rounding of zero, which one of them is: that of the intercept. */
const ZERO = 1e-13;

/** On the examples, by their Gram matrix. */
class KernelSmoother implements Smoother {
  readonly #engine: Engine;
  readonly #problem: Problem;
  /** Square root of each example's weight. */
  readonly #root: Float64Array;
  /** Of S. */
  readonly #eigen: Eigen;
  /** Weighted and centred labels in the basis of the eigenvectors, (n, K). */
  readonly #projected: Float64Array;

  /** @param kernel G, (n, n), centred and weighted in place */
  constructor(engine: Engine, problem: Problem, kernel: Float64Array) {
    this.#engine = engine;
    const { n, classes: K, labels, shares, frequencies } = problem;
    this.#problem = problem;
    this.#root = shares.map((s) => Math.sqrt(n * s));
    const root = this.#root;
    centre(kernel, shares);
    for (let i = 0, at = 0; i < n; i++) for (let j = 0; j < n; j++, at++) kernel[at] *= root[i] * root[j];
    const { values, vectors: u } = symmetricEigen(kernel, n);
    this.#eigen = { values: values.map((value) => (value > ZERO * values[0] ? value : 0)), vectors: u };
    const projected = new Float64Array(n * K);
    for (let i = 0; i < n; i++) {
      const centred = frequencies.map((f, k) => root[i] * ((labels[i] === k ? 1 : 0) - f));
      for (let e = 0, at = 0; e < n; e++) {
        for (let k = 0; k < K; k++, at++) projected[at] += u[i * n + e] * centred[k];
      }
    }
    this.#projected = projected;
  }

  /** From A (n, K) without what the features do not see, for which X' A is the same and rounds less. */
  weights(lambda: number): Promise<Float64Array> {
    const { values } = this.#eigen;
    const a = this.#combine(values.map((value) => (value > 0 ? 1 / (value + lambda) : 0)));
    return primalWeights(this.#engine, this.#problem.design, a, this.#problem.classes);
  }

  async residuals(lambda: number): Promise<Float64Array> {
    const { n, classes: K } = this.#problem;
    countMacs(this.#engine, 2 * n * n * K);
    const left = this.#combine(this.#left(lambda));
    for (let i = 0, at = 0; i < n; i++) for (let k = 0; k < K; k++, at++) left[at] /= this.#root[i] ** 2;
    return left;
  }

  async slacks(lambdas: ArrayLike<number>): Promise<Float64Array[]> {
    return Array.from(lambdas, (lambda) => this.#slack(lambda));
  }

  #slack(lambda: number): Float64Array {
    const { n, shares } = this.#problem;
    const { vectors: u } = this.#eigen;
    const left = this.#left(lambda);
    return shares.map((share, i) => {
      let kept = -share;
      for (let e = 0; e < n; e++) kept += left[e] * u[i * n + e] ** 2;
      return Math.max(kept, Number.EPSILON);
    });
  }

  /** Share of each eigenvector's part of the labels that the fit leaves, (n). */
  #left(lambda: number): Float64Array {
    return this.#eigen.values.map((value) => lambda / (value + lambda));
  }

  /** V^1/2 U diag(factors) times the projected labels, (n, K). */
  #combine(factors: Float64Array): Float64Array {
    const { n, classes: K } = this.#problem;
    const { vectors: u } = this.#eigen;
    const [root, projected] = [this.#root, this.#projected];
    const result = new Float64Array(n * K);
    for (let i = 0; i < n; i++) {
      for (let e = 0, at = 0; e < n; e++) {
        const weight = root[i] * u[i * n + e] * factors[e];
        for (let k = 0; k < K; k++, at++) result[i * K + k] += weight * projected[at];
      }
    }
    return result;
  }
}

/** Takes from a kernel (n, n) what rounding has left of the weighted means of its rows and columns. */
function centre(kernel: Float64Array, shares: Float64Array): void {
  const n = shares.length;
  const means = shares.map((_, i) => inner(shares, kernel.subarray(i * n, (i + 1) * n)));
  const grand = inner(shares, means);
  for (let i = 0, at = 0; i < n; i++) for (let j = 0; j < n; j++, at++) kernel[at] += grand - means[i] - means[j];
}

/**
 * On the features, where they are fewer: with S = X V X' and its eigenvectors U, W = U (D + lambda)^-1 U' X V (Y - mean) and
 * h_i = share_i + v_i x_i' U (D + lambda)^-1 U' x_i.
 */
class FeatureSmoother implements Smoother {
  private constructor(
    readonly problem: Problem,
    readonly multiply: Multiply,
    /** Normalised values times the roots of the weights, (p, n). */
    readonly x: Matrix,
    /** Of x x'. */
    readonly eigen: Eigen,
    /** U' x times the centred labels, times the roots of the weights, (values.length, K). */
    readonly projected: Float64Array,
  ) {}

  static async of(engine: Engine, problem: Problem): Promise<FeatureSmoother> {
    const { design, n, classes: K, labels, shares, frequencies } = problem;
    const p = design.matrix.features;
    const multiply = await products(engine);
    const x: Matrix = {
      rows: p,
      columns: n,
      data: await normalised(design, allFeatures(design.matrix), new Float64Array(p * n), design),
    };
    const centred = new Float64Array(n * K);
    for (let i = 0; i < n; i++) {
      const root = Math.sqrt(n * shares[i]);
      for (let j = 0; j < p; j++) x.data[j * n + i] *= root;
      for (let k = 0; k < K; k++) centred[i * K + k] = root * ((labels[i] === k ? 1 : 0) - frequencies[k]);
    }
    const table = new HeldTable(engine, { p, n, exact: x.data, quick: x.data });
    const { values, vectors } = symmetricEigen(await table.gram(new Float64Array(n).fill(1)), p);
    countMacs(engine, 4.5 * p ** 3);
    const eigen = { values: values.map((value) => (value > ZERO * values[0] ? value : 0)), vectors };
    const sums: Matrix = { rows: p, columns: K, data: await table.adjoint(centred, K) };
    return new FeatureSmoother(
      problem,
      multiply,
      x,
      eigen,
      await multiply({ rows: p, columns: p, data: vectors }, sums, true),
    );
  }

  /** 1 / (value + lambda), and 0 where the features see nothing. */
  #factors(lambda: number): Float64Array {
    return this.eigen.values.map((value) => (value > 0 ? 1 / (value + lambda) : 0));
  }

  async weights(lambda: number): Promise<Float64Array> {
    const { classes: K } = this.problem;
    const p = this.x.rows;
    const factors = this.#factors(lambda);
    const data = this.projected.map((v, at) => v * factors[Math.floor(at / K)]);
    return this.multiply({ rows: p, columns: p, data: this.eigen.vectors }, { rows: p, columns: K, data });
  }

  async residuals(lambda: number): Promise<Float64Array> {
    const { n, classes: K, labels, shares, frequencies } = this.problem;
    const fitted = await this.multiply(
      this.x,
      { rows: this.x.rows, columns: K, data: await this.weights(lambda) },
      true,
    );
    for (let i = 0, at = 0; i < n; i++) {
      const root = Math.sqrt(n * shares[i]);
      for (let k = 0; k < K; k++, at++) {
        fitted[at] = (labels[i] === k ? 1 : 0) - frequencies[k] - fitted[at] / root;
      }
    }
    return fitted;
  }

  async slacks(lambdas: ArrayLike<number>): Promise<Float64Array[]> {
    const { n, shares } = this.problem;
    const p = this.x.rows;
    const { vectors: u } = this.eigen;
    const factors = Array.from(lambdas, (lambda) => this.#factors(lambda));
    const slacks = factors.map(() => shares.map((share) => 1 - share));
    for (let first = 0; first < p; first += VECTORS) {
      const count = Math.min(VECTORS, p - first);
      const some = new Float64Array(p * count);
      for (let j = 0; j < p; j++) some.set(u.subarray(j * p + first, j * p + first + count), j * count);
      const parts = await this.multiply({ rows: p, columns: count, data: some }, this.x, true);
      for (const [l, slack] of slacks.entries()) {
        for (let e = 0, at = 0; e < count; e++) {
          const factor = factors[l][first + e];
          for (let i = 0; i < n; i++, at++) slack[i] -= factor * parts[at] ** 2;
        }
      }
    }
    return slacks.map((slack) => slack.map((v) => Math.max(v, Number.EPSILON)));
  }
}

/** Eigenvectors that examples are multiplied by at once. */
const VECTORS = 64;
