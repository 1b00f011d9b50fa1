/** The units of one cell: a method on a task, from extraction to score. Both protocols are made of these. */
import type { StudyBackbone } from '../backbones.js';
import { macsAt } from '../backbones.js';
import type { MethodName, ProbeBudget, StudyConfig, TrainBudget } from '../config/index.js';
import type { PlanBuilder, Unit } from '../plan.js';
import type { StudyTask } from '../tasks.js';
import type { Sources, Subset } from '../units/types.js';

export interface Cell {
  readonly task: string;
  readonly method: MethodName;
  readonly seed: number;
  /** Training examples per class, when not all. */
  readonly perClass?: number;
  /** The unit whose predictions are scored, and the score. */
  readonly unit: Unit;
  readonly score: Unit;
}

/** Multiply-adds per second on two cores, for estimates only. */
const rates = { extract: 40e9, train: 20e9 };
/** Seconds to decode and resize an image. */
const decodeSeconds = 0.004;
/** Seconds of a probe on 1,000 training rows and some 20,000 features, by method. */
const probeSeconds: Readonly<Partial<Record<MethodName, number>>> = {
  linear: 3,
  control: 5,
  'all-l1': 40,
  'all-l2': 15,
  'all-l21': 40,
  head2toe: 60,
};

export const trained = new Set<MethodName>(['finetune', 'finetune-tenth', 'head2toe-ft', 'scratch']);

export interface CellContext {
  readonly plan: PlanBuilder;
  readonly study: StudyConfig;
  readonly task: StudyTask;
  readonly backbone: StudyBackbone;
  readonly control: StudyBackbone | undefined;
}

/** Extraction of the task's images by a backbone. */
export function extraction({ plan, task }: CellContext, backbone: StudyBackbone): Unit {
  const images = task.train.labels.length + task.test.labels.length;
  return plan.add({
    kind: 'extract',
    label: `${task.name}: features of ${backbone.name}`,
    inputs: {
      model: backbone.sha256,
      preprocess: JSON.parse(JSON.stringify(backbone.preprocess)),
      taps: backbone.taps,
      pool: backbone.pool,
      train: task.trainKey,
      test: task.testKey,
    },
    sources: { task: task.name, backbone: backbone.name },
    seconds: images * (backbone.macs / rates.extract + decodeSeconds),
  });
}

/** A probe, its score, and the features that it needs. */
export function probeCell(context: CellContext, method: MethodName, seed: number, subset?: Subset): Cell {
  const { plan, study, task, backbone, control } = context;
  const needs = [extraction(context, backbone)];
  if (method === 'control' && control) needs.push(extraction(context, control));
  const budget = probeInputs(method, study.budgets.probe, subset);
  const rows = subset ? subset.perClass * task.classes.length : task.train.labels.length;
  const unit = plan.add({
    kind: 'probe',
    label: `${task.name}: ${method}${suffix(study, seed, subset)}`,
    inputs: { method, seed, budget, subset: subset ?? null },
    needs,
    outputs: method === 'head2toe' ? ['selection.json'] : [],
    sources: sourcesOf(context, method),
    seconds: (((probeSeconds[method] ?? 20) * rows) / 1000) * (study.budgets.probe.folds / 5) + 1,
  });
  return {
    task: task.name,
    method,
    seed,
    ...perClassOf(subset),
    unit,
    score: scoreOf(context, method, seed, unit, subset),
  };
}

/** Probes on every tap alone and, for the oracle, on every tap with the last layer. */
export function layersCell(context: CellContext, seed: number, withLast: boolean): { unit: Unit; score: Unit } {
  const { plan, study, task, backbone } = context;
  const { folds, tolerance } = study.budgets.probe;
  const unit = plan.add({
    kind: 'probe',
    label: `${task.name}: every layer by itself`,
    inputs: { method: 'layers', seed, budget: { folds, tolerance, withLast }, subset: null },
    needs: [extraction(context, backbone)],
    sources: sourcesOf(context, 'oracle'),
    seconds: ((withLast ? 90 : 40) * task.train.labels.length * folds) / 5000 + 1,
  });
  return { unit, score: scoreOf(context, 'oracle', seed, unit, undefined) };
}

/** Fine-tuning or training from scratch, with the runs that choose its learning rate, and its score. */
export function trainCell(context: CellContext, method: MethodName, seed: number, subset?: Subset): Cell {
  const { plan, study, task, backbone } = context;
  const budget = study.budgets.train;
  const scratch = method === 'scratch';
  const factor = method === 'finetune-tenth' ? 0.1 : 1;
  const learningRates = (scratch ? budget.scratchLearningRates : budget.learningRates).map((lr) => lr * factor);
  const epochs = scratch ? budget.scratchEpochs : budget.epochs;
  const rows = subset ? subset.perClass * task.classes.length : task.train.labels.length;
  const passes = budget.steps === undefined ? epochs * rows : budget.steps * budget.batch;
  const seconds = (3 * macsAt(backbone, budget.size) * passes) / rates.train + rows * decodeSeconds;
  // Head2Toe-FT reads the whole network through its selected features, which the probe's own units name.
  const selection = method === 'head2toe-ft' ? [probeCell(context, 'head2toe', seed, subset).unit] : [];
  const inputs = {
    method: method === 'finetune-tenth' ? 'finetune' : method,
    seed,
    model: backbone.sha256,
    preprocess: JSON.parse(JSON.stringify(backbone.preprocess)),
    train: task.trainKey,
    test: task.testKey,
    subset: subset ?? null,
    pool: method === 'head2toe-ft' ? backbone.pool : null,
    budget: trainInputs(budget, epochs),
  };
  const sources = sourcesOf(context, method);
  const tuned =
    learningRates.length > 1
      ? learningRates.map((learningRate) =>
          plan.add({
            kind: 'train',
            label: `${task.name}: ${method}, trying learning rate ${learningRate}${suffix(study, seed, subset)}`,
            inputs: {
              ...inputs,
              test: null,
              learningRates: [learningRate],
              evaluate: 'validation',
              folds: study.budgets.probe.folds,
            },
            needs: selection,
            sources,
            seconds: 0.8 * seconds,
          }),
        )
      : [];
  const unit = plan.add({
    kind: 'train',
    label: `${task.name}: ${method}${suffix(study, seed, subset)}`,
    inputs: { ...inputs, learningRates, evaluate: 'test', folds: null },
    needs: [...selection, ...tuned],
    sources,
    seconds: seconds + (task.test.labels.length * macsAt(backbone, budget.size)) / rates.extract,
  });
  return {
    task: task.name,
    method,
    seed,
    ...perClassOf(subset),
    unit,
    score: scoreOf(context, method, seed, unit, subset),
  };
}

export function cellOf(context: CellContext, method: MethodName, seed: number, subset?: Subset): Cell {
  return (trained.has(method) ? trainCell : probeCell)(context, method, seed, subset);
}

function scoreOf(
  { plan, study, task }: CellContext,
  method: MethodName,
  seed: number,
  unit: Unit,
  subset: Subset | undefined,
): Unit {
  return plan.add({
    kind: 'score',
    label: `${task.name}: score of ${method}${suffix(study, seed, subset)}`,
    inputs: { labels: task.labelKey },
    needs: [unit],
    sources: { task: task.name },
    seconds: 0.01,
  });
}

/** Only the figures that this method reads: changing another's budget changes no id. */
function probeInputs(method: MethodName, budget: ProbeBudget, subset: Subset | undefined) {
  const { folds, tolerance, lambdas, ratio, fractions, rankWindows } = budget;
  const common = { folds: subset ? Math.min(folds, subset.perClass) : folds, tolerance };
  const path = { ...common, lambdas, ratio };
  if (method === 'head2toe') return { ...path, fractions, rankWindows };
  if (method === 'all-l1' || method === 'all-l21') return path;
  return common;
}

function trainInputs({ steps, batch, size, weightDecay, augment }: TrainBudget, epochs: number) {
  return { steps: steps ?? null, epochs, batch, size: size ?? null, weightDecay, augment };
}

const perClassOf = (subset: Subset | undefined) => (subset ? { perClass: subset.perClass } : {});

function sourcesOf({ task, backbone, control }: CellContext, method: MethodName): Sources {
  return {
    task: task.name,
    backbone: backbone.name,
    ...(method === 'control' && control ? { control: control.name } : {}),
  };
}

function suffix(study: StudyConfig, seed: number, subset: Subset | undefined): string {
  const n = subset ? `, ${subset.perClass} per class` : '';
  return study.config.seeds.length > 1 ? `${n}, seed ${seed}` : n;
}
