/** Limited-memory BFGS (Nocedal and Wright, algorithm 7.4) in the inner product of a kernel. */
import { giveBuffers, takeBuffer } from '../buffers.js';
import { inner, plus, times } from '../vectors.js';

/** A direction: coefficients (n, K), their image under the kernel, and the intercept (K) in its units. */
export interface Direction {
  readonly a: Float64Array;
  readonly z: Float64Array;
  readonly b: Float64Array;
}

export function dot(u: Direction, v: Direction): number {
  return inner(u.a, v.z) + inner(u.b, v.b);
}

/** d += t u. */
function add(d: Direction, t: number, u: Direction): void {
  plus(d.a, t, u.a, d.a);
  plus(d.z, t, u.z, d.z);
  plus(d.b, t, u.b, d.b);
}

export function scaleBy(d: Direction, t: number): void {
  times(t, d.a, d.a);
  times(t, d.z, d.z);
  times(t, d.b, d.b);
}

/** Steps that are remembered. */
const MEMORY = 6;

/** An array of a direction's, to be written over. */
const blank = (like: Float64Array): Float64Array => takeBuffer(like.length);

/** Arrays of directions that nobody reads again. */
export function giveUp(...directions: readonly Direction[]): void {
  for (const { a, z } of directions) giveBuffers(a, z);
}

/** The curvature along the last steps, as an approximate inverse of the Hessian. */
export class Curvature {
  /** Steps s, the changes y of the gradient along them, and 1 / s'y. */
  #pairs: { readonly s: Direction; readonly y: Direction; readonly rho: number }[] = [];

  get isEmpty(): boolean {
    return this.#pairs.length === 0;
  }

  /** Forgets every step. */
  clear(): void {
    for (const { s, y } of this.#pairs) giveUp(s, y);
    this.#pairs = [];
  }

  /** Remembers a step between two gradients, unless the curvature along it is at most `least`; the step is given up to it. */
  add(s: Direction, before: Direction, after: Direction, least: number): void {
    const y = {
      a: plus(after.a, -1, before.a, blank(s.a)),
      z: plus(after.z, -1, before.z, blank(s.z)),
      b: plus(after.b, -1, before.b),
    };
    const sy = dot(s, y);
    if (!(sy > least)) {
      giveUp(s, y);
      return;
    }
    this.#pairs.push({ s, y, rho: 1 / sy });
    const oldest = this.#pairs.length > MEMORY ? this.#pairs.shift() : undefined;
    if (oldest) giveUp(oldest.s, oldest.y);
  }

  /** Minus the inverse Hessian times a gradient. @param unit of the inverse while no step is known */
  step(gradient: Direction, unit: number): Direction {
    const { a, z, b } = gradient;
    const d = { a: times(-1, a, blank(a)), z: times(-1, z, blank(z)), b: times(-1, b) };
    const alphas: number[] = [];
    for (let h = this.#pairs.length - 1; h >= 0; h--) {
      const { s, y, rho } = this.#pairs[h];
      alphas[h] = rho * dot(s, d);
      add(d, -alphas[h], y);
    }
    const last = this.#pairs.at(-1);
    scaleBy(d, last ? 1 / (last.rho * dot(last.y, last.y)) : unit);
    for (const [h, { s, y, rho }] of this.#pairs.entries()) add(d, alphas[h] - rho * dot(y, d), s);
    return d;
  }
}
