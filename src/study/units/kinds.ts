/** The kinds of units: the shapes of what each is given and of what it leaves in its record. */
import * as z from 'zod';
import { classWeights, criteria, keepRules, normalisations } from '../../probe/index.js';
import { Cost, DoneCell, StoredSheet, StoredTapSheet, TapRecord } from '../../record/index.js';
import { augmentations, treatmentNames } from '../../transfer/index.js';
import type { UnitKind } from '../plan.js';

const count = z.int().min(0);
const settings = z.record(z.string(), z.union([z.string(), z.number(), z.boolean()]));
/** Results depend on it in their last bits. */
const engine = z.object({ name: z.string(), device: z.string() });

/** Training rows of a cell: all, or n per class drawn with a seed. */
const subset = z.object({ perClass: count, seed: z.int() }).nullable();
export type Subset = NonNullable<z.infer<typeof subset>>;

const extractInputs = z.object({
  model: z.string().describe('sha256'),
  preprocess: z.record(z.string(), z.unknown()),
  taps: z.string(),
  pool: z.string(),
  precision: z.literal('float16').optional().describe('of the stored features; float32 where absent'),
  train: z.string().describe('sha256 of training images, labels and groups'),
  test: z.string().describe('sha256 of the test images'),
  engine,
});

const extractResult = z.object({
  store: z.string().describe('folder of the feature store, relative to the run folder'),
  taps: z.array(
    z.object({
      alias: z.string(),
      name: z.string(),
      depth: z.number(),
      features: count,
      params: z.number(),
      macs: z.number(),
    }),
  ),
  images: count,
  cost: Cost,
});

export type ExtractInputs = z.infer<typeof extractInputs>;
export type ExtractResult = z.infer<typeof extractResult>;

/** One pass of a backbone over a task's images. */
export const extraction: UnitKind<ExtractInputs, ExtractResult> = {
  name: 'extract',
  inputs: extractInputs,
  result: extractResult,
};

const extractShareInputs = z.object({
  extraction: z.string().describe('id of the unit that joins the shares'),
  index: count,
  count: z.int().min(2),
  engine,
});

const extractShareResult = z.object({ images: count.describe('of the share') });

export type ExtractShareInputs = z.infer<typeof extractShareInputs>;
export type ExtractShareResult = z.infer<typeof extractShareResult>;

/** A part of an extraction's pass: it leaves features in the folder of the extraction, which joins them. */
export const extractionShare: UnitKind<ExtractShareInputs, ExtractShareResult> = {
  name: 'extract-share',
  inputs: extractShareInputs,
  result: extractShareResult,
};

const probeInputs = z.object({
  method: z.string().nullable().describe('null: only single taps are probed'),
  perTap: z.enum(['alone', 'withLast']).nullable(),
  seed: z.int(),
  subset,
  target: z.enum(['regression', 'multilabel']).optional().describe('absent: classes'),
  options: z.object({
    folds: count,
    tolerance: z.number().optional(),
    lambdaCount: z.number().optional(),
    lambdaRatio: z.number().optional(),
    fractions: z.array(z.number()).optional(),
    l2: z.array(z.number()).optional(),
    choose: z.enum(criteria).optional(),
    keepRule: z.enum(keepRules).optional(),
    classWeight: z.enum(classWeights).optional(),
    repetitions: count.optional(),
    leaveOut: count.optional(),
    rankWindows: z.boolean().optional(),
    normalisation: z.enum(normalisations).optional().describe('where it is not that of all probes'),
  }),
  engine,
});

const probeResult = z.object({ sheet: StoredSheet.optional(), taps: z.array(StoredTapSheet) });

export type ProbeInputs = z.infer<typeof probeInputs>;
export type ProbeResult = z.infer<typeof probeResult>;

/** A probe on extracted features, or probes on every tap by itself. */
export const probe: UnitKind<ProbeInputs, ProbeResult> = {
  name: 'probe',
  inputs: probeInputs,
  result: probeResult,
};

/** What one run of training is made of, whatever becomes of the network. */
const lesson = z.object({
  method: z.string(),
  treatment: z.object({
    name: z.enum(treatmentNames),
    layers: count.optional(),
    share: z.number().gt(0).max(1).optional(),
    preserve: count.optional(),
    unfreezeFrom: z.string().optional(),
    top: z.number().gt(0).max(1).optional(),
  }),
  seed: z.int(),
  model: z.string().describe('sha256'),
  preprocess: z.record(z.string(), z.unknown()),
  train: z.string(),
  subset,
  selected: z.object({ pool: z.string() }).nullable().describe('the head reads features that a probe selected'),
  learningRates: z.array(z.number()).min(1).describe('of which validation chooses, rising'),
  weightDecays: z.array(z.number()).min(1).optional().describe('tried with each learning rate'),
  target: z.enum(['regression', 'multilabel']).optional().describe('absent: classes'),
  recipe: z
    .enum(['kornblith'])
    .optional()
    .describe('a paper’s way to train; decays are divided by the rate, but not from scratch'),
  backboneLrScale: z.number().optional().describe('factor on the rate of everything but the head; 1 where absent'),
  budget: z.object({
    steps: count.nullable(),
    epochs: count,
    batch: count,
    size: count.nullable(),
    weightDecay: z.number(),
    augment: z.enum(augmentations),
  }),
  engine: engine.extend({ threads: count.describe('sums are added up in another order on other threads') }),
});
export type LessonInputs = z.infer<typeof lesson>;

const trialInputs = lesson.extend({
  place: count.describe('of the ranking of the trials that it needs; without any, of the learning rates'),
  folds: count.describe('validates on one of so many folds, where the data has no val split'),
});

const trialResult = z.object({
  learningRate: z.number(),
  weightDecay: z.number().optional().describe('where several were tried'),
  epochs: z.number().describe('passes over what it learned from'),
  validation: z.number(),
  validationLoss: z.number().optional(),
  learned: z.boolean().describe('better on validation examples than naming the commonest class, beyond chance'),
  steps: count,
  diverged: z.string().optional().describe('why it never got to an end'),
  cost: Cost,
});

export type TrialInputs = z.infer<typeof trialInputs>;
export type TrialResult = z.infer<typeof trialResult>;

/** A run that tries a learning rate: it learns from a part of the training rows and predicts the rest. */
export const trial: UnitKind<TrialInputs, TrialResult> = {
  name: 'trial',
  inputs: trialInputs,
  result: trialResult,
};

const trainInputs = lesson.extend({ test: z.string() });

const trainResult = z.object({
  sheet: StoredSheet,
  settings,
  steps: count,
  trainLoss: z.number(),
  trainAccuracy: z.number().optional().describe('of classes'),
  model: z.string().describe('the trained network, in the unit’s folder'),
  cost: Cost,
});

export type TrainInputs = z.infer<typeof trainInputs>;
export type TrainResult = z.infer<typeof trainResult>;

/** Fine-tuning, training from scratch, or a layer-copy treatment, at the learning rate that its trials chose. */
export const training: UnitKind<TrainInputs, TrainResult> = {
  name: 'train',
  inputs: trainInputs,
  result: trainResult,
};

const scoreInputs = z.object({ labels: z.string().describe('sha256 of the test labels') });

const scoreResult = z.object({
  cell: DoneCell.optional(),
  predicted: z.array(count).optional(),
  contributions: z.array(z.number()).optional().describe('of values and labels: what each example adds to the score'),
  taps: z.array(TapRecord.pick({ alias: true, alone: true, withLast: true })),
});

export type ScoreInputs = z.infer<typeof scoreInputs>;
export type ScoreResult = z.infer<typeof scoreResult>;

/** Answers against the test labels: the only unit that sees these. */
export const scoring: UnitKind<ScoreInputs, ScoreResult> = {
  name: 'score',
  inputs: scoreInputs,
  result: scoreResult,
};
