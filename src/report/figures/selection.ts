/** How much to keep, whether the ranking is right, and whether the same features come again. */
import {
  done,
  methodsOf,
  percent,
  quantity,
  type StudyRecord,
  selectionMethod,
  share,
  type TaskRecord,
} from '../../record/index.js';
import { standalone } from '../svg.js';
import { color } from '../theme.js';
import { dash, type Figure, panelId, panelSize, percentAxis, referenceRule, thousands } from './figure.js';

const heroOf = (study: StudyRecord) =>
  methodsOf([selectionMethod(study) ?? 'head2toe'])[0] as ReturnType<typeof methodsOf>[number];
const height = 180;
const accuracyTip = [
  { field: 'accuracy', type: 'quantitative', format: '.1%' },
  { field: 'low', type: 'quantitative', format: '.1%', title: 'from' },
  { field: 'high', type: 'quantitative', format: '.1%', title: 'to' },
];

interface Scored {
  accuracy: number;
  interval?: [number, number] | undefined;
}
const bounds = ({ accuracy, interval }: Scored) => ({ accuracy, low: interval?.[0], high: interval?.[1] });
const withInterval = (points: readonly Scored[]) => points.every((p) => p.interval);

export function keepFractionFigure(study: StudyRecord, task: TaskRecord): Figure | undefined {
  const curve = task.keepFraction;
  if (!curve || curve.length < 2) return undefined;
  const hero = heroOf(study);
  const rows = curve
    .filter((p) => p.fraction > 0)
    .map((p) => ({ fraction: p.fraction, features: p.features, ...bounds(p) }));
  const split = task.keepFractionSplit;
  const linear = split === 'test' ? done(task, 'linear')?.accuracy : done(task, 'linear')?.validation;
  const x = {
    field: 'fraction',
    type: 'quantitative',
    scale: { type: 'log', nice: false, padding: 4 },
    axis: { title: 'share of features kept', grid: false, format: '~%', values: [0.001, 0.01, 0.1, 1] },
  };
  const y = { field: 'accuracy', type: 'quantitative', scale: { zero: false }, axis: percentAxis(`${split} accuracy`) };
  const tooltip = [
    { field: 'fraction', type: 'quantitative', format: '.3~%', title: 'kept' },
    { field: 'features', type: 'quantitative', format: ',' },
    ...(withInterval(curve) ? accuracyTip : accuracyTip.slice(0, 1)),
  ];
  const best = curve.reduce((a, b) => (b.accuracy > a.accuracy ? b : a));
  return {
    id: panelId('keep-fraction', task),
    section: 'selection',
    group: 'keep-fraction',
    task: task.task,
    title: 'How many features to keep',
    caption: `Accuracy on the ${split} split against the share of features kept, best first${withInterval(curve) ? ', with its 95 % interval' : ''}. Dashed: the share chosen, and Linear.`,
    alt: `highest ${percent(best.accuracy)} % at ${share(best.fraction)} (${quantity(best.features)} features)`,
    key: [
      { label: `${hero.label}, ${split}`, color: hero.light, shape: hero.shape },
      ...(linear === undefined
        ? []
        : [{ label: 'Linear', color: methodsOf(['linear'])[0]?.light as string, shape: dash }]),
    ],
    spec: standalone({
      width: panelSize.width,
      height,
      data: { values: rows },
      layer: [
        ...(linear === undefined ? [] : [referenceRule(linear, methodsOf(['linear'])[0]?.light as string)]),
        ...(task.chosenFraction
          ? [
              {
                data: { values: [{ fraction: task.chosenFraction }] },
                mark: { type: 'rule', strokeDash: [4, 3], color: color('muted') },
                encoding: { x: { field: 'fraction', type: 'quantitative' } },
              },
            ]
          : []),
        ...(withInterval(curve)
          ? [
              {
                mark: { type: 'area', opacity: 0.13, color: hero.light },
                encoding: { x, y: { ...y, field: 'low' }, y2: { field: 'high' } },
              },
            ]
          : []),
        { mark: { type: 'line', strokeWidth: 1.6, color: hero.light }, encoding: { x, y } },
        {
          mark: { type: 'point', filled: true, size: 36, opacity: 1, color: hero.light, shape: hero.shape },
          encoding: { x, y, tooltip },
        },
      ],
    }),
    wide: false,
    table: {
      id: panelId('keep-fraction', task),
      caption: `${task.task}: ${split} accuracy (%) by share of features kept`,
      columns: [
        { title: 'kept', format: share },
        { title: 'features' },
        { title: 'accuracy', format: percent },
        { title: 'low', format: percent },
        { title: 'high', format: percent },
      ],
      rows: rows.map((r) => [r.fraction, r.features, r.accuracy, r.low, r.high]),
    },
  };
}

export function rankWindowFigure(study: StudyRecord, task: TaskRecord): Figure | undefined {
  const windows = task.rankWindows;
  if (!windows || windows.length < 2) return undefined;
  const hero = heroOf(study);
  const rows = windows.map((w) => ({ offset: w.offset, end: w.offset + w.size, ...bounds(w) }));
  const x = {
    field: 'offset',
    type: 'quantitative',
    axis: { title: 'rank of the window’s first feature', grid: false, tickCount: 5, labelExpr: thousands },
    scale: { padding: 8, nice: false },
  };
  const y = { field: 'accuracy', type: 'quantitative', scale: { zero: false }, axis: percentAxis() };
  const tooltip = [
    { field: 'offset', type: 'quantitative', format: ',', title: 'from rank' },
    { field: 'end', type: 'quantitative', format: ',', title: 'to rank' },
    ...(withInterval(windows) ? accuracyTip : accuracyTip.slice(0, 1)),
  ];
  const [first, last] = [windows[0] as Scored, windows.at(-1) as Scored];
  return {
    id: panelId('rank-windows', task),
    section: 'selection',
    group: 'rank-windows',
    task: task.task,
    title: 'Does the ranking hold?',
    caption: `Test accuracy of ${quantity(windows[0]?.size ?? 0)} consecutive features by rank of their score${withInterval(windows) ? ', with its 95 % interval' : ''}. A ranking that means something falls from left to right.`,
    alt: `from ${percent(first.accuracy)} % at the top of the ranking to ${percent(last.accuracy)} % in the last window`,
    key: [{ label: 'one window', color: hero.light, shape: hero.shape }],
    spec: standalone({
      width: panelSize.width,
      height,
      data: { values: rows },
      layer: [
        ...(withInterval(windows)
          ? [
              {
                mark: { type: 'rule', strokeWidth: 1.6, opacity: 0.75, color: hero.light },
                encoding: { x, y: { ...y, field: 'low' }, y2: { field: 'high' } },
              },
            ]
          : []),
        {
          mark: { type: 'point', filled: true, size: 46, opacity: 1, color: hero.light, shape: hero.shape },
          encoding: { x, y, tooltip },
        },
      ],
    }),
    wide: false,
    table: {
      id: panelId('rank-windows', task),
      caption: `${task.task}: test accuracy (%) of windows of the ranking`,
      columns: [
        { title: 'from rank' },
        { title: 'to rank' },
        { title: 'accuracy', format: percent },
        { title: 'low', format: percent },
        { title: 'high', format: percent },
      ],
      rows: rows.map((r) => [r.offset, r.end, r.accuracy, r.low, r.high]),
    },
  };
}

export function stabilityFigure(study: StudyRecord, task: TaskRecord): Figure | undefined {
  const s = task.stability;
  if (!s) return undefined;
  const hero = heroOf(study);
  const of = { seeds: 'seeds', folds: 'folds', bootstrap: 'bootstrap samples' }[s.over];
  const jaccard = `Jaccard index ${s.jaccard.toFixed(2)}${s.interval ? ` [${s.interval.map((v) => v.toFixed(2)).join(', ')}]` : ''}${s.chance === undefined ? '' : `, chance ${s.chance.toFixed(2)}`}`;
  return {
    id: panelId('stability', task),
    section: 'selection',
    group: 'stability',
    task: task.task,
    title: 'Are the same features selected again?',
    caption: `Features by how many of ${s.repeats} ${of} select them. Stable selections pile up on the right. The Jaccard index is the mean overlap of two repeats.`,
    alt: jaccard,
    key: [{ label: 'features selected', color: hero.light, shape: hero.shape }],
    spec: standalone({
      width: panelSize.width,
      height: 150,
      data: { values: s.frequencies },
      mark: { type: 'bar', color: hero.light, cornerRadiusEnd: 2 },
      encoding: {
        x: {
          field: 'times',
          type: 'ordinal',
          scale: { domain: Array.from({ length: s.repeats }, (_, i) => i + 1), paddingInner: 0.25 },
          axis: { title: `selected in … of ${s.repeats} ${of}`, labelAngle: 0, labelOverlap: true },
        },
        y: { field: 'features', type: 'quantitative', axis: { title: 'features', tickCount: 4, labelExpr: thousands } },
        tooltip: [
          { field: 'times', type: 'ordinal', title: 'selected in' },
          { field: 'features', type: 'quantitative', format: ',' },
        ],
      },
    }),
    wide: false,
    table: {
      id: panelId('stability', task),
      caption: `${task.task}: ${jaccard}`,
      columns: [{ title: 'selected in repeats' }, { title: 'features' }],
      rows: s.frequencies.map((f) => [f.times, f.features]),
    },
  };
}
