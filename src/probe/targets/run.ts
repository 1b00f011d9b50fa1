/** Probes for real values and for several labels, from a task whose labels are read as such. */
import { given, nearest, Random, UserError } from '../../base/index.js';
import { type Reading, readNames, stratifiedFolds, valuesOf } from '../../data/index.js';
import type { Engine } from '../../engine/index.js';
import { type ValuedKind, type ValuedScore, valuedScore } from '../../record/index.js';
import { checkFinite, type FeatureMatrix, type LinearModel, macsOf, predictLogits } from '../../solver/index.js';
import { lastTap, type ProbeTask, type ScoredTask } from '../task.js';
import { type Curve, fitCurve, probabilityOf } from './calibration.js';
import type { ValuedContext, ValuedFit, ValuedMethod, ValuedOptions } from './method.js';
import { valuedMethods } from './methods.js';

/** One fitted probe of values, with its scores. */
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
  /** Multiply-adds of all matrix products. */
  readonly macs: number;
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
 * @param lesson what the names that training examples are labelled with mean; or what their labels number
 */
export async function runValued(
  engine: Engine,
  scored: ScoredTask,
  lesson: ValuedKind | Reading,
  methods: readonly ValuedMethod[],
  { progress, ...options }: ValuedOptions & { readonly progress: (text: string) => void },
): Promise<ValuedRun> {
  const { targets, split } = scored;
  const { each, validation: held } = scored.task;
  const task = each ? { ...each, ...given({ validation: held }) } : scored.task;
  const { train, test, classes, taps } = task;
  const reading = typeof lesson === 'string' ? readNames(lesson, classes) : lesson;
  const { kind } = reading;
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
    kind,
    options,
    progress,
  };
  const results: ValuedResult[] = [];
  const counter = macsOf(engine);
  for (const method of methods) {
    const start = performance.now();
    const before = counter.done;
    const fit = await method.fit({ ...context, progress: (text) => progress(`${method.id}: ${text}`) });
    const own = fit.left.rows.flatMap((row) => Array.from(values.subarray(row * q, (row + 1) * q)));
    const curves = kind === 'multilabel' ? curvesOf(fit.left.scores, own, q) : undefined;
    const predictions = test && (await predictValues(engine, { fit, curves }, test.matrix));
    const { outputs } = reading;
    const left = answers(fit.left.scores, q, curves);
    const validation = valuedScore({ values: left }, { kind, outputs, values: own }, { withInterval: false });
    results.push({
      method,
      fit,
      curves,
      validation,
      test:
        predictions && truth
          ? valuedScore({ values: predictions }, { kind, outputs, values: truth, groups: targets?.groups })
          : undefined,
      predictions,
      macs: counter.done - before,
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

/** Values, or probabilities of labels, of examples by their features, (n, q). */
export async function predictValues(
  engine: Engine,
  { fit: { model }, curves }: Pick<ValuedResult, 'fit' | 'curves'>,
  matrix: FeatureMatrix,
): Promise<Float64Array> {
  return answers(await predictLogits(engine, model, matrix), model.classes, curves);
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
