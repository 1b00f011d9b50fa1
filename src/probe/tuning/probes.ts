/** l2 probes: many on one fold, to compare settings; and the one that is reported. */
import type { Engine } from '../../engine/index.js';
import {
  centredKernel,
  type Design,
  type Floats,
  fitDesign,
  fitLogistic,
  type KernelFit,
  KernelLogistic,
  type KernelLogisticOptions,
  type LinearModel,
} from '../../solver/index.js';
import type { TuningFold } from './folds.js';
import type { Weigh } from './grams.js';
import type { Tally } from './tally.js';

/** What a fold's probes are fitted to and judged by. */
export interface FoldProblem {
  readonly engine: Engine;
  /** (total, total), over all rows of the matrix. */
  readonly gram: Floats;
  readonly total: number;
  readonly fold: TuningFold;
  readonly labels: ArrayLike<number>;
  readonly classes: number;
  readonly weigh?: Weigh | undefined;
}

/** l2 probes on one fold, one penalty after another, each tallied on the validation rows. */
export class FoldProbes {
  readonly #solver: KernelLogistic;
  readonly #truth: readonly number[];
  readonly #classes: number;

  constructor(
    { engine, gram, total, fold, labels, classes, weigh }: FoldProblem,
    precision: Partial<KernelLogisticOptions> = {},
  ) {
    const pick = (rows: readonly number[]) => rows.map((row) => labels[row] as number);
    const kernel = centredKernel(gram, total, fold.train, fold.validation);
    const weights = weigh?.(fold.train);
    this.#solver = new KernelLogistic(engine, kernel, { labels: pick(fold.train), classes }, { ...precision, weights });
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
  const { matrix, rows, weights, standardize } = design;
  const own = indices ? await fitDesign(engine, matrix.select(indices), { rows, weights, standardize }) : design;
  const lambdas = [(rows.length * l2) / 2];
  const solution = await fitLogistic(engine, own, labels, { lambdas, classes, tolerance });
  const model = await solution.model(0);
  return {
    model: indices ? { ...model, features: matrix.features, indices } : model,
    converged: solution.converged,
  };
}
