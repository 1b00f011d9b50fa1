/** Training: fine-tune or from scratch. Tuning runs see training rows only; final runs predict unlabelled test images. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf, WorkError, writeFileAtomic } from '../../base/index.js';
import { stratifiedFolds } from '../../data/index.js';
import { writeModel } from '../../graph/index.js';
import { type ClassPredictions, score } from '../../record/index.js';
import {
  type Augmentation,
  loadImages,
  mergeOptions,
  readNetworkFile,
  storedSize,
  train,
  withLabels,
} from '../../transfer/index.js';
import { macsAt, preprocessAt, type StudyBackbone } from '../backbones.js';
import { readJson } from '../folder.js';
import type { Json } from '../plan.js';
import type { Executor } from '../runner.js';
import { rowsOfSide, type StudyTask } from '../tasks.js';
import type { UnitWorld } from './extract.js';
import { headOf, type SelectedFeatures, selectionFile } from './probe.js';
import { subsetRows } from './subset.js';
import { resultOf, type Sources, type Subset, type TrainResult } from './types.js';

export interface TrainInputs {
  readonly method: 'finetune' | 'scratch' | 'head2toe-ft';
  readonly seed: number;
  readonly subset: Subset | null;
  readonly learningRates: readonly number[];
  readonly evaluate: 'validation' | 'test';
  readonly folds: number | null;
  readonly budget: {
    readonly steps: number | null;
    readonly epochs: number;
    readonly batch: number;
    readonly size: number | null;
    readonly weightDecay: number;
    readonly augment: Augmentation;
  };
}

const modelFile = 'model.onnx';

export function trainExecutor(world: UnitWorld): Executor {
  return async ({ unit, needs, folder, run, progress }) => {
    const inputs = unit.inputs as unknown as TrainInputs;
    const sources = unit.sources as Sources;
    const task = world.tasks.get(sources.task) as StudyTask;
    const backbone = world.backbones.get(sources.backbone) as StudyBackbone;
    const tried = needs.flatMap((r) => (r.kind === 'train' ? [resultOf<TrainResult>(r)] : []));
    const learningRate = tried.length > 0 ? bestOf(tried) : (inputs.learningRates[0] as number);
    const rows = subsetRows(task.train, inputs.subset);
    const all = rowsOfSide(task.train, rows);
    const validating = inputs.evaluate === 'validation';
    const [fold] = validating
      ? stratifiedFolds({ ...all, classes: task.classes }, { k: inputs.folds ?? 2, seed: inputs.seed, rare: 'train' })
      : [];
    const learn = fold ? rowsOfSide(all, fold.train) : all;
    const judge = fold ? rowsOfSide(all, fold.validation) : task.test;
    const { budget } = inputs;
    const size = budget.size ?? undefined;
    const preprocess = preprocessAt(backbone, size);
    const stored = { ...preprocess, size: [...storedSize(budget.augment, preprocess.size)] as [number, number] };
    const selector = needs.find((r) => r.kind === 'probe');
    const selected = selector && (await readJson<SelectedFeatures>(join(run.unit(selector.id), selectionFile)));
    const checkpoint = join(folder, 'checkpoint.safetensors');
    const remarks: string[] = [];
    const batch = Math.min(budget.batch, learn.labels.length);
    const steps = budget.steps ?? budget.epochs * Math.floor(learn.labels.length / batch);
    const settings = { learningRate, batch, steps, size: preprocess.size[0], augment: budget.augment };
    const cost = {
      trainMacs: 3 * macsAt(backbone, size) * steps * batch,
      storedBytes: 4 * backbone.params,
    };
    try {
      const result = await train(world.engine, {
        model: await readNetworkFile(backbone.model.path),
        fresh: false,
        treatment: { name: inputs.method === 'scratch' ? 'scratch' : 'finetune' },
        ...(selected
          ? { selection: { pool: backbone.pool, norm: 'unit', taps: selected.taps, head: headOf(selected) } }
          : {}),
        classes: task.classes,
        preprocess,
        train: withLabels(
          await loadImages(learn.examples, stored, { onImages: (n) => progress(0, `${n} images read`) }),
          learn.labels,
        ),
        test: await loadImages(judge.examples, preprocess),
        init: 'he',
        unfoldNorms: 'auto',
        data: task.trainKey,
        checkpoint,
        options: mergeOptions(undefined, {
          epochs: budget.steps === null ? budget.epochs : Math.ceil((budget.steps * batch) / learn.labels.length) + 1,
          steps: budget.steps ?? 0,
          batch,
          learningRate,
          augmentation: budget.augment,
          optimiser: { weightDecay: budget.weightDecay },
          seed: inputs.seed,
        }),
        onStep: ({ step, steps: total, loss }) => progress(step / total, `loss ${loss.toFixed(2)}`),
        say: (sentence) => remarks.push(sentence),
      });
      if (!validating) await writeFileAtomic(join(folder, modelFile), writeModel(result.model));
      await rm(checkpoint, { force: true });
      const predictions = result.predictions as ClassPredictions;
      const own: TrainResult = {
        ...(validating
          ? { validation: score(predictions, { kind: 'class', classes: task.classes, labels: judge.labels }).accuracy }
          : {
              predicted: Array.from(predictions.predicted),
              model: modelFile,
              ...(tried.length > 0 ? { validation: Math.max(...tried.map((t) => t.validation ?? 0)) } : {}),
            }),
        settings: { ...settings, ...(result.unfolded > 0 ? { unfoldedNorms: result.unfolded } : {}) },
        steps: result.steps,
        trainLoss: result.train.loss,
        trainAccuracy: result.train.accuracy,
        failedToTrain: result.failedToTrain,
        cost: { ...cost, storedBytes: 4 * result.parameters.trained },
      };
      return own as unknown as Json;
    } catch (error) {
      // A learning rate that was only tried and diverged has lost; the others continue.
      if (!(validating && error instanceof WorkError)) throw error;
      await rm(checkpoint, { force: true });
      const own: TrainResult = { validation: 0, diverged: messageOf(error), settings, steps: 0, cost };
      return own as unknown as Json;
    }
  };
}

/** The learning rate with the best validation accuracy; of equals the smallest. */
function bestOf(tried: readonly TrainResult[]): number {
  const rate = (t: TrainResult) => t.settings.learningRate as number;
  return rate(
    tried.reduce((a, b) => {
      const difference = (b.validation ?? 0) - (a.validation ?? 0);
      return difference > 0 || (difference === 0 && rate(b) < rate(a)) ? b : a;
    }),
  );
}
