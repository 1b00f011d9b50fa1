/** What each layer knows: accuracy by depth, and where the selected features come from. */
import {
  done,
  labelOf,
  list,
  methodsOf,
  percent,
  type StudyRecord,
  selectionMethod,
  share,
  type TapRecord,
  type TaskRecord,
} from '../../record/index.js';
import { standalone } from '../svg.js';
import { color } from '../theme.js';
import {
  block,
  dash,
  dot,
  type Figure,
  filterParams,
  type KeyEntry,
  keyEntry,
  panelId,
  panelSize,
  percentAxis,
  referenceRule,
  taskFilter,
} from './figure.js';

const seriesOf = [
  { field: 'accuracyAlone', label: 'this layer alone', hex: color('ink') },
  { field: 'accuracyWithLast', label: 'this layer and the last', hex: color('accent') },
] as const;

/** Accuracy of each tap alone and added to the last layer, by depth; Linear and the selection as levels. */
export function depthFigure(study: StudyRecord, task: TaskRecord): Figure | undefined {
  const taps = task.taps?.filter((t) => t.accuracyAlone !== undefined || t.accuracyWithLast !== undefined) ?? [];
  if (taps.length < 2) return undefined;
  const rows = seriesOf.flatMap(({ field, label }) =>
    taps.flatMap((t) =>
      t[field] === undefined ? [] : [{ tap: t.alias, depth: t.depth, series: label, accuracy: t[field] }],
    ),
  );
  const selected = selectionMethod(study);
  const levels = methodsOf(['linear', ...(selected ? [selected] : [])]).flatMap((m) => {
    const cell = done(task, m.id);
    return cell ? [{ ...m, accuracy: cell.accuracy }] : [];
  });
  const series = {
    field: 'series',
    type: 'nominal',
    scale: { domain: seriesOf.map((s) => s.label), range: seriesOf.map((s) => s.hex) },
    legend: { title: null },
  };
  const encoding = {
    x: {
      field: 'depth',
      type: 'quantitative',
      scale: { domain: [0, 1], padding: 4 },
      axis: { title: 'depth, input to output', grid: false, format: '.0%', tickCount: 5 },
    },
    y: { field: 'accuracy', type: 'quantitative', scale: { zero: false }, axis: percentAxis() },
    color: series,
    tooltip: [
      { field: 'tap', type: 'nominal' },
      { field: 'series', type: 'nominal', title: 'probe on' },
      { field: 'accuracy', type: 'quantitative', format: '.1%' },
      { field: 'depth', type: 'quantitative', format: '.0%' },
    ],
  };
  const top = (field: (typeof seriesOf)[number]['field']) =>
    taps.reduce<TapRecord | undefined>((a, t) => ((t[field] ?? -1) > (a?.[field] ?? -1) ? t : a), undefined);
  const [alone, added] = [top('accuracyAlone'), top('accuracyWithLast')];
  return {
    id: panelId('depth', task),
    section: 'layers',
    group: 'depth',
    task: task.task,
    title: 'Accuracy by depth',
    caption:
      'A probe on one layer, and on that layer together with the last. Dashed: the methods’ own accuracy. One test accuracy per layer: the best of many is optimistic, so read the shape, not the peak.',
    alt: [
      alone ? `best alone: ${alone.alias} ${percent(alone.accuracyAlone as number)} %` : '',
      added?.accuracyWithLast !== undefined
        ? `best with the last layer: ${added.alias} ${percent(added.accuracyWithLast)} %`
        : '',
    ]
      .filter(Boolean)
      .join('; '),
    key: [
      ...seriesOf
        .filter((s) => rows.some((r) => r.series === s.label))
        .map((s): KeyEntry => ({ label: s.label, color: s.hex, shape: dot })),
      ...levels.map((m): KeyEntry => ({ label: m.label, color: m.light, shape: dash })),
    ],
    spec: standalone({
      ...panelSize,
      layer: [
        ...levels.map((m) => referenceRule(m.accuracy, m.light)),
        { data: { values: rows }, mark: { type: 'line', strokeWidth: 1.6 }, encoding },
        { data: { values: rows }, mark: { type: 'point', filled: true, size: 30, opacity: 1 }, encoding },
      ],
    }),
    wide: false,
    table: {
      id: panelId('depth', task),
      caption: `${task.task}: test accuracy (%) of a probe on each layer`,
      columns: [
        { title: 'layer' },
        { title: 'depth', format: (v) => share(v) },
        { title: 'features' },
        { title: 'alone', format: percent },
        { title: 'with the last', format: percent },
      ],
      rows: taps.map((t) => [t.alias, t.depth, t.features, t.accuracyAlone, t.accuracyWithLast]),
    },
  };
}

/**
 * The network as a column of blocks from input (top) to output, as wide as the features that each tap offers, and a
 * column per task with the share of the selection's score that each tap receives.
 */
export function networkFigure(study: StudyRecord): Figure | undefined {
  const tasks = study.tasks.filter((t) => t.taps?.some((tap) => tap.share !== undefined));
  const first = tasks[0]?.taps;
  if (!first) return undefined;
  const method = selectionMethod(study) ?? 'head2toe';
  const [m] = methodsOf([method]);
  const order = [...new Set(tasks.flatMap((t) => (t.taps ?? []).map((tap) => tap.alias)))];
  const offered = new Map(tasks.flatMap((t) => (t.taps ?? []).map((tap) => [tap.alias, tap.features] as const)));
  const widest = Math.max(...offered.values());
  const network = order.map((tap) => {
    const half = 0.06 + 0.32 * Math.sqrt((offered.get(tap) ?? 0) / widest);
    return { tap, features: offered.get(tap), from: 0.4 - half, to: 0.4 + half, middle: 0.4 };
  });
  const rows = tasks.flatMap((task, index) => {
    const total = (task.taps ?? []).reduce((sum, t) => sum + t.features, 0);
    return (task.taps ?? []).map((t) => ({
      task: task.task,
      index,
      tap: t.alias,
      share: t.share ?? 0,
      kept: t.kept,
      features: t.features,
      offered: t.features / total,
    }));
  });
  const largest = Math.max(...rows.flatMap((r) => [r.share, r.offered]));
  const y = {
    field: 'tap',
    type: 'nominal',
    sort: order,
    axis: { title: null, grid: false, labelLimit: 150, labelFontSize: order.length > 40 ? 9 : 10.5 },
  };
  const x = { type: 'quantitative', axis: null, scale: { nice: false, zero: true } };
  const tooltip = [
    { field: 'task', type: 'nominal' },
    { field: 'tap', type: 'nominal', title: 'layer' },
    { field: 'share', type: 'quantitative', format: '.1%', title: 'share of the score' },
    { field: 'offered', type: 'quantitative', format: '.1%', title: 'share of features offered' },
    { field: 'kept', type: 'quantitative', title: 'features kept' },
    { field: 'features', type: 'quantitative', title: 'features offered' },
  ];
  const columns = [taskFilter, { window: [{ op: 'dense_rank', as: 'column' }], sort: [{ field: 'index' }] }];
  const band = (field: string, as: string) => ({ calculate: `datum.column + 0.92 * datum.${field} / ${largest}`, as });
  // Headings tilt when their columns are narrower than they are.
  const longest = Math.max(...tasks.map((t) => t.task.length));
  const narrow = `width / ${tasks.length + 1} < ${7 * longest} ? -52 : 0`;
  const step = order.length > 60 ? 9 : order.length > 40 ? 11 : 16;
  const spec = standalone({
    width: 720,
    height: { step },
    params: filterParams(
      tasks.map((t) => t.task),
      [],
    ),
    layer: [
      {
        data: { values: [{ at: 0.4 }] },
        mark: { type: 'rule', color: color('ghost'), strokeWidth: 2 },
        encoding: { x: { ...x, field: 'at' } },
      },
      {
        data: { values: network },
        mark: { type: 'bar', color: color('ghost'), cornerRadius: 2, height: { band: 0.72 } },
        encoding: {
          y,
          x: { ...x, field: 'from' },
          x2: { field: 'to' },
          tooltip: [
            { field: 'tap', type: 'nominal', title: 'layer' },
            { field: 'features', type: 'quantitative', title: 'features offered' },
          ],
        },
      },
      {
        data: { values: rows },
        transform: [...columns, band('share', 'end'), band('offered', 'ghost')],
        encoding: { y, tooltip },
        layer: [
          {
            mark: { type: 'bar', color: m?.light, height: { band: 0.72 } },
            encoding: { x: { ...x, field: 'column' }, x2: { field: 'end' } },
          },
          {
            mark: { type: 'tick', color: color('axis'), thickness: 1.3, height: { band: 0.72 } },
            encoding: { x: { ...x, field: 'ghost' } },
          },
        ],
      },
      {
        data: { values: tasks.map((t, index) => ({ task: t.task, index })) },
        transform: columns,
        layer: [
          { mark: { type: 'rule', color: color('axis'), strokeWidth: 1 }, encoding: { x: { ...x, field: 'column' } } },
          {
            mark: { type: 'text', align: 'left', baseline: 'bottom', y: -6, fontWeight: 600, angle: { expr: narrow } },
            encoding: { x: { ...x, field: 'column' }, text: { field: 'task', type: 'nominal' } },
          },
        ],
      },
      {
        data: { values: [{ at: 0.4, text: 'network' }] },
        mark: {
          type: 'text',
          align: { expr: `${narrow} ? 'left' : 'center'` },
          baseline: 'bottom',
          y: -6,
          color: color('muted'),
          angle: { expr: narrow },
        },
        encoding: { x: { ...x, field: 'at' }, text: { field: 'text', type: 'nominal' } },
      },
    ],
  });
  const heaviest = tasks.map((t) => {
    const top = (t.taps as TapRecord[]).reduce((a, b) => ((b.share ?? 0) > (a.share ?? 0) ? b : a));
    return `${t.task}: ${top.alias} ${share(top.share ?? 0)}`;
  });
  return {
    id: 'network',
    section: 'layers',
    group: 'network',
    title: 'Where the selected features come from',
    caption: `Left: the network from input (top) to output, blocks as wide as the square root of the features they offer. Bars: each layer’s share of the relevance score of the features that ${labelOf(method)} keeps; tick: its share of all features offered, which random choice would give. Longest bar ${share(largest)}.`,
    alt: `Largest share: ${list(heaviest)}.`,
    key: [
      { label: 'share of the score kept', color: m?.light as string, shape: block },
      keyEntry('share of features offered', 'axis', 'M-.2,-1L.2,-1L.2,1L-.2,1Z'),
    ],
    spec,
    wide: true,
    table: {
      id: 'network',
      caption: `Features kept by ${labelOf(method)} per layer and task`,
      columns: [
        { title: 'task' },
        { title: 'layer' },
        { title: 'features offered' },
        { title: 'kept' },
        { title: 'share of score', format: share },
      ],
      rows: tasks.flatMap((t) => (t.taps ?? []).map((tap) => [t.task, tap.alias, tap.features, tap.kept, tap.share])),
    },
  };
}
