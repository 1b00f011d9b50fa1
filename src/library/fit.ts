/** Probes on features, as estimators: fit, predict, score, and what was selected. */
import { UserError } from '../base/index.js';
import type { TargetKind } from '../data/index.js';
import type { Engine } from '../engine/index.js';
import { FeatureStore } from '../features/index.js';
import {
  attentionHead,
  checkTargets,
  type HeadRequest,
  linearHead,
  type MethodResult,
  type ProbeOptions,
  type ProbeTask,
  probeDefaults,
  runProbes,
  type SelectedFeature,
  selectedFeatures,
  selectMethods,
  sourceDefaults,
  taskFromStore,
  withEqualTogether,
} from '../probe/index.js';
import { type ClassPredictions, type ClassScore, score, type ValuedKind } from '../record/index.js';
import { Features } from './features.js';
import { defaultEngine } from './model.js';
import { headRequest, type Origin, originInStore, originOf } from './origin.js';
import { type Guard, type LongWork, stoppable } from './progress.js';
import { checkRows, filesOf, indicesIn, type Label, labelsOf, matrixOf, type Table, tapsOfTable } from './table.js';
import { type Of, type OfClasses, type Said, type Truth, valuedKind } from './truth.js';
import { fitValuedStore, fitValuedTable, type ValuedEstimator, type ValuedFitOptions } from './valued-fit.js';

/** The probe and its settings: options are those of `toehold probe`. */
export interface FitOptions extends Partial<ProbeOptions>, LongWork {
  /** A probe's id; `toehold/probe` has the list as `methods`. */
  readonly method?: string | undefined;
  /** Examples of one group never stand on two sides of a fold: one name a row. */
  readonly groups?: readonly string[] | undefined;
}

/** What a probe of a store is tested on: the store's test split, or a share of its examples. */
export interface StoreTest {
  readonly files: readonly string[];
  readonly predictions: ClassPredictions;
  readonly score: ClassScore;
}

interface Parts<L extends Label> {
  readonly engine: Engine;
  readonly result: MethodResult;
  readonly classes: readonly L[];
  readonly normalisation: ProbeOptions['normalisation'];
  readonly test?: StoreTest | undefined;
  /** Absent for plain arrays. */
  readonly origin?: (() => Promise<Origin>) | undefined;
  readonly notes: readonly string[];
}

/** A fitted probe. L is what its labels are: strings or numbers. */
export class Estimator<L extends Label = Label> {
  readonly #parts: Parts<L>;

  /** @internal */
  constructor(parts: Parts<L>) {
    this.#parts = parts;
  }

  get method(): string {
    return this.#parts.result.method.card.id;
  }
  /** In the order of the columns of predictProba. */
  get classes(): readonly L[] {
    return this.#parts.classes;
  }
  /** Settings that were chosen by cross-validation: l2, lambda, keepFraction ... */
  get tuned(): Readonly<Record<string, number>> {
    return this.#parts.result.fit.tuned;
  }
  /** Accuracy to expect of unseen examples, from cross-validation, less what choosing settings has gained; with its interval. */
  get validation(): { readonly accuracy: number; readonly interval?: readonly [number, number] } | undefined {
    return this.#parts.result.fit.estimate;
  }
  /** Of a probe that keeps some features: these, best first, with tap, channel and place. */
  get selected(): readonly SelectedFeature[] | undefined {
    return selectedFeatures(this.#parts.result);
  }
  /** Whether every solver reached its tolerance. */
  get converged(): boolean {
    return this.#parts.result.fit.converged;
  }
  get notes(): readonly string[] {
    return this.#parts.notes;
  }
  get seconds(): number {
    return this.#parts.result.seconds;
  }
  /** Of a probe on a store that has something to test on. */
  get test(): StoreTest | undefined {
    return this.#parts.test;
  }

  /** The most probable class of every row. */
  async predict(X: Table): Promise<L[]> {
    const { predicted } = await this.#predictions(X);
    return Array.from(predicted, (k) => this.classes[k] as L);
  }

  /** (n, K), row by row. @throws UserError for a method that gives classes only */
  async predictProba(X: Table): Promise<{ data: Float64Array; shape: readonly [n: number, K: number] }> {
    const { probabilities, predicted } = await this.#predictions(X);
    if (!probabilities) throw new UserError(`method ${this.method} gives classes, no probabilities: use predict`);
    return { data: Float64Array.from(probabilities), shape: [predicted.length, this.classes.length] };
  }

  /** Accuracy with its 95 % interval, log loss, calibration, confusion. @param groups intervals are over these */
  async score(X: Table, y: ArrayLike<L>, groups?: readonly string[]): Promise<ClassScore> {
    const names = this.#parts.result.task.classes;
    const targets = { kind: 'class', classes: names, labels: indicesIn(names, y), groups } as const;
    const files = filesOf(X);
    if (files.length !== y.length)
      throw new UserError(`${y.length} labels for ${files.length} rows: give one label per row`);
    return score(await this.#predictions(X), targets);
  }

  async #predictions(X: Table): Promise<ClassPredictions> {
    const { result, normalisation } = this.#parts;
    const { task, fit, method } = result;
    if (!fit.predict) throw new UserError(`${method.card.id} is a bound, chosen by test labels: it predicts nothing`);
    const { shift } = task.train.matrix;
    const matrix = matrixOf(X, task.taps, { unitNorm: normalisation.startsWith('unit') }, shift);
    return fit.predict({ matrix, files: filesOf(X) });
  }

  /** The engine that it was fitted with, and what its deployable file is made of; see export. */
  async deployable(): Promise<{ engine: Engine; request: HeadRequest }> {
    const { result, origin, engine, normalisation } = this.#parts;
    const { fit, task } = result;
    if (!origin) {
      throw new UserError(
        'this probe was fitted to plain numbers: only one fitted to what extract gives knows its network',
      );
    }
    const head = fit.attention ? attentionHead(fit.attention) : fit.model && linearHead(fit.model, fit.temperature);
    if (!head) {
      throw new UserError(
        `method ${this.method} is neither a linear probe nor attention over the features of one backbone: it cannot be exported`,
      );
    }
    const { classes, source } = task;
    const about = { method: this.method, outputs: classes, source: source.description, head };
    return { engine, request: headRequest(await origin(), { ...about, unitNorm: normalisation.startsWith('unit') }) };
  }
}

/**
 * Fits a probe; its settings are chosen by cross-validation within these rows.
 * @param X features: what extract gives, or numbers (n, p)
 * @param y a label a row
 * @throws UserError for a method that is not there, labels or groups that do not fit
 */
export function fit<L extends Label>(
  X: Table,
  y: ArrayLike<L>,
  options?: FitOptions & OfClasses,
): Promise<Estimator<L>>;
/**
 * Fits a probe of real values (`target: 'regression'`) or of several labels (`'multilabel'`).
 * @param y a row's value or array of values; the array of its labels, or a row of 0 and 1
 */
export function fit<K extends ValuedKind, T extends Truth[K]>(
  X: Table,
  y: ArrayLike<T>,
  options: ValuedFitOptions & Of<K>,
): Promise<ValuedEstimator<K, Said<K, T>>>;
/** Fits a probe to the training examples of a store, and tests it on the store's test examples (see docs/data.md). */
export function fit(store: FeatureStore, options?: FitOptions & OfClasses): Promise<Estimator<string>>;
/** The same of a store of real values or of several labels; what is said of an example is an array of them. */
export function fit<K extends ValuedKind>(
  store: FeatureStore,
  options: ValuedFitOptions & Of<K>,
): Promise<ValuedEstimator<K, K extends 'regression' ? number[] : string[]>>;
export async function fit(
  X: Table | FeatureStore,
  second?: ArrayLike<unknown> | Asked,
  third: Asked = {},
): Promise<Estimator | ValuedEstimator> {
  const { target, ...options } = X instanceof FeatureStore ? ((second ?? {}) as Asked) : third;
  const kind = valuedKind(target);
  return stoppable<Estimator | ValuedEstimator>(options.signal, (guard) => {
    if (X instanceof FeatureStore) {
      return kind ? fitValuedStore(X, kind, options, guard) : fitStore(X, options, guard);
    }
    if (kind) return fitValuedTable(X, second as ArrayLike<Truth[ValuedKind]>, kind, options, guard);
    return fitTable(X, second as ArrayLike<Label>, options, guard);
  });
}

type Asked = FitOptions & { readonly target?: TargetKind | undefined };

async function fitTable<L extends Label>(
  X: Table,
  y: ArrayLike<L> | undefined,
  options: FitOptions,
  guard: Guard,
): Promise<Estimator<L>> {
  if (y?.length === undefined) throw new UserError('fit needs labels: give y, one label a row');
  const { classes, names, indices } = labelsOf(y);
  const taps = tapsOfTable(X);
  const normalisation = options.normalisation ?? probeDefaults.normalisation;
  const matrix = matrixOf(X, taps, { unitNorm: normalisation.startsWith('unit') });
  const { groups } = options;
  checkRows(matrix.rows, y, groups);
  const own = { matrix, labels: indices, files: filesOf(X), ...(groups && { groups }) };
  const described = X instanceof Features ? `${X.model.name}, ${taps.length} taps, pool ${X.pool}` : 'X';
  const task: ProbeTask = {
    train: await withEqualTogether(own),
    classes: names,
    taps,
    source: { data: 'X', description: described },
  };
  const engine = X instanceof Features ? X.model.engine : await defaultEngine();
  const origin = X instanceof Features ? async () => originOf(X) : undefined;
  const { result, warnings } = await run(guard(engine), task, options);
  return new Estimator({ engine, result, classes, normalisation, origin, notes: [...warnings, ...result.fit.notes] });
}

async function fitStore(store: FeatureStore, options: FitOptions, guard: Guard): Promise<Estimator<string>> {
  const normalisation = options.normalisation ?? probeDefaults.normalisation;
  const { task, targets, split, warnings } = await taskFromStore(store.directory, { ...sourceDefaults, normalisation });
  if (targets) checkTargets(task, targets);
  const engine = await defaultEngine();
  const { result, warnings: own } = await run(guard(engine), task, options);
  const { predictions } = result;
  const test = predictions &&
    targets && { files: task.test?.files ?? [], predictions, score: score(predictions, targets) };
  return new Estimator({
    engine,
    result,
    classes: task.classes,
    normalisation,
    test,
    origin: () => originInStore(engine, store, result.task.pool),
    notes: [split, ...warnings, ...own, ...result.fit.notes],
  });
}

async function run(
  engine: Engine,
  task: ProbeTask,
  { method = 'linear', groups: _, signal: __, onProgress, onNote, ...options }: FitOptions,
) {
  const [chosen, ...others] = selectMethods(method);
  if (!chosen || others.length > 0) throw new UserError(`fit takes one method, not '${method}'`);
  const { results, warnings } = await runProbes(engine, task, [chosen], {
    // What is measured beside a fit is a report's business.
    repetitions: 0,
    leaveOut: 0,
    ...options,
    progress: (note) => onProgress?.({ what: chosen.card.id, note }),
  });
  const [result] = results as [MethodResult];
  for (const sentence of [...warnings, ...result.fit.notes]) onNote?.(sentence);
  return { result, warnings };
}
