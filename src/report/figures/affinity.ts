/** What a method that reads all layers gains over the last layer, against how near the task is to the source. */
import {
  type AffinityTrend,
  affinityTrend,
  points as inPoints,
  list,
  type MethodCard,
  pointsInterval,
  pValue,
  type RunRecord,
} from '../../record/index.js';
import { cardOf, layerMethod } from '../lookup.js';
import { isHollow, noteOn, reasonsOf } from '../marks.js';
import { standalone } from '../svg.js';
import { color } from '../theme.js';
import { type Figure, hollowKey, keyOf } from './figure.js';
import { filterParams, nominal, points, quantitative, taskFilter } from './parts.js';

/** The paper's figure 3. */
export function affinityFigure(record: RunRecord): Figure | undefined {
  const method = layerMethod(record);
  const trend = method === undefined ? undefined : affinityTrend(record, method);
  if (method === undefined || !trend) return undefined;
  const [card, reference] = [cardOf(record, method), cardOf(record, 'linear')];
  const words = correlationWords(trend);
  const cells = record.tasks.flatMap((task) => task.cells.filter((c) => [method, reference.id].includes(c.method)));
  return {
    id: 'affinity',
    section: 'affinity',
    group: 'affinity',
    title: 'Gain over the last layer against domain affinity',
    caption: `${words}. Affinity and gain share the score of ${reference.label}, which alone correlates them${shuffledWords(trend)}.${trend.line.length > 0 ? ' Line and shade: least squares over all tasks with a 95 % bootstrap band (tasks resampled).' : ''} Rules: 95 % intervals. Left: tasks unlike what the network was trained on.`,
    alt: `${words}. ${list(
      trend.points.map(
        ({ task, affinity, gain }) =>
          `${task}: affinity ${inPoints(affinity)}, gain ${inPoints(gain.difference)} ${pointsInterval(gain.interval)}`,
      ),
    )}.`,
    key: [...keyOf([card]), ...hollowKey(rowsOf(record, trend, card.id, reference.id), reasonsOf(cells))],
    note: noteOn(record, cells),
    spec: specOf(record, trend, card, reference),
    wide: true,
    table: {
      id: 'affinity',
      caption: `Domain affinity and gain of ${card.label} over ${reference.label} (points, 95 % interval of each by itself, corrected p)`,
      columns: [
        { title: 'task' },
        { title: 'affinity', format: inPoints },
        { title: 'gain', format: inPoints },
        { title: 'low', format: inPoints },
        { title: 'high', format: inPoints },
        { title: 'p', format: pValue },
      ],
      rows: trend.points.map(({ task, affinity, gain }) => [
        task,
        affinity,
        gain.difference,
        ...gain.interval,
        gain.pCorrected,
      ]),
    },
  };
}

const fixed = (v: number) => v.toFixed(2).replace('-', '−');
const bracket = (interval: readonly number[]) => `[${interval.map(fixed).join(', ')}]`;

function correlationWords({ r, interval, points: { length: n } }: AffinityTrend): string {
  if (r === undefined) return 'Too few tasks for a correlation';
  return `Pearson r = ${fixed(r)}${interval ? ` ${bracket(interval)}` : ''} over ${n} tasks${interval ? '' : ', too few for an interval'}`;
}

function shuffledWords({ shuffled }: AffinityTrend): string {
  if (!shuffled) return '';
  return `: with the scores of scratch shuffled among tasks r is ${fixed(shuffled.median)} ${bracket(shuffled.interval)}`;
}

/** In points; hollow where the score of one of the two is not what it seems. */
function rowsOf(record: RunRecord, { points: all }: AffinityTrend, ...methods: string[]) {
  const range = new Map(record.tasks.map((t) => [t.task, t.domainAffinity?.interval]));
  return all.map(({ task, affinity, gain: { difference, interval } }) => {
    const [from, to] = range.get(task) ?? [affinity, affinity];
    const cells = record.tasks.find((t) => t.task === task)?.cells ?? [];
    const hollow = cells.some((c) => c.status === 'done' && methods.includes(c.method) && isHollow(c));
    return {
      task,
      affinity: 100 * affinity,
      from: 100 * from,
      to: 100 * to,
      ...percentages({ y: difference, low: interval[0], high: interval[1] }),
      ...(hollow ? { hollow } : {}),
    };
  });
}

function specOf(record: RunRecord, trend: AffinityTrend, card: MethodCard, reference: MethodCard) {
  const { light: hex, shape } = card;
  const line = trend.line.map(({ x, ...rest }) => ({ affinity: 100 * x, ...percentages(rest) }));
  const rows = rowsOf(record, trend, card.id, reference.id);
  const x = quantitative('affinity', {
    axis: {
      title: `domain affinity: ${reference.label} − ${cardOf(record, 'scratch').label}, points`,
      grid: false,
      tickCount: 7,
    },
    scale: { padding: 12, nice: false, zero: false },
  });
  const yTitle = `${card.label} − ${reference.label}, points`;
  const axis = { axis: { title: yTitle, tickCount: 6 } };
  const tip = (field: string, title: string) => quantitative(field, { format: '+.1f', title });
  const tooltip = [
    nominal('task'),
    tip('affinity', 'affinity'),
    tip('y', 'gain'),
    tip('low', 'from'),
    tip('high', 'to'),
  ];
  const band = {
    data: { values: line },
    layer: [
      {
        mark: { type: 'area', opacity: 0.11, color: hex },
        encoding: { x, y: quantitative('low', axis), y2: { field: 'high' } },
      },
      {
        mark: { type: 'line', color: hex, strokeWidth: 1.5, opacity: 0.7, strokeDash: [5, 4] },
        encoding: { x, y: quantitative('y') },
      },
    ],
  };
  const gains = {
    data: { values: rows },
    transform: [taskFilter],
    encoding: { x, tooltip },
    layer: [
      {
        mark: { type: 'rule', color: hex, strokeWidth: 1.6, opacity: 0.75 },
        encoding: { y: quantitative('low', axis), y2: { field: 'high' } },
      },
      {
        mark: { type: 'rule', color: hex, strokeWidth: 1.6, opacity: 0.35 },
        encoding: { x: { ...x, field: 'from' }, x2: { field: 'to' }, y: quantitative('y') },
      },
      ...points(rows, { size: 80, color: hex, shape }, { y: quantitative('y') }),
      {
        mark: { type: 'text', align: 'left', dx: 8, dy: -8 },
        encoding: { y: quantitative('y'), text: nominal('task') },
      },
    ],
  };
  const zero = {
    data: { values: [{ y: 0 }] },
    mark: { type: 'rule', color: color('axis') },
    encoding: { y: quantitative('y') },
  };
  return standalone({
    width: 720,
    height: 340,
    params: filterParams(
      record.tasks.map((t) => t.task),
      [],
    ),
    layer: [zero, ...(line.length > 0 ? [band] : []), gains],
  });
}

const percentages = ({ y, low, high }: { y: number; low: number; high: number }) => ({
  y: 100 * y,
  low: 100 * low,
  high: 100 * high,
});
