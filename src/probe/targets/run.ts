/** Probes for real values and for several labels, from a task whose labels are read as such. */
import { nearest, Random, UserError } from '../../base/index.js';
import { stratifiedFolds } from '../../data/index.js';
import type { Engine } from '../../engine/index.js';
import { checkFinite, type LinearModel, predictLogits } from '../../solver/index.js';
import {
  bootstrapInterval,
  type Interval,
  mean,
  type RegressionScore,
  regressionScore,
  type SeveralLabelsScore,
  severalLabelsScore,
} from '../../stats/index.js';
import { lastTap, type ProbeTask, type ScoredTask } from '../task.js';
import { type Curve, fitCurve, probabilityOf } from './calibration.js';
import { type Reading, readNames, type ValuedKind, valuesOf } from './kinds.js';
import { type ValuedContext, type ValuedFit, type ValuedMethod, valuedMethods } from './ridge.js';

export interface ValuedOptions {
  readonly folds: number;
  readonly seed: number;
  readonly standardize: boolean;
  readonly progress: (text: string) => void;
}

/** Scores of real values: means over the outputs, and each output's. */
export interface ValuesScore extends RegressionScore {
  readonly outputs: readonly RegressionScore[];
}
/** Of test examples; the interval is of R2 or of mAP, 95 %, over groups where there are some. */
export type ValuedScore = (ValuesScore | SeveralLabelsScore) & { readonly n: number; readonly interval?: Interval };

export interface ValuedResult {
  readonly method: ValuedMethod;
  readonly fit: ValuedFit;
  /** Of several labels: the curve of each, folded into `head`. */
  readonly curves: readonly Curve[] | undefined;
  /** Of left-out training examples at the chosen setting, as measured. */
  readonly validation: ValuedScore;
  readonly test: ValuedScore | undefined;
  /** Values or probabilities of the test examples, (n test, q). */
  readonly predictions: Float64Array | undefined;
  readonly seconds: number;
}

/** What these probes came to. */
export interface ValuedRun {
  readonly kind: ValuedKind;
  readonly outputs: readonly string[];
  readonly task: ProbeTask;
  readonly split: string;
  readonly warnings: readonly string[];
  /** True values of the test examples, (n test, q). */
  readonly truth: Float64Array | undefined;
  readonly testGroups: readonly string[] | undefined;
  readonly results: readonly ValuedResult[];
}

/** @throws UserError for a method that learns classes, and for one that there is not */
export function selectValued(names: readonly string[], kind: ValuedKind): ValuedMethod[] {
  return names.map((name) => {
    const method = valuedMethods.find(({ id }) => id === name);
    if (method) return method;
    const known = valuedMethods.map(({ id }) => id);
    const guess = nearest(name, known);
    throw new UserError(
      `method '${name}' does not learn ${kind === 'regression' ? 'real values' : 'several labels'}; ${guess ? `did you mean '${guess}'? ` : ''}--target ${kind} has ${known.join(', ')}`,
    );
  });
}

/**
 * Fits and scores probes of real values, or of several labels.
 * @param scored its labels are names of values or sets of labels
 */
export async function runValued(
  engine: Engine,
  scored: ScoredTask,
  kind: ValuedKind,
  methods: readonly ValuedMethod[],
  options: ValuedOptions,
): Promise<ValuedRun> {
  const { targets, split } = scored;
  const task = scored.task.each ?? scored.task;
  const { train, test, classes, taps } = task;
  const reading = readNames(kind, classes);
  const q = reading.outputs.length;
  const values = valuesOf(reading, train.labels);
  const truth = targets && valuesOf(reading, targets.labels);
  checkValues(reading, values);
  if (test) await checkFinite(test.matrix);
  const context: ValuedContext = {
    engine,
    matrix: train.matrix,
    taps,
    values,
    outputs: q,
    groups: train.groups,
    folds: foldsOf(task, values, q, kind, options),
    standardize: options.standardize,
    seed: options.seed,
    progress: options.progress,
  };
  const results: ValuedResult[] = [];
  for (const method of methods) {
    const start = performance.now();
    const fit = await method.fit({ ...context, progress: (text) => options.progress(`${method.id}: ${text}`) });
    const own = fit.left.rows.flatMap((row) => Array.from(values.subarray(row * q, (row + 1) * q)));
    const curves = kind === 'multilabel' ? curvesOf(fit.left.scores, own, q) : undefined;
    const predictions = test && answers(await predictLogits(engine, fit.model, test.matrix), q, curves);
    const validation = scoreOf(kind, answers(fit.left.scores, q, curves), Float64Array.from(own), q);
    results.push({
      method,
      fit,
      curves,
      validation,
      test: predictions && truth ? withInterval(kind, predictions, truth, q, targets?.groups) : undefined,
      predictions,
      seconds: (performance.now() - start) / 1000,
    });
  }
  return {
    kind,
    outputs: reading.outputs,
    task,
    split,
    warnings: [...scored.warnings, ...outputWarnings(reading, values)],
    truth,
    testGroups: targets?.groups,
    results,
  };
}

/** @throws UserError where nothing varies */
function checkValues({ kind, outputs }: Reading, values: Float64Array): void {
  const q = outputs.length;
  if (outputs.some((_, k) => !isConstant(values, q, k))) return;
  throw new UserError(
    kind === 'regression'
      ? `the training examples all have the value ${values[0]}: there is nothing to learn`
      : 'the training examples all have the same labels: there is nothing to learn',
  );
}

function isConstant(values: Float64Array, q: number, k: number): boolean {
  for (let at = k; at < values.length; at += q) if (values[at] !== values[k]) return false;
  return true;
}

function outputWarnings({ kind, outputs }: Reading, values: Float64Array): string[] {
  const constant = outputs.filter((_, k) => isConstant(values, outputs.length, k));
  if (constant.length === 0) return [];
  const what = kind === 'regression' ? 'the same in' : 'true of all or none of';
  return [
    `${constant.slice(0, 5).join(', ')}${constant.length > 5 ? ' and others' : ''}: ${what} the training examples`,
  ];
}

/** The validation split where there is one; else folds, for one or several values with as many small as large ones of the first. */
function foldsOf(
  { train, validation }: ProbeTask,
  values: Float64Array,
  q: number,
  kind: ValuedKind,
  { folds: k, seed }: ValuedOptions,
): (readonly number[])[] {
  if (validation) return [validation];
  const n = train.matrix.rows;
  const labels = new Int32Array(n);
  if (kind === 'regression') {
    const bins = Math.max(1, Math.min(5, Math.floor(n / (2 * k))));
    const order = new Random(seed, 'ties')
      .permutation(n)
      .sort((a, b) => (values[a * q] as number) - (values[b * q] as number));
    for (const [rank, row] of order.entries()) labels[row] = Math.floor((rank * bins) / n);
  }
  return stratifiedFolds({ labels, groups: train.groups }, { k, seed, rare: 'train' }).map((fold) => fold.validation);
}

function curvesOf(scores: Float64Array, truth: ArrayLike<number>, q: number): Curve[] {
  const n = truth.length / q;
  return Array.from({ length: q }, (_, k) =>
    fitCurve(
      Float64Array.from({ length: n }, (_, i) => scores[i * q + k] as number),
      Float64Array.from({ length: n }, (_, i) => truth[i * q + k] as number),
    ),
  );
}

const answers = (scores: Float64Array, q: number, curves: readonly Curve[] | undefined): Float64Array =>
  curves ? scores.map((s, e) => probabilityOf(curves[e % q] as Curve, s)) : scores;

function scoreOf(kind: ValuedKind, predictions: Float64Array, truth: Float64Array, q: number): ValuedScore {
  const n = truth.length / q;
  if (kind === 'multilabel') return { n, ...severalLabelsScore(predictions, truth, q) };
  const column = (all: Float64Array, k: number) => Float64Array.from({ length: n }, (_, i) => all[i * q + k] as number);
  const outputs = Array.from({ length: q }, (_, k) => regressionScore(column(predictions, k), column(truth, k)));
  const over = (key: keyof RegressionScore) => {
    const known = outputs.map((own) => own[key]).filter((v) => !Number.isNaN(v));
    return known.length > 0 ? mean(known) : Number.NaN;
  };
  return { n, r2: over('r2'), mae: over('mae'), rmse: over('rmse'), spearman: over('spearman'), outputs };
}

/** Mean over the outputs of R2, or mean average precision. */
export const headline = (score: ValuedScore): number => ('mAP' in score ? score.mAP : score.r2);

function withInterval(
  kind: ValuedKind,
  predictions: Float64Array,
  truth: Float64Array,
  q: number,
  groups: readonly string[] | undefined,
): ValuedScore {
  const take = (all: Float64Array, rows: readonly number[]) => {
    const own = new Float64Array(rows.length * q);
    for (const [i, row] of rows.entries()) own.set(all.subarray(row * q, (row + 1) * q), i * q);
    return own;
  };
  const interval = bootstrapInterval(
    truth.length / q,
    (rows) => headline(scoreOf(kind, take(predictions, rows), take(truth, rows), q)),
    { groups, draws: kind === 'multilabel' ? 200 : 1000 },
  );
  return { ...scoreOf(kind, predictions, truth, q), interval };
}

/** The linear head whose outputs are values, or whose logistic function are probabilities. */
export function headOf({ fit, curves }: ValuedResult): LinearModel {
  const { model } = fit;
  if (!curves) return model;
  const q = model.classes;
  return {
    ...model,
    weights: model.weights.map((w, e) => w * (curves[e % q] as Curve).slope),
    intercept: model.intercept.map((b, k) => b * (curves[k] as Curve).slope + (curves[k] as Curve).offset),
  };
}

/** The deepest tap that has a weight. */
export function deepestOf({ task }: ValuedRun, { fit }: ValuedResult): string {
  const used = [...task.taps.keys()].filter((t) => (fit.shares[t] ?? 0) > 0);
  return task.taps[used.at(-1) ?? lastTap(task.taps)]?.alias ?? '';
}
