/** The course's advice by size and likeness of the data, held against what was measured. */
import { type CourseRow, courseRows, points as inPoints, percent, type RunRecord } from '../../record/index.js';
import { cardOf } from '../lookup.js';
import { nameOf } from '../marks.js';
import { standalone } from '../svg.js';
import { block, dot, type Figure, keyEntry } from './figure.js';
import { capital, filterParams, taskFilter } from './parts.js';
import { verdictLayers } from './verdicts.js';

/** "small, similar". */
const quadrant = ({ size, similar }: CourseRow) => `${size}, ${similar ? 'similar' : 'different'}`;

export function courseFigure(record: RunRecord): Figure | undefined {
  const all = courseRows(record);
  if (all.length === 0) return undefined;
  const label = (id: string) => nameOf(cardOf(record, id));
  const rows = all.map((row) => ({
    task: row.task,
    row: `${quadrant(row)}: ${row.task}, ${row.perClass} per class: ${label(row.method)} against ${label(row.rival)}`,
    verdict: row.verdict,
    difference: 100 * row.difference,
    low: 100 * row.interval[0],
    high: 100 * row.interval[1],
  }));
  const count = (verdict: CourseRow['verdict']) => all.filter((r) => r.verdict === verdict).length;
  const verdicts = { held: 'accent', undecided: 'muted', failed: 'alert' } as const;
  return {
    id: 'course',
    section: 'learning',
    group: 'course',
    title: 'Where the usual advice held',
    caption:
      'The advice of the cs231n course by size and likeness of the data. Of the methods that follow it the one with the highest score, against the strongest that does not; rules: intervals that hold together over the run. Held: no other method is better by more than the margin. Failed: one is proven better.',
    alt: `${capital(`held in ${count('held')} of ${all.length} places, failed in ${count('failed')}, undecided in ${count('undecided')}`)}.`,
    key: [keyEntry('held', 'accent', dot), keyEntry('undecided', 'muted', block), keyEntry('failed', 'alert', block)],
    wide: true,
    spec: standalone({
      width: 320,
      height: { step: 17 },
      params: filterParams(
        record.tasks.map((t) => t.task),
        [],
      ),
      data: { values: rows },
      transform: [taskFilter],
      layer: verdictLayers(rows, {
        colours: verdicts,
        title: 'the strongest other method minus the advised one, points',
        labelLimit: 420,
      }),
    }),
    table: {
      id: 'course',
      caption:
        'The advice of the cs231n course by size and likeness of the data (as judged before the run, or by domain affinity), and the strongest method that does not follow it: difference (points) with the interval that holds together over the run',
      columns: [
        { title: 'task' },
        { title: 'data' },
        { title: 'likeness by' },
        { title: 'labels per class' },
        { title: 'advice', wraps: true },
        { title: 'by' },
        { title: 'score', format: percent },
        { title: 'strongest other' },
        { title: 'its score', format: percent },
        { title: 'difference', format: inPoints },
        { title: 'low', format: inPoints },
        { title: 'high', format: inPoints },
        { title: 'outcome' },
      ],
      rows: all.map((row) => [
        row.task,
        quadrant(row),
        row.declared ? 'the config' : 'domain affinity',
        row.perClass,
        row.advice,
        label(row.method),
        row.score,
        label(row.rival),
        row.rivalScore,
        row.difference,
        ...row.interval,
        row.verdict,
      ]),
    },
  };
}
