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
  type LogisticOptions,
  type TableFit,
  TableLogistic,
} from '../../solver/index.js';
import type { TuningFold } from './folds.js';
import { freeArrays } from './garbage.js';
import type { Designs } from './grams.js';
import type { FoldSource, TableSource } from './sources.js';
import type { Tally } from './tally.js';

/** What a fold's probes are fitted to and judged by. */
export interface FoldProblem {
  /** How features are normalised and examples weighed. */
  readonly designs: Designs;
  readonly source: FoldSource;
  readonly fold: TuningFold;
  /** Of all rows. */
  readonly labels: ArrayLike<number>;
  readonly classes: number;
}

/** A probe that was fitted to a fold, for another to start from. */
export interface FoldFit {
  readonly converged: boolean;
  readonly kernel?: KernelFit;
  readonly table?: { readonly fit: TableFit; readonly features: Int32Array };
}

/** How far probes are solved, and after how many iterations they are given up. */
type Precision = Partial<Pick<KernelLogisticOptions, 'tolerance' | 'maxIterations'>>;

interface FoldSolver {
  startFrom(fit: FoldFit): Promise<void>;
  fit(l2: number): Promise<{ fit: FoldFit; logits: Float64Array }>;
}

/** l2 probes on one fold, one penalty after another, each tallied on the validation rows. */
export class FoldProbes {
  readonly #solver: Promise<FoldSolver>;
  readonly #truth: readonly number[];
  readonly #classes: number;

  constructor(problem: FoldProblem, precision: Precision = {}) {
    const { source, fold, labels, classes } = problem;
    freeArrays();
    this.#solver = source.table
      ? tableSolver(source, problem, precision)
      : Promise.resolve(kernelSolver(source.gram, problem, precision));
    this.#solver.catch(() => undefined);
    this.#truth = fold.validation.map((row) => labels[row] as number);
    this.#classes = classes;
  }

  /** Starts the next fit from one on other features of the same rows. */
  async startFrom(fit: FoldFit): Promise<void> {
    await (await this.#solver).startFrom(fit);
  }

  /** Fits one penalty from where the last ended, and adds its validation answers to `tally`. */
  async fit(l2: number, tally: Tally): Promise<FoldFit> {
    const { fit, logits } = await (await this.#solver).fit(l2);
    tally.add(logits, this.#truth, this.#classes, fit.converged);
    return fit;
  }
}

function kernelSolver(gram: Floats, { designs, fold, labels, classes }: FoldProblem, precision: Precision): FoldSolver {
  const own = fold.train.map((row) => labels[row] as number);
  const kernel = centredKernel(gram, labels.length, fold.train, fold.validation);
  const weights = designs.weigh(fold.train);
  const solver = new KernelLogistic(designs.engine, kernel, { labels: own, classes }, { ...precision, weights });
  return {
    async startFrom({ kernel: fit }) {
      if (fit) await solver.warmStart(fit.coefficients, fit.intercept);
    },
    async fit(l2) {
      const fit = await solver.fit(l2);
      return { fit: { converged: fit.converged, kernel: fit }, logits: await solver.predict(fit) };
    },
  };
}

async function tableSolver(
  { table, features }: TableSource,
  { designs, fold, labels, classes }: FoldProblem,
  precision: Precision,
): Promise<FoldSolver> {
  const { standardize } = designs;
  const examples = { labels, classes, rows: fold.train, weights: designs.weigh(fold.train), standardize };
  const solver = await TableLogistic.on(table, examples, precision);
  return {
    async startFrom({ table: start }) {
      if (start) await solver.startFrom(carried(start, features, classes), start.fit.intercept);
    },
    async fit(l2) {
      const fit = await solver.fit(l2);
      const logits = new Float64Array(fold.validation.length * classes);
      for (const [i, row] of fold.validation.entries()) {
        logits.set(fit.logits.subarray(row * classes, (row + 1) * classes), i * classes);
      }
      return { fit: { converged: fit.converged, table: { fit, features } }, logits };
    },
  };
}

/** Weights of the features that two tables share, for the second, (features.length, K). */
function carried({ fit, features: from }: NonNullable<FoldFit['table']>, to: Int32Array, K: number): Float64Array {
  const at = new Map(Array.from(from, (feature, i) => [feature, i]));
  const weights = new Float64Array(to.length * K);
  for (const [j, feature] of to.entries()) {
    const i = at.get(feature);
    if (i !== undefined) weights.set(fit.weights.subarray(i * K, (i + 1) * K), j * K);
  }
  return weights;
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
  /** Where to start: weights of these features on examples that are nearly these, and their intercept. */
  readonly start?: LogisticOptions['start'];
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
  start,
}: L2Problem): Promise<{ model: LinearModel; converged: boolean }> {
  const { matrix, rows, weights, standardize } = design;
  freeArrays();
  const own = indices ? await fitDesign(engine, matrix.select(indices), { rows, weights, standardize }) : design;
  const lambdas = [(rows.length * l2) / 2];
  const solution = await fitLogistic(engine, own, labels, { lambdas, classes, tolerance, start });
  const model = await solution.model(0);
  return {
    model: indices ? { ...model, features: matrix.features, indices } : model,
    converged: solution.converged,
  };
}
