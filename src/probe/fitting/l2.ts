/** An l2 probe on given features whose penalty is chosen by the folds. */
import type { Engine } from '../../engine/index.js';
import { classPredictions, type Predictions } from '../../record/index.js';
import {
  type FeatureMatrix,
  type Floats,
  fitDesign,
  type LinearModel,
  predictLogits,
  probabilities,
} from '../../solver/index.js';
import type { MethodContext } from '../context.js';
import type { Fit } from '../methods/method.js';
import type { Inputs } from '../task.js';
import type { TuningFold } from '../tuning/folds.js';
import { FoldGrams } from '../tuning/grams.js';
import { FoldProbes, falling, fitL2 } from '../tuning/probes.js';
import { bestRow, Tally, type TuningRow } from '../tuning/tally.js';

/** Class predictions of a linear model on features. */
export async function predictLinear(engine: Engine, model: LinearModel, matrix: FeatureMatrix): Promise<Predictions> {
  return classPredictions(probabilities(await predictLogits(engine, model, matrix), model.classes), model.classes);
}

/** What an l2 probe reads of a fold. */
export interface FoldFeatures {
  readonly matrix: FeatureMatrix;
  /** Features of it on the f-th fold; all by default. */
  indices(f: number): Int32Array | undefined;
  /** Their Gram, (n, n) over all training rows. */
  gram(fold: TuningFold, f: number): Promise<Floats>;
}

/** Validation figures of l2 probes over the folds: one row per penalty, strongest first. */
export async function validateL2(
  context: MethodContext,
  penalties: readonly number[],
  features: FoldFeatures,
): Promise<TuningRow[]> {
  const { engine, train, classes, folds, progress } = context;
  const tallies = falling(penalties).map((l2) => ({ l2, tally: new Tally() }));
  const { labels, matrix } = train;
  for (const [f, fold] of folds.entries()) {
    progress(`penalty, fold ${f + 1} of ${folds.length}`);
    const gram = await features.gram(fold, f);
    const probes = new FoldProbes({ engine, gram, total: matrix.rows, fold, labels, classes });
    for (const { l2, tally } of tallies) await probes.fit(l2, tally);
  }
  const rows = tallies.map(({ l2, tally }) => tally.row({ l2 }));
  return settle(context, rows, features, bestRow);
}

/**
 * The comparison of penalties gives up on what takes long, which matters for the row that is chosen: where its solver had
 * not converged it is fitted again by the exact one, until what is chosen has converged.
 */
export async function settle(
  context: MethodContext,
  rows: readonly TuningRow[],
  features: FoldFeatures,
  choose: (rows: readonly TuningRow[]) => TuningRow,
): Promise<TuningRow[]> {
  const settled = [...rows];
  for (let best = choose(settled); !best.converged; best = choose(settled)) {
    const row = await exactRow(context, best.settings.l2 as number, features);
    settled[settled.indexOf(best)] = row;
    if (!row.converged) break;
  }
  return settled;
}

async function exactRow(
  { engine, train, classes, folds, designs, progress }: MethodContext,
  l2: number,
  { matrix, indices }: FoldFeatures,
): Promise<TuningRow> {
  const { labels } = train;
  const { standardize } = designs;
  const tally = new Tally();
  for (const [f, { train: rows, validation }] of folds.entries()) {
    progress(`penalty ${l2}, exactly, fold ${f + 1} of ${folds.length}`);
    const design = await fitDesign(engine, matrix, { rows, standardize });
    const { model, converged } = await fitL2({ engine, design, indices: indices(f), labels, classes, l2 });
    const truth = validation.map((row) => labels[row] as number);
    tally.add(await predictLogits(engine, model, matrix, validation), truth, classes, converged);
  }
  return tally.row({ l2 });
}

/**
 * @param view the matrix that the probe reads of any examples
 * @param indices features of it; all by default
 */
export async function fitTunedL2(
  context: MethodContext,
  view: (inputs: Inputs) => FeatureMatrix,
  indices?: Int32Array,
): Promise<Fit> {
  const { engine, train, classes, options, designs, progress } = context;
  const { labels } = train;
  const matrix = view(train);
  const grams = new FoldGrams(designs, matrix, indices);
  const rows = await validateL2(context, options.l2, {
    matrix,
    indices: () => indices,
    gram: (fold) => grams.get(fold.train),
  });
  const best = bestRow(rows);
  const { l2 } = best.settings as { l2: number };
  progress('all training rows');
  const design = await designs.get(matrix);
  const { model, converged } = await fitL2({ engine, design, indices, labels, classes, l2 });
  const edge = rows.length > 1 && l2 === Math.min(...options.l2);
  return {
    predict: (inputs) => predictLinear(engine, model, view(inputs)),
    model,
    tuned: { l2 },
    validation: best,
    grid: rows,
    path: [],
    converged: best.converged && converged,
    notes: edge ? [`the smallest l2 penalty of the grid (${l2}) was chosen: a smaller one may do better`] : [],
  };
}
