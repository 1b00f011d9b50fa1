/**
 * Records of units into the study record that the report reads (its schema is the report's; this room only writes it).
 * A pure function of plan and records: the same records give the same bytes, however often the run was interrupted.
 */
import { domainAffinity, meanOverSeeds, wilsonInterval } from '../stats/index.js';
import { advise } from './advice.js';
import type { UnitRecord } from './folder.js';
import { closure, type Unit } from './plan.js';
import type { Cell } from './protocols/cells.js';
import type { StudyInputs, StudyPlan } from './protocols/protocol.js';
import type { RunOutcome } from './runner.js';
import type { StudyTask } from './tasks.js';
import {
  type CellResult,
  type ExtractResult,
  type ProbeResult,
  resultOf,
  type ScoreResult,
  type TrainResult,
} from './units/types.js';

type Outcome = Pick<RunOutcome, 'records' | 'errors' | 'states'>;

/** Cells of one method on one task (and one size), one per seed. */
interface Group {
  readonly method: string;
  readonly perClass: number | undefined;
  readonly cells: readonly Cell[];
}

export interface RunFacts {
  readonly command: string;
  readonly startedAt: string;
  readonly versions: Readonly<Record<string, string>>;
  readonly engine: string;
  readonly device: string;
}

/** The study record, without thumbnails. */
export function assemble(inputs: StudyInputs, plan: StudyPlan, outcome: Outcome, facts: RunFacts) {
  const { study, tasks, backbone, control } = inputs;
  const { config } = study;
  const states = plan.plan.units.map((u) => outcome.states.get(u.id));
  const title = config.title ?? `${config.protocol} on ${tasks.map((t) => t.name).join(', ')}`;
  const budgets = new Set(tasks.map((t) => t.budget));
  return {
    format: 'toehold-study' as const,
    version: 1 as const,
    title,
    protocol: config.protocol,
    backbone: backbone.name,
    run: {
      ...facts,
      config: JSON.parse(JSON.stringify(config)) as Record<string, unknown>,
      fingerprints: [
        ...[backbone, ...(control ? [control] : [])].map((b) => ({ name: b.name, sha256: b.sha256 })),
        ...tasks.flatMap((t) => [
          { name: `${t.name}: training images and labels`, sha256: t.trainKey },
          { name: `${t.name}: test images`, sha256: t.testKey },
          { name: `${t.name}: test labels`, sha256: t.labelKey },
        ]),
      ],
      seeds: [...config.seeds],
      labelBudget:
        budgets.size === 1
          ? `Per task, ${[...budgets][0]}.`
          : `${tasks.map((t) => `${t.name}: ${t.budget}`).join('; ')}.`,
      scaledDown: [...study.scaledDown, ...plan.remarks],
    },
    units: {
      total: states.length,
      done: states.filter((s) => s === 'done').length,
      failed: states.filter((s) => s === 'failed').length,
      // What a single process finds done says nothing about the study.
      cached: 0,
    },
    seconds: [...outcome.records.values()].reduce((sum, r) => sum + r.seconds, 0),
    tasks: tasks.map((task) => assembleTask(inputs, plan, outcome, task)),
  };
}

export type AssembledStudy = ReturnType<typeof assemble>;
export type AssembledTask = AssembledStudy['tasks'][number];

function assembleTask(inputs: StudyInputs, plan: StudyPlan, outcome: Outcome, task: StudyTask) {
  const groups = groupsOf(plan.cells.filter((c) => c.task === task.name));
  const methods = groups.map((group) => methodRecord(plan, outcome, group));
  const accuracy = (method: string) => {
    const cell = methods.find((m) => m.method === method);
    return cell?.status === 'done' ? cell.accuracy : undefined;
  };
  const affinity = domainAffinity(accuracy('linear'), accuracy('scratch'));
  const predictions = groups.flatMap(({ cells }) =>
    cells.flatMap(({ score, method, seed }) => {
      const predicted = scoreOf(outcome, score)?.predicted;
      return predicted ? [{ method: method as string, seed, predicted }] : [];
    }),
  );
  const selection = firstResult<ProbeResult>(outcome, groups, 'head2toe');
  const windows = firstScore(outcome, groups, 'head2toe')?.windows;
  const curve = groupsOf(plan.curve.filter((c) => c.task === task.name)).flatMap((group) => {
    const record = methodRecord(plan, outcome, group);
    return record.status === 'done' && group.perClass !== undefined
      ? [{ method: record.method, perClass: group.perClass, accuracy: record.accuracy, interval: record.interval }]
      : [];
  });
  const taps = tapRecords(plan, outcome, task, selection);
  const recommendations = recommend(plan, outcome, task);
  return {
    task: task.name,
    backbone: inputs.backbone.name,
    classes: [...task.classes],
    examples: { train: trainingRows(plan, task), test: task.test.labels.length },
    ...(affinity === undefined ? {} : { domainAffinity: affinity }),
    methods,
    ...(predictions.length > 0 ? { predictions: { labels: [...task.test.labels], methods: predictions } } : {}),
    ...(taps.length > 0 ? { taps } : {}),
    ...(selection?.path ? { path: selection.path } : {}),
    ...(selection?.chosenRatio === undefined ? {} : { chosenRatio: selection.chosenRatio }),
    ...(selection?.gapTolerance === undefined ? {} : { gapTolerance: selection.gapTolerance }),
    ...(selection?.fractions ? { keepFraction: selection.fractions, keepFractionSplit: 'validation' as const } : {}),
    ...(selection?.chosenFraction === undefined ? {} : { chosenFraction: selection.chosenFraction }),
    ...(windows && windows.length > 0
      ? { rankWindows: windows.map((w) => ({ ...w, interval: wilson(w.accuracy, task.test.labels.length) })) }
      : {}),
    ...(selection?.stability ? { stability: selection.stability } : {}),
    ...(curve.length > 0 ? { learningCurve: curve } : {}),
    ...(recommendations.length > 0 ? { recommendations } : {}),
  };
}

/** Training examples of the main table's cells. */
function trainingRows(plan: StudyPlan, task: StudyTask): number {
  const sizes = plan.cells.flatMap((c) => (c.task === task.name && c.perClass !== undefined ? [c.perClass] : []));
  return sizes.length > 0 ? Math.max(...sizes) * task.classes.length : task.train.labels.length;
}

function methodRecord(plan: StudyPlan, outcome: Outcome, { method, cells }: Group) {
  const scores = cells.map((c) => scoreOf(outcome, c.score)?.accuracy);
  const missing = cells.find((_, i) => scores[i] === undefined);
  if (missing) {
    const broken = [missing.unit, missing.score].find((u) => outcome.errors.has(u.id));
    // The cell's own work, runs that choose its settings included; what breaks below leaves it not run.
    const own = closure(plan.plan, [missing.score.id]);
    const failed = plan.plan.units.some(
      (u) => own.has(u.id) && outcome.states.get(u.id) === 'failed' && [missing.unit.kind, 'score'].includes(u.kind),
    );
    const error = broken && rootError(plan, outcome, broken);
    return failed
      ? { status: 'failed' as const, method, error: error ?? 'it failed' }
      : { status: 'not run' as const, method, ...(error ? { error } : {}) };
  }
  const accuracies = scores as number[];
  const overSeeds = meanOverSeeds(accuracies);
  const results = cells.map((c) => resultOf<ProbeResult & TrainResult>(outcome.records.get(c.unit.id) as UnitRecord));
  const [first] = results as [ProbeResult & TrainResult];
  const [score] = cells.map((c) => scoreOf(outcome, c.score) as ScoreResult) as [ScoreResult];
  const validations = results.flatMap((r) => (r.validation === undefined ? [] : [r.validation]));
  const all = closure(
    plan.plan,
    cells.map((c) => c.unit.id),
  );
  const records = plan.plan.units.flatMap((u) => (all.has(u.id) ? (outcome.records.get(u.id) ?? []) : []));
  return {
    status: 'done' as const,
    method,
    accuracy: overSeeds.mean,
    interval: wider(wilson(overSeeds.mean, score.n), overSeeds.interval),
    ...(validations.length === results.length
      ? { validation: validations.reduce((a, b) => a + b, 0) / validations.length }
      : {}),
    ...(cells.length > 1 ? { seeds: cells.map((c, i) => ({ seed: c.seed, accuracy: accuracies[i] as number })) } : {}),
    seconds: records.reduce((sum, r) => sum + r.seconds, 0),
    // Of one seed: what somebody who wants this method on this task has to spend.
    cost: costOf(plan, outcome, cells[0] as Cell),
    ...(first.features === undefined ? {} : { features: first.features }),
    ...(first.taps === undefined ? {} : { taps: first.taps }),
    ...(results.some((r) => r.failedToTrain) ? { failedToTrain: true } : {}),
    settings: { ...first.settings, ...(score.best ? { tap: score.best } : {}) },
  };
}

function costOf(plan: StudyPlan, outcome: Outcome, cell: Cell) {
  let trainMacs = 0;
  for (const id of closure(plan.plan, [cell.unit.id])) {
    const record = outcome.records.get(id);
    if (record) trainMacs += resultOf<Partial<CellResult>>(record).cost?.trainMacs ?? 0;
  }
  const own = resultOf<CellResult>(outcome.records.get(cell.unit.id) as UnitRecord).cost;
  return { trainMacs, storedBytes: own.storedBytes };
}

/** The error of the unit that broke first among those that this one needs. */
function rootError(plan: StudyPlan, outcome: Outcome, unit: Unit): string | undefined {
  for (const u of plan.plan.units) {
    if (outcome.states.get(u.id) === 'failed' && closure(plan.plan, [unit.id]).has(u.id)) {
      return u.id === unit.id ? outcome.errors.get(u.id) : `${u.label}: ${outcome.errors.get(u.id)}`;
    }
  }
  return outcome.errors.get(unit.id);
}

function tapRecords(plan: StudyPlan, outcome: Outcome, task: StudyTask, selection: ProbeResult | undefined) {
  const unit = plan.extractions.get(task.name);
  const record = unit && outcome.records.get(unit.id);
  if (!record) return [];
  const layers = plan.layers.get(task.name);
  const singles = new Map((layers && scoreOf(outcome, layers.score)?.singles?.map((s) => [s.alias, s] as const)) ?? []);
  const kept = new Map(selection?.kept?.map((k) => [k.alias, k] as const) ?? []);
  return resultOf<ExtractResult>(record).taps.map((tap) => {
    const single = singles.get(tap.alias);
    const own = kept.get(tap.alias);
    return {
      alias: tap.alias,
      name: tap.name,
      depth: tap.depth,
      features: tap.features,
      ...(single?.alone === undefined ? {} : { accuracyAlone: single.alone }),
      ...(single?.withLast === undefined ? {} : { accuracyWithLast: single.withLast }),
      ...(selection?.kept ? { kept: own?.kept ?? 0, share: own?.share ?? 0 } : {}),
    };
  });
}

/** The protocol's advice at every size of the learning curve, or for the main table when there is no curve. */
function recommend(plan: StudyPlan, outcome: Outcome, task: StudyTask) {
  const cells = (plan.curve.length > 0 ? plan.curve : plan.cells).filter((c) => c.task === task.name);
  const sizes = [...new Set(cells.map((c) => c.perClass))];
  return sizes.flatMap((perClass) => {
    const groups = groupsOf(cells.filter((c) => c.perClass === perClass));
    const candidates = groups.flatMap(({ cells: own }) => {
      const predicted = own.map((c) => scoreOf(outcome, c.score)?.predicted);
      const [first] = own;
      // The oracle has seen the test labels: it is a bound, not advice.
      if (!first || first.method === 'oracle' || predicted.some((p) => p === undefined)) return [];
      return [{ method: first.method, predicted: predicted as (readonly number[])[] }];
    });
    const advice = advise(candidates, task.test.labels);
    if (!advice) return [];
    const { method, best, rival, margin, interval, p, certain, sentence } = advice;
    return [
      {
        ...(perClass === undefined ? {} : { perClass }),
        method,
        best,
        ...(rival === undefined ? {} : { rival, margin, interval, p }),
        certain,
        sentence,
      },
    ];
  });
}

function groupsOf(cells: readonly Cell[]): Group[] {
  const groups = new Map<string, { method: string; perClass: number | undefined; cells: Cell[] }>();
  for (const cell of cells) {
    const key = `${cell.method} ${cell.perClass}`;
    const group = groups.get(key) ?? { method: cell.method, perClass: cell.perClass, cells: [] };
    groups.set(key, group);
    group.cells.push(cell);
  }
  return [...groups.values()];
}

function scoreOf(outcome: Outcome, unit: Unit): ScoreResult | undefined {
  const record = outcome.records.get(unit.id);
  return record && resultOf<ScoreResult>(record);
}

function firstScore(outcome: Outcome, groups: readonly Group[], method: string): ScoreResult | undefined {
  const cell = groups.find((g) => g.method === method)?.cells[0];
  return cell && scoreOf(outcome, cell.score);
}

function firstResult<R>(outcome: Outcome, groups: readonly Group[], method: string): R | undefined {
  const cell = groups.find((g) => g.method === method)?.cells[0];
  const record = cell && outcome.records.get(cell.unit.id);
  return record && resultOf<R>(record);
}

function wilson(accuracy: number, n: number): [number, number] {
  return clamp(wilsonInterval(Math.round(accuracy * n), n));
}

/** Of the spread over test examples and over seeds: two seeds that agree by chance prove nothing. */
function wider(a: readonly [number, number], b: readonly [number, number] | undefined): [number, number] {
  return clamp(b ? [Math.min(a[0], b[0]), Math.max(a[1], b[1])] : a);
}

function clamp([low, high]: readonly [number, number]): [number, number] {
  return [Math.max(0, low), Math.min(1, high)];
}
