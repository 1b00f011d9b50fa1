/** What a terminal shows of a run. */
import { probeTable } from '../probe/index.js';
import { adviceOf, type LayerCopy, points, pointsInterval, type RunRecord, taskOf } from '../record/index.js';
import { copyTables, resultsTable, toText } from '../report/index.js';

/** As the commands print it, without a line break at the end. */
export function terminalText(record: RunRecord): string {
  return record.protocol === 'probe' ? probeTable(record) : studyText(record);
}

/** Its results, then its answer. */
function studyText(record: RunRecord): string {
  return [...(record.layerCopy ? copyLines(record.layerCopy) : resultLines(record)), '', ...answerLines(record)].join(
    '\n',
  );
}

/** Treatments down, numbers of layers across, for each kind of split. */
function copyLines(study: LayerCopy): string[] {
  return copyTables(study).flatMap((table) => [`${table.caption}:`, ...toText(table), '']);
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
  const { each, others } = adviceOf(answer);
  const tasks = each.map((task) => `${taskOf(task)}: ${task.advice}. ${task.sentence}`);
  return [
    answer.headline,
    ...(answer.tasks.length === 0 ? answer.deck : []),
    ...(answer.tasks.length > 1 ? tasks : []),
    ...(others ? [others] : []),
    ...answer.missing,
  ];
}
