/** An l2 probe on given features whose penalty is chosen by the folds. */
import type { Engine } from '../../engine/index.js';
import { classPredictions, type Predictions } from '../../record/index.js';
import { type FeatureMatrix, type LinearModel, predictLogits, probabilities } from '../../solver/index.js';
import type { MethodContext } from '../context.js';
import type { Fit } from '../methods/method.js';
import type { Inputs } from '../task.js';
import { bestRow, FoldGrams, FoldProbes, falling, fitL2, Tally } from '../tuning.js';

/** Class predictions of a linear model on features. */
export async function predictLinear(engine: Engine, model: LinearModel, matrix: FeatureMatrix): Promise<Predictions> {
  return classPredictions(probabilities(await predictLogits(engine, model, matrix), model.classes), model.classes);
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
  const { engine, train, classes, folds, options, designs, progress } = context;
  const { labels } = train;
  const matrix = view(train);
  const grid = falling(options.l2);
  const tallies = grid.map(() => new Tally());
  const grams = new FoldGrams(designs, matrix, indices);
  for (const [f, fold] of folds.entries()) {
    progress(`fold ${f + 1} of ${folds.length}`);
    const gram = await grams.get(fold.train);
    const probes = new FoldProbes({ engine, gram, total: matrix.rows, fold, labels, classes });
    for (const [i, l2] of grid.entries()) await probes.fit(l2, tallies[i] as Tally);
  }
  const rows = tallies.map((tally, i) => tally.row({ l2: grid[i] as number }));
  const best = bestRow(rows);
  const { l2 } = best.settings as { l2: number };
  progress('all training rows');
  const design = await designs.get(matrix);
  const { model, converged } = await fitL2({ engine, design, indices, labels, classes, l2 });
  const edge = grid.length > 1 && l2 === Math.min(...grid);
  return {
    predict: (inputs) => predictLinear(engine, model, view(inputs)),
    model,
    tuned: { l2 },
    validation: best,
    grid: rows,
    path: [],
    converged,
    notes: edge ? [`the smallest l2 penalty of the grid (${l2}) was chosen: a smaller one may do better`] : [],
  };
}
