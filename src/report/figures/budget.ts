/** What more labels and more compute buy: learning curves, and accuracy against the cost of training. */
import {
  costShare,
  done,
  doneMethods,
  labelOf,
  list,
  methodsOf,
  percent,
  quantity,
  type StudyRecord,
  selectionMethod,
  share,
  type TaskRecord,
} from '../../record/index.js';
import { standalone } from '../svg.js';
import {
  decades,
  type Figure,
  filterParams,
  keyOf,
  methodEncodings,
  methodFilter,
  panelId,
  panelSize,
  percentAxis,
} from './figure.js';

export function learningFigure(task: TaskRecord): Figure | undefined {
  const curve = task.learningCurve;
  if (!curve || curve.length < 2) return undefined;
  const methods = methodsOf(curve.map((p) => p.method));
  const rows = curve.map((p) => ({
    method: p.method,
    label: labelOf(p.method),
    perClass: p.perClass,
    accuracy: p.accuracy,
    low: p.interval?.[0],
    high: p.interval?.[1],
  }));
  const sizes = [...new Set(rows.map((r) => r.perClass))].sort((a, b) => a - b);
  const { color, shape } = methodEncodings(methods, { title: null, columns: 3 });
  const x = {
    field: 'perClass',
    type: 'quantitative',
    scale: { type: 'log', nice: false, padding: 6 },
    axis: { title: 'training examples per class', grid: false, values: sizes, format: '~s', labelOverlap: true },
  };
  const y = { field: 'accuracy', type: 'quantitative', axis: percentAxis() };
  const tooltip = [
    { field: 'label', type: 'nominal', title: 'method' },
    { field: 'perClass', type: 'quantitative', title: 'per class' },
    { field: 'accuracy', type: 'quantitative', format: '.1%' },
    { field: 'low', type: 'quantitative', format: '.1%', title: 'from' },
    { field: 'high', type: 'quantitative', format: '.1%', title: 'to' },
  ];
  return {
    id: panelId('learning', task),
    section: 'learning',
    group: 'learning',
    task: task.task,
    title: 'Learning curves',
    caption:
      'Test accuracy against training examples per class (log scale), with 95 % intervals. Methods whose interval overlaps the best one’s are called level: the data cannot tell them apart, so take the simplest.',
    alt: verdict(task, sizes),
    key: keyOf(methods),
    spec: standalone({
      width: panelSize.width,
      height: 240,
      params: filterParams([task.task], methods),
      data: { values: rows },
      transform: [methodFilter],
      layer: [
        {
          mark: { type: 'area', opacity: 0.09 },
          encoding: { x, y: { ...y, field: 'low' }, y2: { field: 'high' }, color },
        },
        { mark: { type: 'line', strokeWidth: 1.6 }, encoding: { x, y, color } },
        { mark: { type: 'point', filled: true, size: 44, opacity: 1 }, encoding: { x, y, color, shape, tooltip } },
      ],
    }),
    wide: false,
    table: {
      id: panelId('learning', task),
      caption: `${task.task}: test accuracy (%) by training examples per class`,
      columns: [
        { title: 'method' },
        { title: 'per class' },
        { title: 'accuracy', format: percent },
        { title: 'low', format: percent },
        { title: 'high', format: percent },
      ],
      rows: rows.map((r) => [r.label, r.perClass, r.accuracy, r.low, r.high]),
    },
  };
}

export function costFigure(study: StudyRecord, task: TaskRecord): Figure | undefined {
  const cells = doneMethods(task).filter((m) => m.cost && m.cost.trainMacs > 0);
  if (cells.length < 2) return undefined;
  const macs = cells.map((m) => m.cost?.trainMacs as number);
  const methods = methodsOf(cells.map((m) => m.method));
  const rows = cells.map((m) => ({
    method: m.method,
    label: labelOf(m.method),
    accuracy: m.accuracy,
    low: m.interval[0],
    high: m.interval[1],
    macs: m.cost?.trainMacs,
    bytes: m.cost?.storedBytes,
    seconds: m.seconds,
    stored: quantity(m.cost?.storedBytes ?? 0, 'B'),
  }));
  const { color, shape } = methodEncodings(methods, { title: null, columns: 3 });
  const x = {
    field: 'macs',
    type: 'quantitative',
    scale: { type: 'log', padding: 10 },
    axis: {
      title: 'multiply-accumulates to train',
      grid: false,
      format: '~s',
      values: decades(Math.min(...macs), Math.max(...macs)),
      labelOverlap: true,
    },
  };
  const tooltip = [
    { field: 'label', type: 'nominal', title: 'method' },
    { field: 'accuracy', type: 'quantitative', format: '.1%' },
    { field: 'macs', type: 'quantitative', format: '.3s', title: 'MACs to train' },
    { field: 'stored', type: 'nominal' },
    { field: 'seconds', type: 'quantitative', format: ',.1f' },
  ];
  return {
    id: panelId('cost', task),
    section: 'cost',
    group: 'cost',
    task: task.task,
    title: 'Accuracy against the cost of training',
    caption:
      'Up and to the left is better. Multiply-accumulates count the extraction of features and every training step; the scale is logarithmic. Lines: 95 % intervals.',
    alt: rows.map((r) => `${r.label} ${percent(r.accuracy)} % for ${quantity(r.macs ?? 0)} MACs`).join(', '),
    ...inShort(study, task),
    key: keyOf(methods),
    spec: standalone({
      width: panelSize.width,
      height: panelSize.height,
      params: filterParams([task.task], methods),
      data: { values: rows },
      transform: [methodFilter],
      layer: [
        {
          mark: { type: 'rule', strokeWidth: 1.6, opacity: 0.6 },
          encoding: {
            x,
            y: { field: 'low', type: 'quantitative', scale: { zero: false }, axis: percentAxis() },
            y2: { field: 'high' },
            color,
          },
        },
        {
          mark: { type: 'point', filled: true, size: 64, opacity: 1 },
          encoding: { x, y: { field: 'accuracy', type: 'quantitative' }, color, shape, tooltip },
        },
      ],
    }),
    wide: false,
    table: {
      id: panelId('cost', task),
      caption: `${task.task}: cost of each method`,
      columns: [
        { title: 'method' },
        { title: 'accuracy', format: percent },
        { title: 'MACs to train', format: (v) => quantity(v) },
        { title: 'bytes to keep', format: (v) => quantity(v, 'B') },
        { title: 'seconds', format: (v) => v.toFixed(1), varies: true },
      ],
      rows: rows.map((r) => [r.label, r.accuracy, r.macs, r.bytes, r.seconds]),
    },
  };
}

/** For each number of labels the methods that lead: the best one and all whose intervals overlap its own. */
function verdict(task: TaskRecord, sizes: readonly number[]): string {
  const leadersAt = (size: number) => {
    const points = (task.learningCurve ?? []).filter((p) => p.perClass === size);
    const best = points.reduce<(typeof points)[number] | undefined>(
      (a, p) => (a && a.accuracy >= p.accuracy ? a : p),
      undefined,
    );
    if (!best?.interval) return undefined;
    const low = best.interval[0];
    return methodsOf(points.filter((p) => (p.interval?.[1] ?? 0) >= low).map((p) => p.method)).map((m) => m.label);
  };
  const spans: { from: number; to: number; leaders: string[] }[] = [];
  for (const size of sizes) {
    const leaders = leadersAt(size);
    const last = spans.at(-1);
    if (!leaders) continue;
    if (last?.leaders.join() === leaders.join()) last.to = size;
    else spans.push({ from: size, to: size, leaders });
  }
  if (spans.length === 0) return 'no intervals, so no verdict';
  return spans
    .map(({ from, to, leaders }) => {
      const range = `${from === to ? from : `${from} to ${to}`} per class`;
      return leaders.length === 1 ? `${range}: ${leaders[0]} leads` : `${range}: ${list(leaders)} are level`;
    })
    .join('; ');
}

/** What the selection costs against fine-tuning. */
function inShort(study: StudyRecord, task: TaskRecord): { finding: string } {
  const method = selectionMethod(study);
  const macs = method ? done(task, method)?.cost?.trainMacs : undefined;
  if (!method || macs === undefined) return { finding: '' };
  const ratio = costShare(task, method, 'trainMacs');
  const against = ratio === undefined ? '' : `, ${share(ratio)} of fine-tuning’s`;
  return { finding: `${labelOf(method)}: ${quantity(macs)} multiply-accumulates${against}` };
}
