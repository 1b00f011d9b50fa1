/** The kinds of units of a layer-copy study. */
import * as z from 'zod';
import { StoredTapSheet } from '../../record/index.js';
import { augmentations, treatmentNames } from '../../transfer/index.js';
import type { UnitKind } from '../plan.js';

const count = z.int().min(0);
const half = z.object({
  split: z.string(),
  half: z.enum(['A', 'B']),
  train: z.string().describe('sha256 of training images and labels'),
});
const engine = z.object({ name: z.string(), device: z.string(), threads: count });

/** How a network is trained: the same for every one of a study. */
const regime = z.object({
  network: z.string().describe('an architecture'),
  init: z.string().optional(),
  classes: count,
  preprocess: z.record(z.string(), z.unknown()),
  budget: z.object({
    epochs: count,
    steps: count.nullable(),
    batch: count,
    weightDecay: z.number(),
    augment: z.enum(augmentations),
    held: z.number().describe('share of the training images that is held out to validate on'),
  }),
  engine,
});

const copyInputs = regime.extend({
  target: half,
  perClass: count.nullable(),
  treatment: z.object({
    name: z.enum(treatmentNames),
    layers: count.optional(),
    preserve: count.optional(),
  }),
  norms: z.enum(['kept', 'calibrated']).optional().describe('running statistics of frozen copied norms'),
  learningRates: z.array(z.number()).min(1).describe('of which trials chose one for the whole study'),
  seed: z.int(),
  test: z.string().describe('sha256 of the test images'),
  evaluations: count.describe('times along the run that test images are predicted'),
});
export type CopyInputs = z.infer<typeof copyInputs>;

const copyResult = z.object({
  learningRate: z.number(),
  steps: count,
  validation: z.number(),
  learned: z.boolean().describe('better on validation images than naming the commonest class, beyond chance'),
  trainLoss: z.number(),
  frozen: count,
  cachedBytes: count.describe('of activations per image that frozen layers were run for once'),
  predicted: z.array(count).describe('classes of the half, of its test images'),
  along: z.array(z.array(count)).describe('the same at each evaluation along the run'),
  trainMacs: z.number(),
});
export type CopyResult = z.infer<typeof copyResult>;

/** A network trained on a half of the classes, whatever its layers start from. */
export const copy: UnitKind<CopyInputs, CopyResult> = { name: 'copy', inputs: copyInputs, result: copyResult };

const rateInputs = regime.extend({ target: half, learningRate: z.number(), seed: z.int() });
export type RateInputs = z.infer<typeof rateInputs>;

const rateResult = z.object({
  learningRate: z.number(),
  validation: z.number(),
  validationLoss: z.number().optional(),
  learned: z.boolean(),
  diverged: z.string().optional(),
});
export type RateResult = z.infer<typeof rateResult>;

/** A base network at one learning rate, to choose that of the study by. */
export const rate: UnitKind<RateInputs, RateResult> = { name: 'copy-rate', inputs: rateInputs, result: rateResult };

const scoreInputs = z.object({ labels: z.string().describe('sha256 of the test labels') });

const copyScoreResult = z.object({
  score: z.number(),
  bestTen: z.number().optional(),
  correct: z.string().describe('bits in hexadecimal'),
});
export type CopyScoreResult = z.infer<typeof copyScoreResult>;

/** A network's answers against the test labels. */
export const copyScore: UnitKind<z.infer<typeof scoreInputs>, CopyScoreResult> = {
  name: 'copy-score',
  inputs: scoreInputs,
  result: copyScoreResult,
};

const layersInputs = z.object({
  target: half,
  test: z.string(),
  pool: z.string(),
  rows: count.describe('training images of the half that probes learn from'),
  layers: z.array(z.int()),
  preprocess: z.record(z.string(), z.unknown()),
  seed: z.int(),
  options: z.object({ folds: count, tolerance: z.number(), l2: z.array(z.number()) }),
  engine: engine.omit({ threads: true }),
});
export type LayersInputs = z.infer<typeof layersInputs>;

const layersResult = z.object({
  layers: z.array(
    z.object({
      n: z.int(),
      own: StoredTapSheet.describe('a probe on this layer of the half’s own base network'),
      other: StoredTapSheet.describe('and of the other half’s'),
      cka: z.number(),
    }),
  ),
});
export type LayersResult = z.infer<typeof layersResult>;

/** What the layers of both base networks know of a half, and how alike they are. */
export const layers: UnitKind<LayersInputs, LayersResult> = {
  name: 'copy-layers',
  inputs: layersInputs,
  result: layersResult,
};

const layersScoreResult = z.object({
  layers: z.array(z.object({ n: z.int(), own: z.number(), other: z.number(), cka: z.number() })),
});
export type LayersScoreResult = z.infer<typeof layersScoreResult>;

/** Those probes against the test labels. */
export const layersScore: UnitKind<z.infer<typeof scoreInputs>, LayersScoreResult> = {
  name: 'copy-layers-score',
  inputs: scoreInputs,
  result: layersScoreResult,
};
