/** Probes of one task read the same features and share the linear probes that some of them are made of. */
import { canonicalJson, WorkError } from '../../base/index.js';
import {
  ProbeBench,
  type ProbeTask,
  probeDefaults,
  type RunOptions,
  sourceDefaults,
  subset,
  taskFromStore,
} from '../../probe/index.js';
import type { ProbeInputs } from './kinds.js';
import { subsetRows } from './subset.js';
import type { UnseenTask } from './world.js';

/** Features with the rows that probes learn from, and what runs on them share. */
export interface HeldTask {
  readonly task: ProbeTask;
  readonly bench: NonNullable<RunOptions['bench']>;
}

export class ProbeBenches {
  #current: { readonly key: string; readonly held: Promise<HeldTask> } | undefined;

  /**
   * The features in hand, or others in their place.
   * @param stores of the backbone under study, and of a second one
   */
  of(
    study: UnseenTask,
    { subset: chosen, options }: ProbeInputs,
    stores: readonly [string, string | undefined],
  ): Promise<HeldTask> {
    const { normalisation = probeDefaults.normalisation } = options;
    const key = canonicalJson({ task: study.name, stores: [...stores], chosen, normalisation });
    if (this.#current?.key === key) return this.#current.held;
    const [store, second] = stores;
    // The store's own splits are the study's: nothing more is held out.
    const source = { ...sourceDefaults, normalisation, holdout: 0 };
    const held = taskFromStore(store, source, second).then(({ task }) => ({
      task: trainedOn(task, study, chosen),
      bench: new ProbeBench(),
    }));
    held.catch(() => this.clear());
    this.#current = { key, held };
    return held;
  }

  /** Forgets what is in hand. */
  clear(): void {
    this.#current = undefined;
  }
}

/** The task on the cell's training rows. */
function trainedOn(task: ProbeTask, study: UnseenTask, chosen: ProbeInputs['subset']): ProbeTask {
  if (!task.test) throw new WorkError('the feature store has no test split: delete it and run again');
  if (!chosen) return study.validation ? { ...task, validation: study.validation } : task;
  return { ...task, train: subset(task.train, subsetRows(study.train, chosen)) };
}
