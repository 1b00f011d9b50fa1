/**
 * The record of a run: everything that the report reads, and all that it reads. `toehold run`, `demo` and `probe` write it
 * as `record.json`; any other program may. Scores and shares are fractions of 1, intervals are [low, high] at 95 %, times
 * are seconds, sizes bytes. Figures that do not exist are absent: never 0, never NaN.
 */
import * as z from 'zod';
import { MethodCard } from './cards.js';
import { Cell, count, fraction, interval, methodId } from './cell-schema.js';
import { LayerCopy } from './layer-copy/schema.js';
import { valuedMetrics } from './valued-score.js';

/** What methods said of every test example, one row per method and seed. */
export const PredictedRows = z.array(
  z.strictObject({
    method: methodId,
    seed: z.int(),
    predicted: z.array(count).optional().describe('class numbers, (n test)'),
    contributions: z
      .array(z.number())
      .optional()
      .describe('of values and labels: what each example adds to the score, which is their mean, (n test)'),
  }),
);

/** Cells at one number of labels, with the predictions behind them. */
export const CurvePoint = z.strictObject({
  perClass: z.int().min(1).describe('training examples per class'),
  cells: z.array(Cell),
  predictions: PredictedRows.optional(),
});

/** Cells that were trained for so many updates, each with a schedule of its own. */
export const ConvergencePoint = z.strictObject({
  steps: z.int().min(1),
  cells: z.array(Cell),
});

/** A network of a run that compares several. */
export const NetworkRecord = z.strictObject({
  name: z.string().min(1),
  sourceAccuracy: fraction.optional().describe('on the data that it was pretrained on; absent where nobody says it'),
  source: z.string().optional().describe('what it was pretrained on: only networks of one source are correlated'),
  pretraining: z
    .strictObject({
      bnScale: z.boolean().optional(),
      labelSmoothing: z.boolean().optional(),
      dropout: z.boolean().optional(),
      auxHead: z.boolean().optional(),
    })
    .optional()
    .describe('how it was regularised in pretraining'),
  params: count.optional().describe('learned numbers'),
  macs: z.number().optional().describe('multiply-adds for one image'),
  input: count.optional().describe('height of its images, in pixels'),
});

const tapProbe = z.strictObject({
  score: fraction.optional().describe('on the test split'),
  interval: interval.optional(),
  validation: fraction.optional().describe('less what the choice of the penalty has gained'),
  validationBest: fraction.optional().describe('as it was measured'),
  l2: z.number().optional().describe('penalty tuned for this tap'),
  converged: z.boolean().default(true),
  suspect: z.string().optional().describe('why the score cannot be right, one sentence'),
});

/** One tap of the backbone, in order from the input. */
export const TapRecord = z.strictObject({
  alias: z.string(),
  name: z.string().optional().describe('the value’s name in the model file'),
  depth: fraction.describe('share of the longest path from input to output'),
  features: count.describe('features it offers after pooling'),
  alone: tapProbe.optional().describe('a probe on this tap alone'),
  withLast: tapProbe.optional().describe('a probe on this tap and the last layer'),
});

/** Test images with what the methods said of them. */
export const Thumbnail = z.strictObject({
  image: z.string().startsWith('data:image/').describe('as a data URI'),
  file: z.string(),
  label: z.string(),
  predictions: z.record(methodId, z.string()).describe('class named by each method'),
});

/** What a run found for one task. */
export const TaskRecord = z.strictObject({
  task: z.string().min(1),
  backbone: z.string().optional(),
  dataset: z
    .string()
    .optional()
    .describe('in a run that compares networks, the data set: each network on it is a task of the record'),
  similar: z
    .boolean()
    .optional()
    .describe('whether it is like what the network was pretrained on, as judged before the run'),
  target: z
    .discriminatedUnion('kind', [
      z.strictObject({
        kind: z.literal('class'),
        classes: z.array(z.string()).min(2),
        metric: z.enum(['accuracy', 'mean per-class accuracy']).default('accuracy'),
      }),
      z.strictObject({
        kind: z.literal('regression'),
        outputs: z.array(z.string()).min(1).describe('names of the real values'),
        metric: z.literal(valuedMetrics.regression).default(valuedMetrics.regression).describe('mean over the values'),
      }),
      z.strictObject({
        kind: z.literal('multilabel'),
        outputs: z.array(z.string()).min(1).describe('the labels, of which any number is true of an example'),
        metric: z.literal(valuedMetrics.multilabel).default(valuedMetrics.multilabel).describe('over the labels'),
      }),
    ])
    .describe('what is predicted, and the metric that scores are in'),
  examples: z.strictObject({
    train: count.describe('all that training and tuning saw'),
    validation: count.optional().describe('of these, the examples of a fixed validation split'),
    test: count,
    groups: count.optional().describe('groups (tracks, patients) among the training examples'),
    folds: count.optional().describe('cross-validation folds'),
    perClass: z.array(count).optional().describe('training examples of each class'),
  }),
  split: z.string().optional().describe('how training, validation and test examples were told apart, one sentence'),
  domainAffinity: z
    .strictObject({ value: z.number().min(-1).max(1), interval: interval.optional() })
    .optional()
    .describe('score of linear minus score of scratch'),
  perClass: z.int().min(1).optional().describe('training examples per class of `cells`, where a curve was measured'),
  cells: z.array(Cell),
  testLabels: z.array(count).optional().describe('true class numbers, (n test)'),
  testGroups: z.array(count).optional().describe('groups (tracks, patients) of the test examples, numbered, (n test)'),
  predictions: PredictedRows.optional(),
  curve: z.array(CurvePoint).optional().describe('the same at fewer labels per class than `perClass`, rising'),
  convergence: z.array(ConvergencePoint).optional().describe('by rising number of updates'),
  taps: z.array(TapRecord).optional(),
  tapBudget: count.optional().describe('features per tap that the probes on single taps may use; absent: all'),
  thumbnails: z.array(Thumbnail).optional(),
  warnings: z.array(z.string()).default([]).describe('about the data, one sentence each'),
});

/** Names of the classes of a task whose examples have one each; of other targets none. */
export const classesOf = (target: z.input<typeof TaskRecord>['target']): readonly string[] =>
  target.kind === 'class' ? target.classes : [];

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

/** Two methods on one task, on the same test examples. */
export const Comparison = z.strictObject({
  task: z.string(),
  perClass: z.int().min(1).optional(),
  method: methodId,
  reference: methodId.describe('the simpler of the two'),
  difference: z.number().describe('score of method minus score of reference'),
  interval: interval.describe('95 % interval of this difference by itself'),
  corrected: interval
    .optional()
    .describe('95 % interval that holds together with those of every other test of the run'),
  p: fraction.optional().describe('of no difference; absent without predictions'),
  pCorrected: fraction
    .optional()
    .describe('over every test of the run; below .05 just where `corrected` leaves out zero'),
  basis: z
    .enum(['paired', 'independent'])
    .describe('paired: on shared test examples; independent: from the two scores alone, wider'),
  moreTestExamples: count
    .optional()
    .describe('of an undecided pair: about as many more would decide, if any number would'),
  verdict: z
    .enum(['better', 'worse', 'equal', 'undecided'])
    .describe('of method, by `corrected`: better and worse leave out zero, equal lies within the margin'),
});

/** What to do on one task, at one number of labels. */
export const TaskAnswer = z.strictObject({
  task: z.string(),
  perClass: z.int().min(1).optional(),
  method: methodId.optional().describe('the method advised; where undecided, the simplest that may be the right one'),
  best: methodId.optional().describe('the candidate with the highest score'),
  decided: z
    .boolean()
    .describe(
      'whether the advised method is proven: ahead of every simpler one, and at most the margin behind any other',
    ),
  moreTestExamples: count.optional().describe('about as many more would decide; absent where more would not'),
  advice: z.string().describe('in the imperative'),
  sentence: z.string().describe('why'),
});

/** What a run advises, in words. */
export const Answer = z.strictObject({
  headline: z.string().describe('one sentence'),
  deck: z.array(z.string()).describe('how sure, at what cost'),
  tasks: z.array(TaskAnswer),
  missing: z.array(z.string()).describe('cells that enter no comparison, in words'),
  comparisons: z.array(Comparison),
});

/** What a record calls itself. */
export const recordFormat = 'toehold-record';

/** What record.json holds: everything that a page is drawn from. */
export const RunRecord = z.strictObject({
  format: z.literal(recordFormat),
  version: z.literal(2),
  title: z.string(),
  protocol: z.string().describe('head2toe, cs231n, probe ...'),
  backbone: z.string(),
  /** True marks invented or demonstration numbers; the page says so at its top. */
  sample: z.boolean().default(false),
  margin: fraction.default(0.01).describe('difference in score that does not matter'),
  run: RunInfo,
  units: z.strictObject({ total: count, done: count, failed: count }).optional(),
  seconds: z.number().min(0),
  networks: z.array(NetworkRecord).optional().describe('of a run that compares several networks, in their order'),
  methods: z.array(MethodCard).describe('the methods of this run, in the order of tables'),
  tasks: z
    .array(TaskRecord)
    .min(1)
    .refine((tasks) => new Set(tasks.map((t) => t.task)).size === tasks.length, 'two tasks have the same name'),
  layerCopy: LayerCopy.optional().describe('networks with copied layers, of the protocol yosinski'),
  answer: Answer,
});

export type ConvergencePoint = z.infer<typeof ConvergencePoint>;
export type NetworkRecord = z.infer<typeof NetworkRecord>;
export type CurvePoint = z.infer<typeof CurvePoint>;
export type TapRecord = z.infer<typeof TapRecord>;
/** A probe of one tap. */
export type TapProbe = z.infer<typeof tapProbe>;
export type Thumbnail = z.infer<typeof Thumbnail>;
/** What a run found for one task. */
export type TaskRecord = z.infer<typeof TaskRecord>;
export type RunInfo = z.infer<typeof RunInfo>;
export type Comparison = z.infer<typeof Comparison>;
export type TaskAnswer = z.infer<typeof TaskAnswer>;
/** What a run advises, in words. */
export type Answer = z.infer<typeof Answer>;
/** What record.json holds. */
export type RunRecord = z.infer<typeof RunRecord>;
/** A record before its answer: what was measured. */
export type Measured = Omit<z.input<typeof RunRecord>, 'answer'>;
