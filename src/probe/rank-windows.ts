/** Accuracy of windows of consecutive ranks: does the ranking hold what the probe needs at its top? */

import { predictLogits } from '../solver/index.js';
import { accuracy, topClasses } from '../stats/index.js';
import { fitL2, gramOf, Tally, validateL2 } from './cross-validation.js';
import type { Fit, MethodContext } from './methods/method.js';
import type { Selection } from './selection.js';
import type { Examples } from './task.js';

export interface RankWindow {
  /** Ranks [first, first + count). */
  readonly first: number;
  readonly count: number;
  /** Cross-validated on the training rows, with the ranking of all training rows (optimistic at the top). */
  readonly validation: number;
  readonly test?: number;
  /** Class predicted for every test example. */
  readonly predicted?: Int32Array;
}

/** Largest window, as in the paper. */
const WINDOW = 2048;
const WINDOWS = 10;

/** Windows over the whole ranking, each with the l2 penalty that the method chose. */
export async function rankWindows(context: MethodContext, fit: Fit, test: Examples | undefined): Promise<RankWindow[]> {
  const { engine, train, classes, folds, designs } = context;
  const { matrix, labels } = train;
  const { ranking } = fit.selection as Selection;
  const l2 = fit.tuned.l2 as number;
  const p = matrix.features;
  const width = Math.min(WINDOW, Math.max(1, Math.floor(p / WINDOWS)));
  const step = Math.max(width, Math.floor((p - width) / (WINDOWS - 1)));
  const windows: RankWindow[] = [];
  for (let first = 0; first + width <= p && windows.length < WINDOWS; first += step) {
    context.progress(`rank window ${windows.length + 1}`);
    const features = ranking.order.slice(first, first + width).sort();
    const tally = new Tally();
    for (const fold of folds) {
      const gram = await gramOf(engine, await designs.get(matrix, fold.train), features);
      await validateL2(engine, gram, matrix.rows, fold, labels, classes, [l2], [tally]);
    }
    const design = await designs.get(matrix);
    const { model } = await fitL2(engine, design, features, labels, classes, l2);
    const predicted = test && topClasses(await predictLogits(engine, model, test.matrix), classes);
    windows.push({
      first,
      count: width,
      validation: tally.row({}).accuracy,
      ...(test && predicted ? { test: accuracy(test.labels, predicted), predicted } : {}),
    });
  }
  return windows;
}
