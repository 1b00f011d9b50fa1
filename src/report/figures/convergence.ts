/** The paper's figure 8: accuracy against the number of updates, a run of its own for each. */
import {
  type Convergence,
  convergenceOf,
  integer,
  list,
  meanConvergence,
  percent,
  type RunRecord,
  type TaskRecord,
} from '../../record/index.js';
import { cardOf, cardsOf } from '../lookup.js';
import { nameOf } from '../marks.js';
import { standalone } from '../svg.js';
import { type Figure, keyOf } from './figure.js';
import { drawnLogit, logitAxis } from './logit.js';
import {
  filterParams,
  methodEncodings,
  methodFilter,
  nominal,
  panelId,
  panelSize,
  points,
  quantitative,
  soundLine,
} from './parts.js';

export function convergenceFigure(record: RunRecord, task: TaskRecord): Figure | undefined {
  const all = convergenceOf(record);
  const own = all.filter((c) => c.task.task === task.task);
  const rows = own.flatMap(({ method, runs, near }) =>
    runs.map(({ steps, score, interval }) => ({
      method,
      label: nameOf(cardOf(record, method)),
      steps,
      accuracy: score,
      score: drawnLogit(score),
      low: drawnLogit(interval[0]),
      high: drawnLogit(interval[1]),
      near: steps === near,
    })),
  );
  const steps = [...new Set(rows.map((r) => r.steps))].sort((a, b) => a - b);
  if (steps.length < 2) return undefined;
  const cards = cardsOf(
    record,
    rows.map((r) => r.method),
  );
  const { color, shape, opacity } = methodEncodings(cards, 3);
  const x = quantitative('steps', {
    scale: { type: 'log', nice: false, padding: 6 },
    axis: { title: 'updates', grid: false, values: steps, format: '~s', labelOverlap: true },
  });
  const axis = logitAxis(
    'test accuracy',
    rows.flatMap((r) => [r.low, r.high]),
  );
  const y = quantitative('score', axis);
  const tooltip = [
    nominal('label', { title: 'setting' }),
    quantitative('steps'),
    quantitative('accuracy', { format: '.1%' }),
  ];
  return {
    id: panelId('convergence', task),
    section: 'networks',
    group: 'convergence',
    task: task.task,
    title: 'How soon training comes near its best',
    caption:
      `Test accuracy (logit scale) against updates (log scale); every point is a run with a schedule of its own length, at the settings that were chosen for the longest. ${acrossWords(record, all)}`.trim(),
    alt: nearWords(record, own),
    key: keyOf(cards),
    wide: false,
    spec: standalone({
      width: panelSize.width,
      height: 240,
      params: filterParams([task.task], cards),
      data: { values: rows },
      transform: [methodFilter],
      layer: [
        {
          mark: { type: 'area', opacity: 0.09 },
          encoding: { x, y: quantitative('low', axis), y2: { field: 'high' }, color },
        },
        soundLine([], {}, { x, y, color }),
        ...points([], { size: 44 }, { x, y, color, shape, opacity, tooltip }),
      ],
    }),
    table: {
      id: panelId('convergence', task),
      caption: `${task.task}: test accuracy (%) by number of updates, and the fewest with 90 % of the best odds`,
      columns: [
        { title: 'setting' },
        { title: 'updates', format: integer },
        { title: 'accuracy', format: percent },
        { title: 'low', format: percent },
        { title: 'high', format: percent },
        { title: '90 % of the best odds' },
      ],
      rows: own.flatMap(({ method, runs, near }) =>
        runs.map((r) => [
          nameOf(cardOf(record, method)),
          r.steps,
          r.score,
          ...r.interval,
          r.steps === near ? 'reached' : undefined,
        ]),
      ),
    },
  };
}

const nearWords = (record: RunRecord, own: readonly Convergence[]): string =>
  `${list(own.map(({ method, near, runs }) => `${cardOf(record, method).label}: ${near === undefined ? `${runs.length} length` : `90 % of its best odds after ${integer(near)} updates`}`))}.`;

function acrossWords(record: RunRecord, all: readonly Convergence[]): string {
  const means = meanConvergence(all);
  if (means.every((m) => m.tasks < 2)) return '';
  return `Geometric mean over tasks: ${list(means.map((m) => `${cardOf(record, m.method).label} ${integer(m.mean)} updates (quartiles ${m.quartiles.map(integer).join(' and ')}, ${m.tasks} tasks)`))}.`;
}
