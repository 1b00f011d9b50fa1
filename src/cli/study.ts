/** What `run` and `demo` share: doing a study, its table, its JSON. */
import { join } from 'node:path';
import { formatSeconds, WorkError, writeFileAtomic } from '../base/index.js';
import type { Engine } from '../engine/index.js';
import {
  labelOf,
  parseStudy,
  type StudyRecord,
  studyFile,
  type WrittenReport,
  writeReportOf,
} from '../report/index.js';
import {
  createView,
  describePlan,
  type PreparedStudy,
  prepareStudy,
  runStudy,
  type StudyConfig,
} from '../study/index.js';
import { note, printJson, printText, table } from './output.js';

export interface StudyFlags {
  output: string;
  json?: boolean;
  quiet?: boolean;
  dryRun?: boolean;
  shard?: { index: number; count: number };
}

/** Prepares a study, says what people should know, and runs it or prints its plan. */
export async function doStudy(study: StudyConfig, engine: Engine, flags: StudyFlags, command: string): Promise<void> {
  const prepared = await prepareStudy(study, engine);
  for (const { name, splits, warnings } of prepared.inputs.tasks) {
    for (const warning of warnings) note(`warning: ${name}: ${warning}`);
    note(`note: ${name}: ${splits}`);
  }
  for (const remark of prepared.remarks) note(`note: ${remark}`);
  if (study.scaledDown.length > 0) note(`scaled down: ${study.scaledDown.join(' ')}`);
  if (flags.dryRun) {
    printPlan(prepared, flags.json === true);
    return;
  }
  let record_: StudyRecord | undefined;
  let report: WrittenReport | undefined;
  const { outcome } = await runStudy(
    prepared,
    {
      folder: flags.output,
      command,
      ...(flags.shard ? { shard: flags.shard } : {}),
      ...(flags.quiet ? {} : { view: createView() }),
    },
    async (record) => {
      record_ = parseStudy(record, 'study record');
      await writeFileAtomic(join(flags.output, studyFile), `${JSON.stringify(record_, null, 1)}\n`);
      report = await writeReportOf(record_, flags.output);
    },
  );
  const done = record_ as unknown as StudyRecord;
  const page = (report as unknown as WrittenReport).report;
  if (flags.json) printJson(summary(done, outcome.units, flags.output, page));
  else printText([...resultTable(done), '', `report: ${page}`]);
  const failures = [...outcome.errors].filter(([id]) => outcome.states.get(id) === 'failed');
  if (failures.length > 0) {
    throw new WorkError(
      `${failures.length} of ${outcome.units.total} units failed; run again to retry them: ${failures[0]?.[1]}`,
    );
  }
}

/** The contract's document for `run` and `demo`. */
function summary(study: StudyRecord, units: StudyRecord['units'], run: string, report: string) {
  return {
    run,
    report,
    units,
    tasks: study.tasks.map(({ task, domainAffinity, methods, recommendations }) => ({
      task,
      domainAffinity,
      methods: methods.map((m) =>
        m.status === 'done'
          ? { method: m.method, status: m.status, accuracy: m.accuracy, interval: m.interval, seconds: m.seconds }
          : m,
      ),
      recommendations,
    })),
    seconds: study.seconds,
  };
}

/** Methods down, tasks across; what was not measured says so. */
export function resultTable(study: StudyRecord): string[] {
  const methods = [...new Set(study.tasks.flatMap((t) => t.methods.map((m) => m.method)))];
  const percent = (v: number) => (100 * v).toFixed(1);
  const rows = methods.map((method) => [
    labelOf(method),
    ...study.tasks.map((task) => {
      const cell = task.methods.find((m) => m.method === method);
      if (cell?.status !== 'done') return cell?.status ?? 'not run';
      return `${percent(cell.accuracy)} ± ${percent((cell.interval[1] - cell.interval[0]) / 2)}${cell.failedToTrain ? ' (failed to train)' : ''}`;
    }),
  ]);
  const affinity = study.tasks.map(({ domainAffinity }) =>
    domainAffinity === undefined ? '' : percent(domainAffinity),
  );
  return [
    ...table(['test accuracy, %', ...study.tasks.map((t) => t.task)], [...rows, ['domain affinity', ...affinity]]),
    ...study.tasks.flatMap((task) =>
      (task.recommendations ?? []).map(
        (r) => `${task.task}${r.perClass === undefined ? '' : `, ${r.perClass} per class`}: ${r.sentence}`,
      ),
    ),
  ];
}

function printPlan(prepared: PreparedStudy, json: boolean): void {
  const plan = describePlan(prepared);
  if (json) {
    printJson(plan);
    return;
  }
  printText([
    ...table(
      ['units', '', 'expected'],
      plan.kinds.map((k) => [String(k.units), k.kind, formatSeconds(k.seconds)]),
    ),
    `${plan.units} units, about ${formatSeconds(plan.seconds)} on two cores`,
  ]);
}
