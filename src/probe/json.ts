/** A probe's record as `--json` prints it. */
import { type Cell, classesOf, type RunRecord, type TaskRecord } from '../record/index.js';

/** The contract's keys first, then the record's own. */
export function probeJson(record: RunRecord) {
  const [task] = record.tasks as [TaskRecord, ...TaskRecord[]];
  const { options, source } = record.run.config;
  return {
    toehold: 2,
    source,
    options,
    classes: classesOf(task.target),
    examples: task.examples,
    split: task.split,
    methods: task.cells.map(methodJson),
    taps: task.taps,
    answer: record.answer,
    warnings: task.warnings,
    seconds: record.seconds,
  };
}

function methodJson(cell: Cell) {
  if (cell.status !== 'done') return cell;
  const {
    status: _,
    score,
    interval,
    meanPerClass,
    meanPerClassInterval,
    macroF1,
    logLoss,
    calibrationError,
    validation,
    validationInterval,
    validationMeanPerClass,
    validationBest,
    validationFolds,
    ...rest
  } = cell;
  return {
    ...rest,
    ...(score === undefined
      ? {}
      : {
          test: {
            accuracy: score,
            interval,
            meanPerClass,
            meanPerClassInterval,
            macroF1,
            logLoss,
            calibrationError,
          },
        }),
    ...(validation === undefined
      ? {}
      : {
          validation: {
            accuracy: validation,
            interval: validationInterval,
            meanPerClass: validationMeanPerClass,
            best: validationBest,
            folds: validationFolds,
          },
        }),
    path: cell.path?.points ?? [],
    selected: cell.selection?.features ?? cell.features,
  };
}
