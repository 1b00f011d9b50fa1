/** One run of training inside a study: what it learns from, its settings, and the run itself. */
import { join } from 'node:path';
import type { Input } from '../../data/index.js';
import { readNetwork } from '../../graph/index.js';
import { type BenchRun, loadImages, mergeOptions, storedSize, type TrainRequest } from '../../transfer/index.js';
import { macsAt, preprocessAt, type StudyBackbone } from '../backbones.js';
import { checkpointIn } from '../checkpoint.js';
import type { UnitContext } from '../runner.js';
import type { Side } from '../tasks.js';
import type { Candidate } from '../tuning.js';
import { type LessonInputs, probe } from './kinds.js';
import { lessonOf } from './labels.js';
import { headOf, readSelection, selectionFile } from './selection.js';
import type { UnitWorld } from './world.js';

export interface Lesson {
  readonly inputs: LessonInputs;
  readonly context: UnitContext;
  readonly candidate: Candidate;
  readonly learn: Side;
  /** Images that the trained network predicts. */
  readonly judge: readonly Input[];
}

/** Settings of a run, as they go into the record, and what it costs. */
export function settingsOf({ budget }: LessonInputs, backbone: StudyBackbone, n: number, candidate: Candidate) {
  const size = budget.size ?? undefined;
  const preprocess = preprocessAt(backbone, size);
  const batch = Math.min(budget.batch, n);
  const perEpoch = Math.floor(n / batch);
  const steps = budget.steps ?? budget.epochs * perEpoch;
  return {
    preprocess,
    batch,
    steps,
    /** Passes over the examples. */
    epochs: steps / perEpoch,
    settings: { ...candidate, batch, steps, size: preprocess.size[0], augment: budget.augment },
    cost: { trainMacs: 3 * macsAt(backbone, size) * steps * batch, storedBytes: 4 * backbone.params },
  };
}

/** What the trainer is asked for: everything of a lesson but how long and at which rate. */
export async function requestOf(
  world: UnitWorld,
  { inputs, context, learn: side, judge }: Omit<Lesson, 'candidate'>,
): Promise<Omit<TrainRequest, 'options'>> {
  const { progress, needs, unit } = context;
  const { budget, selected } = inputs;
  const [task, backbone] = [world.taskOf(unit), world.backboneOf(unit)];
  const { preprocess } = settingsOf(inputs, backbone, side.labels.length, { learningRate: 0 });
  const stored = { ...preprocess, size: [...storedSize(budget.augment, preprocess.size)] as [number, number] };
  const selector = needs.find((r) => r.kind === probe.name);
  const selection =
    selected && selector ? await readSelection(join(context.run.unit(selector.id), selectionFile)) : undefined;
  return {
    model: await readNetwork(backbone.model.path, world.engine, { activations: 'drop' }),
    fresh: false,
    treatment: inputs.treatment,
    ...(selected && selection
      ? { selection: { pool: selected.pool, norm: 'unit', taps: selection.taps, head: headOf(selection) } }
      : {}),
    preprocess,
    ...lessonOf(
      task,
      side,
      await loadImages(side.inputs, stored, { onImages: (count) => progress(0, `${count} images read`) }),
    ),
    test: await loadImages(judge, preprocess),
    init: 'he',
    unfoldNorms: 'auto',
    data: task.trainKey,
  };
}

/** How long and with which settings a lesson is trained; it resumes from the unit's checkpoint if there is one. */
export function runOf(
  world: UnitWorld,
  { inputs, context: { folder, progress, unit, signal }, candidate, learn: side }: Omit<Lesson, 'judge'>,
): BenchRun {
  const { budget, backboneLrScale, recipe } = inputs;
  const { batch, steps, epochs } = settingsOf(inputs, world.backboneOf(unit), side.labels.length, candidate);
  const { learningRate, weightDecay = budget.weightDecay } = candidate;
  // The recipe divides by the rate; from scratch the published decays are not said to be divided.
  const given = recipe && inputs.treatment.name === 'scratch' ? weightDecay * learningRate : weightDecay;
  return {
    checkpoint: checkpointIn({ folder }),
    signal,
    options: mergeOptions(recipe, {
      epochs: Math.ceil(epochs),
      steps,
      batch,
      learningRate,
      ...(backboneLrScale === undefined ? {} : { backboneLrScale }),
      augmentation: budget.augment,
      optimiser: { weightDecay: given },
      seed: inputs.seed,
    }),
    onStep: ({ step, steps: total, loss }) => progress(step / total, `loss ${loss.toFixed(2)}`),
  };
}
