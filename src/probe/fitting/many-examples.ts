/**
 * Ridge regression where there are too many examples for what is learned on all of them: weights of taps and a penalty
 * are learned on a part, and the probe is fitted to all of them with these weights, at the multiple of that penalty that
 * validates best.
 */
import { UserError } from '../../base/index.js';
import {
  assertL2Fits,
  FeatureRidge,
  type FoldLabels,
  fitFoldRidge,
  giveUp,
  kernelFits,
  type LinearModel,
  leaveOut,
  MOST_FEATURES,
  scoresOf,
  weightedKernel,
} from '../../solver/index.js';
import type { MethodContext } from '../context.js';
import type { Tuned } from '../methods/method.js';
import { areMany } from '../options.js';
import { chooserBy } from '../tuning/choice.js';
import { Tally, type TuningRow } from '../tuning/tally.js';
import { concluded } from './conclusion.js';
import { linearModelOf, problemOf } from './kernel-ridge.js';
import { linearFit } from './l2.js';
import { subsetOf } from './subset.js';

/** Examples of the part that weights are learned on, where their kernels fit. */
const PART = 2000;
/** Multiples of the penalty learned on a part that are tried: tenths to tens, from the middle on. */
const MULTIPLES = [-4, -3, -2, -1, 0, 1, 2, 3, 4].map((half) => 10 ** (half / 2));

/** What is learned on a part of the examples. */
export interface LearnedRidge {
  /** w of each tap; 0 leaves it out. */
  readonly weights: Float64Array;
  readonly penalty: number;
  /** Sentences about the weights. */
  readonly notes: readonly string[];
}

/** Whether what ridge regression learns is learned on parts of the examples. @param taps that are weighed, with a kernel each */
export const learnsOnParts = ({ train, options }: Pick<MethodContext, 'train' | 'options'>, taps = 0): boolean =>
  areMany(train.matrix.rows, options) || !kernelFits(train.matrix.rows, taps);

/** Tunes ridge regression with what `learn` finds on parts of the examples: of the training rows of every fold, and of all. */
export async function tuneOnParts(
  context: MethodContext,
  learn: (part: MethodContext) => Promise<LearnedRidge>,
): Promise<Tuned> {
  const { engine, train, taps, folds, classes, options, progress } = context;
  const { rows: n, features } = train.matrix;
  assertL2Fits('ridge regression', n, features);
  const most = largestPart(taps.length);
  const learnOn = (rows: readonly number[], name: string) => {
    const part = subsetOf(context, rows, most, `part of ${name}`);
    const { length } = part.train.labels;
    return learn({ ...part, progress: (note) => progress(`${length} of ${rows.length} examples: ${note}`) });
  };
  const learned: LearnedRidge[] = [];
  for (const [f, fold] of folds.entries()) learned.push(await learnOn(fold.train, `fold ${f}`));
  const whole = await context.memo.once(wholeRidge, context);
  const rows = await outwards(MULTIPLES, chooserBy(options), async (multiple) => {
    progress(`${multiple.toPrecision(2)} times the penalty`);
    const tally = new Tally(options);
    for (const [f, { validation }] of folds.entries()) {
      const { weights, penalty } = learned[f] as LearnedRidge;
      const scores = await whole.leftOut(f, { weights, penalty: penalty * multiple });
      if (!scores) return undefined;
      const truth = validation.map((row) => train.labels[row] as number);
      tally.add(scores, truth, classes);
    }
    return tally.row({ multiple });
  });
  if (rows.length === 0) throw new UserError('the features are all constant: there is nothing to fit');
  const choose = chooserBy(options);
  const best = choose(rows);
  const finish: Tuned['finish'] = async (said) => {
    const all = Array.from(train.labels.keys());
    const { weights, penalty: own, notes } = await learnOn(all, 'all');
    const penalty = own * (best.settings.multiple as number);
    said('all training rows');
    const { model, notes: solved } = await whole.fit({ weights, penalty });
    return linearFit(engine, model, {
      tuned: { penalty },
      ...concluded(context, rows, best, choose),
      grid: rows,
      converged: true,
      notes: [
        ...notes,
        ...(n > most ? [`learned on about ${most} of ${n} training examples, then fitted to all of them`] : []),
        ...solved,
      ],
    });
  };
  return { validation: best, finish };
}

/** Examples of which a kernel for each tap fits, at most `PART`. */
export function largestPart(taps: number): number {
  let size = PART;
  while (size > 200 && !kernelFits(size, taps)) size = Math.floor(size * 0.9);
  return size;
}

/** Rows of a grid from its middle outwards, in the direction in which they get better, until they do not. */
async function outwards(
  grid: readonly number[],
  choose: (rows: readonly TuningRow[]) => TuningRow,
  rowOf: (value: number) => Promise<TuningRow | undefined>,
): Promise<TuningRow[]> {
  const middle = grid.length >> 1;
  const found = new Map<number, TuningRow | undefined>();
  const at = async (i: number) => {
    if (!found.has(i)) found.set(i, await rowOf(grid[i] as number));
    return found.get(i);
  };
  const known = () => [...found].flatMap(([i, row]) => (row ? [{ i, row }] : []));
  for (const i of [middle, middle + 1, middle - 1]) await at(i);
  for (;;) {
    const rows = known();
    // Rounding has made the kernel indefinite at all of them: larger ones are left.
    const best = rows.length > 0 ? rows.find(({ row }) => row === choose(rows.map((r) => r.row)))?.i : undefined;
    const next =
      best === undefined ? [Math.max(...found.keys()) + 1] : [best - 1, best + 1].filter((i) => !found.has(i));
    const open = next.filter((i) => i >= 0 && i < grid.length);
    if (open.length === 0) break;
    for (const i of open) await at(i);
  }
  return known()
    .sort((a, b) => a.i - b.i)
    .map(({ row }) => row);
}

/** Ridge regression on all examples with given weights of taps. */
interface WholeRidge {
  /** Scores of a fold's validation rows by a fit to its training rows; undefined where rounding has made it indefinite. */
  leftOut(fold: number, given: Weighed): Promise<Float64Array | undefined>;
  fit(given: Weighed): Promise<{ readonly model: LinearModel; readonly notes: readonly string[] }>;
}
type Weighed = Pick<LearnedRidge, 'weights' | 'penalty'>;

/** By the features where one part is held out and they are fewer than the examples, else by a kernel. */
async function wholeRidge(context: MethodContext): Promise<WholeRidge> {
  const { rows: n, features } = context.train.matrix;
  const byFeatures = context.folds.length === 1 && features <= MOST_FEATURES && (features < n || !kernelFits(n));
  return byFeatures ? onFeatures(context) : onKernel(context);
}

async function onFeatures(context: MethodContext): Promise<WholeRidge> {
  const { engine, progress } = context;
  const { design, examples } = await problemOf(context);
  const ridge = await FeatureRidge.of(engine, design, examples, {
    progress: (share) => progress(`products of features, ${Math.floor(100 * share)} %`),
  });
  return {
    leftOut: (_, given) => ridge.heldOut(given),
    fit: async (given) => {
      const fit = await ridge.fit(given);
      if (!fit) throw new UserError('the features are all constant: there is nothing to fit');
      return {
        model: fit.model,
        notes: [`gradient at the solution ${fit.residual.toPrecision(2)} of the one at zero`],
      };
    },
  };
}

async function onKernel(context: MethodContext): Promise<WholeRidge> {
  const { engine } = context;
  const problem = await problemOf(context);
  const { design, examples } = problem;
  const kernels = new WeakMap<Float64Array, Float32Array>();
  const kernelOf = async (weights: Float64Array) => {
    const kernel = kernels.get(weights) ?? Float32Array.from(await weightedKernel(engine, design, weights));
    kernels.set(weights, kernel);
    return new Float64Array(kernel);
  };
  return {
    async leftOut(f, { weights, penalty }) {
      const own: FoldLabels = { ...examples, folds: [examples.folds[f] as readonly number[]] };
      const fit = await fitFoldRidge(engine, await kernelOf(weights), own, penalty);
      const left = fit && (await leaveOut(engine, fit, own));
      const scores = left?.[0] && scoresOf(left[0], own);
      if (fit) giveUp(fit, left);
      return scores;
    },
    async fit({ weights, penalty }) {
      const kernel = await kernelOf(weights);
      return { model: await linearModelOf(context, problem, { kernel, weights, penalty }), notes: [] };
    },
  };
}
