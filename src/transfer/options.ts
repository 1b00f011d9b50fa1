/** Settings of one training run, with their defaults and the protocols' presets. */
import { UserError } from '../base/index.js';
import type { Augmentation } from './augment.js';
import { type OptimiserOptions, optimiserDefaults } from './optimiser.js';
import { type Schedule, scheduleDefaults } from './schedule.js';

/** Settings of training: the flags of `toehold train`. */
export interface TrainOptions {
  epochs: number;
  /** Stops after so many steps, whatever the epochs; 0 leaves it to the epochs. */
  steps: number;
  /** Images per step. Of every epoch's shuffled order the remainder that fills no batch is left out. */
  batch: number;
  /** Peak of the schedule. */
  learningRate: number;
  schedule: Schedule;
  optimiser: OptimiserOptions;
  /** Weight decay on biases and norms too (PyTorch's default); otherwise on weight matrices and kernels only. */
  decayAll: boolean;
  /** Factor on the learning rate of biases; Caffe's networks train them with 2. */
  biasLrScale: number;
  /** Factor on the learning rate of everything but the head. */
  backboneLrScale: number;
  /** Layer-wise decay: layer i of L learns at layerDecay ** (L - i) times the rate. */
  layerDecay: number;
  labelSmoothing: number;
  /** Momentum of running statistics; 'kornblith' is max(1 - 10 / s, .9), 'model' what the file says. */
  normMomentum: number | 'kornblith' | 'model';
  /** Weights are averaged with this decay per step and the average is what is evaluated and exported; 0 is off. */
  emaDecay: number;
  augmentation: Augmentation;
  /** Epochs between evaluations on held-out images while training; 0 evaluates at the end only. */
  evaluateEvery: number;
  /** Seconds between checkpoints, at most. */
  checkpointSeconds: number;
  /** Steps between checkpoints, at most; 0 goes by time alone. */
  checkpointSteps: number;
  /** Frozen layers below the first trained one run once per image when their activations fit in so many bytes. */
  prefixBytes: number;
  seed: number;
}

/** What holds where nothing is said. */
export const trainDefaults: TrainOptions = {
  epochs: 10,
  steps: 0,
  batch: 32,
  learningRate: 0.01,
  schedule: scheduleDefaults,
  optimiser: { ...optimiserDefaults, nesterov: true },
  decayAll: true,
  biasLrScale: 1,
  backboneLrScale: 1,
  layerDecay: 1,
  labelSmoothing: 0,
  normMomentum: 0.9,
  emaDecay: 0,
  augmentation: 'none',
  evaluateEvery: 0,
  checkpointSeconds: 60,
  checkpointSteps: 0,
  prefixBytes: 2 ** 31,
  seed: 0,
};

/** The options that decide what a run leaves; the others say how it goes about it. */
export function decisiveOptions(
  options: TrainOptions,
): Omit<TrainOptions, 'checkpointSeconds' | 'checkpointSteps' | 'prefixBytes'> {
  const { checkpointSeconds: _, checkpointSteps: __, prefixBytes: ___, ...decisive } = options;
  return decisive;
}

/** Names of the protocols whose settings are known. */
export const trainPresets = ['yosinski', 'kornblith', 'cs231n'] as const;
/** The name of a protocol. */
export type TrainPreset = (typeof trainPresets)[number];

/** What a protocol prescribes, apart from the length of the run and its peak learning rate. */
export const presetOptions: Readonly<Record<TrainPreset, Partial<TrainOptions>>> = {
  /** Yosinski et al. (2014): momentum .9, decay 5e-4 on weights, biases at twice the rate, steps of .1, crops and flips. */
  yosinski: {
    batch: 256,
    learningRate: 0.01,
    schedule: { ...scheduleDefaults, kind: 'step' },
    optimiser: { ...optimiserDefaults, weightDecay: 5e-4 },
    decayAll: false,
    biasLrScale: 2,
    augmentation: 'crop-flip',
  },
  /** Kornblith et al. (2019): Nesterov, cosine, decay divided by the learning rate, momentum of norms by epoch length. */
  kornblith: {
    batch: 256,
    optimiser: { ...optimiserDefaults, nesterov: true, weightDecay: 1e-5, decayMode: 'kornblith' },
    normMomentum: 'kornblith',
    augmentation: 'random-resized-crop',
  },
  /** The cs231n course's advice: a pretrained backbone learns at a tenth of the head's rate. */
  cs231n: { backboneLrScale: 0.1 },
};

/** Settings of training, as far as they are not the defaults. */
export type PartialTrainOptions = Partial<Omit<TrainOptions, 'optimiser' | 'schedule'>> & {
  optimiser?: Partial<OptimiserOptions>;
  schedule?: Partial<Schedule>;
};

/** Defaults, overruled by a preset, overruled by what is given. */
export function mergeOptions(preset: TrainPreset | undefined, given: PartialTrainOptions = {}): TrainOptions {
  const base = { ...trainDefaults, ...(preset && presetOptions[preset]) };
  return {
    ...base,
    ...defined(given),
    optimiser: { ...base.optimiser, ...defined(given.optimiser ?? {}) },
    schedule: { ...base.schedule, ...defined(given.schedule ?? {}) },
  };
}

function defined<T extends object>(values: T): T {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as T;
}

/** @throws UserError for a setting that no run can have. */
export function checkOptions(options: TrainOptions): void {
  const positive: (keyof TrainOptions)[] = [
    'epochs',
    'batch',
    'learningRate',
    'backboneLrScale',
    'layerDecay',
    'biasLrScale',
  ];
  for (const key of positive) {
    const value = options[key] as number;
    if (!(value > 0) || !Number.isFinite(value)) throw new UserError(`${words(key)} is ${value}; it must be above 0`);
  }
  for (const key of ['epochs', 'batch', 'steps', 'evaluateEvery', 'checkpointSteps'] as const) {
    if (!Number.isInteger(options[key]) || options[key] < 0) {
      throw new UserError(`${words(key)} is ${options[key]}; it must be a whole number`);
    }
  }
  const fractions = [
    ['label smoothing', options.labelSmoothing],
    ['decay of the weight average', options.emaDecay],
    ['momentum', options.optimiser.momentum],
    ['momentum of norms', typeof options.normMomentum === 'number' ? options.normMomentum : 0],
  ] as const;
  for (const [what, value] of fractions) {
    if (!(value >= 0 && value < 1)) throw new UserError(`${what} is ${value}; it must be at least 0 and below 1`);
  }
  const { weightDecay, clipNorm } = options.optimiser;
  for (const [what, value] of [
    ['weight decay', weightDecay],
    ['gradient clipping', clipNorm],
    ['warm-up', options.schedule.warmup],
  ] as const) {
    if (!(value >= 0) || !Number.isFinite(value)) throw new UserError(`${what} is ${value}; it cannot be negative`);
  }
}

/** 'learningRate' as 'learning rate'. */
function words(key: string): string {
  return key.replace(/[A-Z]/g, (c) => ` ${c.toLowerCase()}`);
}

/** Whole batches of one epoch. @throws UserError when there is not even one. */
export function stepsPerEpoch(images: number, batch: number): number {
  if (batch > images) {
    throw new UserError(
      `a batch of ${batch} is larger than the ${images} training images; give --batch ${images} or less`,
    );
  }
  return Math.floor(images / batch);
}

export function totalSteps(options: TrainOptions, images: number): number {
  const all = options.epochs * stepsPerEpoch(images, options.batch);
  return options.steps > 0 ? Math.min(all, options.steps) : all;
}
