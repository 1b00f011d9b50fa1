/** An l2 probe of values or labels on given features, whose penalty is chosen by left-out examples. */
import { UserError } from '../../base/index.js';
import {
  addGram,
  allFeatures,
  centredKernel,
  type Design,
  emptyGram,
  type FeatureMatrix,
  type Floats,
  fitDesign,
  gram,
  type LinearModel,
  linearModel,
  primalWeights,
} from '../../solver/index.js';
import { countByTap } from '../selection.js';
import { kernelProbe, penaltyGrid } from './kernel-probe.js';
import { lossesOf, meanOf } from './loss.js';
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
} from './method.js';

/** Features that a probe reads: in each fold, and of all rows. */
export interface ValuedFeatures {
  fold(f: number): Int32Array;
  readonly all: Int32Array;
}

/** What a penalty says of all folds. */
export interface Tried {
  readonly penalty: number;
  readonly left: LeftOutScores;
  /** Of each left-out example. */
  readonly losses: Float64Array;
  readonly loss: number;
  readonly converged: boolean;
}

/** Penalties on one fold after another; those that rounding forbids somewhere are left out. */
export class PenaltyComparison {
  readonly #context: ValuedContext;
  readonly #found: readonly { readonly penalty: number; readonly parts: LeftOutScores[]; converged: boolean }[];

  constructor(context: ValuedContext, penalties: readonly number[]) {
    this.#context = context;
    this.#found = penalties.map((penalty) => ({ penalty, parts: [], converged: true }));
  }

  /** @param products of the features over all rows, (n, n) */
  async add(f: number, products: Floats): Promise<void> {
    const { engine, kind, values, outputs: q, folds, matrix } = this.#context;
    const rows = folds[f] as readonly number[];
    const train = othersOf(rows, matrix.rows);
    const kernel = centredKernel(products, matrix.rows, train, rows);
    const probe = kernelProbe(engine, kind, kernel, { truth: rowsOf(values, q, train), outputs: q });
    for (const own of this.#found) {
      const fit = await probe.fit(own.penalty);
      if (!fit) continue;
      own.parts.push({ rows, scores: fit.scores });
      own.converged &&= fit.converged;
    }
  }

  tried(): Tried[] {
    const { folds } = this.#context;
    return this.#found.flatMap(({ penalty, parts, converged }): Tried[] => {
      if (parts.length < folds.length) return [];
      const left = joined(parts);
      const losses = lossesOf(this.#context, left);
      return [{ penalty, left, losses, loss: meanOf(losses), converged }];
    });
  }
}

/** Normalisation of features by the training rows of a fold. */
export const foldDesign = (
  { engine, matrix, options, folds }: ValuedContext,
  f: number,
  view: FeatureMatrix = matrix,
): Promise<Design> =>
  fitDesign(engine, view, {
    rows: othersOf(folds[f] as readonly number[], matrix.rows),
    standardize: options.standardize,
  });

/** Products of features over all rows, (n, n), normalised as a fold's training rows say. */
export async function foldProducts(context: ValuedContext, f: number, features: Int32Array): Promise<Floats> {
  const { engine, matrix } = context;
  const view = matrix.select(features);
  const sum = emptyGram(features.length, matrix.rows);
  await addGram(engine, view, await foldDesign(context, f, view), sum);
  return sum;
}

/** Chooses the penalty, and fits to all rows. */
export async function fitL2Valued(context: ValuedContext, features: ValuedFeatures): Promise<Omit<ValuedFit, 'notes'>> {
  const { kind, options, progress } = context;
  checkKernels(context.matrix.rows);
  const grid = penaltyGrid(kind, options.l2);
  progress('penalty');
  const comparison = new PenaltyComparison(context, grid.all);
  for (const f of context.folds.keys()) await comparison.add(f, await foldProducts(context, f, features.fold(f)));
  const tried = comparison.tried();
  if (tried.length === 0) throw new UserError('the features are all constant: there is nothing to fit');
  const best = leastLoss(tried);
  progress('all training rows');
  const { model, converged } = await onAllRows(context, features.all, best.penalty);
  return {
    model,
    tuned: { [grid.name]: best.penalty },
    grid: tried.map(({ penalty, loss }) => ({ settings: { [grid.name]: penalty }, loss })),
    left: best.left,
    shares: sharesOf(context, features.all),
    converged: converged && best.converged,
  };
}

async function onAllRows(
  { engine, kind, matrix, values, outputs, options }: ValuedContext,
  features: Int32Array,
  penalty: number,
): Promise<{ model: LinearModel; converged: boolean }> {
  const view = matrix.select(features);
  const design = await fitDesign(engine, view, { standardize: options.standardize });
  const kernel = { train: await gram(engine, design), n: matrix.rows, others: new Float64Array(0), m: 0 };
  const fit = await kernelProbe(engine, kind, kernel, { truth: values, outputs }, true).fit(penalty);
  if (!fit) throw new UserError('rounding has made the products of the features indefinite: take a stronger penalty');
  const own = linearModel(design, {
    classes: outputs,
    indices: allFeatures(view),
    weights: await primalWeights(engine, design, fit.coefficients, outputs),
    intercept: fit.intercept,
  });
  return { model: { ...own, features: matrix.features, indices: features }, converged: fit.converged };
}

/** Of each tap among features, (taps). */
export function sharesOf({ matrix }: Pick<ValuedContext, 'matrix'>, features: Int32Array): number[] {
  return Array.from(countByTap(features, matrix.offsets), (count) => count / Math.max(1, features.length));
}

export const allL2: ValuedMethod = {
  id: 'all-l2',
  title: 'all features alike: ridge regression of values, logistic regression of each label',
  onRequest: true,
  fit: async (context) => {
    const all = allFeatures(context.matrix);
    return { ...(await fitL2Valued(context, { fold: () => all, all })), notes: [] };
  },
};
