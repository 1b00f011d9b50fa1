/**
 * Limited-memory BFGS (Nocedal and Wright, algorithm 7.4) in the inner product of a kernel. Its two loops need the vectors'
 * inner products alone (Chen, Wang and Zhou, NIPS 2014): they run on these, and the step is one combination of the vectors.
 */
import { giveBuffers, takeBuffer } from '../buffers.js';
import { combination, inner, inners, plus, times } from '../vectors.js';

/** A direction: coefficients (n, K), their image under the kernel, and the intercept (K) in its units. */
export interface Direction {
  readonly a: Float64Array;
  readonly z: Float64Array;
  readonly b: Float64Array;
}

export function dot(u: Direction, v: Direction): number {
  return inner(u.a, v.z) + inner(u.b, v.b);
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

/** A step s, and the change y of the gradient along it. */
interface Pair {
  readonly s: Direction;
  readonly y: Direction;
  /** s'y, and y'y. */
  readonly sy: number;
  readonly yy: number;
  /** Of y with the s and the y of each pair before, oldest first. */
  readonly olderS: readonly number[];
  readonly olderY: readonly number[];
}

/** Inner products of directions with one. */
function dots(of: readonly Direction[], { z, b }: Direction): number[] {
  const parts = inners(
    of.map(({ a }) => a),
    z,
  );
  return parts.map((part, i) => part + inner(of[i].b, b));
}

/** The curvature along the last steps, as an approximate inverse of the Hessian. */
export class Curvature {
  #pairs: Pair[] = [];

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
    if (this.#pairs.length === MEMORY) this.#forget();
    const m = this.#pairs.length;
    const older = dots([...this.#pairs.map((pair) => pair.s), ...this.#pairs.map((pair) => pair.y), y], y);
    this.#pairs.push({
      s,
      y,
      sy,
      yy: older[2 * m],
      olderS: older.slice(0, m),
      olderY: older.slice(m, 2 * m),
    });
  }

  /** The oldest step. */
  #forget(): void {
    const [{ s, y }, ...rest] = this.#pairs;
    giveUp(s, y);
    this.#pairs = rest.map((pair) => ({ ...pair, olderS: pair.olderS.slice(1), olderY: pair.olderY.slice(1) }));
  }

  /** Minus the inverse Hessian times a gradient. @param unit of the inverse while no step is known */
  step(gradient: Direction, unit: number): Direction {
    const pairs = this.#pairs;
    const m = pairs.length;
    const vectors = [...pairs.map(({ s }) => s), ...pairs.map(({ y }) => y)];
    const along = dots(vectors, gradient);
    /** s_h'y_l for h older than l, and y_h'y_l. */
    const crossed = (h: number, l: number) => pairs[l].olderS[h];
    const changes = (h: number, l: number) => (h === l ? pairs[h].yy : h < l ? pairs[l].olderY[h] : pairs[h].olderY[l]);
    const alphas = new Array<number>(m).fill(0);
    for (let h = m - 1; h >= 0; h--) {
      let slope = -along[h];
      for (let l = h + 1; l < m; l++) slope -= alphas[l] * crossed(h, l);
      alphas[h] = slope / pairs[h].sy;
    }
    const scale = m > 0 ? pairs[m - 1].sy / pairs[m - 1].yy : unit;
    const ofSteps = new Array<number>(m).fill(0);
    for (let h = 0; h < m; h++) {
      let slope = -along[m + h];
      for (let l = 0; l < m; l++) slope -= alphas[l] * changes(h, l);
      slope *= scale;
      for (let l = 0; l < h; l++) slope += ofSteps[l] * crossed(l, h);
      ofSteps[h] = alphas[h] - slope / pairs[h].sy;
    }
    const factors = [...ofSteps, ...alphas.map((alpha) => -scale * alpha), -scale];
    const all = [...vectors, gradient];
    const summed = (part: 'a' | 'z' | 'b', into: Float64Array) =>
      combination(
        factors,
        all.map((vector) => vector[part]),
        into,
      );
    const { a, z, b } = gradient;
    return { a: summed('a', blank(a)), z: summed('z', blank(z)), b: summed('b', new Float64Array(b.length)) };
  }
}
