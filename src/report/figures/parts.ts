/** Pieces of Vega-Lite that several figures share. */

import { nameForFile } from '../../base/index.js';
import { type MethodCard, percent, type RunRecord, type TaskRecord } from '../../record/index.js';
import { cardOf } from '../lookup.js';
import { type DrawnCell, isHollow, nameOf } from '../marks.js';
import type { Column } from '../table.js';
import { color } from '../theme.js';

/** Names of the panels of small multiples. */
export const panelHeader = { title: null, labelColor: color('ink'), labelFontSize: 12.5 };

export const panelSize = { width: 330, height: 210 };
export const panelId = (group: string, { task, dataset, backbone }: TaskRecord): string =>
  `${group}-${nameForFile(dataset === undefined ? task : `${dataset}.${backbone}`)}`;

/** A score with its interval as data of a mark. */
export interface ScoreRow {
  readonly score: number;
  readonly low?: number;
  readonly high?: number;
  /** Drawn hollow. */
  readonly hollow?: true;
}

export function scoreRow(
  { score, interval }: { readonly score: number; readonly interval?: readonly [number, number] | undefined },
  hollow = false,
): ScoreRow {
  return { score, ...(interval ? { low: interval[0], high: interval[1] } : {}), ...(hollow ? { hollow } : {}) };
}

/** The score of a method as data of a mark. */
export interface MethodRow extends ScoreRow {
  readonly method: string;
  readonly label: string;
  /** Drawn pale: it chose by test labels. */
  readonly bound?: true;
}

export function methodRow(record: RunRecord, cell: DrawnCell): MethodRow {
  const card = cardOf(record, cell.method);
  return {
    method: cell.method,
    label: nameOf(card),
    ...(card.role === 'bound' ? { bound: true } : {}),
    ...scoreRow(cell, isHollow(cell)),
  };
}

export const quantitative = (field: string, rest: object = {}) => ({ field, type: 'quantitative', ...rest });
export const nominal = (field: string, rest: object = {}) => ({ field, type: 'nominal', ...rest });

export const percentAxis = (title: string | null, rest: object = {}) => ({
  title,
  format: '.0%',
  tickCount: 5,
  ...rest,
});

/** A y axis of scores, as "test accuracy". */
export const scoreAxis = (title: string) => ({ scale: { zero: false }, axis: percentAxis(title) });

/** Tooltip lines of a score and, where rows have them, its interval. */
export function scoreTips(title: string, rows: readonly ScoreRow[]): object[] {
  const as = (field: string, name: string) => quantitative(field, { format: '.1%', title: name });
  return [as('score', title), ...(hasIntervals(rows) ? [as('low', 'from'), as('high', 'to')] : [])];
}

export const hasIntervals = (rows: readonly ScoreRow[]): boolean => rows.some((r) => r.low !== undefined);

export { capital } from '../../record/index.js';

/** Columns of a score and its interval, and what belongs in them. */
export const scoreColumns = (title: string): Column[] => [
  { title, format: percent },
  { title: 'low', format: percent },
  { title: 'high', format: percent },
];
export const scoreCells = ({ score, low, high }: Partial<ScoreRow>) => [score, low, high];

/** Points, filled; where rows say so, hollow. */
export function points(rows: readonly { readonly hollow?: true }[], mark: object, encoding: object): object[] {
  const filled = { mark: { type: 'point', filled: true, opacity: 1, ...mark }, encoding };
  if (!rows.some((r) => r.hollow)) return [filled];
  return [
    { transform: [{ filter: '!datum.hollow' }], ...filled },
    {
      transform: [{ filter: 'datum.hollow' }],
      mark: { type: 'point', filled: false, fill: color('paper'), strokeWidth: 1.6, opacity: 1, ...mark },
      encoding,
    },
  ];
}

/** Bars, filled; where rows say so, as outlines. */
export function bars(
  rows: readonly { readonly hollow?: true }[],
  hex: string,
  mark: object,
  encoding: object,
): object[] {
  const filled = { mark: { type: 'bar', color: hex, ...mark }, encoding };
  if (!rows.some((r) => r.hollow)) return [filled];
  return [
    { transform: [{ filter: '!datum.hollow' }], ...filled },
    {
      transform: [{ filter: 'datum.hollow' }],
      mark: { type: 'bar', fill: color('paper'), stroke: hex, strokeWidth: 1.2, ...mark },
      encoding,
    },
  ];
}

/** A line through the rows that are what they seem. */
export const soundLine = (rows: readonly { readonly hollow?: true }[], mark: object, encoding: object): object => ({
  ...(rows.some((r) => r.hollow) ? { transform: [{ filter: '!datum.hollow' }] } : {}),
  mark: { type: 'line', strokeWidth: 1.6, ...mark },
  encoding,
});

/** A dashed line at one value of `channel`. */
export function rule(channel: 'x' | 'y', field: string, value: number, hex: string): object {
  return {
    data: { values: [{ [field]: value }] },
    mark: { type: 'rule', strokeDash: [4, 3], strokeWidth: 1.4, color: hex },
    encoding: { [channel]: quantitative(field) },
  };
}

/** Colour and shape of methods as encodings over the field `label`; bounds are pale. */
export function methodEncodings(methods: readonly MethodCard[], columns: number) {
  const domain = methods.map(nameOf);
  // Legends would take over the opacity of intervals and bands.
  const legend = { title: null, columns, symbolOpacity: 1 };
  return {
    color: nominal('label', { scale: { domain, range: methods.map((m) => m.light) }, legend }),
    shape: nominal('label', { scale: { domain, range: methods.map((m) => m.shape) }, legend }),
    opacity: { condition: { test: 'datum.bound', value: 0.45 }, value: 1 },
  };
}

/** The parameters that the page's filters set, with everything chosen. */
export const filterParams = (tasks: readonly string[], methods: readonly MethodCard[]) => [
  { name: 'tasks', value: [...tasks] },
  { name: 'methods', value: methods.map((m) => m.id) },
];

export const taskFilter = { filter: 'indexof(tasks, datum.task) >= 0' };
export const methodFilter = { filter: 'indexof(methods, datum.method) >= 0' };

/** Axis labels of counts: 500, 1 k, 1.5 k. */
export const thousands = "datum.value >= 1000 ? datum.value / 1000 + ' k' : datum.value";

/** The powers of ten from below `low` to above `high`: a log axis without a thicket of minor ticks. */
export function decades(low: number, high: number): number[] {
  const [from, to] = [Math.floor(Math.log10(low)), Math.ceil(Math.log10(high))];
  return Array.from({ length: to - from + 1 }, (_, i) => Number(`1e${from + i}`));
}
