/** Training: fine-tune or from scratch. Tuning runs see training rows only; final runs predict unlabelled test images. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf, WorkError, writeFileAtomic } from '../../base/index.js';
import { type Input, stratifiedFolds } from '../../data/index.js';
import { readNetwork, writeModel } from '../../graph/index.js';
import { score, storeSheet } from '../../record/index.js';
import { loadImages, mergeOptions, storedSize, type TrainResult, train, withLabels } from '../../transfer/index.js';
import { macsAt, preprocessAt, type StudyBackbone } from '../backbones.js';
import { type Executor, executor, needsOf, type UnitContext } from '../runner.js';
import { rowsOfSide, type Side } from '../tasks.js';
import { probe, type TrainInputs, type TrainResult as Tried, training } from './kinds.js';
import { headOf, readSelection, selectionFile } from './selection.js';
import { subsetRows } from './subset.js';
import type { UnitWorld, UnseenTask } from './world.js';

const modelFile = 'model.onnx';
const checkpointFile = 'checkpoint.safetensors';

export function trainExecutor(world: UnitWorld): Executor {
  return executor(training, async (inputs, context) => {
    const { folder, unit } = context;
    const began = performance.now();
    const [task, backbone] = [world.taskOf(unit), world.backboneOf(unit)];
    const tried = needsOf(training, context);
    const learningRate = bestRate(tried) ?? Math.min(...inputs.learningRates);
    const parts = partsOf(inputs, task);
    const run = settingsOf(inputs, backbone, parts.learn.labels.length, learningRate);
    const validation = tried.length > 0 ? Math.max(...tried.map((t) => t.validation ?? 0)) : undefined;
    try {
      const result = await learn(world, { inputs, context, task, backbone, run, parts });
      await rm(join(folder, checkpointFile), { force: true });
      const { predictions } = result;
      if (!predictions) throw new WorkError('the trained network was asked for no predictions');
      const common = {
        learningRate,
        settings: { ...run.settings, ...(result.unfolded > 0 ? { unfoldedNorms: result.unfolded } : {}) },
        steps: result.steps,
        trainLoss: result.train.loss,
        trainAccuracy: result.train.accuracy,
        cost: { ...run.cost, storedBytes: 4 * result.parameters.trained },
      };
      if (parts.truth) {
        const targets = { kind: 'class', classes: task.classes, labels: parts.truth } as const;
        return { ...common, validation: score(predictions, targets).accuracy };
      }
      await writeFileAtomic({ root: folder, file: modelFile }, writeModel(result.model));
      return {
        ...common,
        model: modelFile,
        sheet: storeSheet({
          predictions,
          cell: {
            status: 'done',
            method: inputs.method,
            ...(validation === undefined ? {} : { validation }),
            input: run.preprocess.size[0],
            triedRates: Math.max(1, tried.length),
            seconds: (performance.now() - began) / 1000,
            cost: common.cost,
            settings: common.settings,
            ...(result.failedToTrain ? { failedToTrain: true } : {}),
            converged: true,
            notes: [],
          },
        }),
      };
    } catch (error) {
      // A learning rate that was only tried and diverged has lost; the others continue.
      if (!(parts.truth && error instanceof WorkError)) throw error;
      await rm(join(folder, checkpointFile), { force: true });
      return {
        learningRate,
        validation: 0,
        diverged: messageOf(error),
        settings: run.settings,
        steps: 0,
        cost: run.cost,
      };
    }
  });
}

/** What a run learns from, what it predicts, and, where these are its own validation rows, what is true of them. */
interface Parts {
  readonly learn: Side;
  readonly judge: readonly Input[];
  readonly truth: readonly number[] | undefined;
}

/** A run that tries a setting holds out the data's val, or one fold of its training rows; a final run predicts the test. */
function partsOf({ subset, evaluate, folds, seed }: TrainInputs, task: UnseenTask): Parts {
  const rows = subsetRows(task.train, subset);
  const all = rowsOfSide(task.train, rows);
  if (evaluate === 'test') return { learn: all, judge: task.test.inputs, truth: undefined };
  const held = new Set(task.validation);
  const validation = rows.flatMap((row, i) => (held.has(row) ? [i] : []));
  const [fold] =
    validation.length > 0
      ? [{ train: rows.flatMap((row, i) => (held.has(row) ? [] : [i])), validation }]
      : stratifiedFolds({ ...all, classes: task.classes }, { k: folds ?? 2, seed, rare: 'train' });
  if (!fold) throw new WorkError('no fold could be made to validate on');
  const judge = rowsOfSide(all, fold.validation);
  return { learn: rowsOfSide(all, fold.train), judge: judge.inputs, truth: judge.labels };
}

function settingsOf({ budget }: TrainInputs, backbone: StudyBackbone, n: number, learningRate: number) {
  const size = budget.size ?? undefined;
  const preprocess = preprocessAt(backbone, size);
  const batch = Math.min(budget.batch, n);
  const steps = budget.steps ?? budget.epochs * Math.floor(n / batch);
  return {
    preprocess,
    batch,
    learningRate,
    settings: { learningRate, batch, steps, size: preprocess.size[0], augment: budget.augment },
    cost: { trainMacs: 3 * macsAt(backbone, size) * steps * batch, storedBytes: 4 * backbone.params },
  };
}

interface Lesson {
  readonly inputs: TrainInputs;
  readonly context: UnitContext;
  readonly task: UnseenTask;
  readonly backbone: StudyBackbone;
  readonly run: ReturnType<typeof settingsOf>;
  readonly parts: Parts;
}

async function learn(
  { engine }: UnitWorld,
  { inputs, context, task, backbone, run, parts }: Lesson,
): Promise<TrainResult> {
  const { folder, progress, needs } = context;
  const { budget, selected } = inputs;
  const { preprocess, batch, learningRate } = run;
  const stored = { ...preprocess, size: [...storedSize(budget.augment, preprocess.size)] as [number, number] };
  const selector = needs.find((r) => r.kind === probe.name);
  const selection =
    selected && selector ? await readSelection(join(context.run.unit(selector.id), selectionFile)) : undefined;
  const n = parts.learn.labels.length;
  return train(engine, {
    model: await readNetwork(backbone.model.path, engine, { activations: 'drop' }),
    fresh: false,
    treatment: inputs.treatment,
    ...(selected && selection
      ? { selection: { pool: selected.pool, norm: 'unit', taps: selection.taps, head: headOf(selection) } }
      : {}),
    classes: task.classes,
    preprocess,
    train: withLabels(
      await loadImages(parts.learn.inputs, stored, { onImages: (count) => progress(0, `${count} images read`) }),
      parts.learn.labels,
    ),
    test: await loadImages(parts.judge, preprocess),
    init: 'he',
    unfoldNorms: 'auto',
    data: task.trainKey,
    checkpoint: join(folder, checkpointFile),
    options: mergeOptions(undefined, {
      epochs: budget.steps === null ? budget.epochs : Math.ceil((budget.steps * batch) / n) + 1,
      steps: budget.steps ?? 0,
      batch,
      learningRate,
      augmentation: budget.augment,
      optimiser: { weightDecay: budget.weightDecay },
      seed: inputs.seed,
    }),
    onStep: ({ step, steps: total, loss }) => progress(step / total, `loss ${loss.toFixed(2)}`),
  });
}

/** The learning rate with the best validation accuracy; of equals the smallest. Undefined where none was tried. */
function bestRate(tried: readonly Tried[]): number | undefined {
  const best = Math.max(...tried.map((t) => t.validation ?? 0));
  const winners = tried.filter((t) => (t.validation ?? 0) === best).map((t) => t.learningRate);
  return winners.length > 0 ? Math.min(...winners) : undefined;
}
