/** The lambda path with its certificates: support, duality gap, and the share proved inactive. */

import { integer, share, type TaskRecord } from '../../record/index.js';
import { standalone } from '../svg.js';
import { color } from '../theme.js';
import { block, decades, dot, type Figure, keyEntry, panelId, panelSize, thousands } from './figure.js';

/** Smallest gap drawn: a gap of 0 has no place on a log axis. */
const floor = 1e-9;

export function pathFigure(task: TaskRecord): Figure | undefined {
  if (!task.path || task.path.length < 2) return undefined;
  const tolerance = task.gapTolerance;
  const rows = task.path.map((p) => ({
    ratio: p.ratio,
    nonzero: p.nonzero,
    gap: Math.max(floor, p.gap),
    inactive: p.inactiveShare,
    validation: p.validation,
    certified: tolerance === undefined || p.gap <= tolerance,
  }));
  const open = rows.filter((r) => !r.certified).length;
  const x = (title: string | null) => ({
    field: 'ratio',
    type: 'quantitative',
    scale: { type: 'log', reverse: true, nice: false, padding: 4 },
    axis: { title, grid: false, labels: title !== null, values: [1, 0.1, 0.01, 0.001, 0.0001], format: '~g' },
  });
  const extent = { minExtent: 38, maxExtent: 38 };
  const tooltip = [
    { field: 'ratio', type: 'quantitative', format: '.3~g', title: 'λ / λmax' },
    { field: 'nonzero', type: 'quantitative', format: ',', title: 'features' },
    { field: 'gap', type: 'quantitative', format: '.1e', title: 'relative gap' },
    ...(rows.some((r) => r.inactive !== undefined)
      ? [{ field: 'inactive', type: 'quantitative', format: '.1%', title: 'proved inactive' }]
      : []),
    ...(rows.some((r) => r.validation !== undefined)
      ? [{ field: 'validation', type: 'quantitative', format: '.1%', title: 'validation accuracy' }]
      : []),
  ];
  const chosen =
    task.chosenRatio === undefined
      ? []
      : [
          {
            data: { values: [{ ratio: task.chosenRatio }] },
            mark: { type: 'rule', strokeDash: [4, 3], color: color('muted') },
            encoding: { x: { field: 'ratio', type: 'quantitative' } },
          },
        ];
  const state = {
    field: 'certified',
    type: 'nominal',
    scale: { domain: [true, false], range: [color('accent'), color('alert')] },
    legend: null,
  };
  const support = {
    width: panelSize.width,
    height: 120,
    layer: [
      ...chosen,
      {
        mark: { type: 'line', strokeWidth: 1.6, color: color('accent') },
        encoding: {
          x: x(null),
          y: {
            field: 'nonzero',
            type: 'quantitative',
            scale: { type: 'symlog', constant: 10 },
            axis: {
              title: null,
              values: [0, 10, 100, 1000, 10000, 100000],
              labelExpr: thousands,
              ...extent,
            },
          },
        },
      },
      {
        mark: { type: 'point', filled: true, size: 24, opacity: 1 },
        encoding: { x: x(null), y: { field: 'nonzero', type: 'quantitative' }, color: state, tooltip },
      },
    ],
    title: panelTitle('features with weight'),
  };
  const gaps = {
    width: panelSize.width,
    height: 70,
    layer: [
      ...chosen,
      ...(tolerance === undefined
        ? []
        : [
            {
              data: { values: [{ gap: tolerance }] },
              mark: { type: 'rule', color: color('axis') },
              encoding: { y: { field: 'gap', type: 'quantitative' } },
            },
          ]),
      {
        mark: { type: 'point', filled: true, size: 24, opacity: 1 },
        encoding: {
          x: x(rows.some((r) => r.inactive !== undefined) ? null : axisTitle),
          y: {
            field: 'gap',
            type: 'quantitative',
            scale: { type: 'log' },
            axis: {
              title: null,
              format: '.0e',
              values: decades(Math.min(...rows.map((r) => r.gap)), Math.max(...rows.map((r) => r.gap), tolerance ?? 0)),
              ...extent,
            },
          },
          color: state,
          tooltip,
        },
      },
    ],
    title: panelTitle('relative duality gap'),
  };
  const inactive = {
    width: panelSize.width,
    height: 50,
    layer: [
      ...chosen,
      {
        mark: { type: 'area', color: color('ghost'), line: { color: color('axis'), strokeWidth: 1 } },
        encoding: {
          x: x(axisTitle),
          y: {
            field: 'inactive',
            type: 'quantitative',
            scale: { domain: [0, 1] },
            axis: { title: null, format: '.0%', values: [0, 0.5, 1], ...extent },
          },
          tooltip,
        },
      },
    ],
    title: panelTitle('features proved inactive'),
  };
  const worst = Math.max(...task.path.map((p) => p.gap));
  return {
    id: panelId('path', task),
    section: 'path',
    group: 'path',
    task: task.task,
    title: 'The λ path and its certificates',
    caption: `Features with weight as the penalty falls; the relative duality gap that bounds each solution’s distance from the optimum${tolerance === undefined ? '' : ' (line: the tolerance asked for)'}; the share of features proved to have no weight at the optimum. Dashed: the λ that validation chose.`,
    alt: `${task.path.length} values of λ, largest relative gap ${worst.toExponential(1)}${tolerance === undefined ? '' : open ? `, ${open} above the tolerance ${tolerance}` : `, all within the tolerance ${tolerance}`}; ${integer(task.path.at(-1)?.nonzero ?? 0)} features at the end.`,
    key: [
      keyEntry('solved to tolerance', 'accent', dot),
      ...(open ? [keyEntry('not solved to tolerance', 'alert', dot)] : []),
      ...(rows.some((r) => r.inactive !== undefined) ? [keyEntry('proved inactive', 'ghost', block)] : []),
    ],
    spec: standalone({
      data: { values: rows },
      spacing: 14,
      vconcat: [support, gaps, ...(rows.some((r) => r.inactive !== undefined) ? [inactive] : [])],
    }),
    wide: false,
    table: {
      id: panelId('path', task),
      caption: `${task.task}: the λ path`,
      columns: [
        { title: 'λ', format: (v) => v.toPrecision(3) },
        { title: 'λ / λmax', format: (v) => v.toPrecision(3) },
        { title: 'objective', format: (v) => v.toPrecision(5) },
        { title: 'relative gap', format: (v) => v.toExponential(1) },
        { title: 'nonzero' },
        { title: 'proved inactive', format: share },
      ],
      rows: task.path.map((p) => [p.lambda, p.ratio, p.objective, p.gap, p.nonzero, p.inactiveShare]),
    },
  };
}

const axisTitle = 'λ / λmax';
const panelTitle = (text: string) => ({
  text,
  fontSize: 11.5,
  fontWeight: 'normal',
  color: color('muted'),
  offset: 4,
  anchor: 'start',
  frame: 'group',
});
