/** Ridge regression on all taps at once, each tap's kernel with a weight: what its variants share. */
import { UserError } from '../../base/index.js';
import {
  allFeatures,
  byFeature,
  type Design,
  type FoldLabels,
  fitFoldRidge,
  giveUp,
  type LinearModel,
  leaveOut,
  linearModel,
  primalWeights,
  scoresOf,
  tapScales,
  weightedKernel,
} from '../../solver/index.js';
import type { MethodContext } from '../context.js';
import { Tally, type TuningRow } from '../tuning/tally.js';
import { kernelsAreKept, kernelsOfTaps } from './tap-kernels.js';

/** Penalties, of a kernel whose examples have a mean square norm of one: from hardly any to hardly any fit. */
export const penalties: readonly number[] = Array.from({ length: 13 }, (_, i) => 10 ** (1.5 - i / 2));

export interface KernelProblem {
  readonly design: Design;
  /** All training rows, with the folds that settings are compared on. */
  readonly examples: FoldLabels;
}

/** Ridge regression on all training rows. */
export async function problemOf({ train, classes, folds, designs }: MethodContext): Promise<KernelProblem> {
  const { matrix, labels } = train;
  const weights = designs.weigh() ?? new Float64Array(matrix.rows).fill(1);
  return {
    design: await designs.get(matrix),
    examples: { labels, classes, weights, folds: folds.map(({ validation }) => validation) },
  };
}

/**
 * Adds what ridge regression says of each fold of `examples` that it is fitted without.
 * @returns false where rounding has made the kernel indefinite at this penalty: nothing is added then
 */
export async function tallyFolds(
  { engine, classes }: Pick<MethodContext, 'engine' | 'classes'>,
  { examples }: Pick<KernelProblem, 'examples'>,
  { kernel, penalty }: { readonly kernel: Float64Array; readonly penalty: number },
  tally: Tally,
): Promise<boolean> {
  const fit = await fitFoldRidge(engine, kernel, examples, penalty);
  const left = fit && (await leaveOut(engine, fit, examples));
  for (const fold of left ?? []) {
    const truth = fold.rows.map((row) => examples.labels[row] as number);
    tally.add(scoresOf(fold, examples), truth, classes);
  }
  if (fit) giveUp(fit, left);
  return left !== undefined;
}

/** Validates every penalty on one kernel. */
export async function comparePenalties(
  context: MethodContext,
  problem: KernelProblem,
  kernel: Float64Array,
): Promise<TuningRow[]> {
  const rows: TuningRow[] = [];
  for (const penalty of penalties) {
    context.progress(`penalty ${penalty.toPrecision(2)}`);
    const tally = new Tally(context.options);
    if (await tallyFolds(context, problem, { kernel, penalty }, tally)) rows.push(tally.row({ penalty }));
  }
  if (rows.length === 0) throw new UserError('the features are all constant: there is nothing to fit');
  return rows;
}

/** The sum of all taps' kernels, every tap counting alike, with every penalty validated on it: made once for whoever asks. */
export interface EqualTaps extends KernelProblem {
  /** Of all training rows. */
  readonly kernel: Float64Array;
  /** w of each tap. */
  readonly weights: Float64Array;
  readonly rows: readonly TuningRow[];
}

export const equalTaps = (context: MethodContext): Promise<EqualTaps> => context.memo.once(onEqualTaps, context);

async function onEqualTaps(context: MethodContext): Promise<EqualTaps> {
  const { engine, taps } = context;
  const problem = await problemOf(context);
  const weights = new Float64Array(taps.length).fill(1 / taps.length);
  const kernel = kernelsAreKept(context)
    ? await (await kernelsOfTaps(context)).sum(weights)
    : await weightedKernel(engine, problem.design, weights);
  return { ...problem, kernel, weights, rows: await comparePenalties(context, problem, kernel) };
}

/** The linear model on the features that ridge regression on a sum of the taps' kernels is. */
export async function linearModelOf(
  { engine, classes }: Pick<MethodContext, 'engine' | 'classes'>,
  { design, examples }: KernelProblem,
  {
    kernel,
    weights,
    penalty,
  }: {
    /** Of all training rows, with these weights. */
    readonly kernel: Float64Array;
    /** w of each tap; 0 leaves it out. */
    readonly weights: Float64Array;
    readonly penalty: number;
  },
): Promise<LinearModel> {
  const fit = await fitFoldRidge(engine, kernel, examples, penalty);
  if (!fit) throw new UserError('the features are all constant: there is nothing to fit');
  const primal = await primalWeights(engine, design, fit.coefficients, classes);
  const factors = byFeature(
    design,
    tapScales(design).map((s, t) => s * s * (weights[t] as number)),
  );
  const indices = allFeatures(design.matrix).filter((j) => (factors[j] as number) > 0);
  const own = new Float64Array(indices.length * classes);
  for (const [i, j] of indices.entries()) {
    for (let k = 0; k < classes; k++)
      own[i * classes + k] = (factors[j] as number) * (primal[j * classes + k] as number);
  }
  return linearModel(design, { classes, indices, weights: own, intercept: fit.intercept });
}
