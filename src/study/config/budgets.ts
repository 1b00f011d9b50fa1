/** What protocols spend by default, in full and lite form, and what a config gives up against the full form. */
import { given } from '../../base/index.js';
import { probeDefaults } from '../../probe/index.js';
import { methodIds, needsControl, type TrainedMethod, trainedNamed } from '../catalogue.js';
import type { Config, CopyConfig, LabelBudget, ProbeBudget, TrainBudget } from './schema.js';

export interface Budgets {
  readonly methods: readonly string[];
  /** A config that names a second network compares it too. */
  readonly control: boolean;
  readonly labels: LabelBudget;
  readonly pool: string;
  readonly perClass: readonly number[];
  readonly probe: ProbeBudget;
  readonly train: TrainBudget;
  /** All backbones of the config are under study, by their last layer; otherwise one is. */
  readonly networks?: 'all';
  /** Points of `perClass` stand beside cells with all labels, not in their place. */
  readonly beside?: true;
  /** How networks are trained, where a paper says so. */
  readonly recipe?: 'kornblith';
  /** Of protocols that copy layers. */
  readonly copy?: CopyBudget;
  /** Images are no larger than this, where a network takes other sizes than its own and the config names none. */
  readonly largestInput?: number;
}

/** `layers` and `trainedLayers` follow from the network where they are absent. */
export type CopyBudget = Required<Omit<CopyConfig, 'layers' | 'trainedLayers'>> &
  Pick<CopyConfig, 'layers' | 'trainedLayers'>;

const probe: ProbeBudget = {
  folds: 5,
  tolerance: 1e-3,
  lambdas: 30,
  ratio: 0.01,
  fractions: [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5],
  l2: [...probeDefaults.l2],
  choose: probeDefaults.choose,
  keepRule: probeDefaults.keepRule,
  classWeight: probeDefaults.classWeight,
  repetitions: probeDefaults.repetitions,
  leaveOut: probeDefaults.leaveOut,
  rankWindows: true,
  perTap: true,
};

/** What protocols start from. */
export const probeBudget: Readonly<Record<'full' | 'lite', ProbeBudget>> = {
  full: probe,
  lite: {
    ...probe,
    folds: 3,
    lambdas: 15,
    ratio: 0.03,
    fractions: [0.005, 0.02, 0.1, 0.5],
    repetitions: 1,
    leaveOut: 3,
  },
};

const train: TrainBudget = {
  epochs: 20,
  scratchEpochs: 60,
  batch: 32,
  learningRates: [0.001, 0.003, 0.01, 0.03],
  scratchLearningRates: [0.01, 0.03, 0.1],
  halving: true,
  weightDecay: 5e-4,
  augment: 'none',
};

export const trainBudget: Readonly<Record<'full' | 'lite', TrainBudget>> = {
  full: train,
  lite: { ...train, epochs: 4, scratchEpochs: 8, learningRates: [0.003, 0.01, 0.03] },
};

/** A protocol's two forms. */
interface Forms {
  readonly full: Budgets;
  readonly lite: Budgets;
}

/** The protocol's budgets with the config's own figures on top. */
export function budgetsOf(config: Config, forms: Forms): Budgets {
  const base = config.lite ? forms.lite : forms.full;
  return {
    ...base,
    methods: config.methods ?? [
      ...base.methods,
      ...(config.control && base.control ? methodIds.filter(needsControl) : []),
    ],
    labels: config.labels ?? base.labels,
    perClass: [...(config.perClass ?? base.perClass)].sort((a, b) => a - b),
    probe: { ...base.probe, ...given(config.probe ?? {}) },
    train: { ...base.train, ...given(config.train ?? {}) },
    ...(base.copy ? { copy: { ...base.copy, ...given(config.copy ?? {}) } } : {}),
  };
}

/** What a study does less of than its protocol's full form, one sentence each; empty when nothing. */
export function gaveUp(config: Config, forms: Forms): string[] {
  const { full } = forms;
  const own = budgetsOf(config, forms);
  const sentences: string[] = [];
  const less = (what: string, mine: number, theirs: number) => {
    if (mine >= theirs) return;
    sentences.push(`${mine} ${mine === 1 ? what.replace(/s\b/, '') : what} instead of ${theirs}.`);
  };
  less('cross-validation folds', own.probe.folds, full.probe.folds);
  less('points on the lambda path', own.probe.lambdas, full.probe.lambdas);
  less('keep fractions to choose from', own.probe.fractions.length, full.probe.fractions.length);
  less('pairs of halves to measure stability on', own.probe.repetitions, full.probe.repetitions);
  less('layers left out of each probe', own.probe.leaveOut, full.probe.leaveOut);
  if (full.probe.rankWindows && !own.probe.rankWindows) sentences.push('No windows of ranks.');
  if (full.probe.perTap && !own.probe.perTap) sentences.push('No probe on every layer by itself.');
  const spends = (budget: TrainedMethod['budget']) => own.methods.some((m) => trainedNamed(m)?.budget === budget);
  if (spends('finetune')) {
    if (own.train.steps === undefined) less('epochs of fine-tuning', own.train.epochs, full.train.epochs);
    else if (full.train.steps !== undefined) less('steps of fine-tuning', own.train.steps, full.train.steps);
    else sentences.push(`${own.train.steps} steps of fine-tuning instead of ${full.train.epochs} epochs.`);
    less(
      'weight decays tried in fine-tuning',
      own.train.weightDecays?.length ?? 0,
      full.train.weightDecays?.length ?? 0,
    );
    less('learning rates tried in fine-tuning', own.train.learningRates.length, full.train.learningRates.length);
  }
  if (spends('scratch')) {
    if (own.train.steps === undefined)
      less('epochs of training from scratch', own.train.scratchEpochs, full.train.scratchEpochs);
    else less('steps from scratch', own.train.scratchSteps ?? own.train.steps, full.train.scratchSteps ?? 0);
    less(
      'weight decays tried from scratch',
      own.train.scratchWeightDecays?.length ?? 0,
      full.train.scratchWeightDecays?.length ?? 0,
    );
    less(
      'learning rates tried from scratch',
      own.train.scratchLearningRates.length,
      full.train.scratchLearningRates.length,
    );
  }
  if (own.recipe && own.methods.some(trainedNamed)) {
    less('examples in a batch', own.train.batch, full.train.batch);
    if (own.train.augment !== full.train.augment)
      sentences.push(`Augmentation of training images: ${own.train.augment} instead of ${full.train.augment}.`);
    if (own.train.halving && !full.train.halving)
      sentences.push('Settings are tried by successive halving instead of each in full.');
  }
  sentences.push(...parts(config, own.methods));
  const { largestInput } = own;
  if (config.input !== undefined) sentences.push(`Every method reads images of ${config.input} pixels.`);
  else if (largestInput !== undefined) sentences.push(`No image is larger than ${largestInput} pixels.`);
  const probed = config.input === undefined ? 'the backbone’s own size' : `${config.input}`;
  if (own.train.size !== undefined && own.train.size !== config.input && own.methods.some(trainedNamed)) {
    sentences.push(`Training reads images of ${own.train.size} pixels; the probes read ${probed}.`);
  }
  const missing = full.methods.filter((m) => !own.methods.includes(m));
  if (missing.length > 0) sentences.push(`Without ${missing.join(', ')}.`);
  if (config.test !== undefined) sentences.push(`At most ${config.test} test images per task.`);
  const fewer = full.perClass.filter((n) => !own.perClass.includes(n));
  if (fewer.length > 0) sentences.push(`No point at ${fewer.join(', ')} examples per class.`);
  return sentences;
}

/** Which methods are measured on a part of the networks and tasks only. */
function parts({ where, backbones, tasks }: Config, methods: readonly string[]): string[] {
  const all = { backbones: Object.keys(backbones).length, tasks: Object.keys(tasks).length };
  return Object.entries(where ?? {}).flatMap(([what, part]) => {
    const mine = { backbones: part.backbones?.length ?? all.backbones, tasks: part.tasks?.length ?? all.tasks };
    if (!methods.includes(what) || mine.backbones * mine.tasks === all.backbones * all.tasks) return [];
    return [`${what} on ${mine.backbones} of ${all.backbones} networks and ${mine.tasks} of ${all.tasks} tasks.`];
  });
}
