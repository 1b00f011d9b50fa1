/**
 * Version 1 of the record (`study.json` of toehold 0.1), and how it becomes the current one. Its advice is left behind: the
 * answer is made from what was measured. Its learning curves kept no predictions, and its selection was Head2Toe’s.
 */
import * as z from 'zod';
import { UserError } from '../base/index.js';
import { wilsonInterval } from '../stats/index.js';
import { type MethodCard, plainCard } from './cards.js';
import { Cost, count, type DoneCell, fraction, interval, Stability } from './cell-schema.js';
import { type Measured, RunInfo, Thumbnail } from './schema.js';

const methodName = z.string().min(1).describe('linear, all-l1, all-l2, all-l21, head2toe, finetune, scratch ...');

/** One cell of the study: a method on a task. */
const MethodRecord = z.discriminatedUnion('status', [
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
const StoredPredictions = z.strictObject({
  labels: z.array(count).describe('true class numbers, (n test)'),
  methods: z.array(z.strictObject({ method: methodName, seed: z.int(), predicted: z.array(count) })),
});

/** One tap of the backbone, in order from the input. */
const TapRecord = z.strictObject({
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
const PathPoint = z.strictObject({
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

/** A point of the cs231n protocol's learning curves. */
const LearningPoint = z.strictObject({
  method: methodName,
  perClass: z.int().min(1).describe('training examples per class'),
  ...scored,
});

/** Probe, select, fine-tune or scratch: what the predictions say, and how surely. */
const Recommendation = z.strictObject({
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

const TaskRecord = z.strictObject({
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
  thumbnails: z.array(Thumbnail).optional(),
});

const StudyRecord = z.strictObject({
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

type V1Task = z.infer<typeof TaskRecord>;
type V1Cell = z.infer<typeof MethodRecord>;
type V1Tap = z.infer<typeof TapRecord>;

/** @param cards of the methods that version 1 knew by id alone; a method without one is a plain baseline */
export function upgradeV1(value: unknown, where: string, cards: readonly MethodCard[]): Measured {
  const parsed = StudyRecord.safeParse(value);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new UserError(`${where}: ${issue?.path.join('.') || 'the record'}: ${issue?.message}; run the study again`);
  }
  const study = parsed.data;
  const ids = new Set(study.tasks.flatMap((t) => [...t.methods, ...(t.learningCurve ?? [])].map((m) => m.method)));
  const known = cards.filter((card) => ids.has(card.id));
  const unknown = [...ids].filter((id) => !cards.some((card) => card.id === id));
  return {
    format: 'toehold-record',
    version: 2,
    title: study.title,
    protocol: study.protocol,
    backbone: study.backbone,
    sample: study.sample,
    run: study.run,
    units: { total: study.units.total, done: study.units.done, failed: study.units.failed },
    seconds: study.seconds,
    methods: [...known, ...unknown.map(plainCard)],
    tasks: study.tasks.map(taskOf).map((task) => ({ ...task, cells: task.cells.map(withRates) })),
  };

  /** Trained cells with the number of learning rates that they had to choose from. */
  function withRates(cell: Measured['tasks'][number]['cells'][number]) {
    const trained = known.find((card) => card.id === cell.method)?.reads === 'images';
    return trained && cell.status === 'done' ? { ...cell, triedRates: ratesIn(study.run.config, cell.method) } : cell;
  }
}

/** Learning rates of version 0.1: those of the config, or its defaults. */
function ratesIn(config: Record<string, unknown>, method: string): number {
  const { lite, train } = config as { lite?: boolean; train?: Record<string, number[] | undefined> };
  const scratch = method === 'scratch';
  const own = train?.[scratch ? 'scratchLearningRates' : 'learningRates'];
  return own?.length ?? (lite ? 1 : scratch ? 2 : 3);
}

/**
 * A probe on one layer. Version 0.1 gave its solver's start for layers with a dead or constant feature: a figure that is
 * not above what guessing the commonest class gives is marked as one that did not converge.
 */
function tapProbe(score: number, task: V1Task) {
  const { labels } = task.predictions ?? { labels: [] };
  const { test: n } = task.examples;
  const commonest = labels.length
    ? Math.max(...task.classes.map((_, c) => labels.filter((label) => label === c).length)) / labels.length
    : 1 / task.classes.length;
  return { score, converged: score > wilsonInterval(Math.round(commonest * n), n)[1] };
}

/** The method that path and selection of a task belong to. */
function selectingMethod(task: V1Task): string | undefined {
  const done = new Set(task.methods.flatMap((m) => (m.status === 'done' ? [m.method] : [])));
  return ['head2toe', 'all-l21', 'all-l1', 'all-l2'].find((id) => done.has(id));
}

/** The learning curve without the points that the task's cells repeat, and the size that these then stand for. */
function curveOf({ learningCurve = [], methods, examples }: V1Task) {
  const sizes = [...new Set(learningCurve.map((p) => p.perClass))].sort((a, b) => a - b);
  const largest = sizes.at(-1);
  const repeated = learningCurve
    .filter((p) => p.perClass === largest)
    .every((p) => methods.some((m) => m.method === p.method && m.status === 'done' && m.accuracy === p.accuracy));
  const own = repeated ? sizes.slice(0, -1) : sizes;
  const curve = own.map((perClass) => ({
    perClass,
    cells: learningCurve
      .filter((p) => p.perClass === perClass)
      .map(({ method, accuracy, interval: i }) => ({
        status: 'done' as const,
        method,
        score: accuracy,
        interval: i ?? wilsonInterval(Math.round(accuracy * examples.test), examples.test),
        seconds: 0,
      })),
  }));
  return {
    ...(repeated && largest !== undefined ? { perClass: largest } : {}),
    ...(curve.length > 0 ? { curve } : {}),
  };
}

function taskOf(task: V1Task): Measured['tasks'][number] {
  const selecting = selectingMethod(task);
  const { predictions } = task;
  return {
    task: task.task,
    ...(task.backbone === undefined ? {} : { backbone: task.backbone }),
    target: {
      kind: 'class',
      classes: task.classes,
      metric: task.metric === 'top-1' ? 'accuracy' : 'mean per-class accuracy',
    },
    examples: task.examples,
    cells: task.methods.map((cell) => cellOf(cell, cell.method === selecting ? task : undefined)),
    ...(predictions ? { testLabels: predictions.labels, predictions: predictions.methods } : {}),
    ...curveOf(task),
    ...(task.taps ? { taps: task.taps.map((tap) => tapOf(tap, task)) } : {}),
    ...(task.thumbnails ? { thumbnails: task.thumbnails } : {}),
  };
}

function tapOf({ alias, name, depth, features, accuracyAlone, accuracyWithLast }: V1Tap, task: V1Task) {
  return {
    alias,
    ...(name === undefined ? {} : { name }),
    depth,
    features,
    ...(accuracyAlone === undefined ? {} : { alone: tapProbe(accuracyAlone, task) }),
    ...(accuracyWithLast === undefined ? {} : { withLast: tapProbe(accuracyWithLast, task) }),
  };
}

/** @param task whose selection figures are this cell's; undefined for other methods */
function cellOf(cell: V1Cell, task: V1Task | undefined): Measured['tasks'][number]['cells'][number] {
  if (cell.status !== 'done') return cell;
  const { accuracy, seeds, ...rest } = cell;
  return {
    ...rest,
    score: accuracy,
    ...(seeds ? { seeds: seeds.map(({ seed, accuracy: score }) => ({ seed, score })) } : {}),
    ...(task?.path?.length
      ? {
          path: {
            points: task.path,
            ...(task.gapTolerance === undefined ? {} : { tolerance: task.gapTolerance }),
            ...(task.chosenRatio === undefined ? {} : { chosenRatio: task.chosenRatio }),
          },
        }
      : {}),
    ...(task ? selectionOf(task, cell.features) : {}),
  };
}

function selectionOf(task: V1Task, features: number | undefined): Pick<z.input<typeof DoneCell>, 'selection'> {
  const taps = (task.taps ?? []).filter((t) => t.share !== undefined);
  if (taps.length === 0 && !task.keepFraction && !task.rankWindows && !task.stability) return {};
  return {
    selection: {
      features: features ?? taps.reduce((sum, t) => sum + (t.kept ?? 0), 0),
      shares: taps.map(({ alias, kept = 0, share = 0 }) => ({ tap: alias, kept, share })),
      ...(task.keepFraction && task.keepFraction.length > 0
        ? {
            keepFractions: {
              split: task.keepFractionSplit,
              points: task.keepFraction.map(({ fraction: share, features: kept, accuracy, interval: i }) => ({
                fraction: share,
                features: kept,
                score: accuracy,
                ...(i ? { interval: i } : {}),
              })),
              ...(task.chosenFraction === undefined ? {} : { chosen: task.chosenFraction }),
            },
          }
        : {}),
      ...(task.rankWindows
        ? {
            rankWindows: task.rankWindows.map(({ offset, size, accuracy, interval: i }) => ({
              first: offset,
              count: size,
              score: accuracy,
              ...(i ? { interval: i } : {}),
            })),
          }
        : {}),
      ...(task.stability ? { stability: task.stability } : {}),
    },
  };
}
