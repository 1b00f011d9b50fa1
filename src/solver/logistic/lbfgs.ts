/** Limited-memory BFGS (Nocedal and Wright, algorithm 7.4) in the inner product of a kernel. */
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

/** The curvature along the last steps, as an approximate inverse of the Hessian. */
export class Curvature {
  /** Steps s, the changes y of the gradient along them, and 1 / s'y. */
  #pairs: { readonly s: Direction; readonly y: Direction; readonly rho: number }[] = [];

  get isEmpty(): boolean {
    return this.#pairs.length === 0;
  }

  clear(): void {
    this.#pairs = [];
  }

  /** Remembers a step between two gradients, unless the curvature along it is at most `least`. */
  add(s: Direction, before: Direction, after: Direction, least: number): void {
    const y = { a: plus(after.a, -1, before.a), z: plus(after.z, -1, before.z), b: plus(after.b, -1, before.b) };
    const sy = dot(s, y);
    if (!(sy > least)) return;
    this.#pairs.push({ s, y, rho: 1 / sy });
    if (this.#pairs.length > MEMORY) this.#pairs.shift();
  }

  /** Minus the inverse Hessian times a gradient. @param unit of the inverse while no step is known */
  step(gradient: Direction, unit: number): Direction {
    const d = { a: times(-1, gradient.a), z: times(-1, gradient.z), b: times(-1, gradient.b) };
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
