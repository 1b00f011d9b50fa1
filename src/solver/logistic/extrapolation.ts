/** Where the solutions at some penalties lead to at the next one. */
import { inner, plus } from '../vectors.js';

/** Where a solver stands: coefficients (size, K), their logits without intercept (n, K), the intercept (K). */
export interface Iterate {
  readonly a: Float64Array;
  readonly logits: Float64Array;
  readonly b: Float64Array;
}

export interface Solution extends Iterate {
  /** NaN where it is no solution but a start from elsewhere. */
  readonly lambda: number;
}

/** Solutions that are looked back on. */
export const POINTS = 4;

/** A polynomial in some function of lambda, through some of the last solutions. */
interface Curve {
  readonly points: number;
  readonly of: (lambda: number) => number;
}

/**
 * Solutions move with log lambda while examples can still be fitted better (separable classes go on for ever), and with lambda
 * once the penalty is small beside the curvature of the losses: then they are those without penalty plus lambda times
 * something. The simplest first.
 */
const curves: readonly Curve[] = [
  { points: 2, of: Math.log },
  { points: 2, of: (lambda) => lambda },
  { points: 3, of: Math.log },
  { points: 3, of: (lambda) => lambda },
];

/** @param past in the order in which they were solved, the last nearest to lambda; undefined with fewer than two */
export function extrapolated(past: readonly Solution[], lambda: number): Iterate | undefined {
  const known = past.filter((point) => Number.isFinite(point.lambda));
  const last = known.at(-1);
  if (!last || known.length < 2) return undefined;
  const before = known.slice(0, -1);
  let best = curves[0];
  let least = Number.POSITIVE_INFINITY;
  // The curve that would have led to the last solution is trusted with the next.
  for (const curve of curves) {
    if (curve.points > before.length) continue;
    const error = distance(
      mixed(before, curve, last.lambda, (point) => point.a),
      last.a,
    );
    if (error < least) [best, least] = [curve, error];
  }
  const mix = (pick: (point: Solution) => Float64Array) => mixed(known, best, lambda, pick);
  return { a: mix((point) => point.a), logits: mix((point) => point.logits), b: mix((point) => point.b) };
}

/** Lagrange's polynomial through the last points of a curve. */
function mixed(
  solutions: readonly Solution[],
  { points, of }: Curve,
  lambda: number,
  pick: (point: Solution) => Float64Array,
): Float64Array {
  const used = solutions.slice(-points);
  const at = used.map((point) => of(point.lambda));
  const t = of(lambda);
  const total = new Float64Array(pick(used[0]).length);
  for (const [i, own] of at.entries()) {
    const share = at.reduce((product, v, j) => (i === j ? product : (product * (t - v)) / (own - v)), 1);
    plus(total, share, pick(used[i]), total);
  }
  return total;
}

function distance(x: Float64Array, y: Float64Array): number {
  const d = plus(x, -1, y);
  return Math.sqrt(inner(d, d));
}
