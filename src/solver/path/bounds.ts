/**
 * Upper bounds on every feature's critical lambda without a pass over the features. Along the path a residual is close to
 * a combination of earlier ones, r = sum_i a_i r_i + e, and those have been correlated with all features. So
 *
 *   | critical_j(r) - critical_j(sum_i a_i r_i) | <= reach_j ||e||_2,
 *
 * by the triangle inequality of the dual norm and Cauchy-Schwarz; a combination of the kept correlations costs K
 * instead of n K multiplications and touches no feature.
 */
import type { Engine } from '../../engine/index.js';
import { choleskySolve } from '../cholesky.js';
import { products } from '../products.js';
import { type Floats, floats, type Precision } from '../programs.js';
import { inner, plus } from '../vectors.js';
import { criticalLambda, criticalLambdas } from './dual-norm.js';
import type { PathProblem } from './problem.js';

/** Residuals that are kept; more do not come closer in trials (p = 100,000, 50 lambdas: 9 passes with 3 or 8). */
const KEPT = 3;
/** Examples that are turned and multiplied at once. */
const EXAMPLES = 2 ** 13;
/** Share of a correlation that its rounding may be, per precision. */
const ROUNDING = { float32: 1e-6, float64: 1e-14 };

export interface Bounds {
  /** At least every feature's critical lambda, (p). */
  readonly upper: Float64Array;
  /** What it is likely to be. */
  readonly critical: Float64Array;
}

export class CorrelationBounds {
  /** By how much a feature's critical lambda changes at most per unit of the residual's change (spectral norm), (p). */
  readonly reach: Float64Array;
  readonly #engine: Engine;
  readonly #problem: PathProblem;
  readonly #mix: number;
  readonly #precision: Precision;
  readonly #kept: { residual: Float64Array; correlations: Floats; norm: number }[] = [];
  readonly #most: number;
  readonly #upper: Float64Array;
  readonly #critical: Float64Array;

  constructor(engine: Engine, problem: PathProblem, mix: number, precision: Precision) {
    this.#engine = engine;
    this.#problem = problem;
    this.#mix = mix;
    this.#precision = precision;
    const { design, classes: K, shares } = problem;
    const { features: p, options } = design.matrix;
    const bytes = p * K * (precision === 'float32' ? 4 : 8);
    this.#most = Math.max(1, Math.min(KEPT, Math.floor(options.memory / 4 / bytes)));
    this.#upper = new Float64Array(p);
    this.#critical = new Float64Array(p);
    // A feature's squared norm over the rows, from its weighted mean square. The critical lambda is a norm of the
    // correlations, at most 1 / (1 - mix) or 1 / mix of their l2 norm.
    const rows = 1 / shares.reduce((low, v) => Math.min(low, v), Number.POSITIVE_INFINITY);
    this.reach = design.power.map((power) => Math.sqrt(power * rows) / Math.max(1 - mix, mix));
  }

  /** A place for the correlations of a residual to come: the oldest kept, once there are enough. */
  buffer(): Floats {
    const oldest = this.#kept.length < this.#most ? undefined : this.#kept.shift();
    return (
      oldest?.correlations ?? floats(this.#precision, this.#problem.design.matrix.features * this.#problem.classes)
    );
  }

  /** Keeps a residual with its correlations (p, K). @returns its critical lambdas, valid until the next call */
  add(residual: Float64Array, correlations: Floats): Float64Array {
    this.#kept.push({ residual, correlations, norm: Math.sqrt(inner(residual, residual)) });
    return criticalLambdas(correlations, this.#problem.classes, this.#mix, this.#critical);
  }

  /** Bounds on every critical lambda at a residual (n, K), valid until the next call. */
  async at(residual: Float64Array): Promise<Bounds> {
    const share = this.#nearest(residual);
    let rest = residual;
    let rounding = 0;
    for (const [i, { residual: r, norm }] of this.#kept.entries()) {
      rounding += Math.abs(share[i]) * norm;
      rest = plus(rest, -share[i], r);
    }
    const radius = (await this.#spectralBound(rest)) + ROUNDING[this.#precision] * rounding;
    const critical = this.#combined(share);
    const upper = plus(critical, radius, this.reach, this.#upper);
    return { upper, critical };
  }

  /** Shares of the kept residuals whose sum comes nearest. */
  #nearest(residual: Float64Array): Float64Array {
    const kept = this.#kept;
    const m = kept.length;
    const gram = new Float64Array(m * m);
    const right = new Float64Array(m);
    let trace = 0;
    for (const [i, { residual: a }] of kept.entries()) {
      right[i] = inner(a, residual);
      for (const [j, { residual: b }] of kept.entries()) gram[i * m + j] = inner(a, b);
      trace += gram[i * m + i];
    }
    for (let i = 0; i < m; i++) gram[i * m + i] += 1e-12 * trace;
    return choleskySolve(gram, right);
  }

  /** Critical lambda of every feature at a sum of the kept residuals. */
  #combined(share: Float64Array): Float64Array {
    // Three at once, absent ones with a share of zero: one loop at the memory's speed.
    const [x, y, z] = [0, 1, 2].map((i) => (this.#kept[i] ?? this.#kept[0]).correlations);
    const [a, b, c] = [0, 1, 2].map((i) => share[i] ?? 0);
    const into = this.#critical;
    const K = this.#problem.classes;
    if (this.#mix === 0) {
      for (let j = 0, e = 0; j < into.length; j++) {
        let squares = 0;
        for (let k = 0; k < K; k++, e++) {
          const v = a * x[e] + b * y[e] + c * z[e];
          squares += v * v;
        }
        into[j] = Math.sqrt(squares);
      }
      return into;
    }
    const values = new Float64Array(K);
    for (let j = 0, e = 0; j < into.length; j++) {
      for (let k = 0; k < K; k++, e++) values[k] = a * x[e] + b * y[e] + c * z[e];
      into[j] = criticalLambda(values, 0, K, this.#mix);
    }
    return into;
  }

  /** At least the spectral norm of e (n, K), at most K^(1/8) times it: the Schatten 8-norm, || (e'e)^2 ||_F^(1/4). */
  async #spectralBound(e: Float64Array): Promise<number> {
    const K = this.#problem.classes;
    const multiply = await products(this.#engine);
    const data = new Float64Array(K * K);
    for (let from = 0; from < e.length; from += EXAMPLES * K) {
      const some = e.subarray(from, Math.min(e.length, from + EXAMPLES * K));
      const part = { rows: some.length / K, columns: K, data: some };
      plus(data, 1, await multiply(part, part, true), data);
    }
    const gram = { rows: K, columns: K, data };
    const squared = await multiply(gram, gram);
    return inner(squared, squared) ** (1 / 8);
  }
}
