/** A training run as a record: one task, one cell with its epochs, scored against the test labels. */
import { basename } from 'node:path';
import { canonicalJson, sha256 } from '../base/index.js';
import { type Engine, versionsOf } from '../engine/index.js';
import { backboneName } from '../features/index.js';
import { type RunRecord, recordOf, scoreSheet, truthKey, truthOf } from '../record/index.js';
import { treatmentCard } from './cards.js';
import type { JobData } from './job-data.js';
import { decisiveOptions, type TrainOptions } from './options.js';
import type { TestedImages, TrainSummary } from './results.js';
import type { Treatment } from './treatment.js';

/** What a record says of a job beside its result. */
export interface RecordedJob {
  readonly model: string;
  /** sha256 of the model file; an architecture has none. */
  readonly sha256: string | undefined;
  readonly data: string;
  readonly treatment: Treatment;
  readonly options: TrainOptions;
  /** Height of the images, in pixels. */
  readonly input: number;
  /** What of the job decides its result, for the page. */
  readonly config: object;
  /** What was typed. */
  readonly command: string;
  /** sha256 of every training image, in order. */
  readonly hashes: readonly string[];
  /** Of every test image. */
  readonly testHashes: readonly string[];
}

/** Scores a finished job and makes its record. */
export function trainRecord(
  engine: Engine,
  job: RecordedJob,
  { classes, valued, train, watched, test, splits }: Omit<JobData, 'hashOf'>,
  summary: TrainSummary,
  tested: TestedImages | undefined,
): RunRecord {
  const card = treatmentCard(job.treatment);
  const { learningRate, batch } = job.options;
  const { plan, parameters, epochs, seed } = summary;
  const last = watched.length > 0 ? epochs.findLast((e) => e.watched !== undefined)?.watched : undefined;
  const { cell, predictions, contributions } = scoreSheet(
    {
      cell: {
        status: 'done',
        method: card.id,
        seconds: summary.seconds,
        input: job.input,
        triedRates: 1,
        ...(last === undefined ? {} : { validation: last }),
        ...(summary.failedToTrain ? { failedToTrain: true } : {}),
        settings: {
          learningRate,
          batch,
          steps: summary.steps,
          layers: plan.layers,
          copied: plan.copied,
          frozen: plan.frozen,
          learnedParameters: parameters.trained,
        },
        epochs: [...epochs],
        converged: true,
        notes: [],
      },
      predictions: tested?.predictions,
    },
    tested?.targets,
  );
  const model = backboneName(job.model);
  const task = basename(job.data);
  return recordOf({
    format: 'toehold-record',
    version: 2,
    title: `Training: ${card.label}, ${model}, ${task}`,
    protocol: 'train',
    backbone: model,
    run: {
      command: job.command,
      config: JSON.parse(JSON.stringify({ ...job.config, options: decisiveOptions(job.options) })),
      versions: versionsOf(engine),
      engine: engine.name,
      device: `${engine.device}, ${engine.threads} threads`,
      fingerprints: [
        ...(job.sha256 === undefined ? [] : [{ name: model, sha256: job.sha256 }]),
        { name: 'training images', sha256: sha256(job.hashes.join()) },
        ...(tested
          ? [
              { name: 'test images', sha256: sha256(canonicalJson(job.testHashes)) },
              { name: 'test labels', sha256: truthKey(tested.targets) },
            ]
          : []),
      ],
      seeds: [seed],
      labelBudget: splits,
    },
    seconds: summary.seconds,
    methods: [card],
    tasks: [
      {
        task,
        backbone: model,
        target: valued ? { kind: valued.kind, outputs: [...classes] } : { kind: 'class', classes: [...classes] },
        examples: {
          train: train.length,
          ...(watched.length > 0 ? { validation: watched.length } : {}),
          test: test.length,
          ...(valued ? {} : { perClass: classes.map((_, c) => train.filter(({ label }) => label === c).length) }),
        },
        split: splits,
        cells: [cell],
        ...(tested
          ? {
              ...truthOf(tested.targets),
              predictions: [
                {
                  method: card.id,
                  seed,
                  ...(predictions ? { predicted: Array.from(predictions.predicted) } : {}),
                  ...(contributions ? { contributions: Array.from(contributions) } : {}),
                },
              ],
            }
          : {}),
      },
    ],
  });
}
