/** Probes on extracted features. Settings are tuned inside the training rows; test examples come without labels. */
import { join } from 'node:path';
import { WorkError, writeFileAtomic } from '../../base/index.js';
import type { Engine } from '../../engine/index.js';
import {
  probeDefaults,
  runProbes,
  runValued,
  type ScoredTask,
  selectMethods,
  selectValued,
  sheetOf,
  tapSheets,
  type ValuedRun,
  valuedSheets,
} from '../../probe/index.js';
import { storeSheet, storeTapSheet, type ValuedKind } from '../../record/index.js';
import { type Executor, executor, needsOf } from '../runner.js';
import { extraction, type ProbeInputs, probe } from './kinds.js';
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
    const sign = (note: string) => progress(1 - 1 / (1 + notes++ / 4), note);
    if (inputs.target) {
      const found = await fitValued(engine, { task, split: '', warnings: [] }, inputs.target, inputs, sign);
      const [sheet] = valuedSheets(found);
      return { ...(sheet ? { sheet: storeSheet(sheet) } : {}), taps: [] };
    }
    const { rankWindows, ...given } = options;
    const methods = method === null ? [] : selectMethods(method);
    const result = await runProbes(engine, task, methods, {
      ...given,
      seed,
      perTap: perTap ?? undefined,
      rankWindows: rankWindows === true,
      progress: sign,
      bench,
    });
    const [own] = result.results;
    if (own?.method.ranks) await writeFileAtomic(join(folder, selectionFile), selectionJson(own.task, own.fit));
    return { ...(own ? { sheet: storeSheet(sheetOf(result, own)) } : {}), taps: tapSheets(result).map(storeTapSheet) };
  });
}

/** A probe of real values or of several labels, as its unit says it. */
export async function fitValued(
  engine: Engine,
  scored: ScoredTask,
  kind: ValuedKind,
  { method, seed, options: { normalisation = probeDefaults.normalisation, ...options } }: ProbeInputs,
  progress: (note: string) => void,
): Promise<ValuedRun> {
  return runValued(engine, scored, kind, selectValued([method ?? ''], kind), {
    ...probeDefaults,
    ...options,
    seed,
    standardize: normalisation.includes('standard'),
    progress,
  });
}
