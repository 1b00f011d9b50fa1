/** Trials of one lesson differ in rate and length alone: what they share is made ready once. */
import { canonicalJson } from '../../base/index.js';
import { Bench, type TrainRequest } from '../../transfer/index.js';
import type { TrialInputs } from './kinds.js';
import type { UnitWorld } from './world.js';

export class Benches {
  #current: { readonly key: string; readonly bench: Bench } | undefined;

  constructor(private readonly world: UnitWorld) {}

  /** The bench of a trial's lesson: the one in hand, or another in its place. */
  async of(inputs: TrialInputs, request: () => Promise<TrainRequest>): Promise<Bench> {
    const { place: _, learningRates: __, weightDecays: ____, budget, ...lesson } = inputs;
    const { steps: ___, epochs: _____, ...rest } = budget;
    const key = canonicalJson({ lesson, rest });
    if (this.#current?.key === key) return this.#current.bench;
    await this.clear();
    const bench = await Bench.create(this.world.engine, await request());
    this.#current = { key, bench };
    return bench;
  }

  /** Frees what is in hand. */
  async clear(): Promise<void> {
    const held = this.#current;
    this.#current = undefined;
    await held?.bench.dispose();
  }
}
