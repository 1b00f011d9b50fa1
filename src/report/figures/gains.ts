/** What methods gain over the simplest one: the picture of the answer. */
import {
  type Comparison,
  points as inPoints,
  integer,
  list,
  type MethodCard,
  mainAnswer,
  type RunRecord,
  type TaskRecord,
} from '../../record/index.js';
import { cardOf } from '../lookup.js';
import { nameOf } from '../marks.js';
import { standalone } from '../svg.js';
import { color } from '../theme.js';
import { dot, type Figure, keyEntry } from './figure.js';
import { filterParams, methodFilter, nominal, quantitative, taskFilter } from './parts.js';

/** Up to so many tasks, every method has a row; of more tasks the best alone, and the others are points beside it. */
const tasksInFull = 2;

interface Row {
  readonly task: string;
  readonly method: string;
  readonly label: string;
  /** Its place from top to bottom. */
  readonly row: string;
  /** In points. */
  readonly gain: number;
  readonly low: number;
  readonly high: number;
  readonly from: number;
  readonly to: number;
  /** Advised, or the best of its task: in colour. */
  readonly matters: boolean;
  /** With its interval, in its own row. */
  readonly whole: boolean;
}

interface TaskGains {
  readonly task: TaskRecord;
  readonly reference: MethodCard;
  readonly gains: readonly Comparison[];
}

/** Differences of the candidates to the simplest on each task, at all its labels. */
function gainsOf(record: RunRecord): TaskGains[] {
  return record.tasks.flatMap((task) => {
    const mine = record.answer.comparisons.filter((c) => c.task === task.task && c.perClass === task.perClass);
    const simplest = mine.find((c) => c.reference === 'linear')?.reference ?? mine[0]?.reference;
    if (simplest === undefined) return [];
    const gains = mine.filter((c) => c.reference === simplest && cardOf(record, c.method).role === 'candidate');
    return gains.length > 0 ? [{ task, reference: cardOf(record, simplest), gains }] : [];
  });
}

/** One row a task with its best method, or one a method where tasks are few; zero is the simplest method. */
export function gainsFigure(record: RunRecord): Figure | undefined {
  const tasks = gainsOf(record);
  if (tasks.length === 0) return undefined;
  const full = tasks.length <= tasksInFull;
  const rows = tasks.flatMap((t) => rowsOf(record, t, full, tasks.length > 1));
  const references = [...new Set(tasks.map((t) => t.reference.label))];
  const to = list(references);
  const methods = [...new Set(rows.map((r) => r.method))].map((id) => cardOf(record, id));
  return {
    id: 'gains',
    section: 'first',
    group: 'gains',
    title: `What is gained over ${to}`,
    caption: `Difference in points to ${to} on the same test examples${full ? '' : ': of each task the method with the highest score, the others in grey'}. Thick: its 95 % interval by itself; thin: corrected for all comparisons of this run. Right of the line is better.`,
    alt: altOf(rows, to),
    key: full ? [] : [keyEntry('other methods', 'axis', dot)],
    spec: specOf(rows, {
      tasks: record.tasks.map((t) => t.task),
      methods,
      title: `points against ${to}`,
    }),
    wide: true,
    table: {
      id: 'gains',
      caption: `Difference to ${to} in points, with its interval by itself and corrected for the whole run`,
      columns: [
        { title: 'task' },
        { title: 'method' },
        { title: 'difference', format: inPoints },
        { title: 'low', format: inPoints },
        { title: 'high', format: inPoints },
        { title: 'low, corrected', format: inPoints },
        { title: 'high, corrected', format: inPoints },
        { title: 'verdict' },
      ],
      rows: tasks.flatMap(({ task, gains }) =>
        gains.map((c) => [
          task.task,
          nameOf(cardOf(record, c.method)),
          c.difference,
          ...c.interval,
          ...(c.corrected ?? [undefined, undefined]),
          c.verdict,
        ]),
      ),
    },
  };
}

function rowsOf(record: RunRecord, { task, gains }: TaskGains, full: boolean, several: boolean): Row[] {
  const answer = mainAnswer(record.answer, task);
  const top = gains.reduce((a, b) => (b.difference > a.difference ? b : a));
  const advised = gains.find((c) => answer?.decided && c.method === answer.method);
  const shown = advised ?? top;
  return gains.map((c) => {
    const label = nameOf(cardOf(record, c.method));
    const shownLabel = nameOf(cardOf(record, (full ? c : shown).method));
    const [from, to] = c.corrected ?? c.interval;
    return {
      task: task.task,
      method: c.method,
      label,
      row: several ? `${task.task}: ${shownLabel}` : shownLabel,
      gain: 100 * c.difference,
      low: 100 * c.interval[0],
      high: 100 * c.interval[1],
      from: 100 * from,
      to: 100 * to,
      matters: c === shown || c === top,
      whole: full || c === shown,
    };
  });
}

function altOf(rows: readonly Row[], to: string): string {
  const best = rows.filter((r) => r.whole && r.matters);
  const better = best.filter((r) => r.from > 0).length;
  const words = best.slice(0, 6).map((r) => `${r.row} ${inPoints(r.gain / 100)}`);
  return `${list(words)} points against ${to}; ${integer(better)} of ${integer(best.length)} have an interval right of zero.`;
}

function specOf(
  rows: readonly Row[],
  { tasks, methods, title }: { tasks: readonly string[]; methods: readonly MethodCard[]; title: string },
) {
  const order = [...new Set(rows.map((r) => r.row))];
  const y = {
    y: nominal('row', {
      sort: order,
      axis: {
        title: null,
        grid: true,
        labelColor: color('ink'),
        labelFontSize: 12.5,
        labelLimit: 260,
        tickBand: 'extent',
      },
    }),
  };
  const axis = { title, grid: true, tickCount: 6, labelExpr: "datum.value === 0 ? '0' : format(datum.value, '+~r')" };
  const x = (field: string) => quantitative(field, { scale: { zero: true, nice: true }, axis });
  const tooltip = [
    nominal('task'),
    nominal('label', { title: 'method' }),
    quantitative('gain', { format: '+.1f', title: 'points' }),
    quantitative('low', { format: '+.1f', title: 'from' }),
    quantitative('high', { format: '+.1f', title: 'to' }),
    quantitative('from', { format: '+.1f', title: 'corrected, from' }),
    quantitative('to', { format: '+.1f', title: 'corrected, to' }),
  ];
  const hue = {
    condition: methods.map((m) => ({
      test: `datum.matters && datum.method === ${JSON.stringify(m.id)}`,
      value: m.light,
    })),
    value: color('axis'),
  };
  const span = (from: string, to: string, strokeWidth: number) => ({
    transform: [{ filter: 'datum.whole' }],
    mark: { type: 'rule', strokeWidth, strokeCap: 'round' },
    encoding: { ...y, x: x(from), x2: { field: to }, color: hue, tooltip },
  });
  return standalone({
    width: 720,
    height: { step: 26 },
    params: filterParams(tasks, methods),
    data: { values: rows },
    transform: [taskFilter, methodFilter],
    layer: [
      {
        data: { values: [{ zero: 0 }] },
        mark: { type: 'rule', strokeWidth: 1.6, color: color('ink') },
        encoding: { x: x('zero') },
      },
      {
        transform: [{ filter: '!datum.whole' }],
        mark: { type: 'point', filled: true, size: 34, opacity: 0.9, color: color('axis') },
        encoding: { ...y, x: x('gain'), tooltip },
      },
      span('from', 'to', 1.4),
      span('low', 'high', 4),
      {
        transform: [{ filter: 'datum.whole' }],
        mark: { type: 'point', filled: true, size: 90, opacity: 1, stroke: color('paper'), strokeWidth: 1 },
        encoding: { ...y, x: x('gain'), color: hue, tooltip },
      },
    ],
  });
}
