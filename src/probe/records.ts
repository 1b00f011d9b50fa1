/** What a run of probes leaves behind: records.json, CSV files and weights. */
import { mkdir } from 'node:fs/promises';
import { writeToString } from 'fast-csv';
import { fileError, nameForFile, writeFileAtomic } from '../base/index.js';
import { encodeNpy } from '../features/index.js';
import { foldNormalisation, type LinearModel } from '../solver/index.js';
import { topClasses } from '../stats/index.js';
import { encodeNpz } from './npz.js';
import type { MethodResult, ProbeRun } from './run.js';
import { tapShares } from './selection.js';
import { type ProbeTap, placeOf } from './task.js';

/** One method as `--json` prints it. */
export function methodRecord({ task }: ProbeRun, result: MethodResult) {
  const { method, fit, test, used, network, seconds } = result;
  const { selection } = fit;
  return {
    method: method.name,
    title: method.title,
    usesTestLabels: method.peeks === true,
    test,
    validation: fit.validation,
    tuned: fit.tuned,
    path: fit.path.map(
      ({ lambda, ratio, objective, loss, gap, nonzero, iterations, seconds: s, inactiveShare, converged }) => ({
        lambda,
        ratio,
        objective,
        loss,
        gap,
        nonzero,
        iterations,
        seconds: s,
        inactiveShare,
        converged,
      }),
    ),
    selected: selection ? selection.features.length : used,
    support: selection?.ranking.support,
    stability: selection?.stability,
    shares: selection ? tapShares(selection, task.train.matrix.offsets, task.taps) : undefined,
    network,
    converged: fit.converged,
    notes: fit.notes,
    grid: fit.grid,
    seconds,
  };
}

/** The whole run as one JSON document. */
export function probeRecord(run: ProbeRun) {
  const { options, task, folds, results, taps, windows, warnings, seconds } = run;
  return {
    toehold: 1,
    source: task.source,
    classes: task.classes,
    train: { n: task.train.labels.length, groups: task.train.groups ? new Set(task.train.groups).size : undefined },
    test: task.test ? { n: task.test.labels.length } : undefined,
    features: task.train.matrix.features,
    options,
    folds: folds.map((fold) => fold.validation),
    methods: results.map((result) => methodRecord(run, result)),
    taps,
    rankWindows: windows?.map(({ predicted: _, ...window }) => window),
    warnings,
    seconds,
  };
}

/** Where the weights of a method's linear head lie in the folder of a run. */
export function weightsFile(method: string): string {
  return `weights/${nameForFile(method)}.npz`;
}

/** Writes records.json, selection.csv, path.csv, predictions.csv and each linear head as weights/<method>.npz. */
export async function writeProbeRun(run: ProbeRun, directory: string): Promise<void> {
  try {
    await mkdir(directory, { recursive: true });
  } catch (error) {
    throw fileError(error, directory);
  }
  const csv = async (name: string, rows: Record<string, unknown>[]) => {
    if (rows.length === 0) return;
    await writeFileAtomic({ root: directory, file: name }, await writeToString(rows, { headers: true }));
  };
  await csv(
    'selection.csv',
    run.results.flatMap((result) => selectionRows(run, result)),
  );
  await csv('path.csv', run.results.flatMap(pathRows));
  await csv('predictions.csv', predictionRows(run));
  for (const { method, fit } of run.results) {
    if (!fit.model) continue;
    await writeFileAtomic({ root: directory, file: weightsFile(method.name) }, headNpz(fit.model));
  }
  await writeFileAtomic({ root: directory, file: 'records.json' }, `${JSON.stringify(probeRecord(run), null, 1)}\n`);
}

function selectionRows({ task }: ProbeRun, { method, fit }: MethodResult): Record<string, unknown>[] {
  const { selection } = fit;
  if (!selection) return [];
  const { matrix } = task.train;
  const kept = new Set(selection.features);
  const rows: Record<string, unknown>[] = [];
  for (const [rank, feature] of selection.ranking.order.entries()) {
    if (!kept.has(feature)) continue;
    const { block, index } = matrix.locate(feature);
    const tap = task.taps[block] as ProbeTap;
    const { channel, row, column } = placeOf(tap, index);
    rows.push({
      method: method.name,
      feature,
      tap: tap.alias,
      channel,
      row,
      column,
      score: selection.ranking.scores[feature],
      rank: rank + 1,
      'entry lambda': selection.entryLambda?.[feature] ?? '',
      frequency: selection.frequency?.[feature] ?? '',
    });
  }
  return rows;
}

function pathRows({ method, fit }: MethodResult): Record<string, unknown>[] {
  return fit.path.map(({ lambda, ratio, objective, gap, nonzero, iterations, seconds, converged }) => ({
    method: method.name,
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

function predictionRows({ task, results }: ProbeRun): Record<string, unknown>[] {
  const { test, classes } = task;
  if (!test) return [];
  return results.flatMap(({ method, probabilities }) => {
    if (!probabilities) return [];
    const K = classes.length;
    return Array.from(topClasses(probabilities, K), (top, i) => {
      const label = test.labels[i] as number;
      return {
        method: method.name,
        file: test.files[i],
        label: classes[label],
        predicted: classes[top],
        correct: top === label ? 1 : 0,
        probability: probabilities[i * K + top],
        'probability of label': probabilities[i * K + label],
      };
    });
  });
}

/** W (p, K) and b (K) in dense form, on the features as they are (unit-normed where that was asked for). */
export function weightsNpz(model: LinearModel): Uint8Array {
  const { weights, intercept } = foldNormalisation(model);
  const K = model.classes;
  const dense = new Float64Array(model.features * K);
  for (const [i, j] of model.indices.entries()) dense.set(weights.subarray(i * K, (i + 1) * K), j * K);
  return encodeNpz({
    W: encodeNpy('<f8', [model.features, K], dense),
    b: encodeNpy('<f8', [K], intercept),
  });
}

/** The same with the features that have a weight only: what export reads. */
function headNpz(model: LinearModel): Uint8Array {
  const { weights, intercept } = foldNormalisation(model);
  return encodeNpz({
    W: encodeNpy('<f8', [model.indices.length, model.classes], weights),
    b: encodeNpy('<f8', [model.classes], intercept),
    features: encodeNpy('<i4', [model.indices.length], model.indices),
  });
}
