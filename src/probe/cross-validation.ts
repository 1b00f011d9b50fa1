/** Tuning inside the training rows: folds, shared Gram matrices, and the l2 probe that every method ends with. */
import type { Engine } from '../engine/index.js';
import {
  addGram,
  centredKernel,
  type Design,
  type FeatureMatrix,
  fitDesign,
  fitLogistic,
  type KernelFit,
  KernelLogistic,
  type KernelLogisticOptions,
  type LinearModel,
  normalisationOf,
} from '../solver/index.js';
import { accuracy, topClasses } from '../stats/index.js';

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
}

/** Validation answers of one candidate gathered over folds. */
export class Tally {
  readonly folds: number[] = [];
  #right = 0;
  #count = 0;
  #loss = 0;

  add(logits: Float64Array, labels: ArrayLike<number>, classes: number): void {
    const own = accuracy(labels, topClasses(logits, classes));
    this.folds.push(own);
    this.#right += own * labels.length;
    this.#count += labels.length;
    for (let i = 0; i < labels.length; i++)
      this.#loss += crossEntropy(logits, i * classes, classes, labels[i] as number);
  }

  row(settings: Record<string, number>): TuningRow {
    return { settings, folds: this.folds, accuracy: this.#right / this.#count, logLoss: this.#loss / this.#count };
  }
}

function crossEntropy(logits: Float64Array, at: number, classes: number, label: number): number {
  let top = Number.NEGATIVE_INFINITY;
  for (let k = 0; k < classes; k++) top = Math.max(top, logits[at + k] as number);
  let total = 0;
  for (let k = 0; k < classes; k++) total += Math.exp((logits[at + k] as number) - top);
  return top + Math.log(total) - (logits[at + label] as number);
}

/**
 * The best row: highest accuracy, then lowest log loss, then the earlier of equals (grids run from the simplest).
 */
export function bestRow(rows: readonly TuningRow[]): TuningRow {
  return rows.reduce((best, row) =>
    row.accuracy > best.accuracy + 1e-12 || (row.accuracy > best.accuracy - 1e-12 && row.logLoss < best.logLoss - 1e-12)
      ? row
      : best,
  );
}

/** Gram over all rows of some features as one design normalises them. */
export async function gramOf(
  engine: Engine,
  design: Design,
  indices: Int32Array | undefined,
  into: Float32Array = new Float32Array(design.matrix.rows ** 2),
): Promise<Float32Array> {
  if (!indices) await addGram(engine, design.matrix, design, into);
  else if (indices.length > 0) {
    await addGram(engine, design.matrix.select(indices), normalisationOf(design, indices), into);
  }
  return into;
}

/** Sums Grams over the same rows. */
export function sumGrams(grams: readonly Float32Array[]): Float32Array {
  const [first, ...rest] = grams as [Float32Array, ...Float32Array[]];
  const sum = first.slice();
  for (const g of rest) for (let i = 0; i < sum.length; i++) sum[i] = (sum[i] as number) + (g[i] as number);
  return sum;
}

/** Features normalised on some rows: one design per fold where standardisation makes them differ. */
export class Designs {
  readonly #designs = new Map<string, Promise<Design>>();

  constructor(
    readonly engine: Engine,
    readonly standardize: boolean,
  ) {}

  readonly #names = new WeakMap<FeatureMatrix, number>();
  #count = 0;

  /** The design of `matrix` on `rows`; without standardisation all rows serve, since centring comes later. */
  get(matrix: FeatureMatrix, rows?: readonly number[]): Promise<Design> {
    let name = this.#names.get(matrix);
    if (name === undefined) {
      name = this.#count++;
      this.#names.set(matrix, name);
    }
    const own = this.standardize ? rows : undefined;
    const key = `${name} ${own ? own.join() : ''}`;
    let design = this.#designs.get(key);
    if (!design) {
      design = fitDesign(this.engine, matrix, { rows: own, standardize: this.standardize });
      this.#designs.set(key, design);
    }
    return design;
  }
}

/** Fits l2 probes along `grid` (falling) on one fold and tallies their validation answers. */
export async function validateL2(
  engine: Engine,
  gram: Float32Array,
  total: number,
  fold: TuningFold,
  labels: ArrayLike<number>,
  classes: number,
  grid: readonly number[],
  tallies: readonly Tally[],
  { warm, ...precision }: Partial<KernelLogisticOptions> & { warm?: KernelFit | undefined } = {},
): Promise<KernelFit> {
  const pick = (rows: readonly number[]) => rows.map((row) => labels[row] as number);
  const kernel = centredKernel(gram, total, fold.train, fold.validation);
  const solver = new KernelLogistic(engine, kernel, pick(fold.train), classes, precision);
  if (warm) await solver.warmStart(warm.coefficients, warm.intercept);
  const truth = pick(fold.validation);
  let last: KernelFit | undefined;
  for (const [i, lambda] of grid.entries()) {
    last = await solver.fit(lambda);
    (tallies[i] as Tally).add(await solver.predict(last), truth, classes);
  }
  return last as KernelFit;
}

/** Relative gradient norm of probes that are reported (see fitLogistic), beside those that are only compared. */
const FINAL_TOLERANCE = 1e-4;
/** For the many small probes of one tap each. */
export const TAP_TOLERANCE = 1e-2;

/**
 * The l2 probe on all training rows, to optimality in float64.
 * @param indices the features it may use; all by default
 * @param l2 in mean loss + l2 / 2 ||W||^2
 */
export async function fitL2(
  engine: Engine,
  design: Design,
  indices: Int32Array | undefined,
  labels: ArrayLike<number>,
  classes: number,
  l2: number,
  tolerance = FINAL_TOLERANCE,
): Promise<{ model: LinearModel; converged: boolean }> {
  const { matrix, standardize } = design;
  const own = indices ? await fitDesign(engine, matrix.select(indices), { standardize }) : design;
  const lambdas = [(matrix.rows * l2) / 2];
  const solution = await fitLogistic(engine, own, labels, { lambdas, classes, tolerance });
  const model = await solution.model(0);
  return {
    model: indices ? { ...model, features: matrix.features, indices } : model,
    converged: solution.converged,
  };
}
