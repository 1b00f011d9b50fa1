/** Arithmetic on vectors in float64. */
import type { Floats } from './programs.js';

/** Inner product in four sums: one sum would wait for itself at every term. */
export function inner(x: Float64Array, y: Float64Array): number {
  const n = x.length;
  const whole = n - (n % 4);
  let [a, b, c, d] = [0, 0, 0, 0];
  for (let i = 0; i < whole; i += 4) {
    a += x[i] * y[i];
    b += x[i + 1] * y[i + 1];
    c += x[i + 2] * y[i + 2];
    d += x[i + 3] * y[i + 3];
  }
  for (let i = whole; i < n; i++) a += x[i] * y[i];
  return a + b + c + d;
}

/** y + t x, into a new array or the one given. */
export function plus(
  y: Float64Array,
  t: number,
  x: Float64Array,
  into: Float64Array = new Float64Array(y.length),
): Float64Array {
  for (let i = 0; i < y.length; i++) into[i] = y[i] + t * x[i];
  return into;
}

/** t x, into a new array or the one given. */
export function times(t: number, x: Float64Array, into: Float64Array = new Float64Array(x.length)): Float64Array {
  for (let i = 0; i < x.length; i++) into[i] = t * x[i];
  return into;
}

/** Inner products of several vectors with y: four at a time, which reads y a quarter as often. */
export function inners(xs: readonly Float64Array[], y: Float64Array): number[] {
  const found: number[] = [];
  let first = 0;
  for (; first + 3 < xs.length; first += 4) {
    const [p, q, r, s] = [xs[first], xs[first + 1], xs[first + 2], xs[first + 3]];
    let [a, b, c, d] = [0, 0, 0, 0];
    for (let i = 0; i < y.length; i++) {
      const v = y[i];
      a += p[i] * v;
      b += q[i] * v;
      c += r[i] * v;
      d += s[i] * v;
    }
    found.push(a, b, c, d);
  }
  for (const x of xs.slice(first)) found.push(inner(x, y));
  return found;
}

/** The sum of the vectors times their factors, written into `into`, which is none of them. */
export function combination(factors: readonly number[], xs: readonly Float64Array[], into: Float64Array): Float64Array {
  const [whole, size] = [xs.length - (xs.length % 4), into.length];
  into.fill(0);
  for (let first = 0; first < whole; first += 4) {
    const [p, q, r, s] = [xs[first], xs[first + 1], xs[first + 2], xs[first + 3]];
    const [a, b, c, d] = [factors[first], factors[first + 1], factors[first + 2], factors[first + 3]];
    for (let i = 0; i < size; i++) into[i] += a * p[i] + b * q[i] + c * r[i] + d * s[i];
  }
  for (let rest = whole; rest < xs.length; rest++) plus(into, factors[rest], xs[rest], into);
  return into;
}

export function sum(x: ArrayLike<number>): number {
  let total = 0;
  for (let i = 0; i < x.length; i++) total += x[i];
  return total;
}

export function largest(x: ArrayLike<number>): number {
  let top = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < x.length; i++) if (x[i] > top) top = x[i];
  return top;
}

/** factor x, in another precision where `into` has one. */
export function scaled<T extends Floats>(values: Floats, factor: number, into: T): T {
  for (let at = 0; at < values.length; at++) into[at] = values[at] * factor;
  return into;
}

/** The largest absolute value. */
export function largestSize(...arrays: readonly Float64Array[]): number {
  let top = 0;
  for (const values of arrays) for (let i = 0; i < values.length; i++) top = Math.max(top, Math.abs(values[i]));
  return top;
}
