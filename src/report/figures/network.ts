/** Where the selected features come from. */
import { list, type RunRecord, share, type TaskRecord } from '../../record/index.js';
import { cardOf, type SelectingCell, selectingCell } from '../lookup.js';
import { isHollow, noteOn, reasonsOf } from '../marks.js';
import { standalone } from '../svg.js';
import { color } from '../theme.js';
import { block, type Figure, hollowKey, keyEntry } from './figure.js';
import { bars, filterParams, nominal, quantitative, taskFilter } from './parts.js';

interface Column {
  readonly task: TaskRecord;
  readonly cell: SelectingCell;
}

interface Row {
  readonly task: string;
  /** Place of the task's column. */
  readonly index: number;
  readonly tap: string;
  readonly share: number;
  readonly kept: number;
  readonly features: number;
  readonly offered: number;
  readonly hollow?: true;
}

/**
 * The network as a column of blocks from input (top) to output, as wide as the features that each tap offers, and a
 * column per task with the share of the selection's score that each tap receives.
 */
export function networkFigure(record: RunRecord): Figure | undefined {
  const columns = record.tasks.flatMap((task) => {
    const cell = selectingCell(task);
    return cell && cell.selection.shares.length > 0 && (task.taps?.length ?? 0) > 1 ? [{ task, cell }] : [];
  });
  if (columns.length === 0) return undefined;
  const rows = columns.flatMap(rowsOf);
  const methods = [...new Set(columns.map(({ cell }) => cell.method))].map((id) => cardOf(record, id));
  const names = list(methods.map((m) => m.label));
  const hex = methods[0]?.light ?? color('accent');
  const largest = Math.max(...rows.flatMap((r) => [r.share, r.offered]));
  return {
    id: 'network',
    section: 'layers',
    group: 'network',
    title: 'Where the selected features come from',
    caption: `Left: the network from input (top) to output, blocks as wide as the square root of the features they offer. Bars: each layer’s share of the relevance score of the features that ${names} ${methods.length > 1 ? 'keep' : 'keeps'}; tick: its share of all features offered, which random choice would give. Longest bar ${share(largest)}.`,
    alt: `Largest share: ${list(columns.map(heaviest))}.`,
    note: noteOn(
      record,
      columns.map((c) => c.cell),
    ),
    key: [
      { label: 'share of the score kept', color: hex, shape: block },
      keyEntry('share of features offered', 'axis', 'M-.2,-1L.2,-1L.2,1L-.2,1Z'),
      ...hollowKey(rows, reasonsOf(columns.map((c) => c.cell))),
    ],
    spec: specOf(columns, rows, hex),
    wide: true,
    table: {
      id: 'network',
      caption: `Features kept by ${names} per layer and task`,
      columns: [
        { title: 'task' },
        { title: 'layer' },
        { title: 'features offered' },
        { title: 'kept' },
        { title: 'share of score', format: share },
      ],
      rows: rows.map((r) => [r.task, r.tap, r.features, r.kept, r.share]),
    },
  };
}

function rowsOf({ task, cell }: Column, index: number): Row[] {
  const taps = task.taps ?? [];
  const total = taps.reduce((sum, t) => sum + t.features, 0);
  return taps.map(({ alias, features }) => {
    const own = cell.selection.shares.find((s) => s.tap === alias);
    return {
      task: task.task,
      index,
      tap: alias,
      share: own?.share ?? 0,
      kept: own?.kept ?? 0,
      features,
      offered: features / total,
      ...(isHollow(cell) ? { hollow: true } : {}),
    };
  });
}

function heaviest({ task, cell }: Column): string {
  const top = cell.selection.shares.reduce((a, b) => (b.share > a.share ? b : a));
  return `${task.task}: ${top.tap} ${share(top.share)}`;
}

/** Position within the drawing; the network stands in column 0, tasks from 1 on. */
const x = (field: string) => quantitative(field, { axis: null, scale: { nice: false, zero: true } });
/** Middle of the network's column. */
const middle = 0.4;

function specOf(columns: readonly Column[], rows: readonly Row[], hex: string) {
  const tasks = columns.map((c) => c.task.task);
  const order = [...new Set(rows.map((r) => r.tap))];
  // Headings tilt when their columns are narrower than they are.
  const longest = Math.max(...tasks.map((t) => t.length));
  const tilt = `width / ${tasks.length + 1} < ${7 * longest} ? -52 : 0`;
  const y = nominal('tap', {
    sort: order,
    axis: { title: null, grid: false, labelLimit: 150, labelFontSize: order.length > 40 ? 9 : 10.5 },
  });
  return standalone({
    width: 720,
    height: { step: order.length > 60 ? 9 : order.length > 40 ? 11 : 16 },
    params: filterParams(tasks, []),
    layer: [...networkLayers(rows, order, y), shareLayer(rows, y, hex), headings(tasks, tilt), networkHeading(tilt)],
  });
}

/** The network: a line, and a block per tap. */
function networkLayers(rows: readonly Row[], order: readonly string[], y: object): object[] {
  const offered = new Map(rows.map((r) => [r.tap, r.features]));
  const widest = Math.max(...offered.values());
  const blocks = order.map((tap) => {
    const half = 0.06 + 0.32 * Math.sqrt((offered.get(tap) ?? 0) / widest);
    return { tap, features: offered.get(tap), from: middle - half, to: middle + half };
  });
  return [
    {
      data: { values: [{ at: middle }] },
      mark: { type: 'rule', color: color('ghost'), strokeWidth: 2 },
      encoding: { x: x('at') },
    },
    {
      data: { values: blocks },
      mark: { type: 'bar', color: color('ghost'), cornerRadius: 2, height: { band: 0.72 } },
      encoding: {
        y,
        x: x('from'),
        x2: { field: 'to' },
        tooltip: [nominal('tap', { title: 'layer' }), quantitative('features', { title: 'features offered' })],
      },
    },
  ];
}

/** Columns close up when the page's filter hides a task. */
const inColumns = [taskFilter, { window: [{ op: 'dense_rank', as: 'column' }], sort: [{ field: 'index' }] }];

/** Per task and tap a bar for the share of the score, and a tick for that of the features. */
function shareLayer(rows: readonly Row[], y: object, hex: string): object {
  const largest = Math.max(...rows.flatMap((r) => [r.share, r.offered]));
  const along = (field: string, as: string) => ({ calculate: `datum.column + 0.92 * datum.${field} / ${largest}`, as });
  const tooltip = [
    nominal('task'),
    nominal('tap', { title: 'layer' }),
    quantitative('share', { format: '.1%', title: 'share of the score' }),
    quantitative('offered', { format: '.1%', title: 'share of features offered' }),
    quantitative('kept', { title: 'features kept' }),
    quantitative('features', { title: 'features offered' }),
  ];
  return {
    data: { values: rows },
    transform: [...inColumns, along('share', 'end'), along('offered', 'tick')],
    encoding: { y, tooltip },
    layer: [
      ...bars(rows, hex, { height: { band: 0.72 } }, { x: x('column'), x2: { field: 'end' } }),
      {
        mark: { type: 'tick', color: color('axis'), thickness: 1.3, height: { band: 0.72 } },
        encoding: { x: x('tick') },
      },
    ],
  };
}

/** The tasks' names over their columns, each column with its axis. */
function headings(tasks: readonly string[], tilt: string): object {
  return {
    data: { values: tasks.map((task, index) => ({ task, index })) },
    transform: inColumns,
    layer: [
      { mark: { type: 'rule', color: color('axis'), strokeWidth: 1 }, encoding: { x: x('column') } },
      {
        mark: { type: 'text', align: 'left', baseline: 'bottom', y: -6, fontWeight: 600, angle: { expr: tilt } },
        encoding: { x: x('column'), text: nominal('task') },
      },
    ],
  };
}

function networkHeading(tilt: string): object {
  return {
    data: { values: [{ at: middle, text: 'network' }] },
    mark: {
      type: 'text',
      align: { expr: `${tilt} ? 'left' : 'center'` },
      baseline: 'bottom',
      y: -6,
      color: color('muted'),
      angle: { expr: tilt },
    },
    encoding: { x: x('at'), text: nominal('text') },
  };
}
