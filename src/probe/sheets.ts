/** Fitted probes as sheets and cells of the record: the one place where a probe's result becomes JSON. */
import type { Cost, PathPoint, Selection, Sheet, TapSheet, UnscoredCell } from '../record/index.js';
import type { MethodResult, ProbeRun, TapAnswer } from './run.js';
import { countByTap, keepCount, type Selection as Selected } from './selection.js';
import type { Stability } from './stability.js';
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

function cellOf(run: ProbeRun, result: MethodResult): UnscoredCell {
  const { method, task, fit, network, attribution, macs, seconds } = result;
  const { matrix } = task.train;
  const { model, attention, selection, validation, estimate, temperature, path } = fit;
  const read = model?.indices ?? attention?.layers.features;
  const used = selection?.features.length ?? read?.length;
  const taps = read && new Set(Array.from(read, (j) => matrix.locate(j).block)).size;
  return {
    status: 'done',
    method: method.card.id,
    ...(validation && estimate
      ? {
          validation: estimate.accuracy,
          validationInterval: estimate.interval,
          validationMeanPerClass: estimate.balanced,
          validationBest: validation.accuracy,
          validationFolds: [...validation.folds],
        }
      : {}),
    ...(temperature === undefined ? {} : { temperature }),
    ...(task.source.input === undefined ? {} : { input: task.source.input }),
    ...(task.pool === undefined ? {} : { pool: task.pool }),
    seconds,
    cost: costOf(task, used ?? matrix.features, macs),
    ...(used === undefined ? {} : { features: used }),
    ...(taps === undefined ? {} : { taps }),
    ...(network ? { network } : {}),
    settings: { ...fit.tuned },
    grid: fit.grid.map(({ settings, pool, folds, accuracy, balanced, logLoss, converged }) => ({
      settings: { ...settings },
      ...(pool === undefined ? {} : { pool }),
      folds: [...folds],
      accuracy,
      meanPerClass: balanced,
      logLoss,
      converged,
    })),
    ...(path.length > 0
      ? {
          path: {
            points: path.map(pathPoint),
            tolerance: run.options.tolerance,
            ...(fit.tuned.ratio === undefined ? {} : { chosenRatio: Math.min(1, fit.tuned.ratio) }),
          },
        }
      : {}),
    ...(selection ? { selection: selectionOf(result, selection) } : {}),
    ...(attribution ? { attribution: attribution.map((part) => ({ ...part })) } : {}),
    converged: fit.converged && (fit.alternatives ?? []).every((a) => a.converged),
    notes: [...fit.notes],
  };
}

type Solved = MethodResult['fit']['path'][number];

function pathPoint(point: Solved): PathPoint {
  const { lambda, ratio, objective, gap, nonzero, inactiveShare, iterations, seconds, converged } = point;
  return { lambda, ratio: Math.min(1, ratio), objective, gap, nonzero, inactiveShare, iterations, seconds, converged };
}

/** What the record shows of a selection: kept features by tap, the keep-fraction curve, rank windows, stability. */
function selectionOf({ task, fit: { tuned }, windows, stability }: MethodResult, selection: Selected): Selection {
  const { matrix } = task.train;
  const p = matrix.features;
  const { features, ranking, kept } = selection;
  const counts = countByTap(features, matrix.offsets);
  return {
    features: features.length,
    ...(ranking.support === undefined ? {} : { support: Math.min(ranking.support, features.length) }),
    shares: task.taps.map(({ alias }, b) => ({ tap: alias, kept: counts[b] as number })),
    ...(kept
      ? {
          keepFractions: {
            split: 'validation' as const,
            points: kept.points.map(({ fraction, score }) => ({ fraction, features: keepCount(fraction, p), score })),
            ...(tuned.keepFraction === undefined ? {} : { chosen: tuned.keepFraction }),
            rule: kept.rule,
            best: kept.best,
            standardError: kept.standardError,
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
    ...(stability ? { stability: stabilityRecord(stability) } : {}),
  };
}

/** How the selection moves on halves of the examples. */
function stabilityRecord({ repeats, jaccard, chance, frequency, bound }: Stability): Selection['stability'] {
  const times = new Map<number, number>();
  for (const share of frequency) {
    const n = Math.round(share * repeats);
    if (n > 0) times.set(n, (times.get(n) ?? 0) + 1);
  }
  return {
    repeats,
    over: 'halves',
    jaccard,
    chance,
    frequencies: [...times].sort(([a], [b]) => a - b).map(([n, count]) => ({ times: n, features: count })),
    bound,
  };
}

/** The probes on single taps, with what they say of the test examples. */
export function tapSheets({ taps = [] }: ProbeRun): TapSheet[] {
  const answer = ({ validation, estimate, l2, converged, predictions }: TapAnswer) => ({
    validation: estimate.accuracy,
    validationBest: validation.accuracy,
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
 * Multiply-adds of every matrix product with features, kernels or examples that the method asked for: each fold's rankings
 * and paths, each setting of the grid, the final fit, predictions, and what was analysed afterwards; work that it shares
 * with other methods in full. Bytes: weights, intercepts, and the chosen indices.
 */
function costOf({ train, classes }: ProbeTask, features: number, { all, analysis }: MethodResult['macs']): Cost {
  const [p, K] = [train.matrix.features, classes.length];
  const indices = features < p ? features : 0;
  return {
    trainMacs: all,
    ...(analysis > 0 ? { analysisMacs: analysis } : {}),
    storedBytes: 4 * (features * K + K + indices),
  };
}
