/** A study from its config to its record: prepare, run, assemble. */
import { UserError, waitForLock, writeFileAtomic } from '../base/index.js';
import type { Engine } from '../engine/index.js';
import { type AssembledStudy, assemble } from './assemble.js';
import { readBackbones, type StudyBackbone } from './backbones.js';
import type { StudyConfig } from './config/index.js';
import { RunFolder, readJson, type UnitRecord } from './folder.js';
import { type Plan, shardOf, summarise } from './plan.js';
import { planCs231n } from './protocols/cs231n.js';
import { planHead2toe } from './protocols/head2toe.js';
import type { StudyInputs, StudyPlan } from './protocols/protocol.js';
import { type Executors, type RunOutcome, runPlan, type UnitState } from './runner.js';
import { readTasks } from './tasks.js';
import { type Thumbnail, thumbnailsOf } from './thumbnails.js';
import { executorsOf } from './units/index.js';
import { versionsOf } from './versions.js';
import type { StudyView } from './view.js';

const protocols = { head2toe: planHead2toe, cs231n: planCs231n } as const;

/** A study whose data and networks are there and whose work is laid out. */
export interface PreparedStudy extends StudyPlan {
  readonly inputs: StudyInputs;
  readonly engine: Engine;
}

/** Reads data and networks and makes the plan. @throws UserError before any work. */
export async function prepareStudy(study: StudyConfig, engine: Engine): Promise<PreparedStudy> {
  const backbones = await readBackbones(study, engine);
  const tasks = await readTasks(study);
  const inputs: StudyInputs = {
    study,
    tasks,
    backbone: backbones.get(study.backbone) as StudyBackbone,
    control: study.config.control === undefined ? undefined : backbones.get(study.config.control),
  };
  return { ...protocols[study.config.protocol](inputs), inputs, engine };
}

/** Units and expected time by kind: what --dry-run prints. */
export function describePlan({ plan }: PreparedStudy) {
  const kinds = summarise(plan);
  return {
    units: plan.units.length,
    seconds: kinds.reduce((sum, k) => sum + k.seconds, 0),
    kinds,
    list: plan.units.map(({ id, kind, label, needs, seconds }) => ({ id, kind, label, needs, seconds })),
  };
}

export interface RunStudyOptions {
  readonly folder: string;
  /** The command that was typed, for run.json. */
  readonly command: string;
  /** Index (from 0) and number of the processes that share the folder. */
  readonly shard?: { readonly index: number; readonly count: number };
  readonly view?: StudyView;
  /** Other executors than the real ones, for tests. */
  readonly executors?: Executors;
}

export interface StudyRun {
  /** What this process did. */
  readonly outcome: RunOutcome;
  /** What the folder holds. */
  readonly record: AssembledStudy;
}

/**
 * Does what is not done, then assembles the study record from all that the folder holds.
 * @param write called with the record while no other process writes it
 */
export async function runStudy(
  prepared: PreparedStudy,
  options: RunStudyOptions,
  write: (record: AssembledStudy) => Promise<void>,
): Promise<StudyRun> {
  const { plan, inputs, engine } = prepared;
  const folder = new RunFolder(options.folder);
  await folder.create();
  const facts = await writeRunFile(prepared, folder, options.command);
  const { shard } = options;
  const outcome = await runPlan(plan, folder, options.executors ?? executorsOf(inputs, engine), {
    versions: facts.versions,
    ...(options.view ? { view: options.view } : {}),
    ...(shard ? { only: shardOf(plan, shard.index, shard.count) } : {}),
  });
  const lock = await waitForLock(folder.file('assemble.lock'), () => undefined);
  try {
    const whole = await collect(plan, folder, outcome);
    const bare = assemble(inputs, prepared, whole, facts);
    const record = { ...bare, tasks: await Promise.all(bare.tasks.map((task) => withThumbnails(inputs, task))) };
    await writeFileAtomic(folder.file('predictions.csv'), predictionsCsv(prepared, whole));
    await write(record);
    return { outcome, record };
  } finally {
    await lock.release();
  }
}

/** "0/4" -> process 0 of 4. @throws UserError for anything else. */
export function parseShard(text: string): { index: number; count: number } {
  const [, i, n] = /^(\d+)\/(\d+)$/.exec(text) ?? [];
  const [index, count] = [Number(i), Number(n)];
  if (i === undefined || count < 1 || index >= count) {
    throw new UserError(`--shard ${text} is not i/n with i from 0 to n - 1, for example --shard 0/4`);
  }
  return { index, count };
}

/** Everything that the folder knows of the plan's units, whoever did them. */
async function collect(
  plan: Plan,
  folder: RunFolder,
  own: RunOutcome,
): Promise<Pick<RunOutcome, 'records' | 'states' | 'errors'>> {
  const records = new Map<string, UnitRecord>();
  const states = new Map<string, UnitState>();
  const errors = new Map(own.errors);
  for (const unit of plan.units) {
    const record = await folder.record(unit.id);
    const failure = record ? undefined : await folder.failure(unit.id);
    if (record) records.set(unit.id, record);
    if (failure) errors.set(unit.id, failure.error);
    states.set(unit.id, record ? 'done' : failure ? 'failed' : 'not run');
  }
  return { records, states, errors };
}

/** run.json: all that is needed to repeat the run. Its time of start is that of the first call. */
async function writeRunFile({ plan, inputs, engine, remarks }: PreparedStudy, folder: RunFolder, command: string) {
  const { study, tasks, backbone, control } = inputs;
  const path = folder.file('run.json');
  const before = await readJson<{ startedAt?: string }>(path);
  const facts = {
    command,
    startedAt: before?.startedAt ?? new Date().toISOString(),
    versions: versionsOf(engine),
    engine: engine.name,
    device: `${engine.device}, ${engine.threads} threads`,
  };
  const file = {
    format: 'toehold-run',
    ...facts,
    config: study.config,
    budgets: study.budgets,
    scaledDown: [...study.scaledDown, ...remarks],
    backbones: [backbone, ...(control ? [control] : [])].map(({ model, ...rest }) => ({ ...rest, path: model.path })),
    tasks: tasks.map(({ name, root, classes, train, test, splits, trainKey, testKey, labelKey, budget, warnings }) => ({
      name,
      root,
      classes: classes.length,
      train: train.labels.length,
      test: test.labels.length,
      splits,
      labelBudget: budget,
      fingerprints: { train: trainKey, test: testKey, testLabels: labelKey },
      warnings,
    })),
    seeds: study.config.seeds,
    units: plan.units.map(({ id, kind, label, needs }) => ({ id, kind, label, needs })),
  };
  await writeFileAtomic(path, `${JSON.stringify(file, null, 1)}\n`);
  return facts;
}

async function withThumbnails(inputs: StudyInputs, record: AssembledStudy['tasks'][number]) {
  const task = inputs.tasks.find((t) => t.name === record.task);
  const thumbnails: Thumbnail[] =
    task && record.predictions
      ? await thumbnailsOf({
          classes: task.classes,
          labels: record.predictions.labels,
          methods: record.predictions.methods,
          files: task.test.examples.map((e) => ({ shown: e.file, image: e.image })),
        })
      : [];
  return { ...record, ...(thumbnails.length > 0 ? { thumbnails } : {}) };
}

/** What every method said of every test example. */
function predictionsCsv({ cells, inputs }: PreparedStudy, { records }: Pick<RunOutcome, 'records'>): string {
  const lines = ['task,method,seed,file,label,predicted,correct'];
  const quote = (text: string) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  for (const task of inputs.tasks) {
    for (const cell of cells.filter((c) => c.task === task.name)) {
      const score = records.get(cell.score.id)?.result as { predicted?: number[]; labels: number[] } | undefined;
      score?.predicted?.forEach((predicted, i) => {
        const label = score.labels[i] as number;
        lines.push(
          [
            quote(task.name),
            cell.method,
            cell.seed,
            quote(task.test.examples[i]?.file ?? ''),
            quote(task.classes[label] ?? String(label)),
            quote(task.classes[predicted] ?? String(predicted)),
            predicted === label ? 1 : 0,
          ].join(','),
        );
      });
    }
  }
  return `${lines.join('\n')}\n`;
}
