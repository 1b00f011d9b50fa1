/** The lambda path with its certificates: support, duality gap, and the share proved inactive. */
import { integer, type PathPoint, type RunRecord, share, type TaskRecord } from '../../record/index.js';
import { type CellWithPath, cardOf, metricOf, pathCell } from '../lookup.js';
import { noteOn } from '../marks.js';
import { standalone } from '../svg.js';
import { color } from '../theme.js';
import { block, dot, type Figure, keyEntry } from './figure.js';
import { decades, panelId, panelSize, quantitative, rule, thousands } from './parts.js';

/** Smallest gap drawn: a gap of 0 has no place on a log axis. */
const floor = 1e-9;

interface Row {
  readonly ratio: number;
  readonly nonzero: number;
  readonly gap: number;
  readonly inactive?: number;
  readonly validation?: number;
  /** The gap is above the tolerance, or the solver says that it stopped short. */
  readonly open?: true;
}

export function pathFigure(record: RunRecord, task: TaskRecord): Figure | undefined {
  const cell = pathCell(task);
  if (!cell) return undefined;
  const { points, tolerance } = cell.path;
  const rows = rowsOf(cell);
  const { label } = cardOf(record, cell.method);
  const proved = rows.some((r) => r.inactive !== undefined);
  return {
    id: panelId('path', task),
    section: 'path',
    group: 'path',
    task: task.task,
    title: 'The λ path and its certificates',
    caption: `Features with weight in ${label} as the penalty falls; the relative duality gap that bounds each solution’s distance from the optimum${tolerance === undefined ? '' : ' (line: the tolerance asked for)'}${proved ? '; the share of features proved to have no weight at the optimum' : ''}.${cell.path.chosenRatio === undefined ? '' : ' Dashed: the λ that validation chose.'}`,
    alt: inWords(rows, cell),
    note: noteOn(record, [cell]),
    key: [
      keyEntry('solved to tolerance', 'accent', dot),
      ...(rows.some((r) => r.open)
        ? [{ ...keyEntry('hollow: not solved to tolerance', 'alert', dot), look: 'hollow' as const }]
        : []),
      ...(proved ? [keyEntry('proved inactive', 'ghost', block)] : []),
    ],
    spec: specOf(rows, cell, metricOf([task])),
    wide: false,
    table: {
      id: panelId('path', task),
      caption: `${task.task}: the λ path of ${label}`,
      columns: [
        { title: 'λ', format: (v) => v.toPrecision(3) },
        { title: 'λ / λmax', format: (v) => v.toPrecision(3) },
        { title: 'objective', format: (v) => v.toPrecision(5) },
        { title: 'relative gap', format: (v) => v.toExponential(1) },
        { title: 'nonzero' },
        { title: 'proved inactive', format: share },
        { title: 'validation', format: share },
        { title: 'status' },
      ],
      rows: points.map((p, i) => [
        p.lambda,
        p.ratio,
        p.objective,
        p.gap,
        p.nonzero,
        p.inactiveShare,
        p.validation,
        rows[i]?.open ? 'not solved to tolerance' : undefined,
      ]),
    },
  };
}

function rowsOf({ path: { points, tolerance } }: CellWithPath): Row[] {
  const isOpen = ({ gap, converged }: PathPoint) =>
    converged === false || (converged === undefined && tolerance !== undefined && gap > tolerance);
  return points.map((p) => ({
    ratio: p.ratio,
    nonzero: p.nonzero,
    gap: Math.max(floor, p.gap),
    ...(p.inactiveShare === undefined ? {} : { inactive: p.inactiveShare }),
    ...(p.validation === undefined ? {} : { validation: p.validation }),
    ...(isOpen(p) ? { open: true } : {}),
  }));
}

function inWords(rows: readonly Row[], { path: { points, tolerance } }: CellWithPath): string {
  const worst = Math.max(...points.map((p) => p.gap)).toExponential(1);
  const open = rows.filter((r) => r.open).length;
  const within =
    tolerance === undefined
      ? ''
      : open > 0
        ? `, ${open} above the tolerance ${tolerance}`
        : `, all within the tolerance ${tolerance}`;
  return `${points.length} values of λ, largest relative gap ${worst}${within}; ${integer(points.at(-1)?.nonzero ?? 0)} features at the end.`;
}

/** Three charts over one axis of λ. */
function specOf(rows: readonly Row[], { path }: CellWithPath, metric: string) {
  const chart = new PathChart(rows, path, metric);
  const proved = rows.some((r) => r.inactive !== undefined);
  return standalone({
    data: { values: rows },
    spacing: 14,
    vconcat: [chart.support(), chart.gaps(!proved), ...(proved ? [chart.inactive()] : [])],
  });
}

const axisTitle = 'λ / λmax';
/** Room for the labels of every y axis, so that the charts line up. */
const extent = { minExtent: 38, maxExtent: 38 };

class PathChart {
  constructor(
    readonly rows: readonly Row[],
    readonly path: CellWithPath['path'],
    readonly metric: string,
  ) {}

  /** How many features have a weight. */
  support() {
    const scale = { type: 'symlog', constant: 10 };
    const values = [0, 10, 100, 1000, 10000, 100000];
    const y = quantitative('nonzero', { scale, axis: { title: null, values, labelExpr: thousands, ...extent } });
    const line = {
      mark: { type: 'line', strokeWidth: 1.6, color: color('accent') },
      encoding: { x: this.x(false), y },
    };
    return this.chart('features with weight', 120, [line, ...this.points({ x: this.x(false), y })]);
  }

  /** The duality gap of each solution, against the tolerance. */
  gaps(isLast: boolean) {
    const { tolerance } = this.path;
    const all = [...this.rows.map((r) => r.gap), ...(tolerance === undefined ? [] : [tolerance])];
    const powers = decades(Math.min(...all), Math.max(...all));
    const values = powers.filter((_, i) => i % Math.ceil(powers.length / 4) === 0);
    const y = quantitative('gap', { scale: { type: 'log' }, axis: { title: null, format: '.0e', values, ...extent } });
    const limit = {
      data: { values: [{ gap: tolerance }] },
      mark: { type: 'rule', color: color('axis') },
      encoding: { y: quantitative('gap') },
    };
    return this.chart('relative duality gap', 70, [
      ...(tolerance === undefined ? [] : [limit]),
      ...this.points({ x: this.x(isLast), y }),
    ]);
  }

  /** The share of features that the gap proves to be zero. */
  inactive() {
    const axis = { title: null, format: '.0%', values: [0, 0.5, 1], ...extent };
    const y = quantitative('inactive', { scale: { domain: [0, 1] }, axis });
    const mark = { type: 'area', color: color('ghost'), line: { color: color('axis'), strokeWidth: 1 } };
    return this.chart('features proved inactive', 50, [
      { mark, encoding: { x: this.x(true), y, tooltip: this.tooltip() } },
    ]);
  }

  private chart(text: string, height: number, layer: object[]) {
    const { chosenRatio } = this.path;
    const chosen = chosenRatio === undefined ? [] : [rule('x', 'ratio', chosenRatio, color('muted'))];
    const font = { fontSize: 11.5, fontWeight: 'normal', color: color('muted') };
    const title = { text, ...font, offset: 4, anchor: 'start', frame: 'group' };
    return { width: panelSize.width, height, layer: [...chosen, ...layer], title };
  }

  /** λ falls to the right; the last chart names it. */
  private x(isLast: boolean) {
    const values = [1, 0.1, 0.01, 0.001, 0.0001];
    return quantitative('ratio', {
      scale: { type: 'log', reverse: true, nice: false, padding: 4 },
      axis: { title: isLast ? axisTitle : null, grid: false, labels: isLast, values, format: '~g' },
    });
  }

  /** Solved points are filled; the others hollow and red. */
  private points(encoding: object): object[] {
    const point = { type: 'point', size: 24, opacity: 1 };
    const both = { ...encoding, tooltip: this.tooltip() };
    const solved = { mark: { ...point, filled: true, color: color('accent') }, encoding: both };
    if (!this.rows.some((r) => r.open)) return [solved];
    return [
      { transform: [{ filter: '!datum.open' }], ...solved },
      {
        transform: [{ filter: 'datum.open' }],
        mark: { ...point, filled: false, fill: color('paper'), color: color('alert'), strokeWidth: 1.6 },
        encoding: both,
      },
    ];
  }

  private tooltip(): object[] {
    const has = (field: 'inactive' | 'validation') => this.rows.some((r) => r[field] !== undefined);
    return [
      quantitative('ratio', { format: '.3~g', title: axisTitle }),
      quantitative('nonzero', { format: ',', title: 'features' }),
      quantitative('gap', { format: '.1e', title: 'relative gap' }),
      ...(has('inactive') ? [quantitative('inactive', { format: '.1%', title: 'proved inactive' })] : []),
      ...(has('validation') ? [quantitative('validation', { format: '.1%', title: `validation ${this.metric}` })] : []),
    ];
  }
}
