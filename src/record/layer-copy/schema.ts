/**
 * What a layer-copy study measures (Yosinski et al., 2014): networks trained on halves of a data set's classes, with layers
 * copied from a network of the same half (BnB) or of the other one (AnB). B is always the half that is learned.
 */
import * as z from 'zod';

const count = z.int().min(0);
const fraction = z.number().min(0).max(1);
const interval = z.tuple([z.number(), z.number()]);

/** Names of the two halves of a data set's classes. */
export const halves = ['A', 'B'] as const;
/** One of the two halves. */
export const Half = z.enum(halves);
/** One of the two halves. */
export type Half = z.infer<typeof Half>;

/** Treatments of a layer-copy study, by the names of Yosinski et al. (2014). */
export const copyTreatments = ['base', 'BnB', 'AnB', 'BnB+', 'AnB+', 'random'] as const;
/** One of these treatments. */
export const CopyTreatment = z
  .enum(copyTreatments)
  .describe(
    'base: all layers fresh; BnB, AnB: n layers copied and frozen; with +: copied and trained; random: n layers left as they were drawn',
  );
/** One of these treatments. */
export type CopyTreatment = z.infer<typeof CopyTreatment>;

const HalfRecord = z.strictObject({
  name: z.string().describe('A, or what the classes have in common'),
  classes: z.array(count).min(2).describe('class numbers of the data set'),
  train: count.describe('training images, validation included'),
  test: count,
});

/** One way of dividing the classes in two. */
export const CopySplit = z.strictObject({
  name: z.string(),
  kind: z.enum(['random', 'given']).describe('random: all such splits are samples of one population'),
  seed: z.int().optional(),
  A: HalfRecord,
  B: HalfRecord,
});
/** One way of dividing the classes in two. */
export type CopySplit = z.infer<typeof CopySplit>;

/** One trained network. */
export const CopyRun = z.strictObject({
  split: z.string(),
  target: Half,
  treatment: CopyTreatment,
  n: z.int().min(1).optional().describe('layers copied, or left random'),
  preserve: z.int().min(1).optional().describe('layers above n that are copied too and learn'),
  perClass: z.int().min(1).optional().describe('training images per class, where fewer than all'),
  seed: z.int(),
  status: z.enum(['done', 'failed', 'not run']),
  error: z.string().optional(),
  score: fraction.optional().describe('accuracy on the test images at the end of training'),
  validation: fraction.optional().describe('accuracy on held-out training images at the end of training'),
  bestTen: fraction
    .optional()
    .describe('mean of the ten highest test accuracies along the run, as published: chosen on test images'),
  correct: z
    .string()
    .optional()
    .describe('which test images it got right: bits in hexadecimal, the first in the highest'),
  trainLoss: z.number().optional(),
  failedToTrain: z.boolean().optional().describe('on validation images no better than naming the commonest class'),
  frozen: count.optional().describe('layers that did not learn'),
  learningRate: z.number().optional(),
  seconds: z.number().min(0).optional(),
});
export type CopyRun = z.infer<typeof CopyRun>;

/** What a probe and a measure of likeness say of one layer of the two base networks, on images of the target half. */
export const CopyLayerProbe = z.strictObject({
  split: z.string(),
  target: Half,
  seed: z.int(),
  n: z.int().min(1),
  own: fraction.describe('accuracy of a linear probe on this layer of the target’s own base network'),
  other: fraction.describe('accuracy of a linear probe on this layer of the other half’s base network'),
  cka: z.number().describe('debiased linear CKA of the two layers'),
});
export type CopyLayerProbe = z.infer<typeof CopyLayerProbe>;

/** Differences between treatments that the study is about. */
export const copyContrasts = ['co-adaptation', 'specificity', 'boost', 'transfer', 'retrained', 'random'] as const;

/** A mean over splits, directions and seeds. */
const figure = {
  group: z.string().describe('random: all random splits together; else the split'),
  n: count.describe('0 for base networks'),
  mean: z.number(),
  interval: interval.optional().describe('95 % over test images, and over splits and seeds where there are several'),
  runs: count.describe('networks behind it'),
  failed: count.optional().describe('networks left out: failed, or failed to train'),
};

/** A treatment's mean accuracy at a number of layers. */
export const CopyLevel = z.strictObject({
  ...figure,
  treatment: CopyTreatment,
  preserve: z.int().min(1).optional(),
  perClass: z.int().min(1).optional(),
});
/** A treatment's mean accuracy at a number of layers. */
export type CopyLevel = z.infer<typeof CopyLevel>;

/** A difference between two treatments at a number of layers. */
export const CopyContrast = z.strictObject({
  ...figure,
  contrast: z
    .enum(copyContrasts)
    .describe(
      'co-adaptation: base - BnB; specificity: BnB - AnB; boost: AnB+ - base; transfer: AnB - base; retrained: BnB+ - base; random: random - base',
    ),
  repetitions: count.describe('splits x seeds; with one, the interval is over test images alone'),
});
/** A difference between two treatments at a number of layers. */
export type CopyContrast = z.infer<typeof CopyContrast>;

/** The published table of the boost: ranges of layers. */
export const CopyBoost = z.strictObject({
  group: z.string(),
  from: z.int(),
  to: z.int(),
  overBase: z.number(),
  overBaseInterval: interval.optional(),
  overRetrained: z.number().optional(),
  overRetrainedInterval: interval.optional(),
  runs: count,
});
export type CopyBoost = z.infer<typeof CopyBoost>;

/** Something measured without training a copy, beside what copying the other half's layers costs. */
export const CopyPredictor = z.strictObject({
  predictor: z
    .enum(['cka', 'probe gap', 'depth'])
    .describe(
      'cka: 1 - likeness of the two base networks at this layer; probe gap: accuracy of a probe on one’s own layer less that on the other half’s; depth: n over the deepest n',
    ),
  r: z.number().min(-1).max(1).describe('Pearson’s, with BnB - AnB, over halves, seeds and layers'),
  interval: interval.optional().describe('95 %, families of networks resampled'),
  families: count.describe('halves x seeds'),
  points: z.array(
    z.strictObject({ split: z.string(), target: Half, seed: z.int(), n: z.int(), x: z.number(), y: z.number() }),
  ),
});
export type CopyPredictor = z.infer<typeof CopyPredictor>;

/** What was measured. */
export const LayerCopyRuns = z.strictObject({
  network: z.string(),
  task: z.string().describe('the data set whose classes are divided'),
  layers: z.array(z.strictObject({ n: z.int().min(1), name: z.string(), about: z.string().optional() })),
  classes: z.array(z.string()),
  testLabels: z.array(count).optional().describe('class numbers of all test images; halves have theirs in this order'),
  aggregate: z
    .enum(['paired', 'pooled'])
    .describe('paired: every network with the base of its own target; pooled: as published, mean against mean'),
  splits: z.array(CopySplit).min(1),
  runs: z.array(CopyRun),
  probes: z.array(CopyLayerProbe).optional(),
});
export type LayerCopyRuns = z.infer<typeof LayerCopyRuns>;

/** A layer-copy study: its runs, and what follows from them. */
export const LayerCopy = LayerCopyRuns.extend({
  levels: z.array(CopyLevel).default([]),
  contrasts: z.array(CopyContrast).default([]),
  boosts: z.array(CopyBoost).default([]),
  predictors: z.array(CopyPredictor).default([]),
});
/** A layer-copy study: its runs, and what follows from them. */
export type LayerCopy = z.infer<typeof LayerCopy>;
