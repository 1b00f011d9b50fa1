/** The units of one cell: a method on a task, from extraction to score. Protocols are made of these. */
import type { Engine } from '../engine/index.js';
import type { ProbeMethod } from '../probe/index.js';
import { macsAt, type StudyBackbone } from './backbones.js';
import { probeNamed, type TrainedMethod, trainedNamed } from './catalogue.js';
import type { ProbeBudget } from './config/schema.js';
import type { StudyConfig } from './config/study-config.js';
import type { PlanBuilder, Unit } from './plan.js';
import type { StudyTask } from './tasks.js';
import {
  type ExtractResult,
  extraction,
  type ProbeInputs,
  type ProbeResult,
  probe,
  type ScoreResult,
  type Subset,
  scoring,
  type TrainResult,
  training,
} from './units/kinds.js';
import { selectionFile } from './units/selection.js';

export type ExtractUnit = Unit<ExtractResult>;
export type ProbeUnit = Unit<ProbeResult>;
export type TrainUnit = Unit<TrainResult>;
export type ScoreUnit = Unit<ScoreResult>;

export interface Cell {
  readonly method: string;
  readonly seed: number;
  /** The unit whose predictions are scored, and the score. */
  readonly unit: ProbeUnit | TrainUnit;
  readonly score: ScoreUnit;
}

export interface ProbeCell extends Cell {
  readonly unit: ProbeUnit;
}

export interface CellContext {
  readonly plan: PlanBuilder;
  readonly study: StudyConfig;
  readonly task: StudyTask;
  readonly backbone: StudyBackbone;
  readonly control: StudyBackbone | undefined;
  readonly engine: Pick<Engine, 'name' | 'device' | 'threads'>;
}

/** Multiply-adds per second on two cores, for estimates only. */
const rates = { extract: 40e9, train: 20e9 };
/** Seconds to decode and resize an image. */
const decodeSeconds = 0.004;
/** Seconds of the probes on every tap, at 1,000 training rows and five folds. */
const tapSeconds = { alone: 60, withLast: 150 };

const on = ({ engine: { name, device } }: CellContext) => ({ name, device });

/** Extraction of the task's images by a backbone. */
export function extractCell(context: CellContext, backbone: StudyBackbone): ExtractUnit {
  const { plan, task } = context;
  const images = task.train.labels.length + task.test.inputs.length;
  return plan.add(extraction, {
    label: `${task.name}: features of ${backbone.name}`,
    inputs: {
      model: backbone.sha256,
      preprocess: { ...backbone.preprocess },
      taps: backbone.taps,
      pool: backbone.pool,
      train: task.trainKey,
      test: task.testKey,
      engine: on(context),
    },
    sources: { task: task.name, backbone: backbone.name },
    seconds: images * (backbone.macs / rates.extract + decodeSeconds),
  });
}

/** A method's cell, whatever kind it is. */
export function cellOf(context: CellContext, method: string, seed: number, subset?: Subset): Cell {
  const [trained, probed] = [trainedNamed(method), probeNamed(method)];
  if (trained) return trainCell(context, trained, seed, subset);
  if (probed) return probeCell(context, probed, seed, subset);
  throw new Error(`there is no method '${method}'`);
}

/** A probe, its score, and the features that it needs. A bound over single layers brings the probes on every tap. */
export function probeCell(context: CellContext, method: ProbeMethod, seed: number, subset?: Subset): ProbeCell {
  const { plan, study, task, backbone, control } = context;
  const { id, reads, role } = method.card;
  const needs = [extractCell(context, backbone)];
  if (reads === 'two networks' && control) needs.push(extractCell(context, control));
  const rows = rowsOf(context, subset);
  const perTap = role === 'bound' ? 'withLast' : null;
  const folds = study.budgets.probe.folds / 5;
  const unit = plan.add(probe, {
    label: `${task.name}: ${id}${suffix(study, seed, subset)}`,
    inputs: {
      method: id,
      perTap,
      seed,
      subset: subset ?? null,
      options: optionsOf(method, study.budgets.probe, subset),
      engine: on(context),
    },
    needs,
    outputs: method.ranks ? [selectionFile] : [],
    sources: { task: task.name },
    seconds: (((perTap ? tapSeconds[perTap] : method.seconds) * rows) / 1000) * folds + 1,
  });
  return { method: id, seed, unit, score: scoreCell(context, id, seed, unit, subset) };
}

/** Probes on every tap by itself. */
export function tapsCell(context: CellContext, seed: number): { unit: ProbeUnit; score: ScoreUnit } {
  const { plan, study, task, backbone } = context;
  const { folds } = study.budgets.probe;
  const unit = plan.add(probe, {
    label: `${task.name}: every layer by itself`,
    inputs: {
      method: null,
      perTap: 'alone',
      seed,
      subset: null,
      options: tuningOptions(study.budgets.probe, undefined),
      engine: on(context),
    },
    needs: [extractCell(context, backbone)],
    sources: { task: task.name },
    seconds: (tapSeconds.alone * rowsOf(context) * folds) / 5000 + 1,
  });
  return { unit, score: scoreCell(context, 'every layer', seed, unit, undefined) };
}

/** Fine-tuning or training from scratch, with the runs that choose its learning rate, and its score. */
export function trainCell(context: CellContext, method: TrainedMethod, seed: number, subset?: Subset): Cell {
  const { plan, study, task, backbone, engine } = context;
  const budget = study.budgets.train;
  const { id } = method.card;
  const scratch = method.budget === 'scratch';
  const learningRates = (scratch ? budget.scratchLearningRates : budget.learningRates).map((lr) => lr * method.rate);
  const epochs = scratch ? budget.scratchEpochs : budget.epochs;
  const rows = rowsOf(context, subset);
  const passes = budget.steps === undefined ? epochs * rows : budget.steps * budget.batch;
  const seconds = (3 * macsAt(backbone, budget.size) * passes) / rates.train + rows * decodeSeconds;
  const selection = method.selection ? [probeCell(context, method.selection, seed, subset).unit] : [];
  const inputs = {
    method: id,
    treatment: method.treatment,
    seed,
    model: backbone.sha256,
    preprocess: { ...backbone.preprocess },
    train: task.trainKey,
    subset: subset ?? null,
    selected: method.selection ? { pool: backbone.pool } : null,
    budget: {
      steps: budget.steps ?? null,
      epochs,
      batch: budget.batch,
      size: budget.size ?? null,
      weightDecay: budget.weightDecay,
      augment: budget.augment,
    },
    engine: { ...on(context), threads: engine.threads },
  };
  const sources = { task: task.name, backbone: backbone.name };
  const tried =
    learningRates.length > 1
      ? learningRates.map((rate) =>
          plan.add(training, {
            label: `${task.name}: ${id}, trying learning rate ${rate}${suffix(study, seed, subset)}`,
            inputs: {
              ...inputs,
              test: null,
              learningRates: [rate],
              evaluate: 'validation',
              folds: foldsOf(study.budgets.probe, subset),
            },
            needs: selection,
            sources,
            seconds: 0.8 * seconds,
          }),
        )
      : [];
  const unit = plan.add(training, {
    label: `${task.name}: ${id}${suffix(study, seed, subset)}`,
    inputs: { ...inputs, test: task.testKey, learningRates, evaluate: 'test', folds: null },
    needs: [...selection, ...tried],
    outputs: ['model.onnx'],
    sources,
    seconds: seconds + (task.test.inputs.length * macsAt(backbone, budget.size)) / rates.extract,
  });
  return { method: id, seed, unit, score: scoreCell(context, id, seed, unit, subset) };
}

function scoreCell(
  { plan, study, task }: CellContext,
  what: string,
  seed: number,
  unit: Unit,
  subset: Subset | undefined,
): ScoreUnit {
  return plan.add(scoring, {
    label: `${task.name}: score of ${what}${suffix(study, seed, subset)}`,
    inputs: { labels: task.labelKey },
    needs: [unit],
    sources: { task: task.name },
    seconds: 0.01,
  });
}

/** Folds that tuning makes: no more than there are examples of a class. */
export const foldsOf = ({ folds }: Pick<ProbeBudget, 'folds'>, subset?: Pick<Subset, 'perClass'>): number =>
  subset ? Math.min(folds, subset.perClass) : folds;

/** What every tuning reads. */
function tuningOptions(budget: ProbeBudget, subset: Subset | undefined): ProbeInputs['options'] {
  const { tolerance, l2, choose, classWeight } = budget;
  return { folds: foldsOf(budget, subset), tolerance, l2: [...l2], choose, classWeight };
}

/** Only the options that this method reads: changing another's budget changes no id. */
function optionsOf(method: ProbeMethod, budget: ProbeBudget, subset: Subset | undefined): ProbeInputs['options'] {
  const { lambdas, ratio, fractions, keepRule, repetitions, leaveOut, rankWindows } = budget;
  const reads = new Set(method.options);
  return {
    ...tuningOptions(budget, subset),
    ...(reads.has('path') ? { lambdaCount: lambdas, lambdaRatio: ratio } : {}),
    ...(reads.has('fractions') ? { fractions: [...fractions], keepRule, repetitions } : {}),
    ...(method.card.role === 'candidate' && method.card.reads === 'all layers' ? { leaveOut } : {}),
    ...(method.ranks ? { rankWindows } : {}),
  };
}

function rowsOf({ task }: CellContext, subset?: Subset): number {
  return subset ? subset.perClass * task.classes.length : task.train.labels.length;
}

function suffix(study: StudyConfig, seed: number, subset: Subset | undefined): string {
  const n = subset ? `, ${subset.perClass} per class` : '';
  return study.config.seeds.length > 1 ? `${n}, seed ${seed}` : n;
}
