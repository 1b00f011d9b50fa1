/** A study from its config to its record: prepare, run, assemble. */
import { setTimeout as sleep } from 'node:timers/promises';
import { given, readJson, type Share, UserError, WorkError, waitForLock } from '../base/index.js';
import { type Engine, versionsOf } from '../engine/index.js';
import { type RunRecord, recordFile, recordOf } from '../record/index.js';
import { assemble, gaveUpIn, type RunFacts } from './assemble.js';
import { macsAt, readBackbones, storeBytes } from './backbones.js';
import type { Budget } from './budget.js';
import type { StudyConfig } from './config/study-config.js';
import { RunFolder, type UnitRecord } from './folder.js';
import { shardOf } from './jobs.js';
import { Kept } from './kept.js';
import { protocolNamed } from './load.js';
import { measuredPace, type TrainingPace } from './pace.js';
import { type Plan, summarise } from './plan.js';
import { predictionsCsv, valuesCsv } from './predictions.js';
import type { StudyInputs, StudyPlan } from './protocols/index.js';
import { type Executor, type Outcome, type RunOutcome, runPlan, type StudyView, type UnitState } from './runner.js';
import { knownNetworks } from './source-accuracy.js';
import { readTasks } from './tasks.js';
import { thumbnailsOf } from './thumbnails.js';
import { executorsOf } from './units/index.js';
import { extraction, training } from './units/kinds.js';

/** A study whose data and networks are there and whose work is laid out. */
export interface PreparedStudy extends StudyPlan {
  readonly inputs: StudyInputs;
}

export interface PrepareOptions {
  /** Training steps are timed first, for better estimates. */
  readonly measure?: boolean;
  /** The run folder, where what is found out of images and networks is kept for other processes. */
  readonly keep?: string | undefined;
}

/**
 * Reads data and networks and makes the plan.
 * @throws UserError before any work.
 */
export async function prepareStudy(
  study: StudyConfig,
  engine: Engine,
  { measure = false, keep }: PrepareOptions = {},
): Promise<PreparedStudy> {
  const kept = new Kept(keep);
  const backbones = await readBackbones(study, engine, kept);
  const tasks = await readTasks(study, kept);
  const known = study.budgets.networks === 'all' ? await knownNetworks(study) : undefined;
  const inputs: StudyInputs = { study, tasks, ...backbones, engine, ...given({ known }) };
  const lay = (of: StudyInputs) => ({ ...protocolNamed(study.config.protocol).plan(of), inputs: of });
  const laid = lay(inputs);
  if (!measure) return laid;
  // Only networks that are trained are timed.
  const trainedHere = new Set(
    laid.plan.units.flatMap((u) => (u.kind.name === training.name ? u.sources.backbone : [])),
  );
  const paces = new Map<string, TrainingPace>();
  for (const network of backbones.networks.filter(({ name, fresh }) => fresh || trainedHere.has(name))) {
    paces.set(network.name, await measuredPace(engine, network, study.budgets.train));
  }
  return lay({ ...inputs, paces });
}

/** Units and expected time by kind: what --dry-run prints. */
export function describePlan({ plan, bytes, inputs }: PreparedStudy) {
  const { paces, networks, engine, study } = inputs;
  const kinds = summarise(plan);
  const images = networks.flatMap((network) => {
    const pace = paces?.get(network.name);
    return pace ? [3 * macsAt(network, study.budgets.train.size) * pace.perMac] : [];
  });
  return {
    units: plan.units.length,
    threads: engine.threads,
    /** Per image and pass, where it was measured; of several networks the slowest. */
    networksTimed: images.length,
    trainingSeconds: images.length > 0 ? Math.max(...images) : undefined,
    seconds: kinds.reduce((sum, k) => sum + k.seconds, 0),
    kinds,
    ...given({ bytes }),
    /** Of all feature stores, as they are written. */
    storeBytes: storedBytes(plan, inputs),
    list: plan.units.map(({ id, kind, label, needs, seconds }) => ({ id, kind: kind.name, label, needs, seconds })),
  };
}

/** Bytes of the feature stores that a plan's extractions leave. */
function storedBytes(plan: Plan, { tasks, networks, control }: StudyInputs): number {
  let bytes = 0;
  for (const { kind, sources } of plan.units) {
    if (kind.name !== extraction.name) continue;
    const task = tasks.find(({ name }) => name === sources.task);
    const backbone = [...networks, ...(control ? [control] : [])].find(({ name }) => name === sources.backbone);
    const images = (task?.train.labels.length ?? 0) + (task?.test.inputs.length ?? 0);
    if (backbone) bytes += storeBytes(backbone, images);
  }
  return bytes;
}

/** How a study is run. */
export interface RunStudyOptions {
  readonly folder: string;
  /** The command that was typed, for run.json. */
  readonly command: string;
  /** Does this share alone. */
  readonly shard?: Share | undefined;
  /** Does this share first, and then helps the processes that do the others. */
  readonly job?: Share | undefined;
  readonly budget?: Budget | undefined;
  readonly view?: StudyView;
  /** Other executors than the real ones, for tests. */
  readonly executors?: readonly Executor[];
}

/** What a run of a study came to. */
export interface StudyRun {
  /** What this process did. */
  readonly outcome: RunOutcome;
  /** What the folder holds. */
  readonly record: RunRecord;
}

/**
 * Does what is not done, then writes the record of all that the folder holds.
 * @param draw called with the record while no other process writes in the folder
 */
export async function runStudy(prepared: PreparedStudy, options: RunStudyOptions, draw?: Draw): Promise<StudyRun> {
  const facts = await writeRunFile(prepared, options);
  const outcome = await workOn(prepared, options);
  return { outcome, record: await recordTheRun(prepared, options.folder, facts, outcome.errors, draw) };
}

/** Draws a record, while no other process writes in the folder. */
type Draw = (record: RunRecord) => Promise<void>;

/**
 * Writes the record of what the folder holds, and does no unit.
 * @param errors sentences on units that left none themselves: their process died
 */
export async function assembleRun(
  prepared: PreparedStudy,
  options: Pick<RunStudyOptions, 'folder' | 'command'>,
  errors: ReadonlyMap<string, string> = new Map(),
  draw?: Draw,
): Promise<StudyRun> {
  const facts = await writeRunFile(prepared, options);
  const record = await recordTheRun(prepared, options.folder, facts, errors, draw);
  const found = await collect(prepared.plan, new RunFolder(options.folder), errors);
  const count = (state: UnitState) => [...found.states.values()].filter((s) => s === state).length;
  const done = count('done');
  const units = { total: prepared.plan.units.length, done, failed: count('failed'), cached: done };
  return { outcome: { ...found, units }, record };
}

async function recordTheRun(
  prepared: PreparedStudy,
  path: string,
  facts: RunFacts,
  errors: ReadonlyMap<string, string>,
  draw: Draw = async () => undefined,
): Promise<RunRecord> {
  const { plan, inputs } = prepared;
  const folder = new RunFolder(path);
  const lock = await waitForLock(folder.file('assemble.lock'), () => undefined);
  try {
    const whole = await collect(plan, folder, errors);
    const record = await withThumbnails(inputs, recordOf(assemble(inputs, prepared, whole, facts)));
    await folder.write('predictions.csv', await predictionsCsv(prepared, whole));
    if (prepared.tasks.some(({ task }) => task.valued))
      await folder.write('predicted-values.csv', await valuesCsv(prepared, whole));
    await folder.write(recordFile, `${JSON.stringify(record, null, 1)}\n`);
    await draw(record);
    return record;
  } finally {
    await lock.release();
  }
}

/** Does what is not done of a study, and leaves its record to the process that was started for it. */
export async function workOn(prepared: PreparedStudy, options: Omit<RunStudyOptions, 'command'>): Promise<RunOutcome> {
  const { plan } = prepared;
  const { shard, job, budget, view } = options;
  const unitsOf = ({ index, count }: Share) => shardOf(plan, index, count);
  return runPlan(plan, new RunFolder(options.folder), executorsFor(prepared, options), {
    versions: versionsOf(prepared.inputs.engine),
    threads: prepared.inputs.engine.threads,
    accelerators: prepared.inputs.engine.accelerators,
    ...given({ budget, view }),
    ...(shard ? { only: unitsOf(shard) } : {}),
    ...(job ? { first: unitsOf(job) } : {}),
  });
}

const executorsFor = (
  prepared: PreparedStudy,
  { executors }: Pick<RunStudyOptions, 'executors'>,
): readonly Executor[] => executors ?? [...executorsOf(prepared.inputs), ...(prepared.executors?.() ?? [])];

/** Which units of a study are done. */
export interface UnitsOptions extends Pick<RunStudyOptions, 'folder' | 'view' | 'executors'> {
  readonly ids: readonly string[];
  /** Also does what they need, where it is not done. */
  readonly needs?: boolean | undefined;
  /** How long the records of needs are waited for: a file system of a network shows them late. */
  readonly patienceSeconds?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Does some units and nothing else: what a job does.
 * @throws UserError for a unit that is not of this plan; WorkError where one needs a unit that is not done
 */
export async function doUnits(prepared: PreparedStudy, options: UnitsOptions): Promise<RunOutcome> {
  const { plan, inputs } = prepared;
  const { ids, needs = false, patienceSeconds = 30, view, signal } = options;
  const folder = new RunFolder(options.folder);
  const only = new Set(ids);
  const known = new Map(plan.units.map((unit) => [unit.id, unit]));
  for (const id of only) {
    if (known.has(id)) continue;
    throw new UserError(
      `this study has no unit '${id}': its config, data, threads or version are not those that it was planned with; toehold plan lists its units`,
    );
  }
  const wanted = new Set([...only].flatMap((id) => known.get(id)?.needs ?? []).filter((id) => !only.has(id)));
  const until = performance.now() + 1000 * patienceSeconds;
  for (const id of needs ? [] : wanted) {
    while ((await folder.record(id)) === undefined) {
      if (performance.now() > until) {
        throw new WorkError(`'${known.get(id)?.label}' is needed and not done: do unit ${id} first, or add --needs`);
      }
      await sleep(500);
    }
  }
  return runPlan(plan, folder, executorsFor(prepared, options), {
    versions: versionsOf(inputs.engine),
    ...given({ view, signal }),
    only,
    strictly: !needs,
  });
}

/**
 * Everything that the folder knows of the plan's units, whoever did them.
 * @param told sentences on units that the folder may say nothing of
 */
async function collect(plan: Plan, folder: RunFolder, told: ReadonlyMap<string, string>): Promise<Outcome> {
  const records = new Map<string, UnitRecord>();
  const states = new Map<string, UnitState>();
  const errors = new Map(told);
  for (const unit of plan.units) {
    const record = await folder.record(unit.id);
    const failure = record ? undefined : await folder.failure(unit.id);
    const blocker = unit.needs.find((id) => errors.has(id));
    if (record) {
      records.set(unit.id, record);
      errors.delete(unit.id);
    } else if (failure) errors.set(unit.id, failure.error);
    else if (blocker !== undefined && !errors.has(unit.id)) {
      errors.set(unit.id, `needs '${plan.units.find(({ id }) => id === blocker)?.label}'`);
    }
    const lost = !record && blocker === undefined && told.has(unit.id);
    states.set(unit.id, record ? 'done' : failure || lost ? 'failed' : 'not run');
  }
  return { records, states, errors };
}

/** A task as run.json has it. */
interface KnownTask {
  readonly name: string;
  readonly fingerprints: { readonly train: string; readonly test: string; readonly testLabels: string };
}

/** @throws UserError where data that are said to have moved are others than those that the run began with */
function checkMoved({ study, tasks }: StudyInputs, known: readonly KnownTask[]): void {
  if (!study.moved) return;
  for (const { name, root, trainKey, testKey, labelKey } of tasks) {
    const before = known.find((task) => task.name === name)?.fingerprints;
    const now = { train: trainKey, test: testKey, testLabels: labelKey };
    const other = (['train', 'test', 'testLabels'] as const).find((part) => before && before[part] !== now[part]);
    if (other === undefined) continue;
    const what = { train: 'training images or labels', test: 'test images', testLabels: 'test labels' }[other];
    throw new UserError(
      `task '${name}': ${root} has other ${what} than this run began with: give --data the folder that was moved, or choose another run folder with -o`,
    );
  }
}

/** run.json: all that is needed to repeat the run. Its time of start is that of the first call. */
export async function writeRunFile(
  { plan, inputs, remarks, leftOut }: PreparedStudy,
  { folder: path, command }: Pick<RunStudyOptions, 'folder' | 'command'>,
): Promise<RunFacts> {
  const { study, tasks, networks, control, engine } = inputs;
  const folder = new RunFolder(path);
  await folder.create();
  const before = (await readJson(folder.file('run.json'), 'delete it and run again')) as
    | { startedAt?: string; tasks?: readonly KnownTask[] }
    | undefined;
  checkMoved(inputs, before?.tasks ?? []);
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
    scaledDown: gaveUpIn({ study, leftOut, remarks }),
    backbones: [...networks, ...(control ? [control] : [])].map(({ model, ...rest }) => ({
      ...rest,
      path: model.path,
      ...given({ origin: model.origin }),
    })),
    tasks: tasks.map(
      ({ name, root, origin, classes, train, test, splits, trainKey, testKey, labelKey, budget, warnings }) => ({
        name,
        root,
        ...given({ origin }),
        classes: classes.length,
        train: train.labels.length,
        test: test.inputs.length,
        splits,
        labelBudget: budget,
        fingerprints: { train: trainKey, test: testKey, testLabels: labelKey },
        warnings,
      }),
    ),
    seeds: study.config.seeds,
    threads: engine.threads,
    units: plan.units.map(({ id, kind, label, needs, seconds }) => ({ id, kind: kind.name, label, needs, seconds })),
  };
  await folder.write('run.json', `${JSON.stringify(file, null, 1)}\n`);
  return facts;
}

async function withThumbnails({ tasks }: StudyInputs, record: RunRecord): Promise<RunRecord> {
  const drawn = await Promise.all(
    record.tasks.map(async (task) => {
      // Networks on one data set show the same images: one set is enough.
      if (task.dataset !== undefined) return task;
      const inputs = tasks.find((t) => t.name === task.task)?.test.inputs ?? [];
      const thumbnails = await thumbnailsOf(task, inputs, record.methods, record.answer);
      return { ...task, ...(thumbnails.length > 0 ? { thumbnails } : {}) };
    }),
  );
  return { ...record, tasks: drawn };
}
