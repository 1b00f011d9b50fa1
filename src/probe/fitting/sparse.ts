/** A penalised probe on all taps, lambda chosen by the folds. */
import { type PathSolution, predictLogits } from '../../solver/index.js';
import { type MethodContext, validationGroups } from '../context.js';
import type { Fit } from '../methods/method.js';
import { rankBy, solveRatios } from '../ranking.js';
import { chooserBy, edgeNote } from '../tuning/choice.js';
import { Tally } from '../tuning/tally.js';
import { concluded } from './conclusion.js';
import { predictLinear } from './l2.js';

/** Looser than what is reported: a validation accuracy does not move with the last digits of a fold's optimum. */
export const TUNING_TOLERANCE = 1e-2;

/** @param mix share of the element-wise l1 norm: 0 group lasso, 1 lasso */
export async function fitSparse(context: MethodContext, mix: number): Promise<Fit> {
  const { engine, train, folds, options, designs, progress } = context;
  progress('path on all training rows');
  const path = await solveRatios(context, await designs.get(train.matrix), { mix });
  const tallies = path.points.map(() => new Tally(context.options));
  for (const [f, fold] of folds.entries()) {
    progress(`fold ${f + 1} of ${folds.length}`);
    const design = await designs.on(train.matrix, fold.train);
    await validatePath(context, await solveRatios(context, design, { mix, loosest: TUNING_TOLERANCE }), fold, tallies);
  }
  const rows = path.points.map((point, i) => (tallies[i] as Tally).row({ ratio: point.ratio, lambda: point.lambda }));
  const choose = chooserBy(options);
  const best = choose(rows);
  const index = rows.indexOf(best);
  const model = path.model(index);
  const scores = path.scores(index);
  const support = Int32Array.from(scores.keys()).filter((j) => (scores[j] as number) > 0);
  const conclusion = concluded(context, rows, best, choose);
  const edge = { key: 'ratio', name: 'lambda / lambda_max', flag: '--lambda-ratio' };
  return {
    predict: ({ matrix }) => predictLinear(engine, model, matrix, conclusion.temperature),
    model,
    tuned: best.settings,
    ...conclusion,
    grid: rows,
    path: path.points,
    selection: {
      features: support,
      ranking: { order: rankBy(scores), scores, support: support.length },
      entryLambda: path.entryLambda,
    },
    converged: best.converged && path.converged,
    // At lambda_max itself the probe has no features: nothing lies beyond.
    notes: index === 0 ? [] : edgeNote(rows, best, edge, { options, groups: validationGroups(context) }),
  };
}

/** Adds the validation answers of every point of a fold's path to its tally. */
async function validatePath(
  { engine, train, classes }: MethodContext,
  path: PathSolution,
  { validation }: MethodContext['folds'][number],
  tallies: readonly Tally[],
): Promise<void> {
  const truth = validation.map((row) => train.labels[row] as number);
  for (const [i, tally] of tallies.entries()) {
    const logits = await predictLogits(engine, path.model(i), train.matrix, validation);
    tally.add(logits, truth, classes, path.points[i]?.converged);
  }
}
