/**
 * Seeded random numbers: xoshiro128** (Blackman and Vigna) seeded through splitmix32.
 * A stream is named by a seed and any number of keys, so that parts of a run draw independently of each other's order.
 */
import { createHash } from 'node:crypto';

export class Random {
  readonly #s: Uint32Array;
  #spare: number | undefined;

  /** `new Random(seed, 'fold', 3)` is a stream of its own for every distinct list of keys. */
  constructor(seed: number | string, ...keys: readonly (number | string)[]) {
    const digest = createHash('sha256')
      .update(JSON.stringify([seed, ...keys]))
      .digest();
    this.#s = new Uint32Array(digest.buffer.slice(digest.byteOffset, digest.byteOffset + 16));
    if (this.#s.every((v) => v === 0)) this.#s[0] = 1;
  }

  /** Uniform 32-bit integer. */
  uint32(): number {
    const s = this.#s as unknown as [number, number, number, number];
    const m = Math.imul(s[1], 5);
    const result = Math.imul((m << 7) | (m >>> 25), 9) >>> 0;
    const t = s[1] << 9;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = (s[3] << 11) | (s[3] >>> 21);
    return result;
  }

  /** Uniform in [0, 1) with 53 random bits. */
  uniform(): number {
    return ((this.uint32() >>> 5) * 67108864 + (this.uint32() >>> 6)) / 9007199254740992;
  }

  /** Uniform integer in [0, n). */
  integer(n: number): number {
    return Math.floor(this.uniform() * n);
  }

  /** Standard normal (Box and Muller). */
  normal(): number {
    if (this.#spare !== undefined) {
      const value = this.#spare;
      this.#spare = undefined;
      return value;
    }
    const r = Math.sqrt(-2 * Math.log(1 - this.uniform()));
    const angle = 2 * Math.PI * this.uniform();
    this.#spare = r * Math.sin(angle);
    return r * Math.cos(angle);
  }

  /** Shuffles in place (Fisher and Yates) and returns the array. */
  shuffle<T>(items: T[]): T[] {
    for (let i = items.length - 1; i > 0; i--) {
      const j = this.integer(i + 1);
      [items[i], items[j]] = [items[j] as T, items[i] as T];
    }
    return items;
  }

  /** A random order of 0 ... n - 1. */
  permutation(n: number): number[] {
    return this.shuffle(Array.from({ length: n }, (_, i) => i));
  }
}
