/** Fitted probes of values as sheets of cells. */
import { headline, type Sheet } from '../../record/index.js';
import type { ValuedResult, ValuedRun } from './run.js';

/** One of every method, with what it says of the test examples. */
export const valuedSheets = ({ task, results }: ValuedRun): Sheet[] => results.map((result) => sheetOf(task, result));

function sheetOf(
  task: ValuedRun['task'],
  { method, fit, validation, predictions, macs, seconds }: ValuedResult,
): Sheet {
  const { model, shares, tuned } = fit;
  const used = model.indices.length;
  const indices = used < task.train.matrix.features ? used : 0;
  const score = headline(validation);
  return {
    ...(predictions ? { predictions: { kind: 'values', values: predictions } } : {}),
    cell: {
      status: 'done',
      method: method.id,
      ...(Number.isNaN(score) ? {} : { validationBest: score }),
      ...(task.source.input === undefined ? {} : { input: task.source.input }),
      seconds,
      cost: { trainMacs: macs, storedBytes: 4 * (used * model.classes + model.classes + indices) },
      features: used,
      taps: shares.filter((share) => share > 0).length,
      settings: { ...tuned },
      converged: fit.converged,
      notes: [...fit.notes],
    },
  };
}
