/** Probes of real values and of several labels on features, as estimators. */
import { UserError } from '../base/index.js';
import type { Engine } from '../engine/index.js';
import type { FeatureStore } from '../features/index.js';
import {
  type HeadRequest,
  headOf,
  linearHead,
  type ProbeOptions,
  predictValues,
  probeDefaults,
  runValued,
  type ScoredTask,
  selectValued,
  sourceDefaults,
  taskFromStore,
  type ValuedOptions,
  type ValuedResult,
  type ValuedRun,
  withEqualTogether,
} from '../probe/index.js';
import { type ValuedKind, type ValuedScore, valuedScore } from '../record/index.js';
import { Features } from './features.js';
import { defaultEngine } from './model.js';
import { headRequest, type Origin, originInStore, originOf } from './origin.js';
import type { Guard, LongWork } from './progress.js';
import { checkRows, filesOf, matrixOf, type Table, tapsOfTable } from './table.js';
import { learnedFrom, numbersOf, type Truth, type Wording, wordsOf } from './truth.js';

/** The probe of values or labels, and its settings: options are those of `toehold probe --target`. */
export interface ValuedFitOptions
  extends Partial<Omit<ValuedOptions, 'standardize'> & Pick<ProbeOptions, 'normalisation'>>,
    LongWork {
  /** A probe's id; `toehold/probe` has the list as `valuedMethods`. */
  readonly method?: string | undefined;
  /** Examples of one group never stand on two sides of a fold: one name a row. */
  readonly groups?: readonly string[] | undefined;
}

/** What a probe of a store is tested on: the store's test split, or a share of its examples. */
export interface ValuedStoreTest<K extends ValuedKind = ValuedKind> {
  readonly files: readonly string[];
  /** Values or probabilities of labels, (n, q), row by row. */
  readonly predictions: Float64Array;
  readonly score: ValuedScore<K>;
}

interface Parts<K extends ValuedKind> {
  readonly engine: Engine;
  readonly run: ValuedRun;
  readonly result: ValuedResult;
  readonly wording: Wording<K>;
  readonly unitNorm: boolean;
  readonly notes: readonly string[];
  /** Absent for plain arrays. */
  readonly origin?: (() => Promise<Origin>) | undefined;
}

/**
 * A fitted probe of real values or of several labels. T is what it says of an example: a number or several, the names of labels
 * or a row of 0 and 1, as it was fitted to.
 */
export class ValuedEstimator<K extends ValuedKind = ValuedKind, T = unknown> {
  readonly #parts: Parts<K>;

  /** @internal */
  constructor(parts: Parts<K>) {
    this.#parts = parts;
  }

  get method(): string {
    return this.#parts.result.method.id;
  }
  get target(): K {
    return this.#parts.wording.kind;
  }
  /** Names of the values, or the labels, in the order of columns. */
  get outputs(): readonly string[] {
    return this.#parts.wording.outputs;
  }
  /** Settings that were chosen by left-out examples: penalty, steps. */
  get tuned(): Readonly<Record<string, number>> {
    return this.#parts.result.fit.tuned;
  }
  /** Scores of left-out training examples under the chosen setting, as measured: the best of several, so slightly too high. */
  get validation(): ValuedScore<K> {
    return scoreOf(this.#parts.result.validation);
  }
  get notes(): readonly string[] {
    return this.#parts.notes;
  }
  get seconds(): number {
    return this.#parts.result.seconds;
  }
  /** Of a probe on a store that has something to test on. */
  get test(): ValuedStoreTest<K> | undefined {
    const { run, result } = this.#parts;
    const { predictions, test } = result;
    if (!predictions || !test) return undefined;
    return { files: run.task.test?.files ?? [], predictions, score: scoreOf(test) };
  }

  /** Of every row its values, or the labels with a probability of one half or more. */
  async predict(X: Table): Promise<T[]> {
    return wordsOf(this.#parts.wording, await this.#numbers(X)) as T[];
  }

  /** Probabilities of labels, (n, q), row by row. @throws UserError for real values, which have none */
  async predictProba(X: Table): Promise<{ data: Float64Array; shape: readonly [n: number, q: number] }> {
    if (this.target === 'regression') throw new UserError('real values have no probabilities: use predict');
    return { data: await this.#numbers(X), shape: [filesOf(X).length, this.outputs.length] };
  }

  /**
   * Of values R2, MAE, RMSE and Spearman; of labels mean average precision, F1, and each one's figures; n and a 95 % interval.
   * @param groups the interval is over these
   */
  async score(X: Table, y: ArrayLike<Readonly<T>>, groups?: readonly string[]): Promise<ValuedScore<K>> {
    const { kind, outputs } = this.#parts.wording;
    const values = numbersOf(this.#parts.wording, y);
    checkRows(filesOf(X).length, y, groups);
    return valuedScore({ values: await this.#numbers(X) }, { kind, outputs, values, groups });
  }

  #numbers(X: Table): Promise<Float64Array> {
    const { engine, run, result, unitNorm } = this.#parts;
    const { taps, train } = run.task;
    return predictValues(engine, result, matrixOf(X, taps, { unitNorm }, train.matrix.shift));
  }

  /** The engine that it was fitted with, and what its deployable file is made of; see export. */
  async deployable(): Promise<{ engine: Engine; request: HeadRequest }> {
    const { engine, run, result, wording, unitNorm, origin } = this.#parts;
    if (!origin) {
      throw new UserError(
        'this probe was fitted to plain numbers: only one fitted to what extract gives knows its network',
      );
    }
    const { kind: target, outputs } = wording;
    const head = linearHead(headOf(result));
    const about = { method: this.method, outputs, target, source: run.task.source.description, head, unitNorm };
    return { engine, request: headRequest(await origin(), about) };
  }
}

/** A run's scores are of its kind. */
const scoreOf = <K extends ValuedKind>(score: ValuedScore) => score as unknown as ValuedScore<K>;

/** See fit. */
export async function fitValuedTable<K extends ValuedKind>(
  X: Table,
  y: ArrayLike<Truth[K]> | undefined,
  kind: K,
  options: ValuedFitOptions,
  guard: Guard,
): Promise<ValuedEstimator<K>> {
  if (y?.length === undefined) throw new UserError('fit needs labels: give y, one label a row');
  const { wording, values } = learnedFrom(kind, y);
  const taps = tapsOfTable(X);
  const unitNorm = isUnit(options);
  const matrix = matrixOf(X, taps, { unitNorm });
  const { groups } = options;
  checkRows(matrix.rows, y, groups);
  const { outputs } = wording;
  const q = outputs.length;
  const rows = Array.from({ length: matrix.rows }, (_, i) => values.subarray(i * q, (i + 1) * q));
  const labels = Int32Array.from(rows.keys());
  const description = X instanceof Features ? `${X.model.name}, ${taps.length} taps, pool ${X.pool}` : 'X';
  const train = await withEqualTogether({ matrix, labels, files: filesOf(X), ...(groups && { groups }) });
  const task = { train, classes: [], taps, source: { data: 'X', description } };
  const engine = X instanceof Features ? X.model.engine : await defaultEngine();
  const scored = { task, split: '', warnings: [] };
  const { run, result } = await runOne(guard(engine), scored, { kind, outputs, rows }, options);
  const origin = X instanceof Features ? async () => originOf(X) : undefined;
  return new ValuedEstimator({ engine, run, result, wording, unitNorm, origin, notes: run.warnings });
}

/** See fit. */
export async function fitValuedStore<K extends ValuedKind>(
  store: FeatureStore,
  kind: K,
  options: ValuedFitOptions,
  guard: Guard,
): Promise<ValuedEstimator<K>> {
  const { normalisation = probeDefaults.normalisation } = options;
  const scored = await taskFromStore(store.directory, { ...sourceDefaults, normalisation, valued: true });
  const engine = await defaultEngine();
  const { run, result } = await runOne(guard(engine), scored, kind, options);
  return new ValuedEstimator({
    engine,
    run,
    result,
    wording: { kind, outputs: run.outputs, form: kind === 'regression' ? 'row' : 'names' },
    unitNorm: isUnit(options),
    origin: () => originInStore(engine, store, run.task.pool),
    notes: [run.split, ...run.warnings],
  });
}

const isUnit = ({ normalisation = probeDefaults.normalisation }: ValuedFitOptions) => normalisation.startsWith('unit');

async function runOne(
  engine: Engine,
  scored: ScoredTask,
  lesson: Parameters<typeof runValued>[2],
  { method = 'linear', onProgress, onNote, groups: _, ...settings }: ValuedFitOptions,
): Promise<{ run: ValuedRun; result: ValuedResult }> {
  const kind = typeof lesson === 'string' ? lesson : lesson.kind;
  const [chosen, ...others] = selectValued(method.split(','), kind);
  if (!chosen || others.length > 0) throw new UserError(`fit takes one method, not '${method}'`);
  const { normalisation, ...tuning } = { ...probeDefaults, ...settings };
  const run = await runValued(engine, scored, lesson, [chosen], {
    ...tuning,
    standardize: normalisation.includes('standard'),
    progress: (note) => onProgress?.({ what: chosen.id, note }),
  });
  for (const sentence of run.warnings) onNote?.(sentence);
  const [result] = run.results as [ValuedResult];
  return { run, result };
}
