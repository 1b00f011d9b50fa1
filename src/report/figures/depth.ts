/** What each layer knows: the score of a probe on it, by depth. */
import {
  integer,
  type MethodCard,
  percent,
  type RunRecord,
  share,
  type TapProbe,
  type TapRecord,
  type TaskRecord,
} from '../../record/index.js';
import { cardOf, metricOf, selectingCell } from '../lookup.js';
import { doubts, isDrawn, isHollow } from '../marks.js';
import { standalone } from '../svg.js';
import { color } from '../theme.js';
import { dash, dot, type Figure, hollowKey, type KeyEntry } from './figure.js';
import {
  capital,
  nominal,
  panelId,
  panelSize,
  points,
  quantitative,
  rule,
  type ScoreRow,
  scoreAxis,
  scoreRow,
  scoreTips,
  soundLine,
} from './parts.js';

const seriesOf = [
  { field: 'alone', label: 'this layer alone', hex: color('ink') },
  { field: 'withLast', label: 'this layer and the last', hex: color('accent') },
] as const;

/** Test scores where there are any, else validation scores. */
type Split = 'score' | 'validation';

interface Row extends ScoreRow {
  readonly tap: string;
  readonly depth: number;
  readonly series: string;
  readonly l2?: number;
}

/** Score of each tap alone and added to the last layer, by depth; the last layer and the selection as levels. */
export function depthFigure(record: RunRecord, task: TaskRecord): Figure | undefined {
  const probes = (task.taps ?? []).flatMap((t) => [t.alone, t.withLast].flatMap((p) => (p ? [p] : [])));
  const split: Split = probes.some((p) => p.score !== undefined) ? 'score' : 'validation';
  const taps = (task.taps ?? []).filter((t) => t.alone?.[split] !== undefined || t.withLast?.[split] !== undefined);
  if (taps.length < 2) return undefined;
  const rows = rowsOf(taps, split);
  const levels = levelsOf(record, task, split);
  const what = `${split === 'score' ? 'test' : 'validation'} ${metricOf([task])}`;
  return {
    id: panelId('depth', task),
    section: 'layers',
    group: 'depth',
    task: task.task,
    title: `${capital(metricOf([task]))} by depth`,
    caption: `A probe on one layer, and on that layer together with the last. Dashed: the methods’ own ${what}. The best of many layers is optimistic: read the shape, not the peak.`,
    detail: settingsOf(task, probes),
    alt: seriesOf.flatMap((s) => bestOf(rows, s.label)).join('; '),
    note: unconverged(rows),
    key: [
      ...seriesOf
        .filter((s) => rows.some((r) => r.series === s.label))
        .map((s): KeyEntry => ({ label: s.label, color: s.hex, shape: dot })),
      ...levels.map(({ card, words }): KeyEntry => ({ label: words, color: card.light, shape: dash })),
      ...hollowKey(rows),
    ],
    spec: specOf(rows, levels, what),
    wide: false,
    table: tableOf(task, taps, split, what),
  };
}

function rowsOf(taps: readonly TapRecord[], split: Split): Row[] {
  return seriesOf.flatMap(({ field, label }) =>
    taps.flatMap((tap) => {
      const probe = tap[field];
      const score = probe?.[split];
      if (!probe || score === undefined) return [];
      return [
        {
          tap: tap.alias,
          depth: tap.depth,
          series: label,
          ...scoreRow({ score, interval: split === 'score' ? probe.interval : undefined }, !probe.converged),
          ...(probe.l2 === undefined ? {} : { l2: probe.l2 }),
        },
      ];
    }),
  );
}

/** Scores of the last layer, of the selection and of what is advised, to compare layers with. */
function levelsOf(record: RunRecord, task: TaskRecord, split: Split) {
  const advised = record.answer.tasks.find((answer) => answer.task === task.task)?.method;
  const ids = new Set(['linear', selectingCell(task)?.method, advised]);
  return task.cells.flatMap((cell) => {
    if (!ids.has(cell.method) || cell.status !== 'done' || cell.suspect !== undefined) return [];
    const score = cell[split];
    const card = cardOf(record, cell.method);
    const words = isDrawn(cell) && isHollow(cell) ? `${card.label} (${doubts(cell).join(', ')})` : card.label;
    return score === undefined ? [] : [{ score, card, words }];
  });
}

/** Which features and which penalty the probes had. */
function settingsOf({ tapBudget }: TaskRecord, probes: readonly TapProbe[]): string {
  const features =
    tapBudget === undefined
      ? 'Each probe reads all features of its layer, so wide layers have more to choose from'
      : `Each layer gives at most ${integer(tapBudget)} features`;
  const penalty = probes.some((p) => p.l2 !== undefined)
    ? 'its penalty is tuned for this layer'
    : 'penalties are not recorded (version 0.1 used that of the last layer for all)';
  return `${features}; ${penalty}.`;
}

function bestOf(rows: readonly Row[], series: string): string[] {
  const mine = rows.filter((r) => r.series === series && !r.hollow);
  if (mine.length === 0) return [];
  const top = mine.reduce((a, b) => (b.score > a.score ? b : a));
  return [`best, ${series}: ${top.tap} ${percent(top.score)} %`];
}

function unconverged(rows: readonly Row[]): string | undefined {
  const taps = [...new Set(rows.filter((r) => r.hollow).map((r) => r.tap))];
  if (taps.length === 0) return undefined;
  const named = taps.slice(0, 4).join(', ');
  const more = taps.length > 4 ? ` and ${taps.length - 4} more` : '';
  return `Hollow: the solver did not converge on ${named}${more}.`;
}

function specOf(
  rows: readonly Row[],
  levels: readonly { readonly score: number; readonly card: MethodCard }[],
  what: string,
) {
  const axis = scoreAxis(what);
  const encoding = {
    x: quantitative('depth', {
      scale: { domain: [0, 1], padding: 4 },
      axis: { title: 'depth, input to output', grid: false, format: '.0%', tickCount: 5 },
    }),
    y: quantitative('score', axis),
    color: nominal('series', {
      scale: { domain: seriesOf.map((s) => s.label), range: seriesOf.map((s) => s.hex) },
      legend: { title: null, symbolOpacity: 1 },
    }),
    tooltip: [
      nominal('tap', { title: 'layer' }),
      nominal('series', { title: 'probe on' }),
      ...scoreTips('score', rows),
      quantitative('depth', { format: '.0%' }),
      ...(rows.some((r) => r.l2 !== undefined) ? [quantitative('l2', { format: '.1e', title: 'penalty' })] : []),
    ],
  };
  const intervals = {
    transform: [{ filter: 'isValid(datum.low)' }],
    mark: { type: 'rule', strokeWidth: 1.2, opacity: 0.45 },
    encoding: { ...encoding, y: quantitative('low', axis), y2: { field: 'high' } },
  };
  return standalone({
    ...panelSize,
    layer: [
      ...levels.map(({ score, card }) => rule('y', 'score', score, card.light)),
      {
        data: { values: rows },
        layer: [
          ...(rows.some((r) => r.low !== undefined) ? [intervals] : []),
          soundLine(rows, {}, encoding),
          ...points(rows, { size: 30 }, encoding),
        ],
      },
    ],
  });
}

function tableOf(task: TaskRecord, taps: readonly TapRecord[], split: Split, what: string) {
  const bounds = (probe: TapProbe | undefined) => (split === 'score' ? (probe?.interval ?? []) : []);
  const cellsOf = (probe: TapProbe | undefined) => {
    const [low, high] = bounds(probe);
    return [probe?.[split], low, high, probe?.l2];
  };
  const status = ({ alone, withLast }: TapRecord) =>
    [
      ...(alone?.converged === false ? ['alone: not converged'] : []),
      ...(withLast?.converged === false ? ['with the last: not converged'] : []),
    ].join('; ') || undefined;
  const columns = (title: string) => [
    { title, format: percent },
    { title: 'low', format: percent },
    { title: 'high', format: percent },
    { title: 'penalty', format: (v: number) => v.toExponential(1) },
  ];
  return {
    id: panelId('depth', task),
    caption: `${task.task}: ${what} (%) of a probe on each layer`,
    columns: [
      { title: 'layer' },
      { title: 'depth', format: (v: number) => share(v) },
      { title: 'features' },
      ...columns('alone'),
      ...columns('with the last'),
      { title: 'status', wraps: true },
    ],
    rows: taps.map((t) => [t.alias, t.depth, t.features, ...cellsOf(t.alone), ...cellsOf(t.withLast), status(t)]),
  };
}
