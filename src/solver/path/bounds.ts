/**
 * Upper bounds on every group's critical lambda without a pass over the features. Along the path a residual is close to
 * a combination of earlier ones, r = sum_i a_i r_i + e, and those have been correlated with all features. So
 *
 *   | critical_g(r) - critical_g(sum_i a_i r_i) | <= reach_g ||e||_2,
 *
 * by the triangle inequality of the dual norm and Cauchy-Schwarz; a combination of the kept correlations costs K
 * instead of n K multiplications and touches no feature.
 */

import { choleskySolve } from '../cholesky.js';
import type { Penalty } from '../penalty.js';
import type { Problem } from '../problem.js';
import { inner, plus } from '../products.js';
import { type Floats, floats, type Precision } from '../programs.js';
import { criticalLambda, criticalLambdas } from './dual-norm.js';

/** Residuals that are kept; more do not come closer in trials (p = 100,000, 50 lambdas: 9 passes with 3 or 8). */
const KEPT = 3;
/** Share of a correlation that its rounding may be, per precision. */
const ROUNDING = { float32: 1e-6, float64: 1e-14 };

export interface Bounds {
  /** At least every group's critical lambda. */
  readonly upper: Float64Array;
  /** What it is likely to be. */
  readonly critical: Float64Array;
}

export class CorrelationBounds {
  /** By how much a group's critical lambda changes at most per unit of the residual's change (spectral norm). */
  readonly reach: Float64Array;
  readonly #problem: Problem;
  readonly #penalty: Penalty;
  readonly #precision: Precision;
  readonly #kept: { residual: Float64Array; correlations: Floats; norm: number }[] = [];
  readonly #most: number;
  readonly #upper: Float64Array;
  readonly #critical: Float64Array;

  constructor(problem: Problem, penalty: Penalty, precision: Precision) {
    this.#problem = problem;
    this.#penalty = penalty;
    this.#precision = precision;
    const { design, classes: K, shares } = problem;
    const { features, options } = design.matrix;
    const bytes = features * K * (precision === 'float32' ? 4 : 8);
    this.#most = Math.max(1, Math.min(KEPT, Math.floor(options.memory / 4 / bytes)));
    this.#upper = new Float64Array(penalty.count);
    this.#critical = new Float64Array(penalty.count);
    const { starts, members, count, weights, mix } = penalty;
    // A feature's squared norm over the rows, from its weighted mean square.
    const rows = 1 / shares.reduce((low, v) => Math.min(low, v), Number.POSITIVE_INFINITY);
    this.reach = new Float64Array(count);
    for (let g = 0; g < count; g++) {
      let power = 0;
      if (starts && members) {
        for (let m = starts[g]; m < starts[g + 1]; m++) {
          power += design.power[members[m]];
        }
      } else power = design.power[g];
      // The critical lambda is a norm of the correlations, at most 1 / ((1 - mix) w) or 1 / (mix w) of their l2 norm.
      this.reach[g] = Math.sqrt(power * rows) / (Math.max(1 - mix, mix) * weights[g]);
    }
  }

  /** A place for the correlations of a residual to come: the oldest kept, once there are enough. */
  buffer(): Floats {
    if (this.#kept.length < this.#most) {
      return floats(this.#precision, this.#problem.design.matrix.features * this.#problem.classes);
    }
    return (this.#kept.shift() as { correlations: Floats }).correlations;
  }

  /** Keeps a residual with its correlations (p, K). @returns its critical lambdas, valid until the next call */
  add(residual: Float64Array, correlations: Floats): Float64Array {
    this.#kept.push({ residual, correlations, norm: Math.sqrt(inner(residual, residual)) });
    return criticalLambdas(correlations, this.#problem.classes, this.#penalty, this.#critical);
  }

  /** Bounds on every critical lambda at a residual (n, K), valid until the next call. */
  at(residual: Float64Array): Bounds {
    const kept = this.#kept;
    const K = this.#problem.classes;
    const share = this.#nearest(residual);
    let rest = residual;
    let rounding = 0;
    for (const [i, { residual: r, norm }] of kept.entries()) {
      const a = share[i];
      rounding += Math.abs(a) * norm;
      rest = plus(rest, -a, r);
    }
    const radius = spectralBound(rest, K) + ROUNDING[this.#precision] * rounding;
    const critical = this.#critical;
    combinedCriticalLambdas(
      share,
      kept.map((k) => k.correlations),
      K,
      this.#penalty,
      critical,
    );
    const upper = this.#upper;
    for (let g = 0; g < upper.length; g++) {
      upper[g] = critical[g] + this.reach[g] * radius;
    }
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
}

/** Critical lambda of every group at a sum of residuals whose correlations (p, K) are known. */
function combinedCriticalLambdas(
  share: Float64Array,
  correlations: readonly Floats[],
  K: number,
  penalty: Penalty,
  into: Float64Array,
): void {
  // Three at once, absent ones with a share of zero: one loop at the memory's speed.
  const [x, y, z] = [0, 1, 2].map((i) => correlations[i] ?? correlations[0]) as [Floats, Floats, Floats];
  const [a, b, c] = [0, 1, 2].map((i) => share[i] ?? 0) as [number, number, number];
  const { starts, members, weights, mix, count } = penalty;
  if (!starts && mix === 0) {
    for (let g = 0, e = 0; g < count; g++) {
      let squares = 0;
      for (let k = 0; k < K; k++, e++) {
        const v = a * x[e] + b * y[e] + c * z[e];
        squares += v * v;
      }
      into[g] = Math.sqrt(squares) / weights[g];
    }
    return;
  }
  let values = new Float64Array(K);
  for (let g = 0; g < count; g++) {
    const first = starts ? starts[g] : g;
    const size = starts ? starts[g + 1] - first : 1;
    if (values.length < size * K) values = new Float64Array(size * K);
    for (let m = 0, at = 0; m < size; m++) {
      const from = (members ? members[first + m] : first) * K;
      for (let e = from; e < from + K; e++, at++) {
        values[at] = a * x[e] + b * y[e] + c * z[e];
      }
    }
    into[g] = criticalLambda(values, ORIGIN, size * K, weights[g], mix);
  }
}

const ORIGIN = [0];

/** At least the spectral norm of e (n, K), at most K^(1/8) times it: the Schatten 8-norm, || (e'e)^2 ||_F^(1/4). */
function spectralBound(e: Float64Array, K: number): number {
  const gram = new Float64Array(K * K);
  for (let at = 0; at < e.length; at += K) {
    for (let k = 0; k < K; k++) {
      const v = e[at + k];
      for (let l = 0; l <= k; l++) gram[k * K + l] += v * e[at + l];
    }
  }
  for (let k = 0; k < K; k++) for (let l = 0; l < k; l++) gram[l * K + k] = gram[k * K + l];
  let total = 0;
  for (let k = 0; k < K; k++) {
    for (let l = 0; l < K; l++) {
      let s = 0;
      for (let m = 0; m < K; m++) s += gram[k * K + m] * gram[l * K + m];
      total += s * s;
    }
  }
  return total ** (1 / 8);
}
