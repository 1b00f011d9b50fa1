/**
 * The record of a run: everything that the report reads, and all that it reads. `toehold run`, `demo` and `probe` write it
 * as `record.json`; any other program may. Scores and shares are fractions of 1, intervals are [low, high] at 95 %, times
 * are seconds, sizes bytes. Figures that do not exist are absent: never 0, never NaN.
 */
import * as z from 'zod';
import { MethodCard } from './cards.js';
import { LayerCopy } from './layer-copy/schema.js';

/** A number from 0 to 1. */
export const fraction = z.number().min(0).max(1);
/** A 95 % interval. */
export const interval = z.tuple([z.number(), z.number()]).describe('95 % interval, [low, high]');
/** A whole number, 0 or more. */
export const count = z.int().min(0);
/** The id of a method. */
export const methodId = z.string().min(1).describe('linear, all-l1, all-l2, all-l21, head2toe, finetune, scratch ...');

/** What a method costs beside its accuracy. */
export const Cost = z.strictObject({
  trainMacs: z
    .number()
    .min(0)
    .describe(
      'multiply-adds of matrix products and convolutions in all that was run: feature extraction, every fit of tuning, the final fit, and the analysis of the result',
    ),
  analysisMacs: z
    .number()
    .min(0)
    .optional()
    .describe('of these, what tells how far to trust the result: stability, fits without a tap, rank windows'),
  storedBytes: z.number().min(0).describe('bytes to keep per task: head, indices, changed weights'),
});

/** One point of a regularisation path. */
export const PathPoint = z.strictObject({
  lambda: z.number().min(0),
  ratio: z.number().min(0).max(1).describe('lambda / lambda_max'),
  objective: z.number(),
  gap: z.number().describe('relative duality gap'),
  nonzero: count.describe('features with a non-zero row of weights'),
  inactiveShare: fraction.optional().describe('share of the features proved to be zero at the optimum'),
  iterations: count.optional(),
  seconds: z.number().min(0).optional(),
  converged: z.boolean().optional().describe('whether the gap reached the tolerance'),
  validation: fraction.optional().describe('score over validation rows at this lambda'),
});

/** What a regularisation path came to, penalty by penalty. */
export const Path = z.strictObject({
  points: z.array(PathPoint).min(1),
  tolerance: z.number().optional().describe('relative duality gap at which a lambda counts as solved'),
  chosenRatio: z.number().optional().describe('lambda / lambda_max that validation chose'),
});

const scored = { score: fraction, interval: interval.optional() };

/** How the selected set moves when the selection is repeated. */
export const Stability = z.strictObject({
  repeats: z.int().min(2),
  over: z
    .enum(['seeds', 'folds', 'bootstrap', 'halves'])
    .describe('halves: both halves of the examples, several times; folds share most of their examples'),
  jaccard: fraction.describe(
    'mean of |A and B| / |A or B| over pairs of repeats; of halves, over pairs that share no example',
  ),
  interval: interval.optional(),
  chance: fraction.optional().describe('expected Jaccard index of random sets that take as many features of each tap'),
  frequencies: z
    .array(z.strictObject({ times: z.int().min(1), features: count }))
    .describe('how many features were selected in exactly `times` repeats'),
  bound: z
    .strictObject({
      threshold: fraction,
      features: count.describe('features selected in at least this share of the halves'),
      expected: z
        .number()
        .min(0)
        .describe('at most so many of them, on average, that a half selects no more often than chance'),
    })
    .optional()
    .describe('error bound of complementary pairs (Shah and Samworth, 2013)'),
});

/** Which features a method kept, and how far that choice can be trusted. */
export const Selection = z.strictObject({
  features: count.describe('features kept'),
  support: count.optional().describe('of these, features with a weight in the penalised model that ranks them'),
  shares: z.array(
    z.strictObject({
      tap: z.string(),
      kept: count,
      share: fraction.optional().describe('share of the kept features’ relevance scores (version 0.1)'),
    }),
  ),
  keepFractions: z
    .strictObject({
      split: z.enum(['validation', 'test']),
      points: z.array(z.strictObject({ fraction, features: count, ...scored })).min(1),
      chosen: fraction.optional(),
      rule: z
        .enum(['one-se', 'margin', 'max'])
        .optional()
        .describe(
          'one-se: the smallest within one standard error of the best; margin: within the margin of it; max: the best',
        ),
      best: fraction.optional().describe('the one with the highest score'),
      standardError: z
        .number()
        .min(0)
        .optional()
        .describe('of the difference between the chosen one’s score and the best'),
    })
    .optional()
    .describe('score by share of the features kept'),
  rankWindows: z
    .array(
      z.strictObject({
        first: count,
        count,
        validation: fraction.optional(),
        score: fraction.optional(),
        interval: interval.optional(),
        converged: z.boolean().default(true),
      }),
    )
    .optional()
    .describe('probes on windows of consecutive ranks, `first` counted from 0'),
  stability: Stability.optional(),
});

/** What the deployed linear probe owes to each tap. */
export const Attribution = z.array(
  z.strictObject({
    tap: z.string(),
    features: count.describe('features of it that the probe reads'),
    variance: z
      .number()
      .describe(
        'share of the variance of the class-centred logits over training rows: the covariance of the tap’s part with the whole over the variance of the whole, summed over classes; adds up to 1, may be negative',
      ),
    entry: z.int().min(1).optional().describe('place in the order in which taps enter the lambda path'),
    leftOut: z
      .strictObject({
        score: z.number().min(-1).max(1),
        logLoss: z.number(),
      })
      .optional()
      .describe(
        'change of validation score and log loss when the probe is refitted without the tap, at the same penalty',
      ),
  }),
);

const settings = z.record(z.string(), z.union([z.string(), z.number(), z.boolean()]));

/** A finished cell: a method on a task. */
export const DoneCell = z.strictObject({
  status: z.literal('done'),
  method: methodId,
  score: fraction
    .optional()
    .describe('of the task’s metric on the test split, the mean over seeds; absent without test labels'),
  interval: interval
    .optional()
    .describe('95 % over test examples (by group, where there are groups) and over seeds, where there are several'),
  effectiveN: z.number().min(0).optional().describe('independent test examples that would give this interval'),
  meanPerClass: fraction.optional().describe('balanced accuracy: mean over classes of each one’s accuracy'),
  meanPerClassInterval: interval.optional(),
  macroF1: fraction.optional().describe('mean over classes of F1'),
  logLoss: z.number().optional().describe('mean -ln P(true class), nats'),
  calibrationError: fraction.optional().describe('expected calibration error, 15 bins'),
  temperature: z
    .number()
    .positive()
    .optional()
    .describe('what logits are divided by before the softmax, from cross-validation'),
  validation: fraction
    .optional()
    .describe('score over validation rows, less what choosing the settings by them has gained'),
  validationInterval: interval.optional(),
  validationMeanPerClass: fraction.optional().describe('the same of balanced accuracy'),
  validationBest: fraction
    .optional()
    .describe('score over validation rows of the chosen settings as it was measured: a maximum, so too high'),
  validationFolds: z.array(fraction).optional().describe('of the chosen settings, as measured'),
  seeds: z.array(z.strictObject({ seed: z.int(), score: fraction })).optional(),
  seconds: z.number().min(0),
  cost: Cost.optional(),
  features: count.optional().describe('features that the head reads'),
  taps: count.optional().describe('taps that these features come from'),
  network: z
    .strictObject({
      deepestTap: z.string(),
      macs: z.number().optional(),
      macsShare: z.number().optional(),
      depth: z.number().optional(),
    })
    .optional()
    .describe('the part of the network that the features need'),
  settings: settings.optional(),
  grid: z
    .array(
      z.strictObject({
        settings: z.record(z.string(), z.number()),
        pool: z.string().optional(),
        folds: z.array(fraction),
        accuracy: fraction,
        meanPerClass: fraction.optional(),
        logLoss: z.number(),
        converged: z.boolean().default(true),
      }),
    )
    .optional()
    .describe('every setting tried in tuning, with its validation figures'),
  path: Path.optional(),
  selection: Selection.optional(),
  attribution: Attribution.optional(),
  converged: z.boolean().default(true).describe('whether every solver behind the figure reached its tolerance'),
  input: count.optional().describe('height of the images that it read, in pixels'),
  pool: z.string().optional().describe('pooling of the features, where the method chose it by validation from several'),
  triedRates: count.optional().describe('learning rates that validation chose from'),
  rates: z
    .array(
      z.strictObject({
        learningRate: z.number(),
        weightDecay: z.number().optional().describe('where several were tried'),
        epochs: z.number().describe('length of the run, in passes over the examples that it learned from'),
        validation: fraction.optional().describe('score over validation rows; absent where the run diverged'),
      }),
    )
    .optional()
    .describe('every run that tried a learning rate; of the longest the best was chosen'),
  failedToTrain: z
    .boolean()
    .optional()
    .describe('on validation examples it is no better than naming the commonest class'),
  suspect: z.string().optional().describe('why the figure cannot be right, one sentence'),
  notes: z.array(z.string()).default([]),
});

/** One cell of the run. */
export const Cell = z.discriminatedUnion('status', [
  DoneCell,
  z.strictObject({ status: z.literal('failed'), method: methodId, error: z.string() }),
  z.strictObject({ status: z.literal('not run'), method: methodId, error: z.string().optional() }),
]);

/** What methods said of every test example, one row per method and seed. */
export const PredictedRows = z.array(
  z.strictObject({ method: methodId, seed: z.int(), predicted: z.array(count).describe('class numbers, (n test)') }),
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

export type Cost = z.infer<typeof Cost>;
export type PathPoint = z.infer<typeof PathPoint>;
export type Selection = z.infer<typeof Selection>;
export type Attribution = z.infer<typeof Attribution>;
export type Stability = z.infer<typeof Stability>;
export type Cell = z.infer<typeof Cell>;
export type DoneCell = z.infer<typeof DoneCell>;
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

/** The cell of `method` when it is done; undefined when it failed, was not run, or is not part of the run. */
export function done(task: Pick<TaskRecord, 'cells'>, method: string): DoneCell | undefined {
  const cell = task.cells.find((c) => c.method === method);
  return cell?.status === 'done' ? cell : undefined;
}

/** The finished cells of a task or of a point of its curve. */
export function doneCells({ cells }: Pick<TaskRecord, 'cells'>): DoneCell[] {
  return cells.filter((c) => c.status === 'done');
}

/** A done cell with a score. */
export type ScoredCell = DoneCell & Required<Pick<DoneCell, 'score' | 'interval'>>;

/** The finished cells of a task that have a score. */
export function scoredCells(task: Pick<TaskRecord, 'cells'>): ScoredCell[] {
  return doneCells(task).filter((c): c is ScoredCell => c.score !== undefined && c.interval !== undefined);
}

/** The cell of `method` when it is done and scored. */
export function scoredCell(task: Pick<TaskRecord, 'cells'>, method: string): ScoredCell | undefined {
  return scoredCells(task).find((c) => c.method === method);
}
