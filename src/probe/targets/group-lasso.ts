/** The group lasso of values or labels: a feature has weights for all outputs or for none. */
import { UserError } from '../../base/index.js';
import {
  type Design,
  fitDesign,
  type LinearModel,
  labelsProblem,
  type PathSolution,
  predictLogits,
  solveProblem,
  valuesProblem,
} from '../../solver/index.js';
import { TUNING_TOLERANCE } from '../fitting/sparse.js';
import { sharesOf } from './l2.js';
import { lossesOf, meanOf } from './loss.js';
import {
  joined,
  type LeftOutScores,
  leastLoss,
  othersOf,
  rowsOf,
  type ValuedContext,
  type ValuedFit,
  type ValuedMethod,
} from './method.js';

/** A certified path on some rows. */
export interface ValuedPath {
  readonly design: Design;
  readonly path: PathSolution;
  /** The probe at a point of it, in the units of the values; outputs that do not vary have their own value as intercept. */
  model(index: number): LinearModel;
}

/** @param rows training rows; all by default, to the tolerance of what is reported */
export async function valuedPath(context: ValuedContext, rows?: readonly number[]): Promise<ValuedPath> {
  const { engine, matrix, values, outputs: q, kind, options } = context;
  const design = await fitDesign(engine, matrix, { rows, standardize: options.standardize });
  const own = rows ? rowsOf(values, q, rows) : values;
  const units = unitsOf(own, q, kind);
  const varying = [...units.keys()].filter((k) => (units[k] as Unit).varies);
  const targets = Float64Array.from({ length: (own.length / q) * varying.length }, (_, e) => {
    const k = varying[e % varying.length] as number;
    const { mean, scale } = units[k] as Unit;
    return ((own[Math.floor(e / varying.length) * q + k] as number) - mean) / scale;
  });
  if (varying.length === 0) throw new UserError('no value varies over the training rows of a fold: use fewer folds');
  const make = kind === 'regression' ? valuesProblem : labelsProblem;
  const problem = make(design, targets, varying.length);
  const { tolerance, lambdaCount, lambdaRatio, lambdaRatios } = options;
  const base = { tolerance: Math.max(tolerance, rows ? TUNING_TOLERANCE : 0) };
  const path = lambdaRatios
    ? await atRatios((grid) => solveProblem(engine, problem, { ...base, ...grid }), lambdaRatios)
    : await solveProblem(engine, problem, { ...base, count: lambdaCount, ratio: lambdaRatio });
  return { design, path, model: (index) => inUnits(path.model(index), units, varying) };
}

async function atRatios(
  solve: (grid: object) => Promise<PathSolution>,
  ratios: readonly number[],
): Promise<PathSolution> {
  const first = await solve({ count: 1, ratio: 1 });
  return solve({ lambdas: ratios.map((ratio) => ratio * first.lambdaMax) });
}

/** How an output is shifted and scaled for the path; its intercept where it does not vary. */
interface Unit {
  readonly mean: number;
  readonly scale: number;
  readonly varies: boolean;
  readonly constant: number;
}

/** Values in standard deviations, so that those in different units count alike; labels as they are. */
function unitsOf(values: Float64Array, q: number, kind: ValuedContext['kind']): Unit[] {
  const n = values.length / q;
  return Array.from({ length: q }, (_, k) => {
    const own = Array.from({ length: n }, (_, i) => values[i * q + k] as number);
    const mean = meanOf(own);
    const varies = own.some((v) => v !== own[0]);
    if (kind === 'regression') {
      const scale = Math.sqrt(meanOf(own.map((v) => (v - mean) ** 2)));
      return { mean, scale: varies ? scale : 1, varies, constant: mean };
    }
    // The log odds of a label that is true of all or none, with half an example of either.
    const positive = mean * n;
    return { mean: 0, scale: 1, varies, constant: Math.log((positive + 0.5) / (n - positive + 0.5)) };
  });
}

function inUnits(model: LinearModel, units: readonly Unit[], varying: readonly number[]): LinearModel {
  const q = units.length;
  const weights = new Float64Array(model.indices.length * q);
  const intercept = Float64Array.from(units, ({ constant }) => constant);
  for (const [v, k] of varying.entries()) {
    const { mean, scale } = units[k] as Unit;
    intercept[k] = mean + scale * (model.intercept[v] as number);
    for (let j = 0; j < model.indices.length; j++) {
      weights[j * q + k] = scale * (model.weights[j * varying.length + v] as number);
    }
  }
  return { ...model, classes: q, weights, intercept };
}

/** Penalty by left-out examples, at the same ratios to each fold's own largest lambda. */
async function fitPath(context: ValuedContext): Promise<ValuedFit> {
  const { engine, matrix, folds, progress } = context;
  progress('path on all training rows');
  const whole = await valuedPath(context);
  const { points } = whole.path;
  const parts = points.map((): LeftOutScores[] => []);
  let converged = whole.path.converged;
  for (const [f, rows] of folds.entries()) {
    progress(`fold ${f + 1} of ${folds.length}`);
    const own = await valuedPath(context, othersOf(rows, matrix.rows));
    converged &&= own.path.converged;
    for (const [i, into] of parts.entries()) {
      into.push({ rows, scores: await predictLogits(engine, own.model(i), matrix, rows) });
    }
  }
  const tried = points.map(({ ratio, lambda }, i) => {
    const left = joined(parts[i] as LeftOutScores[]);
    return { settings: { ratio, lambda }, left, loss: meanOf(lossesOf(context, left)) };
  });
  const best = leastLoss(tried);
  const index = tried.indexOf(best);
  const model = whole.model(index);
  return {
    model,
    tuned: best.settings,
    grid: tried.map(({ settings, loss }) => ({ settings, loss })),
    left: best.left,
    shares: sharesOf(context, model.indices),
    converged,
    notes:
      index > 0 && index === tried.length - 1
        ? ['the smallest lambda of the path is the best: --lambda-ratio for smaller ones']
        : [],
  };
}

export const allL21: ValuedMethod = {
  id: 'all-l21',
  title: 'group lasso on all taps',
  sharesOf: 'features',
  onRequest: true,
  fit: fitPath,
};
