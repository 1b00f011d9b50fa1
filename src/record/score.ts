/**
 * Scores: where predictions meet true labels. Nothing below this file reads the labels of test examples: methods are
 * handed features or images alone and return predictions.
 */
import { canonicalJson, given, sha256, WorkError } from '../base/index.js';
import {
  confusionMatrix,
  expectedCalibrationError,
  type Interval,
  logLoss,
  macroF1,
  meanPerClassAccuracy,
  type ScoreInterval,
  scoreInterval,
  stratifiedScore,
  TestDesign,
  topClasses,
} from '../stats/index.js';
import type { ValuedPredictions, ValuedTargets } from './valued-score.js';

/** What is true of examples. */
export type Targets = ClassTargets | ValuedTargets;

/** One class per example. */
export interface ClassTargets {
  readonly kind: 'class';
  /** Names of the K classes. */
  readonly classes: readonly string[];
  /** Class of each example, (n). */
  readonly labels: ArrayLike<number>;
  /** What each example belongs to (a track, a patient), (n); every one stands alone where absent. */
  readonly groups?: readonly string[] | undefined;
}

/** What a method says of examples, by the kind of target. */
export type Predictions = ClassPredictions | ValuedPredictions;

/** What a method says of every example. */
export interface ClassPredictions {
  readonly kind: 'class';
  /** Most probable class of each example, (n). */
  readonly predicted: ArrayLike<number>;
  /** (n, K), row-major; absent where a method gives classes only. */
  readonly probabilities?: ArrayLike<number>;
}

/** How right a method is in naming classes. */
export interface ClassScore {
  readonly kind: 'class';
  readonly n: number;
  readonly accuracy: number;
  /** 95 %, over groups of examples where there are groups. */
  readonly interval: Interval;
  /** Independent examples that would give this interval. */
  readonly effectiveN: number;
  /** Balanced accuracy: mean of each class's accuracy over the classes that have examples. */
  readonly meanPerClass: number;
  /** 95 %, over groups of examples where there are groups. */
  readonly meanPerClassInterval: Interval;
  /** Mean over classes of F1. */
  readonly macroF1: number;
  /** Mean -ln P(true class), nats. */
  readonly logLoss?: number;
  /** Expected calibration error, 15 bins. */
  readonly calibrationError?: number;
  /** Row = true class, column = predicted class. */
  readonly confusion: number[][];
}

/** Predictions as those of classes. @throws WorkError for others */
export function ofClasses(predictions: Predictions): ClassPredictions {
  if (predictions.kind === 'class') return predictions;
  throw new WorkError('these are predictions of values, not of classes');
}

/** Class predictions from probabilities (n, K). @throws WorkError where these are not numbers */
export function classPredictions(probabilities: Float64Array, classes: number): ClassPredictions {
  const at = probabilities.findIndex((p) => !Number.isFinite(p));
  if (at >= 0) {
    throw new WorkError(
      `the probabilities of example ${Math.floor(at / classes)} are not numbers: features or weights are damaged, or the network overflows on its image`,
    );
  }
  return { kind: 'class', predicted: topClasses(probabilities, classes), probabilities };
}

/** @throws WorkError when predictions and targets are not of the same examples */
export function score(
  { predicted, probabilities }: ClassPredictions,
  { labels, classes, groups }: ClassTargets,
): ClassScore {
  if (predicted.length !== labels.length) {
    throw new WorkError(
      `${predicted.length} predictions for ${labels.length} test labels: they are not of the same examples; run again in a new folder`,
    );
  }
  const K = classes.length;
  const confusion = confusionMatrix(labels, predicted, K);
  const { mean, interval, effectiveN } = meanScore([predicted], { labels, groups });
  return {
    kind: 'class',
    n: labels.length,
    accuracy: mean,
    interval,
    effectiveN,
    meanPerClass: meanPerClassAccuracy(confusion),
    meanPerClassInterval: balancedInterval([predicted], { labels, groups }),
    macroF1: macroF1(confusion),
    ...(probabilities && {
      logLoss: logLoss(labels, probabilities, K),
      calibrationError: expectedCalibrationError(labels, probabilities, K),
    }),
    confusion,
  };
}

/**
 * Mean accuracy of one or several runs that differ in their seed, with its interval over examples and seeds.
 * @param runs what each says of the n examples
 */
export function meanScore(
  runs: readonly ArrayLike<number>[],
  { labels, groups }: Pick<ClassTargets, 'labels' | 'groups'>,
): ScoreInterval {
  return scoreInterval(rightIn(runs, labels), new TestDesign(labels.length, { clusters: groups }));
}

/** 1 where a run is right, one row of n a run. */
function rightIn(runs: readonly ArrayLike<number>[], labels: ArrayLike<number>): number[][] {
  return runs.map((predicted) => Array.from(labels, (label, i) => (predicted[i] === label ? 1 : 0)));
}

/** 95 % interval over test examples, by group, and over seeds, of balanced accuracy. */
export function balancedInterval(
  runs: readonly ArrayLike<number>[],
  { labels, groups }: Pick<ClassTargets, 'labels' | 'groups'>,
): Interval {
  return stratifiedScore(rightIn(runs, labels), { clusters: groups, strata: labels }).interval;
}

/** sha256 of what is true of examples: their classes or values, in order, and the groups that they belong to. */
export function truthKey(targets: Targets): string {
  const { groups } = targets;
  return sha256(
    canonicalJson(
      targets.kind === 'class'
        ? { labels: Array.from(targets.labels), ...given({ groups }) }
        : { values: Array.from(targets.values), groups: groups ?? null },
    ),
  );
}

/** True classes and groups as a record keeps them: numbers. Of true values it keeps what predictions add to the score. */
export function truthOf(targets: Targets): { testLabels?: number[]; testGroups?: number[] } {
  const { groups } = targets;
  const numbers = new Map([...new Set(groups)].map((name, i) => [name, i]));
  return {
    ...(targets.kind === 'class' ? { testLabels: Array.from(targets.labels) } : {}),
    ...(groups ? { testGroups: groups.map((name) => numbers.get(name) as number) } : {}),
  };
}
