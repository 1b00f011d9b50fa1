/** Fitted probes as sheets and cells of the record: the one place where a probe's result becomes JSON. */
import type { PathPoint, Selection, Sheet, TapSheet, UnscoredCell } from '../record/index.js';
import type { MethodResult, ProbeRun, TapAnswer } from './run.js';
import { keepCount, type Selection as Selected, tapShares } from './selection.js';
import type { ProbeTask } from './task.js';

/** One method of a run, with what it says of the test examples. */
export function sheetOf(run: ProbeRun, result: MethodResult): Sheet {
  const windowed = result.windows?.flatMap((w) => w.predictions ?? []);
  return {
    cell: cellOf(run, result),
    ...(result.predictions ? { predictions: result.predictions } : {}),
    ...(result.alternatives.length > 0 ? { alternatives: result.alternatives } : {}),
    ...(windowed && windowed.length > 0 ? { windows: windowed } : {}),
  };
}

function cellOf(run: ProbeRun, { method, task, fit, tried, network, windows, seconds }: MethodResult): UnscoredCell {
  const { matrix } = task.train;
  const { model, selection, validation, path } = fit;
  const used = selection?.features.length ?? model?.indices.length;
  const taps = model && new Set(Array.from(model.indices, (j) => matrix.locate(j).block)).size;
  return {
    status: 'done',
    method: method.card.id,
    ...(validation ? { validation: validation.accuracy, validationFolds: [...validation.folds] } : {}),
    ...(task.source.input === undefined ? {} : { input: task.source.input }),
    ...(task.pool === undefined ? {} : { pool: task.pool }),
    seconds,
    cost: {
      trainMacs: tried.reduce((sum, own) => sum + trainMacs(own, run.folds.length + 1), 0),
      storedBytes: storedBytes(task, used ?? matrix.features),
    },
    ...(used === undefined ? {} : { features: used }),
    ...(taps === undefined ? {} : { taps }),
    ...(network ? { network } : {}),
    settings: { ...fit.tuned },
    grid: fit.grid.map((row) => ({ ...row, settings: { ...row.settings }, folds: [...row.folds] })),
    ...(path.length > 0
      ? {
          path: {
            points: path.map(pathPoint),
            tolerance: run.options.tolerance,
            ...(fit.tuned.ratio === undefined ? {} : { chosenRatio: Math.min(1, fit.tuned.ratio) }),
          },
        }
      : {}),
    ...(selection ? { selection: selectionOf(task, fit, selection, windows) } : {}),
    converged: fit.converged && tried.every((own) => (own.fit.alternatives ?? []).every((a) => a.converged)),
    notes: [...fit.notes],
  };
}

type Solved = MethodResult['fit']['path'][number];

function pathPoint(point: Solved): PathPoint {
  const { lambda, ratio, objective, gap, nonzero, inactiveShare, iterations, seconds, converged } = point;
  return { lambda, ratio: Math.min(1, ratio), objective, gap, nonzero, inactiveShare, iterations, seconds, converged };
}

/** What the record shows of a selection: kept features by tap, the keep-fraction curve, rank windows, stability. */
function selectionOf(
  task: ProbeTask,
  { grid, tuned }: MethodResult['fit'],
  selection: Selected,
  windows: MethodResult['windows'],
): Selection {
  const { matrix } = task.train;
  const p = matrix.features;
  const best = new Map<number, number>();
  for (const { settings, accuracy, pool } of grid) {
    const { keepFraction } = settings;
    if (pool !== undefined && pool !== task.pool) continue;
    if (keepFraction !== undefined) best.set(keepFraction, Math.max(best.get(keepFraction) ?? 0, accuracy));
  }
  const { features, ranking } = selection;
  return {
    features: features.length,
    ...(ranking.support === undefined ? {} : { support: Math.min(ranking.support, features.length) }),
    shares: tapShares(selection, matrix.offsets, task.taps).map(({ alias, kept, mass }) => ({
      tap: alias,
      kept,
      share: mass,
    })),
    ...(best.size > 0
      ? {
          keepFractions: {
            split: 'validation' as const,
            points: [...best]
              .sort(([a], [b]) => a - b)
              .map(([fraction, score]) => ({ fraction, features: keepCount(fraction, p), score })),
            ...(tuned.keepFraction === undefined ? {} : { chosen: tuned.keepFraction }),
          },
        }
      : {}),
    ...(windows
      ? {
          rankWindows: windows.map(({ first, count, validation, converged }) => ({
            first,
            count,
            validation,
            converged,
          })),
        }
      : {}),
    ...stabilityOf(selection, p),
  };
}

/** How often each feature was selected, beside the Jaccard index that chance would give. */
function stabilityOf(
  { features, frequency, stability, repeats = 0 }: Selected,
  p: number,
): Pick<Selection, 'stability'> {
  if (stability === undefined || !frequency || repeats < 2) return {};
  const times = new Map<number, number>();
  for (const share of frequency) {
    const n = Math.round(share * repeats);
    if (n > 0) times.set(n, (times.get(n) ?? 0) + 1);
  }
  // Two random sets of k of p features share k^2 / p of them.
  const shared = features.length ** 2 / p;
  return {
    stability: {
      repeats,
      over: 'folds',
      jaccard: stability,
      chance: shared / (2 * features.length - shared),
      frequencies: [...times].sort(([a], [b]) => a - b).map(([n, count]) => ({ times: n, features: count })),
    },
  };
}

/** The probes on single taps, with what they say of the test examples. */
export function tapSheets({ taps = [] }: ProbeRun): TapSheet[] {
  const answer = ({ validation, l2, converged, predictions }: TapAnswer) => ({
    validation: validation.accuracy,
    l2,
    converged,
    predictions,
  });
  return taps.map(({ alias, alone, withLast }) => ({
    alias,
    alone: answer(alone),
    ...(withLast ? { withLast: answer(withLast) } : {}),
  }));
}

/**
 * Multiply-adds of the products with features (the rest is small): a Gram matrix of the training rows per fold and for
 * the whole, and for paths a pass over all features per lambda.
 */
function trainMacs({ task, fit }: MethodResult['tried'][number], fits: number): number {
  const { matrix, labels } = task.train;
  const [n, p, K, lambdas] = [labels.length, matrix.features, task.classes.length, fit.path.length];
  const width = lambdas > 0 ? p : (fit.selection?.features.length ?? fit.model?.indices.length ?? p);
  return fits * (n * n * width + 2 * lambdas * n * p * K);
}

/** Weights, intercepts, and the chosen indices. */
function storedBytes({ train, classes }: ProbeTask, features: number): number {
  const K = classes.length;
  return 4 * (features * K + K + (features < train.matrix.features ? features : 0));
}
