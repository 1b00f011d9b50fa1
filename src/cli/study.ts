/** What `run` and `demo` share: doing a study, its table, its JSON. */
import { formatSeconds, textTable, WorkError } from '../base/index.js';
import type { Engine } from '../engine/index.js';
import { faultOf, points, pointsInterval, type RunRecord } from '../record/index.js';
import { resultsTable, toText, type WrittenReport, writeReportOf } from '../report/index.js';
import {
  createView,
  describePlan,
  type PreparedStudy,
  prepareStudy,
  type RunOutcome,
  runStudy,
  type StudyConfig,
} from '../study/index.js';
import { note, printJson, printText } from './output.js';

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
    note(`${name}: ${splits}`);
    for (const w of warnings) note(`warning: ${name}: ${w}`);
  }
  for (const remark of prepared.remarks) note(`note: ${remark}`);
  if (study.scaledDown.length > 0) note(`scaled down: ${study.scaledDown.join(' ')}`);
  if (flags.dryRun) {
    printPlan(prepared, flags.json === true);
    return;
  }
  let report: WrittenReport | undefined;
  const { outcome, record } = await runStudy(
    prepared,
    {
      folder: flags.output,
      command,
      ...(flags.shard ? { shard: flags.shard } : {}),
      ...(flags.quiet ? {} : { view: createView() }),
    },
    async (found) => {
      report = await writeReportOf(found, flags.output);
    },
  );
  const page = report?.report ?? '';
  if (flags.json) printJson(summary(record, outcome.units, flags.output, page));
  else printText([studyText(record), '', `report: ${page}`]);
  const failures = [...outcome.errors].filter(([id]) => outcome.states.get(id) === 'failed');
  if (failures.length > 0) {
    throw new WorkError(
      `${failures.length} of ${outcome.units.total} units failed; run again to retry them: ${failures[0]?.[1]}`,
    );
  }
  const fault = faultOf(record);
  if (fault !== undefined) throw new WorkError(fault);
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
    answer: record.answer,
    seconds: record.seconds,
  };
}

/** What a terminal shows of a study: its results and its answer. */
function studyText(record: RunRecord): string {
  return [...resultLines(record), '', ...answerLines(record)].join('\n');
}

/** Methods down, tasks across, as on the page; below them what the network knew of each task. */
function resultLines(record: RunRecord): string[] {
  const table = resultsTable(record);
  const affinity = record.tasks.map(({ domainAffinity: found }) =>
    found ? [points(found.value), ...(found.interval ? [pointsInterval(found.interval)] : [])].join(' ') : undefined,
  );
  const more = affinity.some(Boolean) ? [['domain affinity', ...affinity]] : [];
  return [`${table.caption}:`, ...toText({ ...table, rows: [...table.rows, ...more] })];
}

/** The one answer: its headline, then what it says of every task where there are several. */
function answerLines({ answer }: RunRecord): string[] {
  const tasks = answer.tasks.map(
    ({ task, perClass, advice, sentence }) =>
      `${task}${perClass === undefined ? '' : `, ${perClass} per class`}: ${advice}. ${sentence}`,
  );
  return [answer.headline, ...(tasks.length > 1 ? tasks : []), ...answer.missing];
}

function printPlan(prepared: PreparedStudy, json: boolean): void {
  const plan = describePlan(prepared);
  if (json) {
    printJson(plan);
    return;
  }
  printText([
    ...textTable(
      ['units', '', 'expected'],
      plan.kinds.map((k) => [String(k.units), k.kind, formatSeconds(k.seconds)]),
    ),
    `${plan.units} units, about ${formatSeconds(plan.seconds)} on two cores`,
  ]);
}
