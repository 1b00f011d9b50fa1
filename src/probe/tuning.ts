/** Tuning inside the training rows: folds, grids, and the l2 probe that most methods end with. */
import { UserError } from '../base/index.js';
import { stratifiedFolds } from '../data/index.js';
import type { Engine } from '../engine/index.js';
import {
  addGram,
  centredKernel,
  crossEntropy,
  type Design,
  emptyGram,
  type FeatureMatrix,
  type Floats,
  fitDesign,
  fitLogistic,
  type KernelFit,
  KernelLogistic,
  type KernelLogisticOptions,
  type LinearModel,
  normalisationOf,
} from '../solver/index.js';
import { accuracy, topClasses } from '../stats/index.js';
import type { ProbeOptions } from './options.js';
import type { ProbeTask } from './task.js';

/** Training and validation rows of one fold. */
export interface TuningFold {
  readonly train: readonly number[];
  readonly validation: readonly number[];
}

/** One candidate of a tuning grid with its validation accuracy per fold. */
export interface TuningRow {
  readonly settings: Readonly<Record<string, number>>;
  readonly folds: readonly number[];
  /** Over all validation rows together. */
  readonly accuracy: number;
  readonly logLoss: number;
  /** Whether the solver reached its tolerance in every fold. */
  readonly converged: boolean;
}

/**
 * The validation split where the data has one, else folds: stratified, groups kept together, classes of one example or
 * group in the training part.
 * @param warnings receives a sentence on classes that cannot be validated
 */
export function tuningFolds(
  { train, validation, classes }: ProbeTask,
  { folds: k, seed }: ProbeOptions,
  warnings: string[],
): TuningFold[] {
  const { labels, groups } = train;
  const held = new Set(validation);
  const folds: readonly TuningFold[] = validation
    ? [{ train: Array.from(labels.keys()).filter((row) => !held.has(row)), validation }]
    : stratifiedFolds({ labels, groups, classes }, { k, seed, rare: 'train' });
  const validated = new Set(folds.flatMap((fold) => fold.validation.map((row) => labels[row] as number)));
  const rare = [...new Set(labels)].filter((c) => !validated.has(c));
  if (rare.length > 0) {
    const names = rare.slice(0, 5).map((c) => `'${classes[c]}'`);
    const why = validation ? 'no validation example' : `a single ${groups ? 'group' : 'example'}`;
    warnings.push(
      `${rare.length} ${rare.length === 1 ? 'class has' : 'classes have'} ${why} and cannot be validated: ${names.join(', ')}${rare.length > 5 ? ' ...' : ''}`,
    );
  }
  for (const fold of folds) {
    const missing = [...new Set(labels)].find((c) => !fold.train.some((row) => labels[row] === c));
    if (missing !== undefined) {
      throw new UserError(
        validation
          ? `class '${classes[missing]}' stands in the validation split only: add training examples or drop the class`
          : `a fold leaves class '${classes[missing]}' without training examples: use fewer folds`,
      );
    }
  }
  return [...folds];
}

/** Validation answers of one candidate gathered over folds. */
export class Tally {
  readonly folds: number[] = [];
  #right = 0;
  #count = 0;
  #loss = 0;
  #converged = true;

  add(logits: Float64Array, labels: ArrayLike<number>, classes: number, converged = true): void {
    this.#converged &&= converged;
    const own = accuracy(labels, topClasses(logits, classes));
    this.folds.push(own);
    this.#right += own * labels.length;
    this.#count += labels.length;
    for (let i = 0; i < labels.length; i++)
      this.#loss += crossEntropy(logits, i * classes, classes, labels[i] as number);
  }

  row(settings: Record<string, number>): TuningRow {
    return {
      settings,
      folds: this.folds,
      accuracy: this.#right / this.#count,
      logLoss: this.#loss / this.#count,
      converged: this.#converged,
    };
  }
}

/** The best row: highest accuracy, then lowest log loss, then the earlier of equals (grids run from the simplest). */
export function bestRow(rows: readonly TuningRow[]): TuningRow {
  return rows.reduce((best, row) =>
    row.accuracy > best.accuracy + 1e-12 || (row.accuracy > best.accuracy - 1e-12 && row.logLoss < best.logLoss - 1e-12)
      ? row
      : best,
  );
}

/** Features normalised on some rows: one design per fold where standardisation makes them differ. */
export class Designs {
  readonly #held = new WeakMap<FeatureMatrix, Map<string, Promise<Design>>>();

  constructor(
    readonly engine: Engine,
    readonly standardize: boolean,
  ) {}

  /** The design of `matrix` on `rows`; without standardisation all rows serve, since centring comes later. */
  get(matrix: FeatureMatrix, rows?: readonly number[]): Promise<Design> {
    const own = this.standardize ? rows : undefined;
    const key = own ? own.join() : 'all';
    const designs = this.#held.get(matrix) ?? new Map<string, Promise<Design>>();
    this.#held.set(matrix, designs);
    const design = designs.get(key) ?? fitDesign(this.engine, matrix, { rows: own, standardize: this.standardize });
    designs.set(key, design);
    return design;
  }
}

/** Gram over all rows of some features as one design normalises them, added to `into`. */
export async function gramOf(
  engine: Engine,
  design: Design,
  indices: Int32Array | undefined,
  into: Floats = emptyGram(indices?.length ?? design.matrix.features, design.matrix.rows),
): Promise<Floats> {
  if (!indices) await addGram(engine, design.matrix, design, into);
  else if (indices.length > 0) {
    await addGram(engine, design.matrix.select(indices), normalisationOf(design, indices), into);
  }
  return into;
}

/** Sums Grams over the same rows. */
export function sumGrams(grams: readonly Floats[]): Floats {
  const [first, ...rest] = grams as [Floats, ...Floats[]];
  if (rest.length === 0) return first;
  const sum = first.slice();
  for (const g of rest) for (let i = 0; i < sum.length; i++) sum[i] = (sum[i] as number) + (g[i] as number);
  return sum;
}

/** The Gram of one set of features fold by fold: computed once where folds are normalised alike. */
export class FoldGrams {
  #whole: Promise<Floats> | undefined;

  /** @param indices features of `matrix`; all by default */
  constructor(
    readonly designs: Designs,
    readonly matrix: FeatureMatrix,
    readonly indices?: Int32Array,
  ) {}

  /** (n, n) over all rows, normalised on `rows`. */
  async get(rows: readonly number[]): Promise<Floats> {
    const { engine, standardize } = this.designs;
    const make = async () => gramOf(engine, await this.designs.get(this.matrix, rows), this.indices);
    if (standardize) return make();
    this.#whole ??= make();
    return this.#whole;
  }
}

/** What a fold's probes are fitted to and judged by. */
export interface FoldProblem {
  readonly engine: Engine;
  /** (total, total), over all rows of the matrix. */
  readonly gram: Floats;
  readonly total: number;
  readonly fold: TuningFold;
  readonly labels: ArrayLike<number>;
  readonly classes: number;
}

/** l2 probes on one fold, one penalty after another, each tallied on the validation rows. */
export class FoldProbes {
  readonly #solver: KernelLogistic;
  readonly #truth: readonly number[];
  readonly #classes: number;

  constructor(
    { engine, gram, total, fold, labels, classes }: FoldProblem,
    precision: Partial<KernelLogisticOptions> = {},
  ) {
    const pick = (rows: readonly number[]) => rows.map((row) => labels[row] as number);
    const kernel = centredKernel(gram, total, fold.train, fold.validation);
    this.#solver = new KernelLogistic(engine, kernel, { labels: pick(fold.train), classes }, precision);
    this.#truth = pick(fold.validation);
    this.#classes = classes;
  }

  /** Starts the next fit from one on another kernel over the same rows. */
  async startFrom(fit: KernelFit): Promise<void> {
    await this.#solver.warmStart(fit.coefficients, fit.intercept);
  }

  /** Fits one penalty from where the last ended, and adds its validation answers to `tally`. */
  async fit(l2: number, tally: Tally): Promise<KernelFit> {
    const fit = await this.#solver.fit(l2);
    tally.add(await this.#solver.predict(fit), this.#truth, this.#classes, fit.converged);
    return fit;
  }
}

/** Penalties from the strongest down: each is the next one's start. */
export const falling = (penalties: readonly number[]): number[] => [...penalties].sort((a, b) => b - a);

/** Relative gradient norm of probes that are reported (see fitLogistic), beside those that are only compared. */
const FINAL_TOLERANCE = 1e-4;
/** For the many small probes of one tap each. */
export const TAP_TOLERANCE = 1e-2;

export interface L2Problem {
  readonly engine: Engine;
  readonly design: Design;
  /** Features that the probe may use; all by default. */
  readonly indices?: Int32Array | undefined;
  readonly labels: ArrayLike<number>;
  readonly classes: number;
  /** lambda of mean loss + lambda / 2 ||W||^2. */
  readonly l2: number;
  readonly tolerance?: number;
}

/** The l2 probe on the design's rows, to optimality in float64. */
export async function fitL2({
  engine,
  design,
  indices,
  labels,
  classes,
  l2,
  tolerance = FINAL_TOLERANCE,
}: L2Problem): Promise<{ model: LinearModel; converged: boolean }> {
  const { matrix, rows, standardize } = design;
  const own = indices ? await fitDesign(engine, matrix.select(indices), { rows, standardize }) : design;
  const lambdas = [(rows.length * l2) / 2];
  const solution = await fitLogistic(engine, own, labels, { lambdas, classes, tolerance });
  const model = await solution.model(0);
  return {
    model: indices ? { ...model, features: matrix.features, indices } : model,
    converged: solution.converged,
  };
}
