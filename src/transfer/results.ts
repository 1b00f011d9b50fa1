/** The folder that a training job leaves: model, predictions, log and result. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { csv, readJson, UserError, writeFileAtomic } from '../base/index.js';
import type { Preprocess } from '../data/index.js';
import { type Graph, writeModel } from '../graph/index.js';
import {
  ofClasses,
  type Predictions,
  type RunRecord,
  recordFile,
  type Targets,
  type ValuedScore,
} from '../record/index.js';
import type { Interval } from '../stats/index.js';
import type { EpochRecord } from './checkpoint.js';

/** Scores of a training run on test images, of classes. */
export interface ClassTest {
  accuracy: number;
  interval: Interval;
  loss: number;
  n: number;
}

/** What result.json of a training run says. */
export interface TrainSummary<Test = ClassTest | ValuedScore> {
  treatment: string;
  /** n of the treatments that count layers. */
  layers: number | null;
  /** Learned layers of the network, of these copied, and frozen. */
  plan: { layers: number; copied: number; frozen: number };
  seed: number;
  steps: number;
  seconds: number;
  /** Accuracy of classes only. */
  train: { loss: number; accuracy?: number };
  /** Null where no images were tested on; of values and labels their scores. */
  test: Test | null;
  /** What was trained on and tested on. */
  splits: string;
  failedToTrain: boolean;
  /** Path of the trained model. */
  model: string;
  /** Path of the predictions for test images, null where there are none. */
  predictions: string | null;
  classes: number;
  epochs: readonly EpochRecord[];
  parameters: { trained: number; total: number };
  unfolded: number;
  frozenHash: string;
  engine: { name: string; device: string; threads: number };
}

const names = {
  model: 'model.onnx',
  preprocess: 'model.preprocess.json',
  predictions: 'predictions.csv',
  log: 'log.jsonl',
  record: recordFile,
  result: 'result.json',
  checkpoint: 'checkpoint.safetensors',
} as const;

/** Names of the files that a job leaves in its folder. */
export const trainFiles: readonly string[] = Object.values(names);

/** Paths of a job's files in its folder. */
export function filesIn(folder: string): Record<keyof typeof names, string> {
  const at = (name: keyof typeof names) => join(folder, names[name]);
  return {
    model: at('model'),
    preprocess: at('preprocess'),
    predictions: at('predictions'),
    log: at('log'),
    record: at('record'),
    result: at('result'),
    checkpoint: at('checkpoint'),
  };
}

/** Test images by name, what was predicted, and what is true. */
export interface TestedImages {
  readonly files: readonly string[];
  readonly predictions: Predictions;
  readonly targets: Targets;
}

export interface Results {
  /** Names what was computed, see jobKey. */
  readonly key: string;
  readonly summary: TrainSummary;
  readonly model: Graph;
  readonly preprocess: Preprocess;
  readonly tested: TestedImages | undefined;
  readonly record: RunRecord;
}

/** Writes everything, the result last, and removes the checkpoint. */
export async function writeResults(
  folder: string,
  { key, summary, model, preprocess, tested, record }: Results,
): Promise<void> {
  const write = (file: string, content: string | Uint8Array) => writeFileAtomic({ root: folder, file }, content);
  await write(names.model, writeModel(model));
  await write(names.preprocess, `${JSON.stringify(preprocess, null, 2)}\n`);
  if (tested) await write(names.predictions, await predictionsCsv(tested));
  await write(names.log, summary.epochs.map((e) => `${JSON.stringify(e)}\n`).join(''));
  await write(names.record, `${JSON.stringify(record, null, 1)}\n`);
  await write(names.result, `${JSON.stringify({ key, ...summary }, null, 2)}\n`);
  await rm(filesIn(folder).checkpoint, { force: true });
}

/** The result in a folder, undefined when there is none. @throws UserError when it is another job's */
export async function readResult(folder: string, key: string): Promise<TrainSummary | undefined> {
  const path = filesIn(folder).result;
  const saved = await readJson(path, 'delete it and run again');
  if (saved === undefined) return undefined;
  const { key: found, ...summary } = saved as TrainSummary & { key: string };
  if (found === key) return summary;
  throw new UserError(
    `${path} is the result of another run (its model, data, settings or number of threads differ): choose another folder with -o`,
  );
}

/**
 * One row per test image: what is true, what was predicted, and with what probability. Of values and labels one per image
 * and output.
 */
export function predictionsCsv({ files, predictions, targets }: TestedImages): Promise<string> {
  if (targets.kind !== 'class') {
    const said = predictions.kind === 'values' ? predictions.values : [];
    const { outputs, values } = targets;
    const each = Array.from(said, (value, at) => [
      files[Math.floor(at / outputs.length)],
      outputs[at % outputs.length],
      values[at],
      value,
    ]);
    return csv(['file', 'output', 'truth', 'predicted'], each);
  }
  const { classes, labels } = targets;
  const { predicted, probabilities } = ofClasses(predictions);
  const name = (c: number) => classes[c] ?? String(c);
  const rows = files.map((file, i) => {
    const [label, top] = [labels[i] as number, predicted[i] as number];
    const probability = probabilities?.[i * classes.length + top]?.toPrecision(6);
    return [file, label, name(label), top, name(top), probability, label === top ? 1 : 0];
  });
  return csv(['file', 'label', 'class', 'predicted', 'predicted_class', 'probability', 'correct'], rows);
}
