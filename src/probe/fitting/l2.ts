/** An l2 probe on given features whose penalty is chosen by the folds. */
import type { Engine } from '../../engine/index.js';
import { classPredictions, type Predictions } from '../../record/index.js';
import { type FeatureMatrix, type Floats, type LinearModel, predictLogits, probabilities } from '../../solver/index.js';
import type { MethodContext } from '../context.js';
import type { Fit } from '../methods/method.js';
import type { Inputs } from '../task.js';
import { bestRow, FoldGrams, FoldProbes, falling, fitL2, Tally, type TuningFold, type TuningRow } from '../tuning.js';

/** Class predictions of a linear model on features. */
export async function predictLinear(engine: Engine, model: LinearModel, matrix: FeatureMatrix): Promise<Predictions> {
  return classPredictions(probabilities(await predictLogits(engine, model, matrix), model.classes), model.classes);
}

/**
 * Validation figures of l2 probes over the folds: one row per penalty, strongest first.
 * @param gram of the fold's features, (n, n) over all training rows
 */
export async function validateL2(
  { engine, train, classes, folds, progress }: MethodContext,
  penalties: readonly number[],
  gram: (fold: TuningFold, index: number) => Promise<Floats>,
): Promise<TuningRow[]> {
  const grid = falling(penalties);
  const tallies = grid.map((l2) => ({ l2, tally: new Tally() }));
  const { labels, matrix } = train;
  for (const [f, fold] of folds.entries()) {
    progress(`penalty, fold ${f + 1} of ${folds.length}`);
    const own = await gram(fold, f);
    const probes = new FoldProbes({ engine, gram: own, total: matrix.rows, fold, labels, classes });
    for (const { l2, tally } of tallies) await probes.fit(l2, tally);
  }
  return tallies.map(({ l2, tally }) => tally.row({ l2 }));
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
  const rows = await validateL2(context, options.l2, (fold) => grams.get(fold.train));
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
