/** The penalised probes on all taps, lambda by cross-validation: element-wise lasso and group lasso. */

import { fitDesign, predictLogits, probabilities } from '../../solver/index.js';
import { bestRow, Tally } from '../cross-validation.js';
import { rankBy, solveRatios } from '../selection.js';
import { type Method, type MethodContext, summary } from './method.js';

/** Looser than what is reported: a validation accuracy does not move with the last digits of a fold's optimum. */
export const TUNING_TOLERANCE = 1e-2;

async function fitSparse(context: MethodContext, name: string, mix: number) {
  const { engine, train, classes, folds, options, designs } = context;
  const { matrix, labels } = train;
  const tallies: Tally[] = [];
  for (const [f, fold] of folds.entries()) {
    context.progress(`${name}: fold ${f + 1} of ${folds.length}`);
    const design = await fitDesign(engine, matrix, { rows: fold.train, standardize: designs.standardize });
    const tolerance = Math.max(options.tolerance, TUNING_TOLERANCE);
    const path = await solveRatios(engine, design, labels, classes, options, tolerance, mix);
    const truth = fold.validation.map((row) => labels[row] as number);
    for (const i of path.points.keys()) {
      tallies[i] ??= new Tally();
      tallies[i].add(await predictLogits(engine, path.model(i), matrix, fold.validation), truth, classes);
    }
  }
  context.progress(`${name}: path on all training rows`);
  const path = await solveRatios(engine, await designs.get(matrix), labels, classes, options, options.tolerance, mix);
  const rows = path.points.map((point, i) => (tallies[i] as Tally).row({ ratio: point.ratio, lambda: point.lambda }));
  const best = bestRow(rows);
  const index = rows.indexOf(best);
  const model = path.model(index);
  const scores = path.scores(index);
  const support = Int32Array.from(scores.keys()).filter((j) => (scores[j] as number) > 0);
  return {
    probabilities: async (examples: { matrix: typeof matrix }) =>
      probabilities(await predictLogits(engine, model, examples.matrix), classes),
    model,
    tuned: best.settings,
    validation: summary(best),
    grid: rows,
    path: path.points,
    selection: {
      features: support,
      ranking: { order: rankBy(scores), scores, support: support.length },
      entryLambda: path.entryLambda,
    },
    converged: path.converged,
    notes: [],
  };
}

export const allL1: Method = {
  name: 'all-l1',
  title: 'element-wise lasso on all taps',
  fit: (context) => fitSparse(context, 'all-l1', 1),
};

export const allL21: Method = {
  name: 'all-l21',
  title: 'group lasso on all taps',
  fit: (context) => fitSparse(context, 'all-l21', 0),
};
