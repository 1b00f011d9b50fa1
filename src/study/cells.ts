/** The units of one cell: a method on a task, from extraction to score. Protocols are made of these. */
import { given } from '../base/index.js';
import type { Engine } from '../engine/index.js';
import { chunkCount } from '../features/index.js';
import type { EveryTap, ProbeMethod } from '../probe/index.js';
import { macsAt, type StudyBackbone, storeBytes } from './backbones.js';
import { probeNamed, type TrainedMethod, trainedNamed } from './catalogue.js';
import type { ProbeBudget } from './config/schema.js';
import type { StudyConfig } from './config/study-config.js';
import { memoryOf } from './memory.js';
import { assumedPace, type TrainingPace } from './pace.js';
import { type PlanBuilder, type Unit, unitId } from './plan.js';
import type { StudyTask } from './tasks.js';
import { type Candidate, candidatesOf, rungsOf, shareOf } from './tuning.js';
import {
  type ExtractResult,
  extraction,
  extractionShare,
  type ProbeInputs,
  type ProbeResult,
  probe,
  type ScoreResult,
  type Subset,
  scoring,
  type TrainResult,
  training,
  trial,
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
  /** The probes on every tap that the unit brings. */
  readonly everyTap: EveryTap | null;
}

export interface CellContext {
  readonly plan: PlanBuilder;
  readonly study: StudyConfig;
  readonly task: StudyTask;
  readonly backbone: StudyBackbone;
  readonly control: StudyBackbone | undefined;
  readonly engine: Pick<Engine, 'name' | 'device' | 'threads'>;
  /** What labels of units begin with, where it is not the task's name. */
  readonly title?: string;
  /** Measured, where somebody did. */
  readonly pace?: TrainingPace | undefined;
}

/** Multiply-adds per second of a forward pass on two cores, for estimates only. */
const forwardRate = 40e9;
/** Seconds to decode and resize an image. */
const decodeSeconds = 0.002;
/** Bytes of a store per second of putting it together, and seconds to hash an image: for estimates only. */
const joinRate = 1e8;
const hashSeconds = 0.0002;
/** Seconds of the probes on every tap, at 1,000 training rows and five folds. */
const tapSeconds = { alone: 60, withLast: 150 };

const on = ({ engine: { name, device } }: CellContext) => ({ name, device });

/** Extraction of the task's images by a backbone, after its shares, where the config wants some. */
export function extractCell(context: CellContext, backbone: StudyBackbone): ExtractUnit {
  const { plan, study, task } = context;
  const splits = [task.train.labels.length, task.test.inputs.length];
  const images = splits.reduce((sum, n) => sum + n, 0);
  const pass = images * (backbone.macs / forwardRate + decodeSeconds);
  const label = `${task.name}: features of ${backbone.name}`;
  const sources = { task: task.name, backbone: backbone.name };
  const memory = memoryOf.extraction(backbone);
  const inputs = {
    model: backbone.sha256,
    preprocess: { ...backbone.preprocess },
    taps: backbone.taps,
    pool: backbone.pool,
    ...given({ precision: backbone.precision === 'float32' ? undefined : backbone.precision }),
    train: task.trainKey,
    test: task.testKey,
    engine: on(context),
  };
  const count = Math.min(study.config.extract?.shards ?? 1, chunkCount(backbone, splits));
  if (count < 2) return plan.add(extraction, { label, inputs, sources, seconds: pass, memory });
  const joined = unitId(extraction, inputs);
  const shares = Array.from({ length: count }, (_, index) =>
    plan.add(extractionShare, {
      label: `${label}, share ${index + 1} of ${count}`,
      inputs: { extraction: joined, index, count, engine: on(context) },
      sources,
      seconds: pass / count,
      memory,
    }),
  );
  const seconds = storeBytes(backbone, images) / joinRate + images * hashSeconds;
  return plan.add(extraction, { label, inputs, after: shares, sources, seconds, memory });
}

/** A method's cell, whatever kind it is. */
export function cellOf(
  context: CellContext,
  method: string,
  seed: number,
  subset?: Subset,
  length: { readonly steps?: number } = {},
): Cell {
  const [trained, probed] = [trainedNamed(method), probeNamed(method)];
  if (trained) return trainCell(context, trained, seed, subset, length);
  if (probed) return probeCell(context, probed, seed, subset);
  throw new Error(`there is no method '${method}'`);
}

/**
 * A probe, its score, and the features that it needs. A method that fits every tap on its way brings those probes, where they
 * are asked for; a bound over single layers in any case.
 */
export function probeCell(context: CellContext, method: ProbeMethod, seed: number, subset?: Subset): ProbeCell {
  const { plan, study, task, backbone, control } = context;
  const { id, reads, role } = method.card;
  const needs = [extractCell(context, backbone)];
  if (reads === 'two networks' && control) needs.push(extractCell(context, control));
  const rows = rowsOf(context, subset);
  const { valued } = task;
  const looks = !valued && (role === 'bound' || study.budgets.probe.perTap);
  const perTap = (looks ? method.everyTap : undefined) ?? null;
  const folds = study.budgets.probe.folds / 5;
  const unit = plan.add(probe, {
    label: `${titleOf(context)}: ${id}${suffix(study, subset, seed)}`,
    inputs: {
      method: id,
      perTap,
      seed,
      subset: subset ?? null,
      ...(valued ? { target: valued.kind } : {}),
      options: valued ? valuedOptionsOf(method, study.budgets.probe) : optionsOf(method, study.budgets.probe, subset),
      engine: on(context),
    },
    needs,
    outputs: method.ranks && !valued ? [selectionFile] : [],
    sources: { task: task.name },
    seconds: (((perTap ? tapSeconds[perTap] : method.seconds) * rows) / 1000) * folds + 1,
    memory: memoryOf.probe(rows),
  });
  return { method: id, seed, unit, everyTap: perTap, score: scoreCell(context, id, seed, unit, subset) };
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
    memory: memoryOf.probe(rowsOf(context)),
  });
  return { unit, score: scoreCell(context, 'every layer', seed, unit, undefined) };
}

/**
 * Fine-tuning or training from scratch, with the trials that choose its learning rate, and its score. The rate is chosen
 * once for all seeds: on the same rows, with the first of them.
 * @param steps of the final run, where it is not as long as the budget says: settings are chosen as for that
 */
export function trainCell(
  context: CellContext,
  method: TrainedMethod,
  seed: number,
  subset?: Subset,
  { steps }: { readonly steps?: number } = {},
): Cell {
  const { plan, study, task, backbone, engine } = context;
  const budget = study.budgets.train;
  const { id } = method.card;
  const scratch = method.budget === 'scratch';
  const learningRates = [...(scratch ? budget.scratchLearningRates : budget.learningRates)].sort((a, b) => a - b);
  const epochs = scratch ? budget.scratchEpochs : budget.epochs;
  const updates = scratch ? (budget.scratchSteps ?? budget.steps) : budget.steps;
  const decays = scratch ? budget.scratchWeightDecays : budget.weightDecays;
  const weightDecays = decays && [...decays].sort((a, b) => a - b);
  const candidates = candidatesOf(learningRates, weightDecays);
  const rows = rowsOf(context, subset);
  const pace = context.pace ?? assumedPace(engine);
  const macs = macsAt(backbone, budget.size);
  const memory = memoryOf.training(backbone, { ...budget, images: rows + task.test.inputs.length });
  const selection = method.selection
    ? [probeCell(context, method.selection, tuningSeed(study, subset), subset).unit]
    : [];
  const common = {
    method: id,
    treatment: method.treatment,
    model: backbone.sha256,
    preprocess: { ...backbone.preprocess },
    train: task.trainKey,
    subset: subset ?? null,
    selected: method.selection ? { pool: backbone.pool } : null,
    learningRates,
    ...given({
      target: task.valued?.kind,
      weightDecays,
      recipe: study.budgets.recipe,
      backboneLrScale: method.backboneLrScale,
    }),
    engine: { ...on(context), threads: engine.threads },
  };
  /** A length of the full one's share. */
  const budgetOf = (share: number) => ({
    steps: updates === undefined ? null : shareOf(updates, share),
    epochs: shareOf(epochs, share),
    batch: budget.batch,
    size: budget.size ?? null,
    weightDecay: budget.weightDecay,
    augment: budget.augment,
  });
  const sources = { task: task.name, backbone: backbone.name };
  const folds = foldsOf(study.budgets.probe, subset);
  const validated = task.validation?.length ?? rows / folds;
  let rung: Unit[] = [];
  let length = '';
  const trials: Unit[] = [];
  for (const { places, share } of rungsOf(candidates.length, {
    halving: budget.halving,
    kept: weightDecays ? 1 / 4 : 1 / 2,
  })) {
    const own = budgetOf(share);
    // Half of very few epochs is as many: nothing new would be learned.
    if (lengthOf(own) === length) continue;
    length = lengthOf(own);
    const before = rung;
    rung = Array.from({ length: places }, (_, place) =>
      plan.add(trial, {
        label: `${titleOf(context)}: ${id}, ${before.length === 0 ? candidateText(candidates[place]) : `${weightDecays ? 'settings' : 'learning rate'} in place ${place + 1}`} for ${length}${suffix(study, subset)}`,
        inputs: { ...common, seed: tuningSeed(study, subset), budget: own, place, folds },
        needs: [...selection, ...before],
        sources,
        // Trials of one cell share a compiled step and its images.
        seconds: secondsToTrain(pace, {
          macs,
          rows: rows - validated,
          predicted: validated,
          ...own,
          shared: place > 0,
        }),
        memory,
      }),
    );
    trials.push(...rung);
  }
  const full = { ...budgetOf(1), ...given({ steps }) };
  const unit = plan.add(training, {
    label: `${titleOf(context)}: ${id}${steps === undefined ? '' : `, ${lengthOf(full)}`}${suffix(study, subset, seed)}`,
    inputs: { ...common, seed, budget: full, test: task.testKey },
    needs: [...selection, ...trials],
    outputs: ['model.onnx'],
    sources,
    seconds: secondsToTrain(pace, { macs, rows, predicted: task.test.inputs.length, ...full }),
    memory,
  });
  return { method: id, seed, unit, score: scoreCell(context, id, seed, unit, subset) };
}

const titleOf = ({ title, task }: CellContext): string => title ?? task.name;

const candidateText = ({ learningRate, weightDecay }: Candidate = { learningRate: 0 }): string =>
  `learning rate ${Number(learningRate.toPrecision(3))}${weightDecay === undefined ? '' : `, decay ${Number(weightDecay.toPrecision(3))}`}`;

const lengthOf = ({ steps, epochs }: { steps: number | null; epochs: number }): string =>
  steps === null ? `${epochs} ${epochs === 1 ? 'epoch' : 'epochs'}` : `${steps} ${steps === 1 ? 'step' : 'steps'}`;

/** The seed that settings are chosen with: the subset's own, or the study's first. */
export const tuningSeed = ({ config }: StudyConfig, subset?: Subset): number =>
  subset?.seed ?? (config.seeds[0] as number);

interface RunLength {
  readonly macs: number;
  readonly rows: number;
  readonly predicted: number;
  readonly steps: number | null;
  readonly epochs: number;
  readonly batch: number;
  /** The step is compiled and the images are read. */
  readonly shared?: boolean;
}

function secondsToTrain(
  pace: TrainingPace,
  { macs, rows, predicted, steps, epochs, batch, shared }: RunLength,
): number {
  const passes = steps === null ? epochs * rows : steps * Math.min(batch, rows);
  const ready = shared ? 0 : pace.start + (rows + predicted) * decodeSeconds;
  return ready + 3 * macs * passes * pace.perMac + (predicted * macs) / forwardRate;
}

function scoreCell(
  context: CellContext,
  what: string,
  seed: number,
  unit: Unit,
  subset: Subset | undefined,
): ScoreUnit {
  const { plan, study, task } = context;
  return plan.add(scoring, {
    label: `${titleOf(context)}: score of ${what}${suffix(study, subset, seed)}`,
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
    ...given({ normalisation: method.normalisation }),
  };
}

/** The same, of probes of values and labels. */
function valuedOptionsOf(
  method: ProbeMethod,
  { folds, lambdas, ratio, fractions }: ProbeBudget,
): ProbeInputs['options'] {
  const reads = new Set(method.options);
  return {
    folds,
    ...(reads.has('path') ? { lambdaCount: lambdas, lambdaRatio: ratio } : {}),
    ...(reads.has('fractions') ? { fractions: [...fractions] } : {}),
  };
}

function rowsOf({ task }: CellContext, subset?: Subset): number {
  return subset ? subset.perClass * task.classes.length : task.train.labels.length;
}

/** What tells labels of units apart that are otherwise the same: the subset, and the seed where there are several. */
function suffix({ config }: StudyConfig, subset: Subset | undefined, seed = subset?.seed): string {
  const n = subset ? `, ${subset.perClass} per class` : '';
  return seed !== undefined && config.seeds.length > 1 ? `${n}, seed ${seed}` : n;
}
