/** Scores answers against the test labels: the only unit that sees these. */
import { scoreSheet, scoreTaps, type Targets } from '../../record/index.js';
import type { Unit } from '../plan.js';
import { type Executor, executor, needsOf } from '../runner.js';
import { probe, scoring, training } from './kinds.js';

/** @param targetsOf what is true of the test examples of a unit's task */
export function scoreExecutor(targetsOf: (unit: Unit) => Targets): Executor {
  return executor(scoring, async (_, context) => {
    const targets = targetsOf(context.unit);
    const [probed] = needsOf(probe, context);
    const [trained] = needsOf(training, context);
    const sheet = probed?.sheet ?? trained?.sheet;
    const scored = sheet && scoreSheet(sheet, targets);
    const predicted = scored?.predictions?.predicted;
    const contributions = scored?.contributions;
    return {
      ...(scored ? { cell: scored.cell } : {}),
      ...(predicted ? { predicted: Array.from(predicted) } : {}),
      ...(contributions ? { contributions: Array.from(contributions) } : {}),
      taps: [...scoreTaps(probed?.taps ?? [], targets)].map(([alias, probes]) => ({ alias, ...probes })),
    };
  });
}
