/**
 * Several estimates read at once: how large the largest of their deviations is when none of them is real. The errors are
 * jointly normal with known correlations, so intervals of all of them hold together, and an interval that excludes zero
 * goes with a corrected p below the level (single-step max-T; Hothorn, Bretz and Westfall, 2008).
 */
import { Random } from '../base/index.js';

/** How the joint distribution is drawn. */
export interface SimultaneousOptions {
  seed: number;
  draws: number;
}
const defaults: SimultaneousOptions = { seed: 0, draws: 20_000 };

/** Intervals of several differences that hold together. */
export class Simultaneous {
  /** The largest |deviation| of every draw, rising. */
  readonly #largest: Float64Array;
  /** Number of estimates. */
  readonly size: number;

  /** @param blocks correlation matrices of estimates that share data; estimates of different blocks are independent */
  constructor(blocks: readonly (readonly Float64Array[])[], options: Partial<SimultaneousOptions> = {}) {
    const { seed, draws } = { ...defaults, ...options };
    this.size = blocks.reduce((sum, block) => sum + block.length, 0);
    this.#largest = new Float64Array(draws);
    const random = new Random(seed, 'simultaneous');
    for (const block of blocks) {
      const factor = rootOf(block);
      const k = block.length;
      const u = new Float64Array(k);
      for (let draw = 0; draw < draws; draw++) {
        for (let i = 0; i < k; i++) u[i] = random.normal();
        let top = this.#largest[draw];
        for (let i = 0; i < k; i++) {
          let z = 0;
          for (let j = 0; j <= i; j++) z += factor[i * k + j] * u[j];
          if (z > top) top = z;
          else if (-z > top) top = -z;
        }
        this.#largest[draw] = top;
      }
    }
    this.#largest.sort();
  }

  /** Deviations below it, all of them together, have probability `level`. */
  critical(level = 0.95): number {
    const at = Math.ceil(level * (this.#largest.length + 1)) - 1;
    return this.size === 0 ? 0 : this.#largest[Math.min(this.#largest.length - 1, at)];
  }

  /** Probability that any of the estimates deviates by |z| or more, corrected as a count of draws never is 0. */
  p(z: number): number {
    const size = Math.abs(z);
    let [low, high] = [0, this.#largest.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#largest[middle] < size) low = middle + 1;
      else high = middle;
    }
    return (1 + this.#largest.length - low) / (1 + this.#largest.length);
  }
}

/** Lower Cholesky factor of a correlation matrix, row-major; a direction without variance of its own gets none. */
function rootOf(rows: readonly Float64Array[]): Float64Array {
  const k = rows.length;
  const l = new Float64Array(k * k);
  for (let j = 0; j < k; j++) {
    let pivot = rows[j][j];
    for (let m = 0; m < j; m++) pivot -= l[j * k + m] ** 2;
    const root = pivot > 1e-10 ? Math.sqrt(pivot) : 0;
    l[j * k + j] = root;
    if (root === 0) continue;
    for (let i = j + 1; i < k; i++) {
      let s = rows[i][j];
      for (let m = 0; m < j; m++) s -= l[i * k + m] * l[j * k + m];
      l[i * k + j] = s / root;
    }
  }
  return l;
}
