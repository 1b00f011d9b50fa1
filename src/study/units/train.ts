/** Training on all training rows, at the learning rate that the trials chose; predicts unlabelled test images. */
import { given, WorkError, writeFileAtomic } from '../../base/index.js';
import { writeModel } from '../../graph/index.js';
import { storeSheet } from '../../record/index.js';
import { train } from '../../transfer/index.js';
import { forget } from '../checkpoint.js';
import { keepCurve } from '../curves.js';
import { type Executor, executor, needsOf } from '../runner.js';
import { rowsOfSide } from '../tasks.js';
import { edgeNote, ranked } from '../tuning.js';
import type { Benches } from './benches.js';
import { type TrialResult, training, trial } from './kinds.js';
import { requestOf, runOf, settingsOf } from './lesson.js';
import { subsetRows } from './subset.js';
import type { UnitWorld } from './world.js';

const modelFile = 'model.onnx';

export function trainExecutor(world: UnitWorld, benches: Benches): Executor {
  return executor(training, async (inputs, context) => {
    const { folder, unit } = context;
    const began = performance.now();
    const [task, backbone] = [world.taskOf(unit), world.backboneOf(unit)];
    const trials = needsOf(trial, context);
    const chosen = choice(trials);
    const { learningRate, weightDecay } = chosen;
    const candidate = { learningRate, ...(weightDecay === undefined ? {} : { weightDecay }) };
    const side = rowsOfSide(task.train, subsetRows(task.train, inputs.subset));
    const run = settingsOf(inputs, backbone, side.labels.length, candidate);
    const lesson = { inputs, context, candidate, learn: side, judge: task.test.inputs };
    // Two at once may be more than fits.
    await benches.clear();
    const result = await train(world.engine, { ...(await requestOf(world, lesson)), ...runOf(world, lesson) });
    await forget(context);
    await keepCurve(context, result.epochs);
    const { predictions, unfolded } = result;
    if (!predictions) throw new WorkError('the trained network was asked for no predictions');
    await writeFileAtomic({ root: folder, file: modelFile }, writeModel(result.model));
    const cost = { ...run.cost, storedBytes: 4 * result.parameters.trained };
    const { copied, frozen, total } = result.plan;
    const settings = {
      ...run.settings,
      ...(inputs.treatment.share === undefined ? {} : { copiedLayers: copied, frozenLayers: frozen, layers: total }),
      ...(unfolded > 0 ? { unfoldedNorms: unfolded } : {}),
    };
    const note = edgeNote(learningRate, inputs.learningRates);
    return {
      settings,
      steps: result.steps,
      trainLoss: result.train.loss,
      ...given({ trainAccuracy: result.train.accuracy }),
      cost,
      model: modelFile,
      sheet: storeSheet({
        predictions,
        cell: {
          status: 'done',
          method: inputs.method,
          validation: chosen.validation,
          input: run.preprocess.size[0],
          triedRates: inputs.learningRates.length,
          rates: trials.map(({ learningRate, weightDecay, epochs, validation, diverged }) => ({
            learningRate,
            ...(weightDecay === undefined ? {} : { weightDecay }),
            epochs,
            ...(diverged === undefined ? { validation } : {}),
          })),
          seconds: (performance.now() - began) / 1000,
          cost,
          settings,
          ...(chosen.learned ? {} : { failedToTrain: true }),
          converged: true,
          notes: note === undefined ? [] : [note],
        },
      }),
    };
  });
}

/** The best trial of the longest. */
function choice(trials: readonly TrialResult[]): TrialResult {
  const longest = Math.max(...trials.map((t) => t.epochs));
  const [best] = ranked(trials.filter((t) => t.epochs === longest));
  if (!best) throw new WorkError('no trial says which learning rate to take');
  return best;
}
