/** Features of images in memory: one array, example after example, tap after tap. */
import { UserError } from '../base/index.js';
import type { PooledTap } from '../features/index.js';
import type { Model } from './model.js';

/** Features of images, with the taps that their columns come from. */
export class Features {
  /** (n, p). */
  readonly shape: readonly [n: number, p: number];
  readonly #first = new Map<string, number>();

  /** @param data (n, p), row by row, features of `taps` side by side in a row */
  constructor(
    readonly data: Float32Array,
    readonly taps: readonly PooledTap[],
    /** Name of every example. */
    readonly files: readonly string[],
    readonly model: Model,
    /** How each tap is pooled. */
    readonly pool: string,
  ) {
    let p = 0;
    for (const { alias, features } of taps) {
      this.#first.set(alias, p);
      p += features;
    }
    this.shape = [files.length, p];
  }

  /** The features of one tap: (n, features of the tap), row by row. @throws UserError when it is not among the taps */
  tap(alias: string): { data: Float32Array; shape: readonly [n: number, p: number] } {
    const first = this.#first.get(alias);
    const tap = this.taps.find((t) => t.alias === alias);
    if (first === undefined || !tap) {
      throw new UserError(`there is no tap '${alias}'; there are ${this.taps.map((t) => t.alias).join(', ')}`);
    }
    const [n, p] = this.shape;
    const data = new Float32Array(n * tap.features);
    for (let i = 0; i < n; i++) {
      data.set(this.data.subarray(i * p + first, i * p + first + tap.features), i * tap.features);
    }
    return { data, shape: [n, tap.features] };
  }

  /** Some of the examples, in the given order. */
  rows(indices: readonly number[]): Features {
    const [n, p] = this.shape;
    const data = new Float32Array(indices.length * p);
    const files = indices.map((i, k) => {
      const file = this.files[i];
      if (file === undefined) throw new UserError(`there is no row ${i}: rows are 0 to ${n - 1}`);
      data.set(this.data.subarray(i * p, (i + 1) * p), k * p);
      return file;
    });
    return new Features(data, this.taps, files, this.model, this.pool);
  }
}
