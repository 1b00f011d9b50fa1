/**
 * The study record: everything that the report reads, and all that it reads. The study's runner writes it as
 * `study.json` into the run folder; any other program may. Accuracies and shares are fractions of 1, intervals are
 * [low, high] at 95 %, times are seconds, sizes bytes. Figures that do not exist are absent: never 0, never NaN.
 */
import { z } from 'zod';

const fraction = z.number().min(0).max(1);
const interval = z.tuple([z.number(), z.number()]).describe('95 % interval, [low, high]');
const count = z.int().min(0);

/** What a method costs beside its accuracy. */
export const Cost = z.strictObject({
  trainMacs: z.number().min(0).describe('multiply-accumulates to train it, feature extraction included'),
  storedBytes: z.number().min(0).describe('bytes to keep per task: head, indices, changed weights'),
});

const methodName = z.string().min(1).describe('linear, all-l1, all-l2, all-l21, head2toe, finetune, scratch ...');

/** One cell of the study: a method on a task. */
export const MethodRecord = z.discriminatedUnion('status', [
  z.strictObject({
    status: z.literal('done'),
    method: methodName,
    accuracy: fraction.describe('on the test split; the mean when there are several seeds'),
    interval: interval.describe('Wilson interval over test examples; with several seeds widened to their t interval'),
    validation: fraction.optional().describe('mean accuracy over validation folds, which chose the settings'),
    seeds: z.array(z.strictObject({ seed: z.int(), accuracy: fraction })).optional(),
    seconds: z.number().min(0),
    cost: Cost.optional(),
    features: count.optional().describe('features that the head reads'),
    taps: count.optional().describe('taps that these features come from'),
    failedToTrain: z.boolean().optional().describe('the training loss never left its start'),
    settings: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])).optional(),
  }),
  z.strictObject({ status: z.literal('failed'), method: methodName, error: z.string() }),
  z.strictObject({ status: z.literal('not run'), method: methodName, error: z.string().optional() }),
]);

/** What every method said of every test example, one row of `predicted` per method and seed. */
export const StoredPredictions = z.strictObject({
  labels: z.array(count).describe('true class numbers, (n test)'),
  methods: z.array(z.strictObject({ method: methodName, seed: z.int(), predicted: z.array(count) })),
});

/** One tap of the backbone, in order from the input. */
export const TapRecord = z.strictObject({
  alias: z.string(),
  name: z.string().optional().describe('the value’s name in the model file'),
  depth: fraction.describe('share of the longest path from input to output'),
  features: count.describe('features it offers after pooling'),
  accuracyAlone: fraction.optional().describe('test accuracy of a probe on this tap alone'),
  accuracyWithLast: fraction.optional().describe('test accuracy of a probe on this tap and the last layer'),
  kept: count.optional().describe('features kept by the selection'),
  share: fraction.optional().describe('its share of the sum of relevance scores'),
});

/** One point of a regularisation path. */
export const PathPoint = z.strictObject({
  lambda: z.number().min(0),
  ratio: z.number().min(0).max(1).describe('lambda / lambda_max'),
  objective: z.number(),
  gap: z.number().describe('relative duality gap'),
  nonzero: count.describe('features with a non-zero row of weights'),
  inactiveShare: fraction.optional().describe('share of the features proved to be zero at the optimum'),
  seconds: z.number().min(0).optional(),
  validation: fraction.optional(),
});

const scored = { accuracy: fraction, interval: interval.optional() };

/** How the selected set moves when the selection is repeated. */
export const Stability = z.strictObject({
  repeats: z.int().min(2),
  over: z.enum(['seeds', 'folds', 'bootstrap']),
  jaccard: fraction.describe('mean over pairs of repeats of |A and B| / |A or B|'),
  interval: interval.optional(),
  chance: fraction.optional().describe('expected Jaccard index of random sets of these sizes'),
  frequencies: z
    .array(z.strictObject({ times: z.int().min(1), features: count }))
    .describe('how many features were selected in exactly `times` repeats'),
});

/** A point of the cs231n protocol's learning curves. */
export const LearningPoint = z.strictObject({
  method: methodName,
  perClass: z.int().min(1).describe('training examples per class'),
  ...scored,
});

/** Probe, select, fine-tune or scratch: what the predictions say, and how surely. */
export const Recommendation = z.strictObject({
  perClass: z.int().min(1).optional().describe('training examples per class; absent: all that the task has'),
  method: methodName.describe('the method advised: the simplest that none beats'),
  best: methodName.describe('the most accurate method'),
  rival: methodName.optional().describe('the one that comes nearest to it'),
  margin: z.number().optional().describe('accuracy of best minus that of rival'),
  interval: interval.optional(),
  p: fraction.optional().describe('corrected over the rivals (Holm)'),
  certain: z.boolean().describe('whether the data can tell the best from every other method'),
  sentence: z.string(),
});

export const Example = z.strictObject({
  image: z.string().startsWith('data:image/').describe('thumbnail as a data URI'),
  file: z.string(),
  label: z.string(),
  predictions: z.record(methodName, z.string()).describe('class named by each method'),
});

export const TaskRecord = z.strictObject({
  task: z.string().min(1),
  backbone: z.string().optional(),
  classes: z.array(z.string()).min(2),
  examples: z.strictObject({ train: count, validation: count.optional(), test: count }),
  metric: z.enum(['top-1', 'mean per class']).default('top-1'),
  domainAffinity: z.number().min(-1).max(1).optional().describe('Acc(Linear) - Acc(Scratch)'),
  methods: z.array(MethodRecord),
  predictions: StoredPredictions.optional(),
  taps: z.array(TapRecord).optional(),
  featureCount: count.optional().describe('p, all features offered; the sum over taps when absent'),
  path: z.array(PathPoint).optional(),
  chosenRatio: z.number().optional().describe('lambda / lambda_max that validation chose'),
  gapTolerance: z.number().optional().describe('relative duality gap at which a lambda counts as solved'),
  keepFraction: z.array(z.strictObject({ fraction, features: count, ...scored })).optional(),
  keepFractionSplit: z.enum(['validation', 'test']).default('validation'),
  chosenFraction: fraction.optional(),
  rankWindows: z.array(z.strictObject({ offset: count, size: count, ...scored })).optional(),
  stability: Stability.optional(),
  learningCurve: z.array(LearningPoint).optional(),
  recommendations: z.array(Recommendation).optional(),
  thumbnails: z.array(Example).optional(),
});

/** How the run was made, enough to repeat it. */
export const RunInfo = z.strictObject({
  command: z.string(),
  startedAt: z.string().optional().describe('ISO 8601'),
  config: z.record(z.string(), z.unknown()).describe('resolved config'),
  versions: z.record(z.string(), z.string()),
  engine: z.string(),
  device: z.string(),
  fingerprints: z.array(z.strictObject({ name: z.string(), sha256: z.string() })),
  seeds: z.array(z.int()),
  labelBudget: z.string().describe('one sentence: how many labels, how they were split'),
  scaledDown: z.array(z.string()).default([]).describe('what a lite preset gave up, one sentence each'),
});

export const StudyRecord = z.strictObject({
  format: z.literal('toehold-study'),
  version: z.literal(1),
  title: z.string(),
  protocol: z.string(),
  backbone: z.string(),
  /** True marks invented or demonstration numbers; the page says so at its top. */
  sample: z.boolean().default(false),
  run: RunInfo,
  units: z.strictObject({ total: count, done: count, failed: count, cached: count }),
  seconds: z.number().min(0),
  tasks: z
    .array(TaskRecord)
    .min(1)
    .refine((tasks) => new Set(tasks.map((t) => t.task)).size === tasks.length, 'two tasks have the same name'),
});

export type Cost = z.infer<typeof Cost>;
export type MethodRecord = z.infer<typeof MethodRecord>;
export type DoneMethod = Extract<MethodRecord, { status: 'done' }>;
export type TapRecord = z.infer<typeof TapRecord>;
export type TaskRecord = z.infer<typeof TaskRecord>;
export type StudyRecord = z.infer<typeof StudyRecord>;
export type StudyInput = z.input<typeof StudyRecord>;

/** The cell of `method` when it is done; undefined when it failed, was not run, or is not part of the study. */
export function done(task: TaskRecord, method: string): DoneMethod | undefined {
  const cell = task.methods.find((m) => m.method === method);
  return cell?.status === 'done' ? cell : undefined;
}

/** All finished cells of a task. */
export function doneMethods(task: TaskRecord): DoneMethod[] {
  return task.methods.filter((m) => m.status === 'done');
}
