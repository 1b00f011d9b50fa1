/** Ridge regression of values on taps: on the last, on all alike, on all with learned weights; settings by left-out examples. */
import { UserError } from '../../base/index.js';
import { stratifiedFolds } from '../../data/index.js';
import type { Engine } from '../../engine/index.js';
import {
  type Design,
  type FeatureMatrix,
  type FoldLabels,
  fitDesign,
  fitFoldRidge,
  kernelFits,
  type LinearModel,
  leaveOut,
  scoresOf,
  TapKernels,
  weightedKernel,
} from '../../solver/index.js';
import { linearModelOf, penalties } from '../fitting/kernel-ridge.js';
import { triedSteps, weightsAfter } from '../fitting/tap-weights.js';
import { featuresOfBlock, lastTap, type ProbeTap } from '../task.js';

export interface ValuedContext {
  readonly engine: Engine;
  readonly matrix: FeatureMatrix;
  readonly taps: readonly ProbeTap[];
  /** (n, q). */
  readonly values: Float64Array;
  readonly outputs: number;
  readonly groups: readonly string[] | undefined;
  /** Rows that are left out together: disjoint, and all rows or those of the validation split. */
  readonly folds: readonly (readonly number[])[];
  readonly standardize: boolean;
  readonly seed: number;
  readonly progress: (text: string) => void;
}

/** What a setting says of examples that it was not fitted to. */
export interface LeftOutScores {
  readonly rows: readonly number[];
  /** (rows.length, q). */
  readonly scores: Float64Array;
}

export interface ValuedRow {
  readonly settings: Readonly<Record<string, number>>;
  /** Squared error of left-out examples as a share of their variance, mean over outputs. */
  readonly loss: number;
}

export interface ValuedFit {
  readonly model: LinearModel;
  readonly tuned: Readonly<Record<string, number>>;
  readonly grid: readonly ValuedRow[];
  /** Of the chosen setting. */
  readonly left: LeftOutScores;
  /** Share of the variance that the penalty sees of each tap, (taps). */
  readonly shares: readonly number[];
}

export interface ValuedMethod {
  readonly id: string;
  readonly title: string;
  fit(context: ValuedContext): Promise<ValuedFit>;
}

/** Probes of real values and of several labels. */
export const valuedMethods: readonly ValuedMethod[] = [
  { id: 'linear', title: 'ridge regression on the last layer', fit: onLast },
  { id: 'all-ridge', title: 'ridge regression on all taps, each with as much variance', fit: onAll },
  { id: 'tap-ridge', title: 'ridge regression on all taps, with a learned weight for each', fit: weighed },
];

interface Problem {
  readonly design: Design;
  readonly examples: FoldLabels;
}

async function problemOf(context: ValuedContext, matrix = context.matrix, kernels = 0): Promise<Problem> {
  const { engine, values, outputs, folds, standardize } = context;
  const n = matrix.rows;
  if (!kernelFits(n, kernels)) {
    throw new UserError(
      `the kernels of ${n} training examples do not fit in memory: take fewer examples or fewer taps`,
    );
  }
  return {
    design: await fitDesign(engine, matrix, { standardize }),
    examples: {
      labels: new Int32Array(n),
      classes: outputs,
      values,
      weights: new Float64Array(n).fill(1),
      folds,
    },
  };
}

/** Left-out scores at a penalty; undefined where rounding has made the kernel indefinite. */
async function leftOutAt(
  { engine, examples }: Pick<ValuedContext, 'engine'> & Pick<Problem, 'examples'>,
  kernel: Float64Array,
  penalty: number,
): Promise<LeftOutScores | undefined> {
  const fit = await fitFoldRidge(engine, kernel, examples, penalty);
  const left = fit && (await leaveOut(engine, fit, examples));
  return left && joined(left.map((fold) => ({ rows: Array.from(fold.rows), scores: scoresOf(fold, examples) })));
}

function joined(parts: readonly LeftOutScores[]): LeftOutScores {
  const rows = parts.flatMap((part) => part.rows);
  const scores = new Float64Array(parts.reduce((sum, part) => sum + part.scores.length, 0));
  let at = 0;
  for (const part of parts) {
    scores.set(part.scores, at);
    at += part.scores.length;
  }
  return { rows, scores };
}

/** Squared error as a share of the variance of the true values, mean over the outputs that vary. */
export function lossOf({ rows, scores }: LeftOutScores, values: Float64Array, q: number): number {
  let [total, counted] = [0, 0];
  for (let k = 0; k < q; k++) {
    const truth = rows.map((row) => values[row * q + k] as number);
    const mean = truth.reduce((sum, v) => sum + v, 0) / truth.length;
    const variance = truth.reduce((sum, v) => sum + (v - mean) ** 2, 0);
    if (!(variance > 0)) continue;
    counted++;
    total += truth.reduce((sum, v, i) => sum + (v - (scores[i * q + k] as number)) ** 2, 0) / variance;
  }
  return counted > 0 ? total / counted : Number.NaN;
}

async function bestPenalty(context: ValuedContext, problem: Problem, kernel: Float64Array) {
  const grid: ValuedRow[] = [];
  let best: { penalty: number; loss: number; left: LeftOutScores } | undefined;
  for (const penalty of penalties) {
    context.progress(`penalty ${penalty.toPrecision(2)}`);
    const left = await leftOutAt({ ...problem, engine: context.engine }, kernel, penalty);
    if (!left) continue;
    const loss = lossOf(left, context.values, context.outputs);
    grid.push({ settings: { penalty }, loss });
    if (!best || loss < best.loss) best = { penalty, loss, left };
  }
  if (!best) throw new UserError('the features are all constant: there is nothing to fit');
  return { grid, ...best };
}

async function onLast(context: ValuedContext): Promise<ValuedFit> {
  const last = lastTap(context.taps);
  const all = featuresOfBlock(context.matrix, last);
  const fit = await alike(context, context.matrix.select(all), 1);
  const indices = fit.model.indices.map((i) => all[i] as number);
  return {
    ...fit,
    model: { ...fit.model, features: context.matrix.features, indices },
    shares: context.taps.map((_, t) => (t === last ? 1 : 0)),
  };
}

function onAll(context: ValuedContext): Promise<ValuedFit> {
  return alike(context, context.matrix, context.taps.length);
}

/** Every tap of a matrix counts alike. */
async function alike(context: ValuedContext, matrix: FeatureMatrix, taps: number): Promise<ValuedFit> {
  const problem = await problemOf(context, matrix);
  const weights = new Float64Array(taps).fill(1 / taps);
  const kernel = await weightedKernel(context.engine, problem.design, weights);
  const { grid, penalty, left } = await bestPenalty(context, problem, kernel);
  const model = await linearModelOf({ engine: context.engine, classes: context.outputs }, problem, {
    kernel,
    weights,
    penalty,
  });
  return { model, tuned: { penalty }, grid, left, shares: Array.from(weights) };
}

async function weighed(context: ValuedContext): Promise<ValuedFit> {
  const { engine, matrix, taps, values, outputs: q, folds, groups, seed, progress } = context;
  const problem = await problemOf(context, matrix, taps.length);
  const { design, examples } = problem;
  const n = matrix.rows;
  progress('kernels of the taps');
  const kernels = await TapKernels.of(
    engine,
    design,
    Array.from({ length: n }, (_, i) => i),
  );
  const equal = new Float64Array(taps.length).fill(1 / taps.length);
  const { penalty } = await bestPenalty(context, problem, await kernels.sum(equal));
  const weighing = { engine, kernels, from: { penalty, temperature: 1 }, progress };
  const weighedFolds = folds.map((validation, f) => {
    const held = new Set(validation);
    const train = Array.from({ length: n }, (_, i) => i).filter((i) => !held.has(i));
    const others = folds.filter((_, g) => g !== f);
    return { train, validation, examples: innerExamples({ rows: train, values, q, groups, folds: others, seed }) };
  });
  const tried = await triedSteps(
    weighing,
    weighedFolds,
    (steps, scores) => {
      const parts = folds.flatMap((rows, f) => (scores[f] ? [{ rows, scores: scores[f] }] : []));
      if (parts.length < folds.length) return undefined;
      const left = joined(parts);
      return { steps, left, loss: lossOf(left, values, q) };
    },
    leastLoss,
  );
  if (tried.length === 0) throw new UserError('rounding has made every kernel indefinite: take all-ridge');
  const best = leastLoss(tried);
  const { learned, kept } = await weightsAfter(weighing, examples, best.steps);
  const model = await linearModelOf({ engine, classes: q }, problem, {
    kernel: await kernels.sum(kept),
    weights: kept,
    penalty: learned.penalty,
  });
  return {
    model,
    tuned: { steps: best.steps, penalty: learned.penalty },
    grid: tried.map(({ steps, loss }) => ({ settings: { steps }, loss })),
    left: best.left,
    shares: Array.from(kept),
  };
}

const leastLoss = <T extends { readonly loss: number }>(rows: readonly T[]): T =>
  rows.reduce((best, row) => (row.loss < best.loss ? row : best));

/** What weights are learned on without one fold: the other folds, or new ones where there is no other. */
function innerExamples({
  rows,
  values,
  q,
  groups,
  folds,
  seed,
}: {
  rows: readonly number[];
  values: Float64Array;
  q: number;
  groups: readonly string[] | undefined;
  folds: readonly (readonly number[])[];
  seed: number;
}): FoldLabels {
  const place = new Map(rows.map((row, i) => [row, i]));
  const own = new Float64Array(rows.length * q);
  for (const [i, row] of rows.entries()) own.set(values.subarray(row * q, (row + 1) * q), i * q);
  const labels = new Int32Array(rows.length);
  const others = folds.map((fold) => fold.flatMap((row) => place.get(row) ?? []));
  const fresh = () =>
    stratifiedFolds(
      { labels, groups: groups && rows.map((row) => groups[row] as string) },
      { k: 5, seed: `${seed}/weights of taps` },
    ).map(({ validation }) => validation);
  return {
    labels,
    classes: q,
    values: own,
    weights: new Float64Array(rows.length).fill(1),
    folds: others.length > 1 ? others : fresh(),
  };
}
