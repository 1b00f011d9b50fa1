/** What `run` and `demo` share: doing a study, its table, its JSON. */
import { basename, resolve } from 'node:path';
import { formatSeconds, given, type Share, textTable, WorkError } from '../base/index.js';
import type { Engine } from '../engine/index.js';
import { faultOf, type RunRecord } from '../record/index.js';
import { writeReportOf } from '../report/index.js';
import {
  createView,
  curvesOf,
  describePlan,
  type PreparedStudy,
  prepareStudy,
  type RunOutcome,
  runStudy,
  type StudyConfig,
  workOn,
} from '../study/index.js';
import { type Logger, writeCurves } from '../transfer/index.js';
import type { OutputFlags } from './flags.js';
import { budgetOf, type JobFlags, shareOf, startJobs } from './jobs.js';
import { note, printJson, printText } from './output.js';
import { terminalText } from './terminal.js';

export interface StudyFlags extends OutputFlags, JobFlags {
  json?: boolean;
  quiet?: boolean;
  dryRun?: boolean;
  log?: readonly Logger[];
  shard?: Share;
}

/** Prepares a study, says what people should know, and runs it or prints its plan. */
export async function doStudy(study: StudyConfig, engine: Engine, flags: StudyFlags, command: string): Promise<void> {
  const measure = flags.dryRun === true;
  await doPrepared(
    await prepareStudy(study, engine, { measure, ...(measure ? {} : { keep: flags.output }) }),
    flags,
    command,
  );
}

export async function doPrepared(prepared: PreparedStudy, flags: StudyFlags, command: string): Promise<void> {
  const { output: folder, shard } = flags;
  const own = shareOf(flags);
  if (own) {
    await workOn(prepared, { folder, shard, job: own, budget: budgetOf(flags) });
    return;
  }
  for (const { name, splits, warnings } of prepared.inputs.tasks) {
    note(`${name}: ${splits}`);
    for (const w of warnings) note(`warning: ${name}: ${w}`);
  }
  for (const remark of prepared.remarks) note(`note: ${remark}`);
  if (flags.dryRun) {
    printPlan(prepared, flags.json === true);
    noteNotDone(prepared);
    return;
  }
  const { memory } = flags;
  const large = memory === undefined ? [] : prepared.plan.units.filter((unit) => unit.memory > memory);
  if (large[0])
    note(`note: ${large.length} units are expected to need more than --memory and run alone: ${large[0].label}`);
  let page = '';
  const { share: job, budget, ended } = startJobs(flags);
  const { outcome, record } = await runStudy(
    prepared,
    {
      folder,
      command,
      shard,
      job,
      budget,
      ...(flags.quiet ? {} : { view: createView(flags.jobs) }),
    },
    async (found) => {
      page = await draw(prepared, found, flags);
    },
  );
  await ended();
  const { json = false } = flags;
  printStudy({ record, outcome, folder, page, json, prepared, madeOf: madeOf(prepared) });
}

/** What a study leaves out of its full form: said after the result, which it qualifies. */
function noteNotDone({ leftOut, inputs: { study } }: PreparedStudy): void {
  if (leftOut !== undefined) note(leftOut);
  if (study.scaledDown.length > 0) note(`scaled down: ${study.scaledDown.join(' ')}`);
}

/** Writes the report of a study, and its curves for other programs. @returns the page */
export async function draw(
  { plan }: Pick<PreparedStudy, 'plan'>,
  record: RunRecord,
  { output: folder, log = [] }: Pick<StudyFlags, 'output' | 'log'>,
): Promise<string> {
  const { report } = await writeReportOf(record, folder);
  for (const logger of log) await writeCurves(logger, folder, basename(resolve(folder)), await curvesOf(plan, folder));
  return report;
}

export interface PrintedStudy {
  readonly record: RunRecord;
  readonly outcome: Pick<RunOutcome, 'units' | 'errors' | 'states'>;
  readonly folder: string;
  readonly page: string;
  readonly json: boolean;
  readonly prepared: PreparedStudy;
  /** Its networks and data, for the document. */
  readonly madeOf?: object;
}

/** Prints what a study found. @throws WorkError where units failed, or what is fitted is at fault */
export function printStudy({ record, outcome, folder, page, json, prepared, madeOf = {} }: PrintedStudy): void {
  const { leftOut } = prepared;
  if (json) printJson({ ...summary(record, outcome.units, folder, page), ...given({ leftOut }), ...madeOf });
  else printText([terminalText(record), '', `report: ${page}`]);
  noteNotDone(prepared);
  const failures = [...outcome.errors].filter(([id]) => outcome.states.get(id) === 'failed');
  if (failures.length > 0) {
    throw new WorkError(
      `${failures.length} of ${outcome.units.total} units failed; run again to retry them: ${failures[0]?.[1]}`,
    );
  }
  const fault = faultOf(record);
  if (fault !== undefined) throw new WorkError(fault);
}

/** Networks and data of a study, by content, and where those with a name of a hub come from. */
function madeOf({ inputs: { networks, tasks } }: PreparedStudy) {
  return {
    backbones: networks.map(({ name, sha256, model: { origin, preprocessing } }) => ({
      name,
      sha256,
      ...given({ origin, preprocessing }),
    })),
    data: tasks.map(({ name, trainKey, testKey, origin }) => ({
      task: name,
      fingerprints: { train: trainKey, test: testKey },
      ...given({ origin }),
    })),
  };
}

/** The contract's document for `run` and `demo`. */
function summary(record: RunRecord, units: RunOutcome['units'], run: string, report: string) {
  return {
    run,
    report,
    units,
    tasks: record.tasks.map(({ task, domainAffinity, cells }) => ({
      task,
      domainAffinity: domainAffinity?.value,
      domainAffinityInterval: domainAffinity?.interval,
      methods: cells.map((cell) => {
        if (cell.status !== 'done') return cell;
        const { method, status, score, interval, seconds, converged, suspect } = cell;
        return { method, status, accuracy: score, interval, seconds, converged, suspect };
      }),
    })),
    ...(record.layerCopy
      ? { layerCopy: { levels: record.layerCopy.levels, contrasts: record.layerCopy.contrasts } }
      : {}),
    answer: record.answer,
    seconds: record.seconds,
  };
}

function printPlan(prepared: PreparedStudy, json: boolean): void {
  const plan = describePlan(prepared);
  if (json) {
    printJson({ ...plan, units: { total: plan.units } });
    return;
  }
  const { bytes, storeBytes, trainingSeconds, networksTimed, units, seconds, threads } = plan;
  const measured =
    trainingSeconds === undefined
      ? ''
      : `; training was measured: ${(1000 * trainingSeconds).toFixed(trainingSeconds < 0.01 ? 1 : 0)} ms an image and pass${networksTimed > 1 ? ' of the slowest network' : ''}`;
  const stores = storeBytes > 0 ? [`about ${gigabytes(storeBytes)} on disk for features`] : [];
  const room = bytes
    ? [
        `about ${gigabytes(bytes.disk)} on disk for networks that others start from, ${gigabytes(bytes.memory)} of memory while training`,
      ]
    : [];
  printText([
    ...textTable(
      ['units', '', 'expected'],
      plan.kinds.map((k) => [String(k.units), k.kind, formatSeconds(k.seconds)]),
    ),
    `${units} units, about ${formatSeconds(seconds)} in one process on ${threads} ${threads === 1 ? 'thread' : 'threads'}${measured}`,
    ...stores,
    ...room,
  ]);
}

const gigabytes = (bytes: number): string =>
  bytes < 1e8 ? `${Math.ceil(bytes / 1e6)} MB` : `${(bytes / 1e9).toFixed(bytes < 1e10 ? 1 : 0)} GB`;
