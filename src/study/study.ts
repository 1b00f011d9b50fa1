/** A study from its config to its record: prepare, run, assemble. */
import { csv, given, readJson, UserError, waitForLock } from '../base/index.js';
import { type Engine, versionsOf } from '../engine/index.js';
import { type RunRecord, recordFile, recordOf } from '../record/index.js';
import { assemble } from './assemble.js';
import { macsAt, readBackbones } from './backbones.js';
import type { StudyConfig } from './config/study-config.js';
import { RunFolder, resultOf, type UnitRecord } from './folder.js';
import { protocolNamed } from './load.js';
import { measuredPace, type TrainingPace } from './pace.js';
import { type Plan, shardOf, summarise } from './plan.js';
import { cellsOf, type StudyInputs, type StudyPlan } from './protocols/index.js';
import { type Executor, type Outcome, type RunOutcome, runPlan, type StudyView, type UnitState } from './runner.js';
import { knownNetworks } from './source-accuracy.js';
import { readTasks } from './tasks.js';
import { thumbnailsOf } from './thumbnails.js';
import { executorsOf } from './units/index.js';
import { scoring, training } from './units/kinds.js';

/** A study whose data and networks are there and whose work is laid out. */
export interface PreparedStudy extends StudyPlan {
  readonly inputs: StudyInputs;
}

/**
 * Reads data and networks and makes the plan.
 * @param measure training steps are timed first, for better estimates
 * @throws UserError before any work.
 */
export async function prepareStudy(
  study: StudyConfig,
  engine: Engine,
  { measure = false } = {},
): Promise<PreparedStudy> {
  const backbones = await readBackbones(study, engine);
  const tasks = await readTasks(study);
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
export function describePlan({ plan, bytes, inputs: { paces, networks, engine, study } }: PreparedStudy) {
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
    list: plan.units.map(({ id, kind, label, needs, seconds }) => ({ id, kind: kind.name, label, needs, seconds })),
  };
}

/** Index (from 0) and number of the processes that share a folder. */
export interface Share {
  readonly index: number;
  readonly count: number;
}

export interface RunStudyOptions {
  readonly folder: string;
  /** The command that was typed, for run.json. */
  readonly command: string;
  /** Does this share alone. */
  readonly shard?: Share | undefined;
  /** Does this share first, and then helps the processes that do the others. */
  readonly job?: Share | undefined;
  readonly view?: StudyView;
  /** Other executors than the real ones, for tests. */
  readonly executors?: readonly Executor[];
}

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
export async function runStudy(
  prepared: PreparedStudy,
  options: RunStudyOptions,
  draw: (record: RunRecord) => Promise<void> = async () => undefined,
): Promise<StudyRun> {
  const { plan, inputs } = prepared;
  const folder = new RunFolder(options.folder);
  await folder.create();
  const facts = await writeRunFile(prepared, folder, options.command);
  const outcome = await workOn(prepared, options);
  const lock = await waitForLock(folder.file('assemble.lock'), () => undefined);
  try {
    const whole = await collect(plan, folder, outcome);
    const record = await withThumbnails(inputs, recordOf(assemble(inputs, prepared, whole, facts)));
    await folder.write('predictions.csv', await predictionsCsv(prepared, whole));
    await folder.write(recordFile, `${JSON.stringify(record, null, 1)}\n`);
    await draw(record);
    return { outcome, record };
  } finally {
    await lock.release();
  }
}

/** Does what is not done of a study, and leaves its record to the process that was started for it. */
export async function workOn(prepared: PreparedStudy, options: Omit<RunStudyOptions, 'command'>): Promise<RunOutcome> {
  const { plan, inputs } = prepared;
  const { shard, job, view } = options;
  const unitsOf = ({ index, count }: Share) => shardOf(plan, index, count);
  return runPlan(
    plan,
    new RunFolder(options.folder),
    options.executors ?? [...executorsOf(inputs), ...(prepared.executors?.() ?? [])],
    {
      versions: versionsOf(inputs.engine),
      ...given({ view }),
      ...(shard ? { only: unitsOf(shard) } : {}),
      ...(job ? { first: unitsOf(job) } : {}),
    },
  );
}

/** "0/4" -> process 0 of 4. @throws UserError for anything else, naming the flag. */
export function parseShare(text: string, flag: string): Share {
  const [, i, n] = /^(\d+)\/(\d+)$/.exec(text) ?? [];
  const [index, count] = [Number(i), Number(n)];
  if (i === undefined || count < 1 || index >= count) {
    throw new UserError(`${flag} ${text} is not i/n with i from 0 to n - 1, for example ${flag} 0/4`);
  }
  return { index, count };
}

/** Everything that the folder knows of the plan's units, whoever did them. */
async function collect(plan: Plan, folder: RunFolder, own: RunOutcome): Promise<Outcome> {
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
async function writeRunFile({ plan, inputs, remarks }: PreparedStudy, folder: RunFolder, command: string) {
  const { study, tasks, networks, control, engine } = inputs;
  const before = (await readJson(folder.file('run.json'), 'delete it and run again')) as
    | { startedAt?: string }
    | undefined;
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
    units: plan.units.map(({ id, kind, label, needs }) => ({ id, kind: kind.name, label, needs })),
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

/** What every method said of every test example, at every number of labels. */
function predictionsCsv(prepared: PreparedStudy, { records }: Outcome): Promise<string> {
  const several = prepared.inputs.networks.length > 1;
  const rows = cellsOf(prepared).flatMap(({ task, network, perClass, cell }) => {
    const record = records.get(cell.score.id);
    const predicted = record && resultOf(scoring, record).predicted;
    const { classes, labels } = task.targets;
    const name = (c: number | undefined) => classes[c ?? -1] ?? String(c);
    return (predicted ?? []).map((top, i) => [
      task.name,
      ...(several ? [network] : []),
      cell.method,
      cell.seed,
      perClass,
      task.test.inputs[i]?.file,
      name(labels[i]),
      name(top),
      top === labels[i] ? 1 : 0,
    ]);
  });
  const columns = ['task', ...(several ? ['network'] : []), 'method'];
  return csv([...columns, 'seed', 'per class', 'file', 'label', 'predicted', 'correct'], rows);
}
