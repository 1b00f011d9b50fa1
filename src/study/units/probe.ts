/** Probes on extracted features. Settings are tuned inside the training rows; test examples come without labels. */
import { join } from 'node:path';
import { WorkError, writeFileAtomic } from '../../base/index.js';
import { runProbes, selectMethods, sheetOf, tapSheets } from '../../probe/index.js';
import { storeSheet, storeTapSheet } from '../../record/index.js';
import { type Executor, executor, needsOf } from '../runner.js';
import { extraction, probe } from './kinds.js';
import type { ProbeBenches } from './probe-benches.js';
import { selectionFile, selectionJson } from './selection.js';
import type { UnitWorld } from './world.js';

export function probeExecutor({ engine, taskOf }: UnitWorld, benches: ProbeBenches): Executor {
  return executor(probe, async (inputs, context) => {
    const { method, perTap, seed, options } = inputs;
    const { unit, run, folder, progress } = context;
    const [store, second] = needsOf(extraction, context).map((r) => run.file(r.store));
    if (store === undefined) throw new WorkError(`${unit.label} needs no features`);
    const { task, bench } = await benches.of(taskOf(unit), inputs, [store, second]);
    // Notes come once a fold; they are no measure of time, only a sign of life.
    let notes = 0;
    const { rankWindows, ...given } = options;
    const methods = method === null ? [] : selectMethods(method);
    const result = await runProbes(engine, task, methods, {
      ...given,
      seed,
      perTap: perTap ?? undefined,
      rankWindows: rankWindows === true,
      progress: (note) => progress(1 - 1 / (1 + notes++ / 4), note),
      bench,
    });
    const [own] = result.results;
    if (own?.method.ranks) await writeFileAtomic(join(folder, selectionFile), selectionJson(own.task, own.fit));
    return { ...(own ? { sheet: storeSheet(sheetOf(result, own)) } : {}), taps: tapSheets(result).map(storeTapSheet) };
  });
}
