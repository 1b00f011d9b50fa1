/** Runs probes on a task: tunes each method inside the training rows, then looks at the test set once. */
import { UserError } from '../base/index.js';
import { stratifiedFolds } from '../data/index.js';
import type { Engine } from '../engine/index.js';
import { fitDesign } from '../solver/index.js';
import {
  accuracy,
  confusionMatrix,
  expectedCalibrationError,
  type Interval,
  logLoss,
  meanPerClassAccuracy,
  topClasses,
  wilsonInterval,
} from '../stats/index.js';
import { Designs, type TuningFold } from './cross-validation.js';
import {
  type Fit,
  type Method,
  Shared,
  type TapAccuracy,
  type TapPrediction,
  tapAccuracies,
  tapPredictions,
} from './methods/index.js';
import { type RankWindow, rankWindows } from './rank-windows.js';
import { checkProbeOptions, checkTask, lastTap, type ProbeOptions, type ProbeTask, probeDefaults } from './task.js';

export interface TestScores {
  readonly n: number;
  readonly accuracy: number;
  /** Wilson's 95 % interval. */
  readonly interval: Interval;
  readonly meanPerClass: number;
  readonly logLoss: number;
  readonly calibrationError: number;
  /** Row = true class, column = predicted class. */
  readonly confusion: number[][];
}

/** The part of the network that a method's features need. */
export interface NetworkShare {
  /** Deepest tap used, by multiply-adds (then position). */
  readonly deepestTap: string;
  readonly macs?: number;
  /** Share of the whole network's multiply-adds. */
  readonly macsShare?: number;
  readonly depth?: number;
}

export interface MethodResult {
  readonly method: Method;
  readonly fit: Fit;
  readonly test: TestScores | undefined;
  /** (n test, K). */
  readonly probabilities: Float64Array | undefined;
  /** Features with a weight. */
  readonly used: number | undefined;
  readonly network: NetworkShare | undefined;
  readonly seconds: number;
}

export interface ProbeRun {
  readonly options: ProbeOptions;
  readonly task: ProbeTask;
  readonly folds: readonly TuningFold[];
  readonly results: readonly MethodResult[];
  readonly taps?: readonly TapAccuracy[];
  readonly tapPredictions?: readonly TapPrediction[];
  readonly windows?: readonly RankWindow[];
  /** Sentences about the data: classes too small to validate, and the like. */
  readonly warnings: readonly string[];
  readonly seconds: number;
}

export interface RunOptions extends Partial<ProbeOptions> {
  /** Measure every tap alone and added to the last. */
  perTap?: boolean;
  /** What every tap alone, or also added to the last, predicts for the test examples; their labels are not read. */
  tapPredictions?: 'alone' | 'added';
  /** Measure windows of the head2toe ranking. */
  rankWindows?: boolean;
  progress?: (note: string) => void;
}

/** @throws UserError on options, labels, groups or folds that make no sense. */
export async function runProbes(
  engine: Engine,
  task: ProbeTask,
  chosen: readonly Method[],
  { perTap, tapPredictions: predicted, rankWindows: windowed, progress = () => undefined, ...given }: RunOptions = {},
): Promise<ProbeRun> {
  const began = performance.now();
  const options: ProbeOptions = { ...probeDefaults, ...given };
  checkProbeOptions(options);
  checkTask(task);
  const { train, test, taps } = task;
  const warnings: string[] = [];
  const folds = tuningFolds(task, options, warnings);
  // What methods see of the test set is nothing; the one that peeks is handed it by name.
  const context = {
    engine,
    train,
    taps,
    classes: task.classes.length,
    folds,
    options,
    designs: new Designs(engine, options.normalisation.includes('standard')),
    shared: new Shared(),
  };
  // Training features are checked where they are normalised; a NaN in the test set would pass as a wrong answer.
  for (const matrix of [test?.matrix, test?.control]) {
    if (matrix && matrix.rows > 1) await fitDesign(engine, matrix, { standardize: false });
  }
  const results: MethodResult[] = [];
  for (const method of chosen) {
    if (method.peeks && !test) {
      throw new UserError(`method ${method.name} needs a test set: it chooses by test accuracy`);
    }
    const start = performance.now();
    const fit = await method.fit({
      ...context,
      peek: method.peeks ? test : undefined,
      progress: (note) =>
        progress(`${method.name} ${note.startsWith(method.name) ? note.slice(method.name.length + 2) : note}`),
    });
    const probabilities = test ? await fit.probabilities(test) : undefined;
    results.push({
      method,
      fit,
      test: test && probabilities ? testScores(test.labels, probabilities, task.classes.length) : undefined,
      probabilities,
      used: fit.model?.indices.length,
      network: fit.model ? networkShare(task, fit.model.indices) : undefined,
      seconds: (performance.now() - start) / 1000,
    });
  }
  const h2t = results.find((r) => r.method.name === 'head2toe');
  return {
    options,
    task,
    folds,
    results,
    ...(perTap ? { taps: await tapAccuracies({ ...context, progress }, test) } : {}),
    ...(predicted && test
      ? { tapPredictions: await tapPredictions({ ...context, progress }, test, predicted === 'added') }
      : {}),
    ...(windowed && h2t ? { windows: await rankWindows({ ...context, progress }, h2t.fit, test) } : {}),
    warnings,
    seconds: (performance.now() - began) / 1000,
  };
}

/** Stratified, grouped where groups exist; classes of one example or group stay in the training part. */
function tuningFolds(
  { train, classes }: ProbeTask,
  { folds: k, seed }: ProbeOptions,
  warnings: string[],
): TuningFold[] {
  const { labels, groups } = train;
  const folds = stratifiedFolds({ labels, groups, classes }, { k, seed, rare: 'train' });
  const validated = new Set(folds.flatMap((fold) => fold.validation.map((row) => labels[row] as number)));
  const rare = [...new Set(labels)].filter((c) => !validated.has(c));
  if (rare.length > 0) {
    const names = rare.slice(0, 5).map((c) => `'${classes[c]}'`);
    warnings.push(
      `${rare.length} ${rare.length === 1 ? 'class has' : 'classes have'} a single ${groups ? 'group' : 'example'} and cannot be validated: ${names.join(', ')}${rare.length > 5 ? ' ...' : ''}`,
    );
  }
  for (const fold of folds) {
    if (new Set(fold.train.map((row) => labels[row])).size < new Set(labels).size) {
      throw new UserError('a fold leaves a class without training examples: use fewer folds');
    }
  }
  return folds;
}

export function testScores(labels: Int32Array, probabilities: Float64Array, classes: number): TestScores {
  const predicted = topClasses(probabilities, classes);
  const confusion = confusionMatrix(labels, predicted, classes);
  const share = accuracy(labels, predicted);
  return {
    n: labels.length,
    accuracy: share,
    interval: wilsonInterval(Math.round(share * labels.length), labels.length),
    meanPerClass: meanPerClassAccuracy(confusion),
    logLoss: logLoss(labels, probabilities, classes),
    calibrationError: expectedCalibrationError(labels, probabilities, classes),
    confusion,
  };
}

export function networkShare({ train, taps, source }: ProbeTask, indices: Int32Array): NetworkShare {
  const blocks = new Set(Array.from(indices, (j) => train.matrix.locate(j).block));
  let deepest = -1;
  for (const b of blocks) {
    const better = (taps[b]?.macs ?? 0) - (taps[deepest]?.macs ?? -1);
    if (deepest < 0 || better > 0 || (better === 0 && b > deepest)) deepest = b;
  }
  const tap = taps[deepest >= 0 ? deepest : lastTap(taps)] as ProbeTask['taps'][number];
  const whole = source.model?.macs;
  return {
    deepestTap: tap.alias,
    ...(tap.macs === undefined ? {} : { macs: tap.macs }),
    ...(tap.macs === undefined || !whole ? {} : { macsShare: tap.macs / whole }),
    ...(tap.depth === undefined ? {} : { depth: tap.depth }),
  };
}
