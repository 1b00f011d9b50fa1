/** The study's own tables; every figure brings one more. */

import {
  compareOverTasks,
  duration,
  labelOf,
  percent,
  percentInterval,
  points,
  pValue,
  type StudyRecord,
} from '../record/index.js';
import { cellMethods } from './figures/figure.js';
import type { Table } from './table.js';

/** Methods down, tasks across: the table of the paper. */
export function resultsTable(study: StudyRecord): Table {
  return {
    id: 'results',
    caption: 'Test accuracy (%) [95 % interval]',
    columns: [{ title: 'method' }, ...study.tasks.map((t) => ({ title: t.task }))],
    rows: cellMethods(study).map((m) => [
      m.label,
      ...study.tasks.map((task) => {
        const cell = task.methods.find((c) => c.method === m.id);
        if (cell?.status !== 'done') return cell?.status;
        return `${percent(cell.accuracy)} ${percentInterval(cell.interval)}${cell.failedToTrain ? ' failed to train' : ''}`;
      }),
    ]),
  };
}

/** Every method against Linear and against Fine-tune, on every task. */
export function comparisonsTable(study: StudyRecord): Table {
  const methods = cellMethods(study).map((m) => m.id);
  const rows = ['linear', 'finetune'].flatMap((reference) =>
    methods.filter((m) => m !== reference).flatMap((m) => compareOverTasks(study, m, reference)),
  );
  const order = new Map(study.tasks.map((t, i) => [t.task, i]));
  rows.sort((a, b) => (order.get(a.task) as number) - (order.get(b.task) as number));
  return {
    id: 'comparisons',
    caption:
      'Differences in test accuracy (points) with 95 % intervals: paired bootstrap over test examples, or Newcombe’s interval where predictions were not kept; p: exact McNemar, or a permutation test with several seeds; Holm: corrected over tasks',
    columns: [
      { title: 'task' },
      { title: 'method' },
      { title: 'minus' },
      { title: 'difference', format: points },
      { title: 'low', format: points },
      { title: 'high', format: points },
      { title: 'p', format: pValue },
      { title: 'p (Holm)', format: pValue },
      { title: 'basis' },
    ],
    rows: rows.map((c) => [
      c.task,
      labelOf(c.method),
      labelOf(c.reference),
      c.difference,
      ...c.interval,
      c.p,
      c.pHolm,
      c.basis,
    ]),
  };
}

/** What each cell took. */
export function cellsTable(study: StudyRecord): Table {
  return {
    id: 'cells',
    caption: 'Validation accuracy (%), features and time of each cell',
    columns: [
      { title: 'task' },
      { title: 'method' },
      { title: 'seconds', format: duration, varies: true },
      { title: 'validation', format: percent },
      { title: 'features' },
      { title: 'layers' },
      { title: 'status' },
    ],
    rows: study.tasks.flatMap((task) =>
      task.methods.map((m) =>
        m.status === 'done'
          ? [
              task.task,
              labelOf(m.method),
              m.seconds,
              m.validation,
              m.features,
              m.taps,
              m.failedToTrain ? 'failed to train' : 'done',
            ]
          : [
              task.task,
              labelOf(m.method),
              undefined,
              undefined,
              undefined,
              undefined,
              m.error ? `${m.status}: ${m.error}` : m.status,
            ],
      ),
    ),
  };
}

/** What is advised on every task, at each number of labels where the study measured several; may be empty. */
export function recommendationsTable(study: StudyRecord): Table {
  return {
    id: 'recommendations',
    caption: 'The method advised, and whether the data can tell it from the others',
    columns: [
      { title: 'task' },
      { title: 'labels per class' },
      { title: 'method' },
      { title: 'certain' },
      { title: 'because' },
    ],
    rows: study.tasks.flatMap((task) =>
      (task.recommendations ?? []).map((r) => [
        task.task,
        r.perClass ?? 'all',
        labelOf(r.method),
        r.certain ? 'yes' : 'no',
        r.sentence,
      ]),
    ),
  };
}
