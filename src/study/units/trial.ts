/** A trial of a learning rate: training and validation rows both come from the training rows, groups kept together. */
import { messageOf, WorkError } from '../../base/index.js';
import { stratifiedFolds } from '../../data/index.js';
import { Divergence } from '../../transfer/index.js';
import { forget } from '../checkpoint.js';
import { keepCurve } from '../curves.js';
import { type Executor, executor, needsOf } from '../runner.js';
import { rowsOfSide, type Side } from '../tasks.js';
import { type Candidate, candidatesOf, judged, ranked } from '../tuning.js';
import type { Benches } from './benches.js';
import { type TrialInputs, type TrialResult, trial } from './kinds.js';
import { truthOf } from './labels.js';
import { requestOf, runOf, settingsOf } from './lesson.js';
import { subsetRows } from './subset.js';
import type { UnitWorld, UnseenTask } from './world.js';

export function trialExecutor(world: UnitWorld, benches: Benches): Executor {
  return executor(trial, async (inputs, context) => {
    const [task, backbone] = [world.taskOf(context.unit), world.backboneOf(context.unit)];
    const candidate = candidateOf(inputs, needsOf(trial, context));
    const { learn: side, validation } = partsOf(inputs, task);
    const { epochs, steps, cost } = settingsOf(inputs, backbone, side.labels.length, candidate);
    const result = { ...candidate, epochs, steps, cost };
    try {
      const lesson = { inputs, context, candidate, learn: side, judge: validation.inputs };
      const run = runOf(world, lesson);
      const bench = await benches.of(inputs, async () => ({ ...(await requestOf(world, lesson)), ...run }));
      const { predictions, outcome } = await bench.attempt(run);
      if (!predictions) throw new Error('a trial was asked for no predictions');
      await forget(context);
      await keepCurve(context, outcome.epochs);
      return { ...result, ...judged(predictions, truthOf(task, validation)) };
    } catch (error) {
      // A learning rate that diverges has lost; the others continue.
      if (!(error instanceof Divergence)) throw error;
      await forget(context);
      return { ...result, validation: 0, learned: false, diverged: messageOf(error) };
    }
  });
}

/** The settings in this place: of the trials before, best first, or else of the grid. */
function candidateOf({ learningRates, weightDecays, place }: TrialInputs, before: readonly TrialResult[]): Candidate {
  const found = before.length > 0 ? ranked(before)[place] : candidatesOf(learningRates, weightDecays)[place];
  if (!found) throw new WorkError(`there is no learning rate in place ${place + 1}`);
  const { learningRate, weightDecay } = found;
  return { learningRate, ...(weightDecay === undefined ? {} : { weightDecay }) };
}

/** The data's val, or one fold of the training rows, to validate on; all the others to learn from. */
export function partsOf(
  { subset, folds, seed }: Pick<TrialInputs, 'subset' | 'folds' | 'seed'>,
  task: Pick<UnseenTask, 'train' | 'validation' | 'classes' | 'valued'>,
): { learn: Side; validation: Side } {
  const rows = subsetRows(task.train, subset);
  const all = rowsOfSide(task.train, rows);
  const held = new Set(task.validation);
  const val = rows.flatMap((row, i) => (held.has(row) ? [i] : []));
  const [fold] =
    val.length > 0
      ? [{ train: rows.flatMap((row, i) => (held.has(row) ? [] : [i])), validation: val }]
      : stratifiedFolds(strataOf(task, all), { k: folds, seed, rare: 'train' });
  if (!fold) throw new WorkError('no fold could be made to validate on');
  return { learn: rowsOfSide(all, fold.train), validation: rowsOfSide(all, fold.validation) };
}

/** Folds have as many of each class; of values and sets of labels they keep groups together alone. */
const strataOf = ({ valued, classes }: Pick<UnseenTask, 'classes' | 'valued'>, side: Side) =>
  valued ? { ...side, labels: side.labels.map(() => 0), classes: [''] } : { ...side, classes };
