/** How far is far, when a variance is a sum of parts known to different precision. */
import { normalQuantile, normalTail, studentCdf, studentQuantile } from './special.js';

/** Beyond it a tail is 1e-300. */
const farthest = 37;

/**
 * An estimate's error with a variance of several independent parts. Its critical value is the mean of the parts' Student
 * quantiles, weighted by variance (Cochran, 1964; Cochran and Cox, 1957, section 4.14): on the safe side, where the usual
 * approximation by one number of degrees of freedom (Satterthwaite, 1946) claims too much in the far tails that many
 * comparisons need.
 */
export class ErrorScale {
  readonly #parts: readonly { readonly share: number; readonly df: number }[];

  constructor(parts: readonly { readonly variance: number; readonly df: number }[]) {
    const total = parts.reduce((sum, { variance }) => sum + variance, 0);
    this.#parts =
      total > 0
        ? parts.filter(({ variance }) => variance > 0).map(({ variance, df }) => ({ share: variance / total, df }))
        : [{ share: 1, df: Number.POSITIVE_INFINITY }];
  }

  /** The deviation, in standard errors, that is as improbable as `z` of a normal. */
  critical(z = normalQuantile(0.975)): number {
    return this.#parts.reduce((sum, { share, df }) => sum + share * studentOf(z, df), 0);
  }

  /** The normal deviation that is as improbable as `t` standard errors: the inverse of `critical`. */
  normal(t: number): number {
    const size = Math.abs(t);
    const [only] = this.#parts;
    if (this.#parts.length === 1 && only) return Math.sign(t) * normalOf(size, only.df);
    if (size === 0) return 0;
    // Regula falsi (Illinois): critical() is convex and rises.
    let [low, high] = [0, Math.min(size, farthest)];
    let [below, above] = [-size, this.critical(high) - size];
    if (above <= 0) return Math.sign(t) * high;
    for (let i = 0, side = 0; i < 100 && high - low > 1e-12 * high; i++) {
      const middle = (low * above - high * below) / (above - below);
      const found = this.critical(middle) - size;
      if (Math.abs(found) < 1e-12 * size) {
        high = middle;
        break;
      }
      if (found < 0) {
        [low, below] = [middle, found];
        if (side === -1) above /= 2;
        side = -1;
      } else {
        [high, above] = [middle, found];
        if (side === 1) below /= 2;
        side = 1;
      }
    }
    return Math.sign(t) * high;
  }
}

const many = 1e6;

/** Student's quantile with the tail of z. */
function studentOf(z: number, df: number): number {
  return df > many ? z : -studentQuantile(normalTail(z), df);
}

/** Normal quantile with the tail of t >= 0. */
function normalOf(t: number, df: number): number {
  if (df > many) return t;
  const tail = studentCdf(-t, df);
  return tail < 1e-300 ? farthest : -normalQuantile(tail);
}
