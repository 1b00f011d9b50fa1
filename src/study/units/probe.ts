/** Probes on extracted features. Settings are tuned inside the training rows; test examples come without labels. */
import { join } from 'node:path';
import { WorkError, writeFileAtomic } from '../../base/index.js';
import {
  type ProbeTask,
  probeDefaults,
  runProbes,
  selectMethods,
  sheetOf,
  sourceDefaults,
  subset,
  tapSheets,
  taskFromStore,
} from '../../probe/index.js';
import { storeSheet, storeTapSheet } from '../../record/index.js';
import { type Executor, executor, needsOf } from '../runner.js';
import { extraction, probe, type Subset } from './kinds.js';
import { selectionFile, selectionJson } from './selection.js';
import { subsetRows } from './subset.js';
import type { UnitWorld, UnseenTask } from './world.js';

export function probeExecutor({ engine, taskOf }: UnitWorld): Executor {
  return executor(probe, async ({ method, perTap, seed, subset: chosen, options }, context) => {
    const { unit, run, folder, progress } = context;
    const study = taskOf(unit);
    const [store, second] = needsOf(extraction, context).map((r) => run.file(r.store));
    if (store === undefined) throw new WorkError(`${unit.label} needs no features`);
    // The store's own splits are the study's: nothing more is held out.
    const { normalisation = probeDefaults.normalisation } = options;
    const source = { ...sourceDefaults, normalisation, holdout: 0 };
    const { task } = await taskFromStore(store, source, second);
    // Notes come once a fold; they are no measure of time, only a sign of life.
    let notes = 0;
    const { rankWindows, ...given } = options;
    const methods = method === null ? [] : selectMethods(method);
    const result = await runProbes(engine, await trainedOn(task, study, chosen), methods, {
      ...given,
      seed,
      perTap: perTap ?? undefined,
      rankWindows: rankWindows === true,
      progress: (note) => progress(1 - 1 / (1 + notes++ / 4), note),
    });
    const [own] = result.results;
    if (own?.method.ranks) await writeFileAtomic(join(folder, selectionFile), selectionJson(own.task, own.fit));
    return { ...(own ? { sheet: storeSheet(sheetOf(result, own)) } : {}), taps: tapSheets(result).map(storeTapSheet) };
  });
}

/** The task on the cell's training rows. */
async function trainedOn(task: ProbeTask, study: UnseenTask, chosen: Subset | null): Promise<ProbeTask> {
  if (!task.test) throw new WorkError('the feature store has no test split: delete it and run again');
  if (!chosen) return study.validation ? { ...task, validation: study.validation } : task;
  return { ...task, train: subset(task.train, subsetRows(study.train, chosen)) };
}
