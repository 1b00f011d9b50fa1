/** Ridge regression of values on taps: on the last, on all alike, on all with learned weights; settings by left-out examples. */
import { UserError } from '../../base/index.js';
import { stratifiedFolds } from '../../data/index.js';
import {
  type Design,
  type FeatureMatrix,
  type FoldLabels,
  fitDesign,
  fitFoldRidge,
  leaveOut,
  scoresOf,
  TapKernels,
  weightedKernel,
} from '../../solver/index.js';
import { linearModelOf, penalties } from '../fitting/kernel-ridge.js';
import { triedSteps, weightsAfter } from '../fitting/tap-weights.js';
import { featuresOfBlock, lastTap } from '../task.js';
import { meanOf, squaredErrors } from './loss.js';
import {
  checkKernels,
  joined,
  type LeftOutScores,
  leastLoss,
  othersOf,
  rowsOf,
  type ValuedContext,
  type ValuedFit,
  type ValuedMethod,
  type ValuedRow,
} from './method.js';

/** On the last layer, on all taps alike, on all with learned weights. */
export const ridgeMethods: readonly ValuedMethod[] = [
  { id: 'linear', title: 'ridge regression on the last layer', fit: onLast },
  { id: 'all-ridge', title: 'ridge regression on all taps, each with as much variance', fit: onAll },
  {
    id: 'tap-ridge',
    title: 'ridge regression on all taps, with a learned weight for each',
    sharesOf: 'variance',
    fit: weighed,
  },
];

interface Problem {
  readonly design: Design;
  readonly examples: FoldLabels;
}

async function problemOf(context: ValuedContext, matrix = context.matrix, kernels = 0): Promise<Problem> {
  const { engine, values, outputs, folds, options } = context;
  const n = matrix.rows;
  checkKernels(n, kernels);
  return {
    design: await fitDesign(engine, matrix, { standardize: options.standardize }),
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

/** Squared error of scores in the units of values. */
const lossOf = (left: LeftOutScores, { values, outputs }: ValuedContext) =>
  meanOf(squaredErrors(left, values, outputs));

async function bestPenalty(context: ValuedContext, problem: Problem, kernel: Float64Array) {
  const grid: ValuedRow[] = [];
  let best: { penalty: number; loss: number; left: LeftOutScores } | undefined;
  for (const penalty of penalties) {
    context.progress(`penalty ${penalty.toPrecision(2)}`);
    const left = await leftOutAt({ ...problem, engine: context.engine }, kernel, penalty);
    if (!left) continue;
    const loss = lossOf(left, context);
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
  return { model, tuned: { penalty }, grid, left, shares: Array.from(weights), converged: true, notes: [] };
}

async function weighed(context: ValuedContext): Promise<ValuedFit> {
  const { engine, matrix, taps, values, outputs: q, folds, groups, options, progress } = context;
  const problem = await problemOf(context, matrix, taps.length);
  const { design, examples } = problem;
  const n = matrix.rows;
  progress('kernels of the taps');
  const kernels = await TapKernels.of(engine, design);
  const equal = new Float64Array(taps.length).fill(1 / taps.length);
  const { penalty } = await bestPenalty(context, problem, await kernels.sum(equal));
  const weighing = { engine, kernels, from: { penalty, temperature: 1 }, progress };
  const weighedFolds = folds.map((validation, f) => {
    const train = othersOf(validation, n);
    const others = folds.filter((_, g) => g !== f);
    return {
      train,
      validation,
      examples: innerExamples({ rows: train, values, q, groups, folds: others, seed: options.seed }),
    };
  });
  const tried = await triedSteps(
    weighing,
    weighedFolds,
    (steps, scores) => {
      const parts = folds.flatMap((rows, f) => (scores[f] ? [{ rows, scores: scores[f] }] : []));
      if (parts.length < folds.length) return undefined;
      const left = joined(parts);
      return { steps, left, loss: lossOf(left, context) };
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
    converged: true,
    notes: [],
  };
}

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
    values: rowsOf(values, q, rows),
    weights: new Float64Array(rows.length).fill(1),
    folds: others.length > 1 ? others : fresh(),
  };
}
