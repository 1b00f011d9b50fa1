/** Ridge regression of one-hot labels whose penalty is chosen by the folds. */
import { fitRidge, predictLogits } from '../../solver/index.js';
import { type MethodContext, validationGroups } from '../context.js';
import type { Fit } from '../methods/method.js';
import { chooserBy, edgeNote } from '../tuning/choice.js';
import { Tally, type TuningRow } from '../tuning/tally.js';
import { concluded } from './conclusion.js';
import { linearFit } from './l2.js';

/** Features that are read: of all training rows, and of those of each fold. */
export interface RidgeColumns {
  readonly all: Int32Array;
  fold(f: number): Int32Array;
}

/** Validation figures of each penalty over the folds. */
export async function validateRidge(context: MethodContext, columns: RidgeColumns): Promise<TuningRow[]> {
  const { engine, train, classes, folds, options, designs } = context;
  const { labels, matrix } = train;
  const tallies = new Map<number, Tally>();
  for (const [f, fold] of folds.entries()) {
    context.progress(`penalty, fold ${f + 1} of ${folds.length}`);
    const view = matrix.select(columns.fold(f));
    const own = await fitRidge(engine, await designs.on(view, fold.train), labels, { classes });
    const truth = fold.validation.map((row) => labels[row] as number);
    for (const [i, { lambda }] of own.points.entries()) {
      const tally = tallies.get(lambda) ?? new Tally(options);
      tallies.set(lambda, tally);
      tally.add(await predictLogits(engine, await own.model(i), view, fold.validation), truth, classes);
    }
  }
  return [...tallies].map(([lambda, tally]) => tally.row({ lambda }));
}

/**
 * @param rows validation figures of the penalties
 * @param groups of the validation rows, where these are groups
 */
export async function tunedRidge(
  context: MethodContext,
  columns: RidgeColumns,
  rows: readonly TuningRow[],
  groups = validationGroups(context),
): Promise<Fit> {
  const { engine, train, classes, options, designs } = context;
  const choose = chooserBy(options);
  const best = choose(rows);
  context.progress('all training rows');
  const view = train.matrix.select(columns.all);
  const solution = await fitRidge(engine, await designs.on(view), train.labels, { classes });
  const fitted = await solution.model(solution.points.findIndex((p) => p.lambda === best.settings.lambda));
  const model = { ...fitted, features: train.matrix.features, indices: columns.all };
  const edge = { key: 'lambda', name: 'lambda' };
  return linearFit(engine, model, {
    tuned: best.settings,
    ...concluded(context, rows, best, choose, groups),
    grid: rows,
    converged: true,
    notes: edgeNote(rows, best, edge, { options, groups }),
  });
}
