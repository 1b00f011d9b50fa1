/** Gram matrices of the tops of several rankings, growing: what all of them have in common is summed once. */
import type { Engine } from '../../engine/index.js';
import type { Design } from '../../solver/index.js';
import type { Ranking } from '../ranking.js';
import { topFeatures } from '../selection.js';
import { gramOf } from './grams.js';

/** Rankings along one path, and of folds that share most of their examples, agree on most features. */
export class TopGrams {
  /** Gram of the features that are in the top of every ranking, over all rows, (n, n). */
  readonly #common: Float32Array;
  readonly #isCommon: Uint8Array;
  #k = 0;

  /** @param rankings of the design's features */
  constructor(
    private readonly engine: Engine,
    private readonly design: Design,
    private readonly rankings: readonly Ranking[],
  ) {
    const { rows, features } = design.matrix;
    this.#common = new Float32Array(rows ** 2);
    this.#isCommon = new Uint8Array(features);
  }

  /** Gram of the first k features of each ranking in turn, each good until the next is asked for; k must not fall. */
  async *of(k: number): AsyncGenerator<Float32Array> {
    if (k < this.#k) throw new Error(`tops of ${k} after tops of ${this.#k}`);
    this.#k = k;
    const times = new Uint32Array(this.#isCommon.length);
    for (const { order } of this.rankings) for (const j of order.subarray(0, k)) times[j] = (times[j] as number) + 1;
    const entered = Int32Array.from(times.keys()).filter(
      (j) => times[j] === this.rankings.length && this.#isCommon[j] === 0,
    );
    for (const j of entered) this.#isCommon[j] = 1;
    await gramOf(this.engine, this.design, entered, this.#common);
    const gram = new Float32Array(this.#common.length);
    for (const ranking of this.rankings) {
      gram.set(this.#common);
      const own = topFeatures(ranking, k).filter((j) => this.#isCommon[j] === 0);
      yield (await gramOf(this.engine, this.design, own, gram)) as Float32Array;
    }
  }
}
