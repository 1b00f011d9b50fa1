/** A run of probes of values as a record: one task, its cells scored against the test examples' values. */
import type { Engine } from '../../engine/index.js';
import { type RunRecord, recordOf, scoreSheet, truthKey, truthOf, type ValuedTargets } from '../../record/index.js';
import { methods } from '../methods/index.js';
import { originOf, tapOf, withExtraction } from '../record.js';
import type { ValuedRun } from './run.js';
import { valuedSheets } from './sheet.js';

/** What a record says of a run beside its results. */
export interface ValuedRecorded {
  /** What was typed, for the page. */
  readonly command: string;
  readonly options: { readonly folds: number; readonly seed: number; readonly normalisation: string };
}

/** The record of a run. */
export function valuedRecord(engine: Engine, run: ValuedRun, { command, options }: ValuedRecorded): RunRecord {
  const { task, kind, outputs, truth, testGroups, split, results, warnings } = run;
  const { source, train, test, validation, taps } = task;
  const targets: ValuedTargets | undefined = truth && { kind, outputs, values: truth, groups: testGroups };
  const scored = valuedSheets(run).map((sheet) => scoreSheet(sheet, targets));
  const predictions = scored.flatMap(({ cell, contributions }) =>
    contributions ? [{ method: cell.method, seed: options.seed, contributions: Array.from(contributions) }] : [],
  );
  const ids = new Set(results.map(({ method }) => method.id));
  const origin = originOf(engine, task, { command, config: { options, source }, seed: options.seed, split });
  return recordOf({
    ...origin,
    run: {
      ...origin.run,
      fingerprints: [
        ...origin.run.fingerprints,
        ...(targets ? [{ name: 'test labels', sha256: truthKey(targets) }] : []),
      ],
    },
    seconds: results.reduce((sum, { seconds }) => sum + seconds, 0),
    methods: methods.flatMap(({ card }) => (ids.has(card.id) ? [card] : [])),
    tasks: [
      {
        task: source.data,
        backbone: origin.backbone,
        target: { kind, outputs: [...outputs] },
        examples: {
          train: train.matrix.rows,
          ...(validation ? { validation: validation.length } : { folds: options.folds }),
          test: test?.matrix.rows ?? 0,
          ...(train.groups ? { groups: new Set(train.groups).size } : {}),
        },
        split,
        cells: scored.map(({ cell }) => withExtraction(cell, source, train.matrix.rows)),
        ...(targets ? { ...truthOf(targets), predictions } : {}),
        taps: taps.map(tapOf),
        warnings: [...warnings],
      },
    ],
  });
}
