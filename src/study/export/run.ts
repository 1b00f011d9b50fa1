/** What of a run folder can be exported: networks that it trained, and probes, which are fitted again as its units were. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { claimFolder, nameForFile, readJson, UserError, WorkError } from '../../base/index.js';
import type { Engine } from '../../engine/index.js';
import {
  probeDefaults,
  probeRecord,
  runProbes,
  selectMethods,
  sourceDefaults,
  taskFromStore,
  valuedRecord,
  writeProbeRun,
  writeValued,
} from '../../probe/index.js';
import { type RunRecord, readRecord, recordFile } from '../../record/index.js';
import { RunFolder, resultOf, type UnitRecord } from '../folder.js';
import { extraction, probe, training } from '../units/kinds.js';
import { fitValued } from '../units/probe.js';

/** Which result of a run is exported. */
export interface RunChoice {
  /** By default the one that the answer advises. */
  readonly method?: string | undefined;
  /** Where the run has several. */
  readonly task?: string | undefined;
}

/** A folder of a probe, or the file of a trained network. */
export type Exportable =
  | { readonly kind: 'probe'; readonly folder: string; readonly method: string }
  | { readonly kind: 'trained'; readonly file: string; readonly title: string; readonly network: string };

const RunFile = z.looseObject({
  format: z.literal('toehold-run'),
  units: z.array(z.looseObject({ id: z.string(), kind: z.string(), label: z.string() })),
});

/** What a folder holds: a study, the run of a training, or something else, as its files say. */
export async function folderKind(folder: string): Promise<'study' | 'training' | undefined> {
  const marked = (await readFile(join(folder, '.toehold'), 'utf8').catch(() => '')).trim();
  if (marked === 'a study' || existsSync(join(folder, 'run.json'))) return 'study';
  return marked === 'a training run' && existsSync(join(folder, 'model.onnx')) ? 'training' : undefined;
}

/**
 * Finds a method of a study; a probe is fitted again, once, with the settings and on the features of its unit.
 * @param progress of that
 * @throws UserError for a method or task that the run has not, naming those that it has
 */
export async function exportableOf(
  engine: Engine,
  folder: string,
  choice: RunChoice,
  progress: (note: string) => void = () => undefined,
): Promise<Exportable> {
  const record = await readRecord(folder);
  const task = taskOf(record, folder, choice.task);
  const method = methodOf(record, task, choice.method);
  const run = new RunFolder(folder);
  const parsed = RunFile.safeParse(await readJson(run.file('run.json'), 'run the study again'));
  if (!parsed.success)
    throw new UserError(`${folder} is not the folder of a study: it has no run.json of this version`);
  const units = await unitsOf(run, parsed.data.units, task, method);
  const [trained] = units.filter(({ kind }) => kind === training.name);
  if (trained) {
    const { model } = resultOf(training, trained);
    const file = join(run.unit(trained.id), model);
    if (!existsSync(file)) throw new UserError(`${file} is gone: delete units/${trained.id} and run the study again`);
    return { kind: 'trained', file, title: task, network: record.backbone };
  }
  const [fitted] = units.filter(({ kind }) => kind === probe.name);
  if (!fitted) throw new UserError(`${folder} has no finished unit of ${method} on ${task}: run the study again`);
  return {
    kind: 'probe',
    method,
    folder: await probeFolder(engine, run, record, { unit: fitted, task, method, progress }),
  };
}

/** Units of a method on a task that are done, in the run's order. */
async function unitsOf(
  run: RunFolder,
  units: readonly { readonly id: string; readonly label: string }[],
  task: string,
  method: string,
): Promise<UnitRecord[]> {
  const mine = units.filter(({ label }) => label === `${task}: ${method}` || label.startsWith(`${task}: ${method},`));
  const records = await Promise.all(mine.map(({ id }) => run.record(id)));
  const all = records.filter((record) => record !== undefined);
  // Those of all examples first, where a learning curve was measured as well.
  const isPart = ({ inputs }: UnitRecord) => Number((inputs as { subset?: unknown } | null)?.subset != null);
  return all.sort((a, b) => isPart(a) - isPart(b));
}

function taskOf({ tasks }: RunRecord, folder: string, wanted: string | undefined): string {
  const names = [...new Set(tasks.map(({ task }) => task))];
  const [only] = names;
  if (wanted === undefined && names.length === 1 && only !== undefined) return only;
  if (wanted !== undefined && names.includes(wanted)) return wanted;
  const said = wanted === undefined ? `has ${names.length} tasks` : `has no task '${wanted}'`;
  throw new UserError(`${folder} ${said}: name one with --task, of ${names.join(', ')}`);
}

function methodOf({ answer, tasks, methods }: RunRecord, task: string, wanted: string | undefined): string {
  const done = tasks.find((t) => t.task === task)?.cells.flatMap((c) => (c.status === 'done' ? [c.method] : [])) ?? [];
  const method = wanted ?? answer.tasks.find((a) => a.task === task)?.method ?? done[0];
  if (method !== undefined && done.includes(method)) return method;
  const known = methods.filter(({ id, role }) => role === 'candidate' && done.includes(id)).map(({ id }) => id);
  throw new UserError(`no result of '${method}' on ${task} can be exported: name one with -m, of ${known.join(', ')}`);
}

interface ProbeToFit {
  readonly unit: UnitRecord;
  readonly task: string;
  readonly method: string;
  readonly progress: (note: string) => void;
}

/** The folder of the unit's probe, beside the units: written the first time. */
async function probeFolder(
  engine: Engine,
  run: RunFolder,
  record: RunRecord,
  { unit, task, method, progress }: ProbeToFit,
): Promise<string> {
  const folder = run.file('probes', nameForFile(`${task} ${method}`, []));
  if (existsSync(join(folder, recordFile))) return folder;
  const inputs = probe.inputs.parse(unit.inputs);
  const { options, seed, subset, target } = inputs;
  const measured = record.tasks.find((t) => t.task === task);
  if (subset !== null || measured?.examples.validation !== undefined) {
    const why = subset === null ? 'was tuned on a validation split' : 'learned from a part of the examples';
    throw new UserError(
      `${method} on ${task} ${why}, which the features of the run do not tell: run toehold extract and toehold probe, and export that`,
    );
  }
  const [store, second] = (await Promise.all(unit.needs.map((id) => run.record(id)))).flatMap((need) =>
    need?.kind === extraction.name ? [run.file(resultOf(extraction, need).store)] : [],
  );
  if (store === undefined) throw new WorkError(`${unit.label} needs no features`);
  await claimFolder(folder, 'probes');
  const { normalisation = probeDefaults.normalisation, rankWindows: _, ...given } = options;
  const read = await taskFromStore(store, { ...sourceDefaults, normalisation, holdout: 0 }, second);
  const command = `toehold export ${run.path} -m ${method}`;
  if (target) {
    const found = await fitValued(engine, read, target, inputs, progress);
    const { folds = probeDefaults.folds } = options;
    const own = valuedRecord(engine, found, { command, options: { folds, seed, normalisation } });
    await writeValued(found, own, normalisation, folder);
    return folder;
  }
  const { task: features, ...scored } = read;
  // What is measured beside a fit is in the study's record.
  const settings = { ...given, normalisation, seed, repetitions: 0, leaveOut: 0, progress };
  const result = await runProbes(engine, features, selectMethods(method), settings);
  await writeProbeRun(result, probeRecord(engine, result, scored, command), undefined, folder);
  return folder;
}
