/** Scores predictions against the test labels: the only unit that sees these. */
import { WorkError } from '../../base/index.js';
import type { Json } from '../plan.js';
import type { Executor } from '../runner.js';
import type { StudyTask } from '../tasks.js';
import { type ProbeResult, resultOf, type ScoreResult, type Sources } from './types.js';

export function scoreExecutor(tasks: ReadonlyMap<string, StudyTask>): Executor {
  return async ({ unit, needs }) => {
    const task = tasks.get((unit.sources as Sources).task) as StudyTask;
    const [record] = needs;
    return score(record ? resultOf<ProbeResult>(record) : undefined, task.test.labels) as unknown as Json;
  };
}

/**
 * Accuracy of a cell. A cell with `singles` and no predictions of its own is the oracle: its figure is that of the tap
 * which is best on the test set together with the last layer.
 */
export function score(cell: ProbeResult | undefined, labels: readonly number[]): ScoreResult {
  if (!cell) throw new WorkError('there is nothing to score');
  const accuracyOf = (predicted: readonly number[]): number => {
    if (predicted.length !== labels.length) {
      throw new WorkError(
        `${predicted.length} predictions for ${labels.length} test labels: run the study in a new folder`,
      );
    }
    return labels.filter((label, i) => label === predicted[i]).length / labels.length;
  };
  const singles = cell.singles?.map(({ alias, alone, withLast }) => ({
    alias,
    ...(alone ? { alone: accuracyOf(alone) } : {}),
    ...(withLast ? { withLast: accuracyOf(withLast) } : {}),
  }));
  const best = (cell.singles ?? [])
    .filter((s) => s.withLast)
    .reduce<{ alias: string; predicted: readonly number[] } | undefined>((a, { alias, withLast = [] }) => {
      return a && accuracyOf(a.predicted) >= accuracyOf(withLast) ? a : { alias, predicted: withLast };
    }, undefined);
  const predicted = cell.predicted ?? best?.predicted;
  const windows = cell.windows?.map((w) => ({ offset: w.offset, size: w.size, accuracy: accuracyOf(w.predicted) }));
  return {
    n: labels.length,
    labels,
    ...(predicted ? { predicted, accuracy: accuracyOf(predicted) } : {}),
    ...(best ? { best: best.alias } : {}),
    ...(singles ? { singles } : {}),
    ...(windows ? { windows } : {}),
  };
}
