/** Accuracy of every method on every task, and the gain over the last layer against domain affinity. */

import {
  compareOverTasks,
  done,
  doneMethods,
  labelOf,
  list,
  methodsOf,
  percent,
  points,
  pointsInterval,
  pValue,
  type StudyRecord,
  selectionMethod,
} from '../../record/index.js';
import { correlation, lineWithBand } from '../../stats/index.js';
import { standalone } from '../svg.js';
import { color } from '../theme.js';
import {
  cellMethods,
  dot,
  type Figure,
  filterParams,
  keyOf,
  methodEncodings,
  methodFilter,
  percentAxis,
  taskFilter,
} from './figure.js';

/** Dots and intervals: one band per task, one row per method; failed and absent cells say so in their row. */
export function accuracyFigure(study: StudyRecord): Figure {
  const methods = cellMethods(study);
  const tasks = study.tasks.map((t) => t.task);
  const rows = study.tasks.flatMap((task) =>
    task.methods.map((m) => ({
      task: task.task,
      method: m.method,
      label: labelOf(m.method),
      status: m.status,
      ...(m.status === 'done' ? { accuracy: m.accuracy, low: m.interval[0], high: m.interval[1] } : {}),
    })),
  );
  const finished = rows.filter((r) => r.accuracy !== undefined);
  const lowest = Math.min(...finished.map((r) => r.low as number));
  const { color: colour, shape } = methodEncodings(methods);
  const y = {
    y: {
      field: 'task',
      type: 'nominal',
      sort: tasks,
      axis: { title: null, grid: true, tickBand: 'extent', labelColor: color('ink'), labelFontSize: 12.5 },
    },
    yOffset: { field: 'label', type: 'nominal', sort: methods.map((m) => m.label) },
  };
  const isDone = { filter: "datum.status === 'done'" };
  const tooltip = [
    { field: 'task', type: 'nominal' },
    { field: 'label', type: 'nominal', title: 'method' },
    { field: 'accuracy', type: 'quantitative', format: '.1%' },
    { field: 'low', type: 'quantitative', format: '.1%', title: 'from' },
    { field: 'high', type: 'quantitative', format: '.1%', title: 'to' },
  ];
  const spec = standalone({
    width: 720,
    height: { step: 12.5, for: 'offset' },
    params: filterParams(tasks, methods),
    data: { values: rows },
    transform: [taskFilter, methodFilter],
    layer: [
      {
        transform: [isDone],
        mark: { type: 'rule', strokeWidth: 1.6, opacity: 0.75 },
        encoding: {
          ...y,
          x: { field: 'low', type: 'quantitative', scale: { zero: false, nice: true }, axis: percentAxis() },
          x2: { field: 'high' },
          color: colour,
          tooltip,
        },
      },
      {
        transform: [isDone],
        mark: { type: 'point', filled: true, size: 62, opacity: 1 },
        encoding: { ...y, x: { field: 'accuracy', type: 'quantitative' }, color: colour, shape, tooltip },
      },
      {
        transform: [
          { filter: "datum.status !== 'done'" },
          { calculate: "datum.label + ': ' + datum.status", as: 'note' },
        ],
        mark: { type: 'text', align: 'left', fontStyle: 'italic', fontSize: 11, color: color('alert') },
        encoding: { ...y, x: { datum: Math.max(0, lowest) }, text: { field: 'note', type: 'nominal' } },
      },
    ],
  });
  const seeds = Math.max(...study.tasks.flatMap(doneMethods).map((m) => m.seeds?.length ?? 1));
  const best = study.tasks.flatMap((task) => {
    const top = task.methods
      .filter((m) => m.status === 'done' && m.method !== 'oracle')
      .reduce<undefined | { method: string; accuracy: number }>(
        (a, m) => (m.status === 'done' && (!a || m.accuracy > a.accuracy) ? m : a),
        undefined,
      );
    return top ? [`${task.task}: ${labelOf(top.method)} ${percent(top.accuracy)} %`] : [];
  });
  return {
    id: 'accuracy',
    section: 'accuracy',
    group: 'accuracy',
    title: 'Accuracy on each task',
    caption: `Test accuracy with its 95 % interval over test examples${seeds > 1 ? ', over seeds where there are several' : ''}.${methods.some((m) => m.id === 'oracle') ? ' Oracle chooses its layer by test accuracy: an upper bound, not a method.' : ''}`,
    alt: `Highest on ${list(best)}.`,
    key: keyOf(methods),
    spec,
    wide: true,
    table: {
      id: 'accuracy',
      caption: 'Test accuracy (%) with 95 % interval; every method on every task',
      columns: [
        { title: 'task' },
        { title: 'method' },
        { title: 'accuracy', format: percent },
        { title: 'low', format: percent },
        { title: 'high', format: percent },
        { title: 'status' },
      ],
      rows: rows.map((r) => [r.task, r.label, r.accuracy, r.low, r.high, r.status]),
    },
  };
}

/** The paper's Figure 3: what the selection gains over the last layer, against how near the task is to the source. */
export function affinityFigure(study: StudyRecord): Figure | undefined {
  const method = selectionMethod(study);
  if (!method) return undefined;
  // Scratch that failed to train says nothing about the distance of a task.
  const trained = study.tasks.filter((t) => !done(t, 'scratch')?.failedToTrain);
  const affinity = new Map(trained.map((t) => [t.task, t.domainAffinity]));
  const rows = compareOverTasks(study, method, 'linear').flatMap((c) => {
    const x = affinity.get(c.task);
    return x === undefined
      ? []
      : [
          {
            task: c.task,
            affinity: 100 * x,
            gain: 100 * c.difference,
            low: 100 * c.interval[0],
            high: 100 * c.interval[1],
            p: c.pHolm,
          },
        ];
  });
  if (rows.length < 2) return undefined;
  const xs = rows.map((r) => r.affinity);
  const gains = rows.map((r) => r.gain);
  const r = correlation('pearson', xs, gains);
  const [from, to] = [Math.min(...xs), Math.max(...xs)];
  const band = lineWithBand(
    xs,
    gains,
    Array.from({ length: 21 }, (_, i) => from + ((to - from) * i) / 20),
  );
  const [m] = methodsOf([method]);
  const hex = m?.light as string;
  const x = {
    field: 'affinity',
    type: 'quantitative',
    axis: { title: 'domain affinity: Linear − Scratch, points', grid: false, tickCount: 7 },
    scale: { padding: 12, nice: false, zero: false },
  };
  const words =
    r.coefficient === undefined
      ? 'too few tasks for a correlation'
      : `Pearson r = ${r.coefficient.toFixed(2).replace('-', '−')}${r.interval ? ` [${r.interval.map((v) => v.toFixed(2).replace('-', '−')).join(', ')}]` : ''} over ${r.n} tasks`;
  const spec = standalone({
    width: 720,
    height: 340,
    params: filterParams(
      study.tasks.map((t) => t.task),
      [],
    ),
    layer: [
      {
        data: { values: [{ y: 0 }] },
        mark: { type: 'rule', color: color('axis') },
        encoding: { y: { field: 'y', type: 'quantitative' } },
      },
      ...(band.length
        ? [
            {
              data: { values: band },
              mark: { type: 'area', opacity: 0.11, color: hex },
              encoding: {
                x: { ...x, field: 'x' },
                y: {
                  field: 'low',
                  type: 'quantitative',
                  axis: { title: `${labelOf(method)} − Linear, points`, tickCount: 6 },
                },
                y2: { field: 'high' },
              },
            },
            {
              data: { values: band },
              mark: { type: 'line', color: hex, strokeWidth: 1.5, opacity: 0.7, strokeDash: [5, 4] },
              encoding: { x: { ...x, field: 'x' }, y: { field: 'y', type: 'quantitative' } },
            },
          ]
        : []),
      {
        data: { values: rows },
        transform: [taskFilter],
        encoding: {
          x,
          tooltip: [
            { field: 'task', type: 'nominal' },
            { field: 'affinity', type: 'quantitative', format: '+.1f' },
            { field: 'gain', type: 'quantitative', format: '+.1f' },
            { field: 'low', type: 'quantitative', format: '+.1f', title: 'from' },
            { field: 'high', type: 'quantitative', format: '+.1f', title: 'to' },
          ],
        },
        layer: [
          {
            mark: { type: 'rule', color: hex, strokeWidth: 1.6, opacity: 0.75 },
            encoding: {
              y: {
                field: 'low',
                type: 'quantitative',
                axis: { title: `${labelOf(method)} − Linear, points`, tickCount: 6 },
              },
              y2: { field: 'high' },
            },
          },
          {
            mark: { type: 'point', filled: true, size: 80, opacity: 1, color: hex, shape: m?.shape },
            encoding: { y: { field: 'gain', type: 'quantitative' } },
          },
          {
            mark: { type: 'text', align: 'left', dx: 8, dy: -8 },
            encoding: { y: { field: 'gain', type: 'quantitative' }, text: { field: 'task', type: 'nominal' } },
          },
        ],
      },
    ],
  });
  return {
    id: 'affinity',
    section: 'affinity',
    group: 'affinity',
    title: 'Gain over the last layer against domain affinity',
    caption: `${words[0]?.toUpperCase()}${words.slice(1)}. Line and shade: least squares over all tasks with a 95 % bootstrap band (tasks resampled). Left: tasks unlike what the network was trained on. Affinity and gain share Linear’s accuracy, which alone makes r negative to some degree.`,
    alt: `${words}. ${list(rows.map((row) => `${row.task}: affinity ${points(row.affinity / 100)}, gain ${points(row.gain / 100)} ${pointsInterval([row.low / 100, row.high / 100])}`))}.`,
    key: [{ label: labelOf(method), color: hex, shape: m?.shape ?? dot }],
    spec,
    wide: true,
    table: {
      id: 'affinity',
      caption: `Domain affinity and gain of ${labelOf(method)} over Linear (points, 95 % interval, Holm-corrected p)`,
      columns: [
        { title: 'task' },
        { title: 'affinity', format: (v) => points(v / 100) },
        { title: 'gain', format: (v) => points(v / 100) },
        { title: 'low', format: (v) => points(v / 100) },
        { title: 'high', format: (v) => points(v / 100) },
        { title: 'p', format: pValue },
      ],
      rows: rows.map((row) => [row.task, row.affinity, row.gain, row.low, row.high, row.p]),
    },
  };
}
