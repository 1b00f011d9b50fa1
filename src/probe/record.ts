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
import type { ProbeSource, ProbeTap, ScoredTask } from './task.js';

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
  const origin = originOf(engine, task, { command, config: { options, source }, seed: options.seed, split });
  return recordOf({
    ...origin,
    seconds: run.seconds,
    methods: results.map(({ method }) => method.card),
    tasks: [
      {
        task: source.data,
        backbone: origin.backbone,
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

/** What records say of where a run of probes comes from, whatever its target is. */
export function originOf(
  engine: Engine,
  { source, train }: Pick<ProbeRun['task'], 'source' | 'train'>,
  run: { readonly command: string; readonly config: object; readonly seed: number; readonly split: string },
): Pick<Parameters<typeof recordOf>[0], 'format' | 'version' | 'title' | 'protocol' | 'backbone' | 'run'> {
  const backbone = source.model?.name ?? source.description;
  return {
    format: 'toehold-record',
    version: 2,
    title: `Probes: ${source.description}`,
    protocol: 'probe',
    backbone,
    run: {
      command: run.command,
      config: JSON.parse(JSON.stringify(run.config)) as Record<string, unknown>,
      versions: versionsOf(engine),
      engine: engine.name,
      device: `${engine.device}, ${engine.threads} threads`,
      fingerprints: [
        ...(source.model ? [{ name: source.model.name, sha256: source.model.sha256 }] : []),
        ...(source.key === undefined ? [] : [{ name: 'feature store', sha256: source.key }]),
        ...(source.testImages === undefined ? [] : [{ name: 'test images', sha256: source.testImages }]),
        { name: 'training labels', sha256: sha256(Array.from(train.labels).join()) },
      ],
      seeds: [run.seed],
      labelBudget: run.split,
    },
  };
}

/** The cost of a cell with that of the pass over the training images, where it is known what the network takes. */
export function withExtraction(cell: DoneCell, { model }: ProbeSource, images: number): DoneCell {
  if (!model || !cell.cost) return cell;
  return { ...cell, cost: { ...cell.cost, trainMacs: cell.cost.trainMacs + images * model.macs } };
}

function tapsOf(run: ProbeRun, targets: ScoredTask['targets']): NonNullable<TaskRecord['taps']> {
  const probes = scoreTaps(tapSheets(run), targets);
  return run.task.taps.map((tap) => ({ ...tapOf(tap), ...probes.get(tap.alias) }));
}

/** A tap as records name it. */
export const tapOf = ({ alias, name, depth = 0, features }: ProbeTap) => ({ alias, name, depth, features });
