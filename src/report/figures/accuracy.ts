/** The score of every method on every task. */
import { list, type MethodCard, mainAnswer, percent, type RunRecord, type TaskRecord } from '../../record/index.js';
import { cardOf, metricOf, tableCards } from '../lookup.js';
import { type DrawnCell, doubts, isDrawn, nameOf, noteOn, reasonsOf, statusOf } from '../marks.js';
import { standalone } from '../svg.js';
import { color } from '../theme.js';
import { type Figure, hollowKey, keyOf } from './figure.js';
import {
  capital,
  filterParams,
  type MethodRow,
  methodEncodings,
  methodFilter,
  methodRow,
  nominal,
  percentAxis,
  points,
  quantitative,
  scoreCells,
  scoreColumns,
  scoreTips,
  taskFilter,
} from './parts.js';

/** A row of the figure: with a score, or with why there is none. */
type Row = {
  readonly task: string;
  readonly method: string;
  readonly label: string;
  readonly status: string;
} & Partial<MethodRow>;

/** Dots and intervals: one band per task, one row per method; cells without a score say so in their row. */
export function accuracyFigure(record: RunRecord): Figure | undefined {
  const methods = tableCards(record);
  const cells = record.tasks.flatMap((task) => task.cells);
  if (!cells.some(isDrawn)) return undefined;
  const rows = record.tasks.flatMap((task) => rowsOf(record, task));
  const metric = metricOf(record.tasks);
  const seeds = Math.max(...cells.map((c) => (c.status === 'done' ? (c.seeds?.length ?? 1) : 1)));
  const bounds = methods.filter((m) => m.role === 'bound').map((m) => m.label);
  return {
    id: 'accuracy',
    section: 'accuracy',
    group: 'accuracy',
    title: `${capital(metric)} ${record.tasks.length > 1 ? 'on each task' : 'of each method'}`,
    caption: [
      `Test ${metric} with its 95 % interval over test examples${seeds > 1 ? ', over seeds where there are several' : ''}.`,
      ...(bounds.length > 0
        ? [`Pale: ${list(bounds)}, which chooses by test labels: an upper bound, not a method.`]
        : []),
    ].join(' '),
    alt: highest(record),
    note: noteOn(record, cells),
    key: [...keyOf(methods), ...hollowKey(rows, reasonsOf(cells))],
    spec: specOf(
      rows,
      record.tasks.map((t) => t.task),
      methods,
      metric,
    ),
    wide: true,
    table: {
      id: 'accuracy',
      caption: `Test ${metric} (%) with 95 % interval; every method on every task`,
      columns: [{ title: 'task' }, { title: 'method' }, ...scoreColumns(metric), { title: 'status', wraps: true }],
      rows: record.tasks.flatMap((task) =>
        task.cells.map((c) => [
          task.task,
          nameOf(cardOf(record, c.method)),
          ...(c.status === 'done' ? [c.score, ...(c.interval ?? [undefined, undefined])] : scoreCells({})),
          statusOf(c),
        ]),
      ),
    },
  };
}

function rowsOf(record: RunRecord, task: TaskRecord): Row[] {
  return task.cells.map((cell) => ({
    task: task.task,
    method: cell.method,
    label: nameOf(cardOf(record, cell.method)),
    ...(isDrawn(cell)
      ? { status: 'done', ...methodRow(record, cell) }
      : { status: cell.status === 'done' ? (doubts(cell)[0] ?? 'no test score') : cell.status }),
  }));
}

function specOf(rows: readonly Row[], tasks: readonly string[], methods: readonly MethodCard[], metric: string) {
  const { color: colour, shape, opacity } = methodEncodings(methods, 5);
  const done = rows.filter((r): r is Row & MethodRow => r.score !== undefined);
  const y = {
    y: nominal('task', {
      sort: tasks,
      axis: {
        title: null,
        grid: true,
        tickBand: 'extent',
        labels: tasks.length > 1,
        labelColor: color('ink'),
        labelFontSize: 12.5,
      },
    }),
    yOffset: nominal('label', { sort: methods.map(nameOf) }),
  };
  const tooltip = [nominal('task'), nominal('label', { title: 'method' }), ...scoreTips(metric, done)];
  const x = { scale: { zero: false, nice: true }, axis: percentAxis(`test ${metric}`) };
  return standalone({
    width: 720,
    height: { step: 12.5, for: 'offset' },
    params: filterParams(tasks, methods),
    data: { values: rows },
    transform: [taskFilter, methodFilter],
    layer: [
      {
        transform: [{ filter: 'isValid(datum.low)' }],
        mark: { type: 'rule', strokeWidth: 1.6, opacity: 0.75 },
        encoding: { ...y, x: quantitative('low', x), x2: { field: 'high' }, color: colour, opacity, tooltip },
      },
      {
        transform: [{ filter: "datum.status === 'done'" }],
        layer: points(
          done,
          { size: 62 },
          { ...y, x: quantitative('score', x), color: colour, shape, opacity, tooltip },
        ),
      },
      {
        transform: [
          { filter: "datum.status !== 'done'" },
          { calculate: "datum.label + ': ' + datum.status", as: 'note' },
        ],
        mark: { type: 'text', align: 'left', fontStyle: 'italic', fontSize: 11, color: color('alert') },
        encoding: { ...y, x: { datum: Math.min(...done.map((r) => r.low ?? r.score)) }, text: nominal('note') },
      },
    ],
  });
}

/** The candidate with the highest score on each task. */
function highest(record: RunRecord): string {
  const best = record.tasks.flatMap((task) => {
    const method = mainAnswer(record.answer, task)?.best;
    const cell = task.cells.find((c): c is DrawnCell => c.method === method && isDrawn(c));
    return cell ? [`${task.task}: ${cardOf(record, cell.method).label} ${percent(cell.score)} %`] : [];
  });
  return best.length > 0 ? `Highest on ${list(best)}.` : 'Too little finished to name a highest score.';
}
