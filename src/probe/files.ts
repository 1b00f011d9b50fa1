/** What a run of probes leaves in a folder: record.json, CSV files and weights. */
import { mkdir, readdir, rm, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type CsvCell, csv, fileError, nameForFile, writeFileAtomic } from '../base/index.js';
import { encodeNpy } from '../features/index.js';
import { type ClassTargets, type RunRecord, recordFile } from '../record/index.js';
import { foldNormalisation, type LinearModel } from '../solver/index.js';
import { attentionHead, type FittedAttention } from './attention/head.js';
import { encodeNpz } from './npz.js';
import type { MethodResult, ProbeRun } from './run.js';
import { type ProbeTap, placeOf } from './task.js';

/** Where the weights of a method's linear head lie in the folder of a run. */
export function weightsFile(method: string): string {
  return `weights/${nameForFile(method)}.npz`;
}

/** The result of probes of values as JSON. */
export const valuedFile = 'targets.json';

/** What lies directly in the folder of a run. */
export const probeFiles = [recordFile, 'selection.csv', 'path.csv', 'predictions.csv', valuedFile];

/** What a report of an earlier run may have left in its folders. */
const drawn: Readonly<Record<string, RegExp>> = {
  '.': /^report\.html$/,
  figures: /\.(svg|vl\.json)$/,
  tables: /\.(csv|md|tex)$/,
  weights: /\.npz$/,
};

/** Removes what an earlier run left, its record first: without one a folder is no run. */
async function forget(directory: string): Promise<void> {
  for (const file of probeFiles) await rm(join(directory, file), { force: true });
  for (const [folder, pattern] of Object.entries(drawn)) {
    const names = await readdir(join(directory, folder)).catch(() => []);
    const own = names.filter((name) => pattern.test(name));
    for (const name of own) await rm(join(directory, folder, name), { force: true });
    if (folder !== '.' && own.length > 0 && own.length === names.length) await rmdir(join(directory, folder));
  }
}

/** Makes the folder of a run, without what an earlier one left. */
export async function emptyFolder(directory: string): Promise<void> {
  try {
    await mkdir(directory, { recursive: true });
    await forget(directory);
  } catch (error) {
    throw fileError(error, directory);
  }
}

/** Writes record.json, selection.csv, path.csv, predictions.csv and each linear head as weights/<method>.npz. */
export async function writeProbeRun(
  run: ProbeRun,
  record: RunRecord,
  targets: ClassTargets | undefined,
  directory: string,
): Promise<void> {
  await emptyFolder(directory);
  const write = (file: string, content: string | Uint8Array) => writeFileAtomic({ root: directory, file }, content);
  const table = async (file: string, rows: Record<string, CsvCell>[]) => {
    const [first] = rows;
    if (first)
      await write(
        file,
        await csv(
          Object.keys(first),
          rows.map((row) => Object.values(row)),
        ),
      );
  };
  await table('selection.csv', run.results.flatMap(selectionRows));
  await table('path.csv', run.results.flatMap(pathRows));
  await table('predictions.csv', predictionRows(run, targets));
  for (const { method, fit } of run.results) {
    if (fit.model) await write(weightsFile(method.card.id), headNpz(fit.model, fit.temperature));
    else if (fit.attention) await write(weightsFile(method.card.id), attentionNpz(fit.attention));
  }
  await write(recordFile, `${JSON.stringify(record, null, 1)}\n`);
}

/** A feature that a method kept, where it sits in the network, and why. */
export interface SelectedFeature {
  /** Column of the features that the method was fitted to. */
  readonly feature: number;
  readonly tap: string;
  readonly channel: number;
  /** Cell of the pooled grid; row -1 for a token apart. */
  readonly row: number;
  readonly column: number;
  readonly score: number;
  /** From 1. */
  readonly rank: number;
  /** Largest lambda of the path at which it has a weight. */
  readonly entryLambda: number | undefined;
  /** Share of halves of the examples on which it is selected, where that was measured. */
  readonly frequency: number | undefined;
}

/** What a method kept, best first; undefined for one that keeps everything. */
export function selectedFeatures({ task, fit, stability }: MethodResult): SelectedFeature[] | undefined {
  const { selection } = fit;
  if (!selection) return undefined;
  const { matrix } = task.train;
  const kept = new Set(selection.features);
  return [...selection.ranking.order.entries()].flatMap(([rank, feature]) => {
    if (!kept.has(feature)) return [];
    const { block, index } = matrix.locate(feature);
    const tap = task.taps[block] as ProbeTap;
    const { channel, row, column } = placeOf(tap, index);
    return {
      feature,
      tap: tap.alias,
      channel,
      row,
      column,
      score: selection.ranking.scores[feature] as number,
      rank: rank + 1,
      entryLambda: selection.entryLambda?.[feature],
      frequency: stability?.frequency[feature],
    };
  });
}

function selectionRows(result: MethodResult): Record<string, CsvCell>[] {
  return (selectedFeatures(result) ?? []).map(({ entryLambda, frequency, ...feature }) => ({
    method: result.method.card.id,
    ...feature,
    'entry lambda': entryLambda ?? '',
    frequency: frequency ?? '',
  }));
}

function pathRows({ method, fit }: MethodResult): Record<string, CsvCell>[] {
  return fit.path.map(({ lambda, ratio, objective, gap, nonzero, iterations, seconds, converged }) => ({
    method: method.card.id,
    lambda,
    ratio,
    objective,
    gap,
    nonzero,
    iterations,
    seconds,
    converged,
  }));
}

/** What every method says of every test example; beside it what is true, where that is known. */
function predictionRows({ task, results }: ProbeRun, targets: ClassTargets | undefined): Record<string, CsvCell>[] {
  const { classes, test } = task;
  const K = classes.length;
  return results.flatMap(({ method, predictions }) => {
    if (!predictions) return [];
    const { predicted, probabilities } = predictions;
    return Array.from(predicted, (top, i) => {
      const label = targets?.labels[i];
      return {
        method: method.card.id,
        file: test?.files[i],
        label: label === undefined ? '' : classes[label],
        predicted: classes[top],
        correct: label === undefined ? '' : top === label ? 1 : 0,
        probability: probabilities?.[i * K + top] ?? '',
        'probability of label': label === undefined ? '' : (probabilities?.[i * K + label] ?? ''),
      };
    });
  });
}

/**
 * W (p, K) and b (K) in dense form, on the features as they are (unit-normed where that was asked for), and what their
 * logits are divided by before the softmax.
 */
export function weightsNpz(model: LinearModel, temperature = 1): Uint8Array {
  const { weights, intercept } = foldNormalisation(model);
  const K = model.classes;
  const dense = new Float64Array(model.features * K);
  for (const [i, j] of model.indices.entries()) dense.set(weights.subarray(i * K, (i + 1) * K), j * K);
  return encodeNpz({
    W: encodeNpy('<f8', [model.features, K], dense),
    b: encodeNpy('<f8', [K], intercept),
    temperature: encodeNpy('<f8', [1], Float64Array.of(temperature)),
  });
}

/** The same with the features that have a weight only: what export reads. */
export function headNpz(model: LinearModel, temperature = 1): Uint8Array {
  const { weights, intercept } = foldNormalisation(model);
  return encodeNpz({
    W: encodeNpy('<f8', [model.indices.length, model.classes], weights),
    b: encodeNpy('<f8', [model.classes], intercept),
    features: encodeNpy('<i4', [model.indices.length], model.indices),
    temperature: encodeNpy('<f8', [1], Float64Array.of(temperature)),
  });
}

/** Attention over vectors, calibrated: what export reads. */
function attentionNpz(fitted: FittedAttention): Uint8Array {
  const { features, places, tokens: k, score, value, mix, intercept } = attentionHead(fitted);
  const [D, K] = [places.length / k, intercept.length];
  const H = score.length / D;
  const d = value.length / (H * D);
  return encodeNpz({
    score: encodeNpy('<f8', [D, H], score),
    value: encodeNpy('<f8', [H, D, d], value),
    mix: encodeNpy('<f8', [H * d, K], mix),
    intercept: encodeNpy('<f8', [K], intercept),
    places: encodeNpy('<i4', [k, D], places),
    features: encodeNpy('<i4', [features.length], features),
    temperature: encodeNpy('<f8', [1], Float64Array.of(fitted.temperature)),
  });
}
