/**
 * The draws of NumPy's legacy generator (`RandomState`), by which published splits were made: the Mersenne Twister MT19937
 * (Matsumoto and Nishimura, 1998), seeded with a list, and its shuffle.
 */

const length = 624;
const shift = 397;

/** NumPy's RandomState: the same numbers for the same seed. */
export class LegacyRandom {
  readonly #state = new Uint32Array(length);
  #next = length;

  /** As `RandomState([...seed])`. @param seed whole numbers of 32 bits, one or more */
  constructor(seed: readonly number[]) {
    const s = this.#state;
    s[0] = 19650218;
    for (let i = 1; i < length; i++) s[i] = Math.imul(1812433253, mixed(s[i - 1])) + i;
    let i = 1;
    let j = 0;
    const advance = () => {
      if (++i < length) return;
      s[0] = s[length - 1];
      i = 1;
    };
    for (let k = Math.max(length, seed.length); k > 0; k--) {
      s[i] = (s[i] ^ Math.imul(mixed(s[i - 1]), 1664525)) + (seed[j] as number) + j;
      j = (j + 1) % seed.length;
      advance();
    }
    for (let k = length - 1; k > 0; k--) {
      s[i] = (s[i] ^ Math.imul(mixed(s[i - 1]), 1566083941)) - i;
      advance();
    }
    s[0] = 0x80000000;
  }

  /** 32 random bits. */
  bits(): number {
    if (this.#next === length) this.#twist();
    let y = this.#state[this.#next++];
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    return (y ^ (y >>> 18)) >>> 0;
  }

  /** A whole number from 0 to `most`, by rejection of masked bits. */
  upTo(most: number): number {
    if (most === 0) return 0;
    const mask = 0xffffffff >>> Math.clz32(most);
    for (;;) {
      const value = (this.bits() & mask) >>> 0;
      if (value <= most) return value;
    }
  }

  /** As `choice(n, size, replace=False)`: the first of a shuffle of 0 ... n - 1. */
  choose(n: number, size: number): number[] {
    const all = Array.from({ length: n }, (_, i) => i);
    for (let i = n - 1; i > 0; i--) {
      const j = this.upTo(i);
      [all[i], all[j]] = [all[j] as number, all[i] as number];
    }
    return all.slice(0, size);
  }

  #twist(): void {
    const s = this.#state;
    for (let k = 0; k < length; k++) {
      const y = (s[k] & 0x80000000) | (s[(k + 1) % length] & 0x7fffffff);
      s[k] = s[(k + shift) % length] ^ (y >>> 1) ^ (y & 1 ? 0x9908b0df : 0);
    }
    this.#next = 0;
  }
}

const mixed = (value: number): number => value ^ (value >>> 30);
