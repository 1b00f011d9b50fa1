/** The record's own tables; every figure brings one more. */
import {
  type Cell,
  type DoneCell,
  duration,
  integer,
  isUnbalanced,
  percent,
  percentInterval,
  points,
  pValue,
  type RunRecord,
  share,
  type TaskRecord,
} from '../record/index.js';
import { differenceColumns } from './columns.js';
import { copyRunsTable, copyTables } from './copy-tables.js';
import { byLabels, cardOf, metricOf, tableCards } from './lookup.js';
import { doubts, nameOf, statusOf } from './marks.js';
import { networkPairsTable, networksTable, regularisersTable } from './network-tables.js';
import { compact, type Table } from './table.js';

/** Every table that has rows. */
export function ownTables(record: RunRecord): Table[] {
  const all = [
    ...(record.layerCopy ? [...copyTables(record.layerCopy), copyRunsTable(record.layerCopy)] : []),
    ...(record.methods.length > 0 ? [resultsTable(record)] : []),
    regularisersTable(record),
    recommendationsTable(record),
    comparisonsTable(record),
    networkPairsTable(record),
    cellsTable(record),
    ratesTable(record),
    outputsTable(record),
    notesTable(record),
    tasksTable(record),
  ];
  return all.filter((t) => t.rows.length > 0);
}

/** Methods down, tasks across: the table of the paper. */
export function resultsTable(record: RunRecord): Table {
  if (record.networks) return networksTable(record, (cell, task) => resultText(cell, isUnbalanced(task)));
  const scored = record.tasks.some((t) => t.cells.some((c) => c.status === 'done' && c.score !== undefined));
  return {
    id: 'results',
    caption: scored ? `Test ${metricOf(record.tasks)} (%) [95 % interval]` : 'No cell has a test score',
    columns: [{ title: 'method' }, ...record.tasks.map((t) => ({ title: t.task }))],
    rows: tableCards(record).map((card) => [
      nameOf(card),
      ...record.tasks.map((task) =>
        resultText(
          task.cells.find((c) => c.method === card.id),
          isUnbalanced(task),
        ),
      ),
    ]),
  };
}

/** @param unbalanced whether balanced accuracy stands beside it */
function resultText(cell: Cell | undefined, unbalanced: boolean): string | undefined {
  if (cell?.status !== 'done') return cell?.status;
  const { score, interval, meanPerClass, validation } = cell;
  if (score === undefined)
    return `no test score${validation === undefined ? '' : `, validation ${percent(validation)}`}`;
  const balanced = unbalanced && meanPerClass !== undefined ? [`(balanced ${percent(meanPerClass)})`] : [];
  return [percent(score), ...(interval ? [percentInterval(interval)] : []), ...balanced, doubts(cell).join(', ')]
    .join(' ')
    .trim();
}

/** What is advised on every task, at each number of labels that was measured. */
export function recommendationsTable(record: RunRecord): Table {
  return compact({
    id: 'recommendations',
    caption:
      'The method advised, whether it is proven to be, and about how many more test examples would decide where it is not',
    columns: [
      { title: 'task' },
      { title: 'labels per class' },
      { title: 'method' },
      { title: 'advice', wraps: true },
      { title: 'decided' },
      { title: 'more test examples', format: integer },
      { title: 'because', wraps: true },
    ],
    rows: record.answer.tasks.map((t) => [
      t.task,
      t.perClass,
      t.method === undefined ? undefined : cardOf(record, t.method).label,
      t.advice,
      t.decided ? 'yes' : 'no',
      t.moreTestExamples,
      t.sentence,
    ]),
  });
}

/** Every comparison of the record. */
export function comparisonsTable(record: RunRecord): Table {
  return compact({
    id: 'comparisons',
    caption:
      'Differences of test scores (points) with the 95 % interval of each by itself, and the one that holds together with all others of the run (corrected), by which verdicts go; over test examples, by group where they have groups, and over seeds where there are several; independent: from the two scores alone, predictions were not kept. Baselines and bounds are compared with the simplest candidate, and not tested',
    columns: [
      { title: 'task' },
      { title: 'labels per class' },
      { title: 'method' },
      { title: 'minus' },
      ...differenceColumns,
      { title: 'p', format: pValue },
      { title: 'p, corrected', format: pValue },
      { title: 'basis' },
      { title: 'verdict' },
      { title: 'more test examples', format: integer },
    ],
    rows: record.answer.comparisons.map((c) => [
      c.task,
      c.perClass,
      nameOf(cardOf(record, c.method)),
      nameOf(cardOf(record, c.reference)),
      c.difference,
      ...c.interval,
      ...(c.corrected ?? [undefined, undefined]),
      c.p,
      c.pCorrected,
      c.basis,
      c.verdict,
      c.moreTestExamples,
    ]),
  });
}

const amount = (v: number) => v.toPrecision(3);
const figure = (v: number) => v.toFixed(3);

/** What each cell took and gave beside its score. */
export function cellsTable(record: RunRecord): Table {
  return compact({
    id: 'cells',
    caption:
      'Validation score (%, less what choosing settings by it has gained), further figures, size and time of each cell',
    columns: [
      { title: 'task' },
      { title: 'method' },
      { title: 'status', wraps: true },
      { title: 'seconds', format: duration, varies: true },
      { title: 'validation', format: percent },
      { title: 'validation, low', format: percent },
      { title: 'validation, high', format: percent },
      { title: 'validation, best of the grid', format: percent },
      { title: 'validation, balanced', format: percent },
      { title: 'balanced accuracy', format: percent },
      { title: 'balanced, low', format: percent },
      { title: 'balanced, high', format: percent },
      { title: 'macro F1', format: percent },
      { title: 'MAE', format: amount },
      { title: 'RMSE', format: amount },
      { title: 'Spearman', format: figure },
      { title: 'VOC 11-point', format: percent },
      { title: 'macro F1 of labels', format: percent },
      { title: 'micro F1', format: percent },
      { title: 'log loss', format: (v) => v.toFixed(3) },
      { title: 'calibration error', format: (v) => v.toFixed(3) },
      { title: 'temperature', format: (v) => v.toPrecision(3) },
      { title: 'features' },
      { title: 'layers' },
      { title: 'deepest layer' },
      { title: 'share of the network', format: share },
      { title: 'settings', wraps: true },
    ],
    rows: record.tasks.flatMap((task) =>
      task.cells.map((cell) => [
        task.task,
        nameOf(cardOf(record, cell.method)),
        statusOf(cell),
        ...(cell.status === 'done' ? figuresOf(cell) : []),
      ]),
    ),
  });
}

function figuresOf(cell: DoneCell) {
  const settings = Object.entries(cell.settings ?? {}).map(([name, value]) => `${name} ${value}`);
  return [
    cell.seconds,
    cell.validation,
    ...(cell.validationInterval ?? [undefined, undefined]),
    cell.validationBest,
    cell.validationMeanPerClass,
    cell.meanPerClass,
    ...(cell.meanPerClassInterval ?? [undefined, undefined]),
    cell.macroF1,
    cell.values?.mae,
    cell.values?.rmse,
    cell.values?.spearman,
    cell.labels?.vocMAP,
    cell.labels?.macroF1,
    cell.labels?.microF1,
    cell.logLoss,
    cell.calibrationError,
    cell.temperature,
    cell.features,
    cell.taps,
    cell.network?.deepestTap,
    cell.network?.macsShare,
    settings.join(', ') || undefined,
  ];
}

/** Every run that tried a learning rate, and which was taken. */
export function ratesTable(record: RunRecord): Table {
  const rows = record.tasks.flatMap((task) =>
    byLabels(task).flatMap(({ perClass, cells }) =>
      cells.flatMap((cell) => {
        if (cell.status !== 'done' || !cell.rates) return [];
        const longest = Math.max(...cell.rates.map((r) => r.epochs));
        return cell.rates.map(({ learningRate, epochs, validation }) => [
          task.task,
          perClass,
          nameOf(cardOf(record, cell.method)),
          learningRate,
          epochs,
          validation,
          validation === undefined ? 'diverged' : undefined,
          epochs === longest && learningRate === cell.settings?.learningRate ? 'yes' : undefined,
        ]);
      }),
    ),
  );
  return compact({
    id: 'learning-rates',
    caption:
      'Learning rates tried on validation examples (%), with the first seed: the better half of each length is tried anew for twice as long; all seeds then train on every training example at the rate that was best at the greatest length',
    columns: [
      { title: 'task' },
      { title: 'labels per class' },
      { title: 'method' },
      { title: 'learning rate' },
      { title: 'epochs' },
      { title: 'validation', format: percent },
      { title: 'remark' },
      { title: 'chosen' },
    ],
    rows,
  });
}

/** Every value, or every label, by itself, of each method. */
export function outputsTable(record: RunRecord): Table {
  const rows = record.tasks.flatMap((task) => {
    const { target } = task;
    if (target.kind === 'class') return [];
    return task.cells.flatMap((cell) => {
      if (cell.status !== 'done') return [];
      const name = nameOf(cardOf(record, cell.method));
      const values = (cell.values?.outputs ?? []).map((own, k) => [
        ...[task.task, target.outputs[k], name, own.r2, own.mae, own.rmse, own.spearman],
      ]);
      const labels = (cell.labels?.outputs ?? []).map((own, k) => [
        ...[task.task, target.outputs[k], name, undefined, undefined, undefined, undefined],
        ...[own.positive, own.averagePrecision, own.f1, own.logLoss, own.calibrationError],
      ]);
      return [...values, ...labels];
    });
  });
  return compact({
    id: 'outputs',
    caption: 'Test scores of each value and of each label by itself; errors of values are in their own unit',
    columns: [
      { title: 'task' },
      { title: 'output' },
      { title: 'method' },
      { title: 'R² (%)', format: percent },
      { title: 'MAE', format: amount },
      { title: 'RMSE', format: amount },
      { title: 'Spearman', format: figure },
      { title: 'examples', format: integer },
      { title: 'average precision (%)', format: percent },
      { title: 'F1 (%)', format: percent },
      { title: 'log loss', format: figure },
      { title: 'calibration error', format: figure },
    ],
    rows,
  });
}

/** What methods have to say about their cells, and why a score cannot be right. */
export function notesTable(record: RunRecord): Table {
  const rows = record.tasks.flatMap((task) =>
    byLabels(task).flatMap(({ perClass, cells }) =>
      cells.flatMap((cell) => {
        if (cell.status !== 'done') return [];
        const notes = [...(cell.suspect === undefined ? [] : [`suspect: ${cell.suspect}`]), ...cell.notes];
        return notes.map((note) => [task.task, perClass, nameOf(cardOf(record, cell.method)), note]);
      }),
    ),
  );
  return compact({
    id: 'notes',
    caption: 'Notes on single cells',
    columns: [{ title: 'task' }, { title: 'labels per class' }, { title: 'method' }, { title: 'note', wraps: true }],
    rows,
  });
}

/** The data of each task. */
export function tasksTable(record: RunRecord): Table {
  const row = ({ task, target, examples, domainAffinity, split }: TaskRecord) => [
    task,
    target.kind === 'class' ? target.classes.length : undefined,
    target.kind === 'regression' ? target.outputs.length : undefined,
    target.kind === 'multilabel' ? target.outputs.length : undefined,
    examples.train,
    examples.validation,
    examples.test,
    examples.groups,
    examples.folds,
    domainAffinity?.value,
    domainAffinity?.interval?.[0],
    domainAffinity?.interval?.[1],
    target.metric,
    split,
  ];
  return compact({
    id: 'tasks',
    caption: 'Examples of each task, and how they were split',
    columns: [
      { title: 'task' },
      { title: 'classes' },
      { title: 'values' },
      { title: 'labels' },
      { title: 'training' },
      { title: 'of these validation' },
      { title: 'test' },
      { title: 'groups' },
      { title: 'folds' },
      { title: 'domain affinity, points', format: points },
      { title: 'affinity, low', format: points },
      { title: 'affinity, high', format: points },
      { title: 'metric' },
      { title: 'split', wraps: true },
    ],
    rows: record.tasks.map(row),
  });
}
