/** How much to keep, whether the ranking is right, and whether other samples select the same features. */
import {
  boundSentence,
  list,
  type MethodCard,
  overlapMeaning,
  overlapText,
  percent,
  quantity,
  type RunRecord,
  share,
  type TaskRecord,
} from '../../record/index.js';
import { cardOf, metricOf, type SelectingCell, selectingCell } from '../lookup.js';
import { isHollow, noteOn, reasonsOf } from '../marks.js';
import { standalone } from '../svg.js';
import { color } from '../theme.js';
import { dash, type Figure, hollowKey } from './figure.js';
import {
  bars,
  capital,
  hasIntervals,
  panelId,
  panelSize,
  points,
  quantitative,
  rule,
  type ScoreRow,
  scoreAxis,
  scoreCells,
  scoreColumns,
  scoreRow,
  scoreTips,
  soundLine,
  thousands,
} from './parts.js';

const height = 180;

/** What the three figures of one task's selection share. */
function panel(record: RunRecord, task: TaskRecord, cell: SelectingCell, group: string) {
  return {
    id: panelId(group, task),
    section: 'selection' as const,
    group,
    task: task.task,
    note: noteOn(record, [cell]),
    wide: false,
  };
}

type FractionRow = ScoreRow & { readonly fraction: number; readonly features: number };

export function keepFractionFigure(record: RunRecord, task: TaskRecord): Figure | undefined {
  const cell = selectingCell(task);
  const curve = cell?.selection.keepFractions;
  if (!cell || !curve || curve.points.length < 2) return undefined;
  const card = cardOf(record, cell.method);
  const rows: FractionRow[] = curve.points
    .filter((p) => p.fraction > 0)
    .map((p) => ({ fraction: p.fraction, features: p.features, ...scoreRow(p, isHollow(cell)) }));
  const what = `${curve.split} ${metricOf([task])}`;
  const last = lastLayer(record, task, curve.split);
  const best = rows.reduce((a, b) => (b.score > a.score ? b : a));
  const kept = rows.find((r) => r.fraction === curve.chosen);
  const dashed = list([...(curve.chosen === undefined ? [] : [keptWords(curve)]), ...(last ? [last.card.label] : [])]);
  return {
    ...panel(record, task, cell, 'keep-fraction'),
    title: 'How many features to keep',
    caption: `${capital(what)} of ${card.label} against the share of features kept, best first${hasIntervals(rows) ? ', with its 95 % interval' : ''}.${dashed ? ` Dashed: ${dashed}.` : ''}${curve.rule === 'one-se' ? ' Dotted: the highest score.' : ''}${curve.split === 'validation' ? ` Each point is the best over lambdas as measured, so slightly too high.` : ''}`,
    alt: `highest ${percent(best.score)} % at ${share(best.fraction)} (${quantity(best.features)} features)${kept && kept !== best ? `; kept ${share(kept.fraction)} (${quantity(kept.features)} features) with ${percent(kept.score)} %` : ''}`,
    key: [
      { label: `${card.label}, ${curve.split}`, color: card.light, shape: card.shape },
      ...(last ? [{ label: last.card.label, color: last.card.light, shape: dash }] : []),
      ...hollowKey(rows, reasonsOf([cell])),
    ],
    spec: fractionSpec(rows, what, card, [
      ...(last ? [rule('y', 'score', last.score, last.card.light)] : []),
      ...(curve.chosen ? [rule('x', 'fraction', curve.chosen, color('muted'))] : []),
      ...(curve.rule === 'one-se' ? [dotted('x', 'fraction', best.fraction, color('muted'))] : []),
    ]),
    table: {
      id: panelId('keep-fraction', task),
      caption: `${task.task}: ${what} (%) by share of features kept`,
      columns: [
        { title: 'kept', format: share },
        { title: 'features' },
        ...scoreColumns(metricOf([task])),
        { title: 'mark' },
      ],
      rows: rows.map((r) => [
        r.fraction,
        r.features,
        ...scoreCells(r),
        list([...(r === best ? ['highest'] : []), ...(r === kept ? ['chosen'] : [])]) || undefined,
      ]),
    },
  };
}

/** How the share that is kept was chosen. */
function keptWords({ rule: by }: Pick<NonNullable<SelectingCell['selection']['keepFractions']>, 'rule'>): string {
  if (by === 'one-se') return 'the share kept, the smallest within one standard error of the best on the same examples';
  if (by === 'margin') return 'the share kept, the smallest within the margin of the best';
  return by === 'max' ? 'the share kept, the best' : 'the share chosen';
}

/** A dotted line at one value of `channel`. */
function dotted(channel: 'x' | 'y', field: string, value: number, hex: string): object {
  return {
    data: { values: [{ [field]: value }] },
    mark: { type: 'rule', strokeDash: [1, 3], strokeWidth: 1.4, color: hex },
    encoding: { [channel]: quantitative(field) },
  };
}

/** The last layer's own score on a split, to compare with. */
function lastLayer(record: RunRecord, task: TaskRecord, split: 'validation' | 'test') {
  const cell = task.cells.find((c) => c.method === 'linear');
  if (cell?.status !== 'done' || cell.suspect !== undefined) return undefined;
  const score = split === 'test' ? cell.score : (cell.validationBest ?? cell.validation);
  return score === undefined ? undefined : { score, card: cardOf(record, cell.method) };
}

function fractionSpec(rows: readonly FractionRow[], what: string, card: MethodCard, references: object[]) {
  const x = quantitative('fraction', {
    scale: { type: 'log', nice: false, padding: 4 },
    axis: { title: 'share of features kept', grid: false, format: '~%', values: [0.001, 0.01, 0.1, 1] },
  });
  const axis = scoreAxis(what);
  const y = quantitative('score', axis);
  const tooltip = [
    quantitative('fraction', { format: '.3~%', title: 'kept' }),
    quantitative('features', { format: ',' }),
    ...scoreTips('score', rows),
  ];
  const band = {
    mark: { type: 'area', opacity: 0.13, color: card.light },
    encoding: { x, y: quantitative('low', axis), y2: { field: 'high' } },
  };
  return standalone({
    width: panelSize.width,
    height,
    data: { values: rows },
    layer: [
      ...references,
      ...(hasIntervals(rows) ? [band] : []),
      soundLine(rows, { color: card.light }, { x, y }),
      ...points(rows, { size: 36, color: card.light, shape: card.shape }, { x, y, tooltip }),
    ],
  });
}

type WindowRow = ScoreRow & { readonly first: number; readonly end: number };

export function rankWindowFigure(record: RunRecord, task: TaskRecord): Figure | undefined {
  const cell = selectingCell(task);
  const all = cell?.selection.rankWindows ?? [];
  const split = all.some((w) => w.score !== undefined) ? 'test' : 'validation';
  const windows = all.flatMap((w) => {
    const score = split === 'test' ? w.score : w.validation;
    return score === undefined ? [] : [{ ...w, score, interval: split === 'test' ? w.interval : undefined }];
  });
  if (!cell || windows.length < 2) return undefined;
  const card = cardOf(record, cell.method);
  const rows: WindowRow[] = windows.map((w) => ({
    first: w.first,
    end: w.first + w.count,
    ...scoreRow(w, isHollow(cell) || !w.converged),
  }));
  const open = windows.filter((w) => !w.converged).length;
  const what = `${split} ${metricOf([task])}`;
  const [top, bottom] = [rows[0] as WindowRow, rows.at(-1) as WindowRow];
  const own = panel(record, task, cell, 'rank-windows');
  return {
    ...own,
    title: 'Does the ranking hold?',
    caption: `${capital(what)} of ${quantity(windows[0]?.count ?? 0)} consecutive features by their rank in ${card.label}${hasIntervals(rows) ? ', with its 95 % interval' : ''}. A ranking that means something falls from left to right.`,
    alt: `from ${percent(top.score)} % at the top of the ranking to ${percent(bottom.score)} % in the last window`,
    note: own.note ?? (open > 0 ? `Hollow: ${open} of ${windows.length} windows did not converge.` : undefined),
    key: [
      { label: 'one window', color: card.light, shape: card.shape },
      ...hollowKey(rows, [...reasonsOf([cell]), ...(open > 0 ? ['not converged'] : [])]),
    ],
    spec: windowSpec(rows, what, card),
    table: {
      id: panelId('rank-windows', task),
      caption: `${task.task}: ${what} (%) of windows of the ranking`,
      columns: [
        { title: 'from rank' },
        { title: 'to rank' },
        ...scoreColumns(metricOf([task])),
        { title: 'validation', format: percent },
        { title: 'status' },
      ],
      rows: rows.map((r, i) => [
        r.first,
        r.end,
        ...scoreCells(r),
        split === 'test' ? windows[i]?.validation : undefined,
        windows[i]?.converged === false ? 'not converged' : undefined,
      ]),
    },
  };
}

function windowSpec(rows: readonly WindowRow[], what: string, card: MethodCard) {
  const x = quantitative('first', {
    axis: { title: 'rank of the window’s first feature', grid: false, tickCount: 5, labelExpr: thousands },
    scale: { padding: 8, nice: false },
  });
  const axis = scoreAxis(what);
  const tooltip = [
    quantitative('first', { format: ',', title: 'from rank' }),
    quantitative('end', { format: ',', title: 'to rank' }),
    ...scoreTips('score', rows),
  ];
  const intervals = {
    mark: { type: 'rule', strokeWidth: 1.6, opacity: 0.75, color: card.light },
    encoding: { x, y: quantitative('low', axis), y2: { field: 'high' } },
  };
  return standalone({
    width: panelSize.width,
    height,
    data: { values: rows },
    layer: [
      ...(hasIntervals(rows) ? [intervals] : []),
      ...points(
        rows,
        { size: 46, color: card.light, shape: card.shape },
        { x, y: quantitative('score', axis), tooltip },
      ),
    ],
  });
}

export function stabilityFigure(record: RunRecord, task: TaskRecord): Figure | undefined {
  const cell = selectingCell(task);
  const stability = cell?.selection.stability;
  if (!cell || !stability) return undefined;
  const { repeats, over, frequencies } = stability;
  const card = cardOf(record, cell.method);
  const samples = over === 'bootstrap' ? 'bootstrap samples' : over === 'halves' ? 'halves of the examples' : over;
  const rows = frequencies.map((f) => ({ ...f, ...(isHollow(cell) ? { hollow: true as const } : {}) }));
  const words = overlapText(stability);
  return {
    ...panel(record, task, cell, 'stability'),
    title: 'Is the selection stable?',
    caption: `Features by how many of ${repeats} ${samples} select them (${card.label}). Stable selections pile up on the right. ${overlapMeaning(stability)}`,
    alt: [words, ...boundSentence(stability)].join('. '),
    key: [{ label: 'features selected', color: card.light, shape: card.shape }, ...hollowKey(rows, reasonsOf([cell]))],
    spec: standalone({
      width: panelSize.width,
      height: 150,
      data: { values: rows },
      layer: bars(rows, card.light, { cornerRadiusEnd: 2 }, frequencyEncoding(repeats, samples)),
    }),
    table: {
      id: panelId('stability', task),
      caption: [`${task.task}: ${words}`, ...boundSentence(stability)].join('. '),
      columns: [{ title: 'selected in repeats' }, { title: 'features' }],
      rows: frequencies.map((f) => [f.times, f.features]),
    },
  };
}

function frequencyEncoding(repeats: number, samples: string) {
  return {
    x: {
      field: 'times',
      type: 'ordinal',
      scale: { domain: Array.from({ length: repeats }, (_, i) => i + 1), paddingInner: 0.25 },
      axis: { title: `selected in … of ${repeats} ${samples}`, labelAngle: 0, labelOverlap: true },
    },
    y: quantitative('features', { axis: { title: 'features', tickCount: 4, labelExpr: thousands } }),
    tooltip: [{ field: 'times', type: 'ordinal', title: 'selected in' }, quantitative('features', { format: ',' })],
  };
}
