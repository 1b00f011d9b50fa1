/** Where the selected features come from. */
import {
  type DoneCell,
  entryWords,
  type LayerShares,
  layerSharesOf,
  leftOutWords,
  list,
  points as pointsOf,
  type RunRecord,
  share,
  signed,
  signedShare,
  type TaskRecord,
} from '../../record/index.js';
import { cardOf, layeredCell } from '../lookup.js';
import { isHollow, noteOn, reasonsOf } from '../marks.js';
import { standalone } from '../svg.js';
import { color } from '../theme.js';
import { block, type Figure, hollowKey, keyEntry } from './figure.js';
import { bars, filterParams, nominal, quantitative, taskFilter } from './parts.js';

interface Column {
  readonly task: TaskRecord;
  readonly cell: DoneCell;
  readonly shares: LayerShares;
}

interface Row {
  readonly task: string;
  /** Place of the task's column. */
  readonly index: number;
  readonly tap: string;
  readonly share: number;
  /** Features of it that the probe reads. */
  readonly read: number;
  readonly entry?: number | undefined;
  readonly score?: number | undefined;
  readonly logLoss?: number | undefined;
  readonly features: number;
  readonly offered: number;
  readonly hollow?: true;
}

/**
 * The network as a column of blocks from input (top) to output, as wide as the features that each tap offers, and a
 * column per task with each tap's share in the probe.
 */
export function networkFigure(record: RunRecord): Figure | undefined {
  const columns = record.tasks.flatMap((task) => {
    const cell = layeredCell(task);
    const shares = cell && layerSharesOf(cell);
    return cell && shares && (task.taps?.length ?? 0) > 1 ? [{ task, cell, shares }] : [];
  });
  if (columns.length === 0) return undefined;
  const rows = columns.flatMap(rowsOf);
  const methods = [...new Set(columns.map(({ cell }) => cell.method))].map((id) => cardOf(record, id));
  const names = list(methods.map((m) => m.label));
  const hex = methods[0]?.light ?? color('accent');
  const [{ shares }] = columns as [Column, ...Column[]];
  const leftOut = rows.some((r) => r.score !== undefined);
  const largest = Math.max(...rows.flatMap((r) => [r.share, r.offered]));
  return {
    id: 'network',
    section: 'layers',
    group: 'network',
    title: 'What the probe owes to each layer',
    caption: `Left: the network from input (top) to output, blocks as wide as the square root of the features they offer. Bars: each layer’s ${shares.of} in the probe of ${names}: ${shares.meaning}. Tick: its share of all features offered. Longest bar ${share(largest)}.${leftOut ? ` The table has what is lost without a layer: ${leftOutWords.meaning}.` : ''}`,
    alt: `Largest share: ${list(columns.map(heaviest))}.`,
    note: noteOn(
      record,
      columns.map((c) => c.cell),
    ),
    key: [
      { label: shares.of, color: hex, shape: block },
      keyEntry('share of features offered', 'axis', 'M-.2,-1L.2,-1L.2,1L-.2,1Z'),
      ...hollowKey(rows, reasonsOf(columns.map((c) => c.cell))),
    ],
    spec: specOf(columns, rows, hex),
    wide: true,
    table: {
      id: 'network',
      caption: `What the probe of ${names} owes to each layer`,
      columns: [
        { title: 'task' },
        { title: 'layer' },
        { title: 'features offered' },
        { title: 'features read' },
        { title: shares.of, format: signedShare },
        { title: entryWords },
        { title: leftOutWords.score, format: pointsOf },
        { title: leftOutWords.logLoss, format: signed },
      ],
      rows: rows.map((r) => [r.task, r.tap, r.features, r.read, r.share, r.entry, r.score, r.logLoss]),
    },
  };
}

function rowsOf({ task, cell, shares }: Column, index: number): Row[] {
  const taps = task.taps ?? [];
  const total = taps.reduce((sum, t) => sum + t.features, 0);
  return taps.map(({ alias, features }) => {
    const own = shares.parts.find((s) => s.tap === alias);
    return {
      task: task.task,
      index,
      tap: alias,
      share: own?.share ?? 0,
      read: own?.features ?? 0,
      entry: own?.entry,
      ...own?.leftOut,
      features,
      offered: features / total,
      ...(isHollow(cell) ? { hollow: true } : {}),
    };
  });
}

function heaviest({ task, shares }: Column): string {
  const top = shares.parts.reduce((a, b) => (b.share > a.share ? b : a));
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
  // Rows as high as their names; of very many layers some are named.
  const crowded = order.length > 80;
  const y = nominal('tap', {
    sort: order,
    axis: { title: null, grid: false, labelLimit: 150, labelFontSize: 11, ...(crowded && { labelOverlap: 'greedy' }) },
  });
  return standalone({
    width: 720,
    height: { step: crowded ? 9 : order.length > 40 ? 13 : 16 },
    params: filterParams(tasks, []),
    layer: [
      ...networkLayers(rows, order, y),
      shareLayer(rows, y, { of: columns[0]?.shares.of ?? '', hex }),
      headings(tasks, scaleOf(rows).axis, tilt),
      networkHeading(tilt),
    ],
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

/** How far the bars of a column reach: to the right of its axis, and to the left where a share is negative. */
function scaleOf(rows: readonly Row[]): { axis: number; perShare: number } {
  const largest = Math.max(...rows.flatMap((r) => [r.share, r.offered]));
  const below = Math.max(0, ...rows.map((r) => -r.share));
  const perShare = 0.92 / (largest + below);
  return { axis: below * perShare, perShare };
}

/** Per task and tap a bar for its share, and a tick for that of the features. */
function shareLayer(rows: readonly Row[], y: object, { of, hex }: { of: string; hex: string }): object {
  const { axis, perShare } = scaleOf(rows);
  const along = (field: string, as: string) => ({
    calculate: `datum.column + ${axis} + ${perShare} * datum.${field}`,
    as,
  });
  const tooltip = [
    nominal('task'),
    nominal('tap', { title: 'layer' }),
    quantitative('share', { format: '.1%', title: of }),
    quantitative('offered', { format: '.1%', title: 'share of features offered' }),
    quantitative('read', { title: 'features read' }),
    quantitative('features', { title: 'features offered' }),
  ];
  return {
    data: { values: rows },
    transform: [
      ...inColumns,
      { calculate: `datum.column + ${axis}`, as: 'axis' },
      along('share', 'end'),
      along('offered', 'tick'),
    ],
    encoding: { y, tooltip },
    layer: [
      ...bars(rows, hex, { height: { band: 0.72 } }, { x: x('axis'), x2: { field: 'end' } }),
      {
        mark: { type: 'tick', color: color('axis'), thickness: 1.3, height: { band: 0.72 } },
        encoding: { x: x('tick') },
      },
    ],
  };
}

/** The tasks' names over their columns, each column with its axis. */
function headings(tasks: readonly string[], axis: number, tilt: string): object {
  return {
    data: { values: tasks.map((task, index) => ({ task, index })) },
    transform: [...inColumns, { calculate: `datum.column + ${axis}`, as: 'axis' }],
    layer: [
      { mark: { type: 'rule', color: color('axis'), strokeWidth: 1 }, encoding: { x: x('axis') } },
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
