/** Score against the cost of training. */
import { percent, quantity, type RunRecord, type TaskRecord } from '../../record/index.js';
import { cardsOf, metricOf } from '../lookup.js';
import { type DrawnCell, isDrawn, noteOn, reasonsOf } from '../marks.js';
import { standalone } from '../svg.js';
import { type Figure, hollowKey, keyOf } from './figure.js';
import {
  capital,
  decades,
  filterParams,
  type MethodRow,
  methodEncodings,
  methodFilter,
  methodRow,
  nominal,
  panelId,
  panelSize,
  points,
  quantitative,
  scoreAxis,
  scoreTips,
} from './parts.js';

interface Row extends MethodRow {
  readonly macs: number;
  readonly analysis: number | undefined;
  readonly bytes: number;
  readonly seconds: number;
}

type CostedCell = DrawnCell & Required<Pick<DrawnCell, 'cost'>>;

export function costFigure(record: RunRecord, task: TaskRecord): Figure | undefined {
  const cells = task.cells.filter((c): c is CostedCell => isDrawn(c) && c.cost !== undefined && c.cost.trainMacs > 0);
  if (cells.length < 2) return undefined;
  const rows: Row[] = cells.map((cell) => ({
    ...methodRow(record, cell),
    macs: cell.cost.trainMacs,
    analysis: cell.cost.analysisMacs,
    bytes: cell.cost.storedBytes,
    seconds: cell.seconds,
  }));
  const metric = metricOf([task]);
  return {
    id: panelId('cost', task),
    section: 'cost',
    group: 'cost',
    task: task.task,
    title: `${capital(metric)} against the cost of training`,
    // Records of version 0.1 count the last fit alone.
    caption: `Up and to the left is better. Multiply-adds count the extraction of features and ${rows.some((r) => r.analysis !== undefined) ? 'every fit: each setting in each fold, the final fit, and what analyses it, at the image sizes that were run' : 'every training step'}. The scale is logarithmic. Lines: 95 % intervals.`,
    alt: rows.map((r) => `${r.label} ${percent(r.score)} % for ${quantity(r.macs)} multiply-adds`).join(', '),
    finding: cheapestToDearest(rows),
    note: noteOn(record, cells),
    key: [
      ...keyOf(
        cardsOf(
          record,
          rows.map((r) => r.method),
        ),
      ),
      ...hollowKey(rows, reasonsOf(cells)),
    ],
    spec: specOf(record, task, rows),
    wide: false,
    table: {
      id: panelId('cost', task),
      caption: `${task.task}: cost of each method`,
      columns: [
        { title: 'method' },
        { title: metric, format: percent },
        { title: 'multiply-adds to train', format: (v) => quantity(v) },
        { title: 'of these to analyse it', format: (v) => quantity(v) },
        { title: 'bytes to keep', format: (v) => quantity(v, 'B') },
        { title: 'seconds', format: (v) => v.toFixed(1), varies: true },
      ],
      rows: rows.map((r) => [r.label, r.score, r.macs, r.analysis, r.bytes, r.seconds]),
    },
  };
}

function specOf(record: RunRecord, task: TaskRecord, rows: readonly Row[]) {
  const metric = metricOf([task]);
  const methods = cardsOf(
    record,
    rows.map((r) => r.method),
  );
  const { color, shape, opacity } = methodEncodings(methods, 3);
  const macs = rows.map((r) => r.macs);
  const x = quantitative('macs', {
    scale: { type: 'log', padding: 10 },
    axis: {
      title: 'multiply-adds to train',
      grid: false,
      format: '~s',
      values: decades(Math.min(...macs), Math.max(...macs)),
      labelOverlap: true,
    },
  });
  const axis = scoreAxis(`test ${metric}`);
  const tooltip = [
    nominal('label', { title: 'method' }),
    ...scoreTips(metric, rows),
    quantitative('macs', { format: '.3s', title: 'multiply-adds' }),
    quantitative('bytes', { format: '.3s', title: 'bytes to keep' }),
    quantitative('seconds', { format: ',.1f' }),
  ];
  return standalone({
    width: panelSize.width,
    height: panelSize.height,
    params: filterParams([task.task], methods),
    data: { values: rows },
    transform: [methodFilter],
    layer: [
      {
        transform: [{ filter: 'isValid(datum.low)' }],
        mark: { type: 'rule', strokeWidth: 1.6, opacity: 0.6 },
        encoding: { x, y: quantitative('low', axis), y2: { field: 'high' }, color },
      },
      ...points(rows, { size: 64 }, { x, y: quantitative('score', axis), color, shape, opacity, tooltip }),
    ],
  });
}

function cheapestToDearest(rows: readonly Row[]): string {
  const sorted = [...rows].sort((a, b) => a.macs - b.macs);
  const [first, last] = [sorted[0] as Row, sorted.at(-1) as Row];
  return `least: ${first.label}, ${quantity(first.macs)} multiply-adds; most: ${last.label}, ${quantity(last.macs)}`;
}
