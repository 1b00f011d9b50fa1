/** Validation accuracy over the grid of learning rates and weight decays. */
import { gridOf, percent, type RunRecord, type TaskRecord } from '../../record/index.js';
import { cardOf } from '../lookup.js';
import { nameOf } from '../marks.js';
import { standalone } from '../svg.js';
import { color } from '../theme.js';
import type { Figure } from './figure.js';
import { filterParams, methodFilter, nominal, panelHeader, panelId } from './parts.js';

/** A number of a grid as its axis has it: 0.0032, 1e-6. */
const short = (v: number): string => (v !== 0 && v < 1e-3 ? v.toExponential(0) : String(Number(v.toPrecision(2))));

export function rateGridFigure(record: RunRecord, task: TaskRecord): Figure | undefined {
  const grids = record.methods.flatMap((card) => {
    const grid = gridOf(task, card.id);
    return grid ? [{ card, grid }] : [];
  });
  if (grids.length === 0) return undefined;
  const rows = grids.flatMap(({ card, grid }) =>
    grid.points.map((p) => ({
      method: card.id,
      label: nameOf(card),
      rate: short(p.learningRate),
      decay: short(p.weightDecay),
      validation: p.validation ?? null,
      text: p.validation === undefined ? '×' : `${Math.round(100 * p.validation)}`,
    })),
  );
  const order = (key: 'learningRate' | 'weightDecay') =>
    [...new Set(grids.flatMap(({ grid }) => grid.points.map((p) => p[key])))].sort((a, b) => a - b).map(short);
  const cards = grids.map((g) => g.card);
  const best = grids.map(({ card, grid }) => {
    const top = grid.points.reduce((a, b) => ((b.validation ?? -1) > (a.validation ?? -1) ? b : a));
    return `${card.label}: ${top.validation === undefined ? 'all diverged' : `highest at learning rate ${short(top.learningRate)}, decay ${short(top.weightDecay)} (${percent(top.validation)} %)`}`;
  });
  const x = nominal('rate', { sort: order('learningRate'), axis: { title: 'learning rate', labelAngle: 0 } });
  const y = nominal('decay', { sort: order('weightDecay').reverse(), axis: { title: 'weight decay' } });
  return {
    id: panelId('rate-grid', task),
    section: 'networks',
    group: 'rate-grid',
    task: task.task,
    title: 'Learning rate and weight decay',
    caption:
      'Validation accuracy (%) of every point of the grid, in runs of the shortest length that was tried, of which the best are tried for longer; ×: diverged.',
    alt: `${best.join('. ')}.`,
    key: [],
    wide: false,
    spec: standalone({
      params: filterParams([task.task], cards),
      facet: { column: nominal('label', { sort: cards.map(nameOf), header: panelHeader }) },
      resolve: { scale: { x: 'independent', y: 'independent' } },
      data: { values: rows },
      transform: [methodFilter],
      spec: {
        width: 36 * Math.max(...grids.map(({ grid }) => new Set(grid.points.map((p) => p.learningRate)).size)),
        height: 22 * Math.max(...grids.map(({ grid }) => new Set(grid.points.map((p) => p.weightDecay)).size)),
        encoding: { x, y },
        layer: [
          {
            mark: { type: 'rect', opacity: 0.55 },
            encoding: {
              color: {
                field: 'validation',
                type: 'quantitative',
                scale: { range: [color('paper'), color('accent')], zero: true },
                legend: null,
              },
            },
          },
          { mark: { type: 'text', fontSize: 11 }, encoding: { text: nominal('text') } },
        ],
      },
    }),
    table: {
      id: panelId('rate-grid', task),
      caption: `${task.task}: validation accuracy (%) by learning rate and weight decay, in the shortest runs`,
      columns: [
        { title: 'setting' },
        { title: 'learning rate' },
        { title: 'weight decay' },
        { title: 'epochs', format: (v) => v.toFixed(2) },
        { title: 'validation', format: percent },
      ],
      rows: grids.flatMap(({ card, grid }) =>
        grid.points.map((p) => [
          nameOf(cardOf(record, card.id)),
          p.learningRate,
          p.weightDecay,
          grid.epochs,
          p.validation,
        ]),
      ),
    },
  };
}
