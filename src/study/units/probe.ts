/** Probes on extracted features. Settings are tuned inside the training rows; test examples come without labels. */
import { join } from 'node:path';
import { WorkError, writeFileAtomic } from '../../base/index.js';
import {
  keepCount,
  type ProbeRun,
  type ProbeTask,
  probeDefaults,
  runProbes,
  type StoreTask,
  selectMethods,
  sourceDefaults,
  subset,
  tapShares,
  taskFromStore,
} from '../../probe/index.js';
import { foldNormalisation } from '../../solver/index.js';
import { topClasses } from '../../stats/index.js';
import type { Json } from '../plan.js';
import type { Executor } from '../runner.js';
import type { StudyTask } from '../tasks.js';
import type { UnitWorld } from './extract.js';
import { subsetRows } from './subset.js';
import { type ExtractResult, type ProbeResult, resultOf, type Sources, type Subset } from './types.js';

export interface ProbeInputs {
  /** A method, or 'layers': every tap alone and added to the last. */
  readonly method: string;
  readonly seed: number;
  readonly subset: Subset | null;
  readonly budget: {
    readonly folds: number;
    readonly tolerance: number;
    readonly lambdas?: number;
    readonly ratio?: number;
    readonly fractions?: readonly number[];
    readonly rankWindows?: boolean;
    readonly withLast?: boolean;
  };
}

export function probeExecutor({ engine, tasks }: UnitWorld): Executor {
  return async ({ unit, needs, run, folder, progress }) => {
    const inputs = unit.inputs as unknown as ProbeInputs;
    const study = tasks.get((unit.sources as Sources).task) as StudyTask;
    const [store, second] = needs.map((r) => run.file(resultOf<ExtractResult>(r).store));
    const options = { ...sourceDefaults, normalisation: probeDefaults.normalisation, holdout: 0 };
    const whole = await taskFromStore(store as string, options, second);
    const task = await withLabels(whole, study, inputs.subset);
    const { method, seed, budget } = inputs;
    const layers = method === 'layers';
    // Notes come once a fold; they are no measure of time, only a sign of life.
    let notes = 0;
    const result = await runProbes(engine, task, selectMethods(layers ? 'linear' : method), {
      seed,
      folds: Math.max(2, budget.folds),
      tolerance: budget.tolerance,
      ...(budget.lambdas === undefined ? {} : { lambdaCount: budget.lambdas }),
      ...(budget.ratio === undefined ? {} : { lambdaRatio: budget.ratio }),
      ...(budget.fractions === undefined ? {} : { fractions: budget.fractions }),
      ...(layers ? { tapPredictions: budget.withLast ? 'added' : 'alone' } : {}),
      rankWindows: method === 'head2toe' && budget.rankWindows === true,
      progress: (note) => progress(1 - 1 / (1 + notes++ / 4), note),
    });
    if (method === 'head2toe') await writeFileAtomic(join(folder, selectionFile), selectionJson(result));
    return (layers ? layersResult(result) : methodResult(result)) as unknown as Json;
  };
}

/** The cell's training rows with their labels; the test rows, all of the first class that is trained on. */
async function withLabels(task: StoreTask, study: StudyTask, chosen: Subset | null): Promise<ProbeTask> {
  const test = task.test ?? task.unlabelledTest;
  if (!test) throw new WorkError('the feature store has no test split: delete it and run again');
  const stored = { ...task.train, labels: Int32Array.from(study.train.labels), groups: study.train.groups };
  const train = chosen ? subset(stored, subsetRows(study.train, chosen)) : stored;
  const blank = new Int32Array(test.files.length).fill(train.labels[0] as number);
  return { ...task, train, test: { ...test, labels: blank } };
}

/** Where a head2toe unit leaves what it selected. */
export const selectionFile = 'selection.json';

/** What a head2toe probe selected and learned: indices into each tap's pooled features, and its head on them. */
export interface SelectedFeatures {
  readonly taps: readonly { readonly tap: string; readonly indices: readonly number[] }[];
  /** float32 values, base64: weight (classes, features in the order of `taps`) and bias (classes). */
  readonly head: { readonly weight: string; readonly bias: string };
}

function selectionJson({ results, task }: ProbeRun): string {
  const { matrix } = task.train;
  const model = results[0]?.fit.model;
  if (!model) throw new WorkError('the probe kept no model');
  const taps = task.taps.map(({ alias }) => ({ tap: alias, indices: [] as number[] }));
  for (const feature of model.indices) {
    const { block, index } = matrix.locate(feature);
    taps[block]?.indices.push(index);
  }
  const { weights, intercept } = foldNormalisation(model);
  const [K, width] = [model.classes, model.indices.length];
  const weight = new Float32Array(K * width);
  for (let j = 0; j < width; j++) {
    for (let k = 0; k < K; k++) weight[k * width + j] = weights[j * K + k] as number;
  }
  const selected: SelectedFeatures = {
    taps: taps.filter((t) => t.indices.length > 0),
    head: { weight: toBase64(weight), bias: toBase64(Float32Array.from(intercept)) },
  };
  return `${JSON.stringify(selected)}\n`;
}

const toBase64 = (values: Float32Array): string => Buffer.from(values.buffer, 0, values.byteLength).toString('base64');

/** The head of a selection, as the trainer takes it. */
export function headOf({ head }: SelectedFeatures): { weight: Float32Array; bias: Float32Array } {
  const floats = (text: string) => new Float32Array(Uint8Array.from(Buffer.from(text, 'base64')).buffer);
  return { weight: floats(head.weight), bias: floats(head.bias) };
}

function methodResult(run: ProbeRun): ProbeResult {
  const [result] = run.results;
  if (!result?.probabilities) throw new WorkError('the probe made no predictions');
  const { fit, method } = result;
  const { matrix } = run.task.train;
  const p = matrix.features;
  const shares = fit.selection ? tapShares(fit.selection, matrix.offsets, run.task.taps) : undefined;
  const used = fit.selection?.features.length ?? result.used ?? p;
  const selecting = method.name === 'head2toe';
  const taps = fit.model ? new Set(Array.from(fit.model.indices, (j) => matrix.locate(j).block)).size : 2;
  return {
    predicted: Array.from(topClasses(result.probabilities, run.task.classes.length)),
    ...(fit.validation ? { validation: fit.validation.accuracy } : {}),
    features: used,
    taps,
    settings: fit.tuned,
    converged: fit.converged,
    cost: costOf(run, used),
    ...(shares ? { kept: shares.map(({ alias, kept, mass }) => ({ alias, kept, share: mass })) } : {}),
    ...(fit.path.length > 0
      ? {
          path: fit.path.map(({ lambda, ratio, objective, gap, nonzero, inactiveShare }) => ({
            lambda,
            ratio: Math.min(1, ratio),
            objective,
            gap,
            nonzero,
            inactiveShare,
          })),
          gapTolerance: run.options.tolerance,
          ...(fit.tuned.ratio === undefined ? {} : { chosenRatio: Math.min(1, fit.tuned.ratio) }),
        }
      : {}),
    ...(selecting ? selectionFigures(run) : {}),
  };
}

/** What the report shows of a selection: the keep-fraction curve, rank windows, stability over folds. */
function selectionFigures(run: ProbeRun): Partial<ProbeResult> {
  const fit = run.results[0]?.fit;
  const p = run.task.train.matrix.features;
  if (!fit?.selection) return {};
  const best = new Map<number, number>();
  for (const { settings, accuracy } of fit.grid) {
    const fraction = settings.keepFraction as number;
    best.set(fraction, Math.max(best.get(fraction) ?? 0, accuracy));
  }
  const { frequency, stability, features } = fit.selection;
  const folds = run.folds.length;
  const times = new Map<number, number>();
  for (const share of frequency ?? []) {
    const n = Math.round(share * folds);
    if (n > 0) times.set(n, (times.get(n) ?? 0) + 1);
  }
  // Two random sets of k of p features share k^2 / p of them.
  const shared = features.length ** 2 / p;
  return {
    fractions: [...best]
      .sort(([a], [b]) => a - b)
      .map(([fraction, accuracy]) => ({ fraction, features: keepCount(fraction, p), accuracy })),
    chosenFraction: fit.tuned.keepFraction as number,
    ...(run.windows
      ? {
          windows: run.windows.map(({ first, count, predicted }) => ({
            offset: first,
            size: count,
            predicted: Array.from(predicted ?? []),
          })),
        }
      : {}),
    ...(stability === undefined
      ? {}
      : {
          stability: {
            repeats: folds,
            over: 'folds',
            jaccard: stability,
            chance: shared / (2 * features.length - shared),
            frequencies: [...times].sort(([a], [b]) => a - b).map(([n, count]) => ({ times: n, features: count })),
          },
        }),
  };
}

function layersResult(run: ProbeRun): ProbeResult {
  const { matrix } = run.task.train;
  return {
    singles: (run.tapPredictions ?? []).map(({ alias, alone, added }) => ({
      alias,
      alone: Array.from(alone),
      ...(added ? { withLast: Array.from(added) } : {}),
    })),
    features: matrix.features,
    taps: run.task.taps.length,
    settings: run.results[0]?.fit.tuned ?? {},
    cost: costOf(run, matrix.features),
  };
}

/**
 * Multiply-adds of the products with features (the rest is small): a Gram matrix of the training rows per fold and for
 * the whole, and for paths a pass over all features per lambda. Bytes: weights, intercepts, and the chosen indices.
 */
function costOf(run: ProbeRun, features: number): ProbeResult['cost'] {
  const { matrix, labels } = run.task.train;
  const [n, p, K] = [labels.length, matrix.features, run.task.classes.length];
  const fits = run.folds.length + 1;
  const lambdas = run.results[0]?.fit.path.length ?? 0;
  const width = lambdas > 0 ? p : features;
  const indices = features < p ? features : 0;
  return {
    trainMacs: fits * (n * n * width + 2 * lambdas * n * p * K),
    storedBytes: 4 * (features * K + K + indices),
  };
}
