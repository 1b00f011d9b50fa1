/** A probe run as a record: one task, its cells scored against the test labels. */
import * as z from 'zod';
import { sha256 } from '../base/index.js';
import { type Engine, versionsOf } from '../engine/index.js';
import {
  type DoneCell,
  type RunRecord,
  recordOf,
  scoreSheet,
  scoreTaps,
  type TaskRecord,
  truthOf,
} from '../record/index.js';
import { normalisations } from './options.js';
import type { ProbeRun } from './run.js';
import { sheetOf, tapSheets } from './sheets.js';
import type { ProbeSource, ScoredTask } from './task.js';

/** What of a probe's record `export` reads again. */
export const ProbeConfig = z.looseObject({
  options: z.looseObject({ normalisation: z.enum(normalisations) }),
  source: z.looseObject({
    store: z.string().optional(),
    key: z.string().optional(),
    model: z.looseObject({ name: z.string(), sha256: z.string() }).optional(),
    description: z.string(),
  }),
});

/**
 * Scores a run and makes its record.
 * @param command what was typed, for the page
 */
export function probeRecord(
  engine: Engine,
  run: ProbeRun,
  { targets, split, warnings }: Omit<ScoredTask, 'task'>,
  command: string,
): RunRecord {
  const { task, options, folds, results } = run;
  const { source, classes, train } = task;
  const scored = results.map((result) => scoreSheet(sheetOf(run, result), targets));
  const predictions = scored.flatMap(({ cell, predictions }) =>
    predictions ? [{ method: cell.method, seed: options.seed, predicted: Array.from(predictions.predicted) }] : [],
  );
  const name = source.model?.name ?? source.description;
  return recordOf({
    format: 'toehold-record',
    version: 2,
    title: `Probes: ${source.description}`,
    protocol: 'probe',
    backbone: name,
    run: {
      command,
      config: JSON.parse(JSON.stringify({ options, source })) as Record<string, unknown>,
      versions: versionsOf(engine),
      engine: engine.name,
      device: `${engine.device}, ${engine.threads} threads`,
      fingerprints: [
        ...(source.model ? [{ name: source.model.name, sha256: source.model.sha256 }] : []),
        ...(source.key === undefined ? [] : [{ name: 'feature store', sha256: source.key }]),
        ...(source.testImages === undefined ? [] : [{ name: 'test images', sha256: source.testImages }]),
        { name: 'training labels', sha256: sha256(Array.from(train.labels).join()) },
      ],
      seeds: [options.seed],
      labelBudget: split,
    },
    seconds: run.seconds,
    methods: results.map(({ method }) => method.card),
    tasks: [
      {
        task: source.data,
        backbone: name,
        target: { kind: 'class', classes: [...classes] },
        examples: {
          train: train.labels.length,
          ...(task.validation ? { validation: task.validation.length } : { folds: folds.length }),
          test: task.test?.matrix.rows ?? 0,
          ...(train.groups ? { groups: new Set(train.groups).size } : {}),
          perClass: classes.map((_, c) => train.labels.reduce((n, label) => n + (label === c ? 1 : 0), 0)),
        },
        split,
        cells: scored.map(({ cell }) => withExtraction(cell, source, train.labels.length)),
        ...(targets ? { ...truthOf(targets), predictions } : {}),
        taps: tapsOf(run, targets),
        ...(options.tapFeatures === undefined ? {} : { tapBudget: options.tapFeatures }),
        warnings: [...warnings, ...run.warnings],
      },
    ],
  });
}

/** The cost of a cell with that of the pass over the training images, where it is known what the network takes. */
function withExtraction(cell: DoneCell, { model }: ProbeSource, images: number): DoneCell {
  if (!model || !cell.cost) return cell;
  return { ...cell, cost: { ...cell.cost, trainMacs: cell.cost.trainMacs + images * model.macs } };
}

function tapsOf(run: ProbeRun, targets: ScoredTask['targets']): NonNullable<TaskRecord['taps']> {
  const probes = scoreTaps(tapSheets(run), targets);
  return run.task.taps.map(({ alias, name, depth = 0, features }) => ({
    alias,
    name,
    depth,
    features,
    ...probes.get(alias),
  }));
}
