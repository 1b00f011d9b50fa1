/** What a method is given, and the work that methods of one run share. */
import type { Engine } from '../engine/index.js';
import { SharedWork } from './bill.js';
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

/** Work done once per run, whoever asks first; named by the function that does it. */
export class Memo {
  readonly #held = new Map<unknown, Map<string, SharedWork<unknown>>>();

  /**
   * What work costs counts for everyone who needs it, once, whoever had it made: what a method costs does not depend on the
   * others of its run.
   * @param key what distinguishes calls of `work` within the run: its training rows, for example
   */
  async once<T>(
    work: (context: MethodContext, rows?: readonly number[]) => Promise<T>,
    context: MethodContext,
    rows?: readonly number[],
  ): Promise<T> {
    const calls = this.#held.get(work) ?? new Map<string, SharedWork<unknown>>();
    this.#held.set(work, calls);
    const key = rows ? rows.join() : 'all';
    const shared = calls.get(key) ?? new SharedWork<unknown>(context.engine, () => work(context, rows));
    calls.set(key, shared);
    return (await shared.ask()) as T;
  }
}
