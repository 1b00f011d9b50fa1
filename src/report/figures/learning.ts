/** What more labels buy: scores by training examples per class. */
import { type MethodCard, mainAnswer, type RunRecord, type TaskRecord } from '../../record/index.js';
import { byLabels, cardOf, cardsOf, metricOf } from '../lookup.js';
import { doubts, isDrawn, nameOf, noteOn, reasonsOf, statusOf } from '../marks.js';
import { standalone } from '../svg.js';
import { type Figure, hollowKey, keyOf } from './figure.js';
import {
  filterParams,
  type MethodRow,
  methodEncodings,
  methodFilter,
  methodRow,
  nominal,
  panelId,
  panelSize,
  percentAxis,
  points,
  quantitative,
  scoreCells,
  scoreColumns,
  scoreTips,
  soundLine,
} from './parts.js';

type Row = MethodRow & { readonly perClass: number };

export function learningFigure(record: RunRecord, task: TaskRecord): Figure | undefined {
  if (!task.curve) return undefined;
  // Of the task's own cells those that the curve leads to.
  const along = new Set(task.curve.flatMap((point) => point.cells.map((c) => c.method)));
  const cells = byLabels(task).flatMap(({ perClass, cells: own }) =>
    perClass === undefined ? [] : own.filter((c) => along.has(c.method)).map((cell) => ({ perClass, cell })),
  );
  const all = cells.map((c) => c.cell);
  const rows = cells.flatMap(({ perClass, cell }) => (isDrawn(cell) ? [{ ...methodRow(record, cell), perClass }] : []));
  const sizes = [...new Set(rows.map((r) => r.perClass))].sort((a, b) => a - b);
  if (sizes.length < 2) return undefined;
  const methods = cardsOf(
    record,
    rows.map((r) => r.method),
  );
  const metric = metricOf([task]);
  return {
    id: panelId('learning', task),
    section: 'learning',
    group: 'learning',
    task: task.task,
    title: 'Learning curves',
    caption: `Test ${metric} against training examples per class (log scale), with 95 % intervals. Above each: what is advised at these numbers of labels.`,
    alt: adviceBySize(record, task, sizes),
    note: noteOn(record, all),
    key: [...keyOf(methods), ...hollowKey(rows, reasonsOf(all))],
    spec: specOf(task, rows, sizes, methods),
    wide: false,
    table: {
      id: panelId('learning', task),
      caption: `${task.task}: test ${metric} (%) by training examples per class`,
      columns: [{ title: 'method' }, { title: 'per class' }, ...scoreColumns(metric), { title: 'status', wraps: true }],
      rows: cells.map(({ perClass, cell }) => [
        nameOf(cardOf(record, cell.method)),
        perClass,
        ...(cell.status === 'done' ? [cell.score, ...(cell.interval ?? [undefined, undefined])] : scoreCells({})),
        cell.status === 'done' && doubts(cell).length === 0 ? undefined : statusOf(cell),
      ]),
    },
  };
}

function specOf(task: TaskRecord, rows: readonly Row[], sizes: readonly number[], methods: readonly MethodCard[]) {
  const metric = metricOf([task]);
  const { color, shape, opacity } = methodEncodings(methods, 3);
  const x = quantitative('perClass', {
    scale: { type: 'log', nice: false, padding: 6 },
    axis: { title: 'training examples per class', grid: false, values: sizes, format: '~s', labelOverlap: true },
  });
  const axis = { axis: percentAxis(`test ${metric}`) };
  const y = quantitative('score', axis);
  const tooltip = [
    nominal('label', { title: 'method' }),
    quantitative('perClass', { title: 'per class' }),
    ...scoreTips(metric, rows),
  ];
  return standalone({
    width: panelSize.width,
    height: 240,
    params: filterParams([task.task], methods),
    data: { values: rows },
    transform: [methodFilter],
    layer: [
      {
        transform: [{ filter: '!datum.hollow && isValid(datum.low)' }],
        mark: { type: 'area', opacity: 0.09 },
        encoding: { x, y: quantitative('low', axis), y2: { field: 'high' }, color },
      },
      soundLine(rows, {}, { x, y, color }),
      ...points(rows, { size: 44 }, { x, y, color, shape, opacity, tooltip }),
    ],
  });
}

/** The record's advice along the curve: "1 to 5 per class: probe the last layer; 10 per class: fine-tune". */
function adviceBySize(record: RunRecord, task: TaskRecord, sizes: readonly number[]): string {
  const spans: { from: number; to: number; advice: string }[] = [];
  for (const size of sizes) {
    const advice = mainAnswer(record.answer, { task: task.task, perClass: size })?.advice ?? 'nothing to compare';
    const last = spans.at(-1);
    if (last?.advice === advice) last.to = size;
    else spans.push({ from: size, to: size, advice });
  }
  return spans
    .map(({ from, to, advice }) => `${from === to ? from : `${from} to ${to}`} per class: ${advice}`)
    .join('; ');
}
