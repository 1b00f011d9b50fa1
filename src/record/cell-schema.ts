/** The record of a cell, a method on a task: what it cost, what it kept, how right it was. See schema.ts for the whole. */
import * as z from 'zod';

/** A number from 0 to 1. */
export const fraction = z.number().min(0).max(1);
/** A score: accuracy, R², mean average precision; 1 is perfect, and only R² is ever below 0. */
export const scoreValue = z.number().max(1);
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

const valueFigures = {
  mae: z.number().min(0).describe('mean absolute error, in the unit of the value'),
  rmse: z.number().min(0).describe('root of the mean squared error, in the unit of the value'),
  spearman: z.number().min(-1).max(1).optional(),
};
const settings = z.record(z.string(), z.union([z.string(), z.number(), z.boolean()]));

/** A finished cell: a method on a task. */
export const DoneCell = z.strictObject({
  status: z.literal('done'),
  method: methodId,
  score: scoreValue
    .optional()
    .describe('of the task’s metric on the test split, the mean over seeds; absent without test labels'),
  interval: interval
    .optional()
    .describe('95 % over test examples (by group, where there are groups) and over seeds, where there are several'),
  effectiveN: z.number().min(0).optional().describe('independent test examples that would give this interval'),
  meanPerClass: fraction.optional().describe('balanced accuracy: mean over classes of each one’s accuracy'),
  meanPerClassInterval: interval.optional(),
  macroF1: fraction.optional().describe('mean over classes of F1'),
  values: z
    .strictObject({
      ...valueFigures,
      outputs: z.array(z.strictObject({ r2: scoreValue.optional(), ...valueFigures })).describe('of each value'),
    })
    .optional()
    .describe('of real values: means over the values'),
  labels: z
    .strictObject({
      vocMAP: fraction.optional().describe('mean average precision at VOC’s 11 recalls'),
      macroF1: fraction,
      microF1: fraction.describe('of all decisions together'),
      outputs: z
        .array(
          z.strictObject({
            positive: count.describe('test examples that have it'),
            averagePrecision: fraction.optional(),
            f1: fraction,
            logLoss: z.number().describe('mean -ln P, nats'),
            calibrationError: fraction.describe('expected calibration error, 15 bins'),
          }),
        )
        .describe('of each label'),
    })
    .optional()
    .describe('of several labels'),
  logLoss: z.number().optional().describe('mean -ln P(true class), nats'),
  calibrationError: fraction.optional().describe('expected calibration error, 15 bins'),
  temperature: z
    .number()
    .positive()
    .optional()
    .describe('what logits are divided by before the softmax, from cross-validation'),
  validation: scoreValue
    .optional()
    .describe('score over validation rows, less what choosing the settings by them has gained'),
  validationInterval: interval.optional(),
  validationMeanPerClass: fraction.optional().describe('the same of balanced accuracy'),
  validationBest: scoreValue
    .optional()
    .describe('score over validation rows of the chosen settings as it was measured: a maximum, so too high'),
  validationFolds: z.array(fraction).optional().describe('of the chosen settings, as measured'),
  seeds: z.array(z.strictObject({ seed: z.int(), score: scoreValue })).optional(),
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
        validation: scoreValue.optional().describe('score over validation rows; absent where the run diverged'),
      }),
    )
    .optional()
    .describe('every run that tried a learning rate; of the longest the best was chosen'),
  epochs: z
    .array(
      z.strictObject({
        epoch: z.int().min(1),
        step: count.describe('steps done at its end'),
        learningRate: z.number(),
        loss: z.number().describe('mean over its training images'),
        accuracy: fraction.optional().describe('of classes, of its training images, while it trained on them'),
        watched: scoreValue.optional().describe('score on the images that were watched'),
      }),
    )
    .optional()
    .describe('of a trained network, epoch by epoch'),
  failedToTrain: z
    .boolean()
    .optional()
    .describe(
      'on validation examples it is no better than naming the commonest class, or the means of values or labels',
    ),
  suspect: z.string().optional().describe('why the figure cannot be right, one sentence'),
  notes: z.array(z.string()).default([]),
});

/** One cell of the run. */
export const Cell = z.discriminatedUnion('status', [
  DoneCell,
  z.strictObject({ status: z.literal('failed'), method: methodId, error: z.string() }),
  z.strictObject({ status: z.literal('not run'), method: methodId, error: z.string().optional() }),
]);

export type Cost = z.infer<typeof Cost>;
export type PathPoint = z.infer<typeof PathPoint>;
export type Selection = z.infer<typeof Selection>;
export type Attribution = z.infer<typeof Attribution>;
export type Stability = z.infer<typeof Stability>;
export type Cell = z.infer<typeof Cell>;
export type DoneCell = z.infer<typeof DoneCell>;

/** A task, or a point of its curve. */
interface WithCells {
  readonly cells: readonly Cell[];
}

/** The cell of `method` when it is done; undefined when it failed, was not run, or is not part of the run. */
export function done(task: WithCells, method: string): DoneCell | undefined {
  const cell = task.cells.find((c) => c.method === method);
  return cell?.status === 'done' ? cell : undefined;
}

/** The finished cells of a task or of a point of its curve. */
export function doneCells({ cells }: WithCells): DoneCell[] {
  return cells.filter((c) => c.status === 'done');
}

/** A done cell with a score. */
export type ScoredCell = DoneCell & Required<Pick<DoneCell, 'score' | 'interval'>>;

/** The finished cells of a task that have a score. */
export function scoredCells(task: WithCells): ScoredCell[] {
  return doneCells(task).filter((c): c is ScoredCell => c.score !== undefined && c.interval !== undefined);
}

/** The cell of `method` when it is done and scored. */
export function scoredCell(task: WithCells, method: string): ScoredCell | undefined {
  return scoredCells(task).find((c) => c.method === method);
}
