/** What a method is given, and the work that methods of one run share. */
import type { Engine } from '../engine/index.js';
import { macsOf } from '../solver/index.js';
import type { ProbeOptions } from './options.js';
import type { Labelled, ProbeTap } from './task.js';
import type { TuningFold } from './tuning/folds.js';
import type { Designs } from './tuning/grams.js';

export interface MethodContext {
  readonly engine: Engine;
  readonly train: Labelled;
  readonly taps: readonly ProbeTap[];
  /** K. */
  readonly classes: number;
  readonly folds: readonly TuningFold[];
  readonly options: ProbeOptions;
  readonly designs: Designs;
  /** Work that several methods of one run need. */
  readonly memo: Memo;
  /** How far the method is: shown beside its name. */
  readonly progress: (note: string) => void;
}

/** Groups of the validation rows, in the order in which folds are tallied. */
export function validationGroups({ train, folds }: Pick<MethodContext, 'train' | 'folds'>): string[] | undefined {
  const { groups } = train;
  return groups && folds.flatMap(({ validation }) => validation.map((row) => groups[row] as string));
}

interface Held {
  readonly result: Promise<unknown>;
  /** Multiply-adds and seconds that it took, once it is there. */
  macs: number;
  seconds: number;
}

/** Work done once per run, whoever asks first; named by the function that does it. */
export class Memo {
  readonly #held = new Map<unknown, Map<string, Held>>();
  /** Seconds of work that was there when it was asked for. */
  saved = 0;

  /**
   * The multiply-adds of work that was done before count for everyone who needs it, and so do its seconds, by `saved`: what
   * a method costs does not depend on the others of its run.
   * @param key what distinguishes calls of `work` within the run: its training rows, for example
   */
  async once<T>(
    work: (context: MethodContext, rows?: readonly number[]) => Promise<T>,
    context: MethodContext,
    rows?: readonly number[],
  ): Promise<T> {
    const calls = this.#held.get(work) ?? new Map<string, Held>();
    this.#held.set(work, calls);
    const key = rows ? rows.join() : 'all';
    const counter = macsOf(context.engine);
    const known = calls.get(key);
    if (known) {
      const result = (await known.result) as T;
      counter.done += known.macs;
      this.saved += known.seconds;
      return result;
    }
    const [before, start, saved] = [counter.done, performance.now(), this.saved];
    const result = work(context, rows);
    const held: Held = { result, macs: 0, seconds: 0 };
    calls.set(key, held);
    const value = await result;
    held.macs = counter.done - before;
    held.seconds = (performance.now() - start) / 1000 + this.saved - saved;
    return value;
  }
}
