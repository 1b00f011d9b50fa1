/** The confusion matrix. */

import { labelOf, list, percent, type StudyRecord, selectionMethod, type TaskRecord } from '../../record/index.js';
import { accuracy, confusionMatrix } from '../../stats/index.js';
import { standalone } from '../svg.js';
import { color } from '../theme.js';
import { block, type Figure, keyEntry, panelId, panelSize } from './figure.js';

/** Up to this many classes the axes carry names. */
const namedClasses = 16;

/** Counts of true against predicted class; only cells that occur are drawn, so 100 classes stay light. */
export function confusionFigure(study: StudyRecord, task: TaskRecord): Figure | undefined {
  const candidates = [selectionMethod(study), 'linear', ...task.methods.map((m) => m.method)];
  const run = candidates.map((method) => task.predictions?.methods.find((m) => m.method === method)).find(Boolean);
  if (!run || !task.predictions) return undefined;
  const { labels } = task.predictions;
  const classes = task.classes;
  const matrix = confusionMatrix(labels, run.predicted, classes.length);
  const totals = matrix.map((row) => row.reduce((a, b) => a + b, 0));
  const cells = matrix.flatMap((row, i) =>
    row.flatMap((count, j) =>
      count
        ? [
            {
              i,
              j,
              truth: classes[i],
              predicted: classes[j],
              count,
              share: count / (totals[i] as number),
              right: i === j,
            },
          ]
        : [],
    ),
  );
  const mistakes = cells.filter((c) => !c.right).sort((a, b) => b.count - a.count || a.i - b.i || a.j - b.j);
  const named = classes.length <= namedClasses;
  const axis = (title: string, extra: object = {}) =>
    named
      ? {
          title,
          labelLimit: 84,
          ticks: false,
          domain: false,
          grid: false,
          labelFontSize: 10,
          labelExpr: `datum.value < ${classes.length} ? ${JSON.stringify(classes)}[datum.value] : ''`,
          ...extra,
        }
      : { title, labels: false, ticks: false, domain: false, grid: false };
  const domain = classes.map((_, i) => i);
  return {
    id: panelId('confusion', task),
    section: 'errors',
    group: 'confusion',
    task: task.task,
    title: 'Which classes are confused',
    caption: `${labelOf(run.method)} on the test split${run.seed ? `, seed ${run.seed}` : ''}: rows are the true class, columns the predicted one; the darker, the larger the share of the row.`,
    alt: `${percent(accuracy(labels, run.predicted))} % right. ${mistakes.length ? `Most confused: ${list(mistakes.slice(0, 3).map((c) => `${c.truth} as ${c.predicted} (${c.count})`))}.` : 'No mistakes.'}`,
    key: [keyEntry('right', 'accent', block), keyEntry('wrong', 'alert', block)],
    spec: standalone({
      width: panelSize.width,
      height: 290,
      view: { stroke: color('rule') },
      data: { values: cells },
      mark: { type: 'rect' },
      encoding: {
        x: { field: 'j', type: 'ordinal', scale: { domain }, axis: axis('predicted', { labelAngle: -45 }) },
        y: { field: 'i', type: 'ordinal', scale: { domain }, axis: axis('true class') },
        color: {
          field: 'right',
          type: 'nominal',
          scale: { domain: [true, false], range: [color('accent'), color('alert')] },
          legend: null,
        },
        opacity: { field: 'share', type: 'quantitative', scale: { domain: [0, 1], range: [0.14, 1] }, legend: null },
        tooltip: [
          { field: 'truth', type: 'nominal', title: 'true' },
          { field: 'predicted', type: 'nominal' },
          { field: 'count', type: 'quantitative' },
          { field: 'share', type: 'quantitative', format: '.0%', title: 'of this class' },
        ],
      },
    }),
    wide: false,
    table: {
      id: panelId('confusion', task),
      caption: `${task.task}: the most frequent confusions of ${labelOf(run.method)}`,
      columns: [
        { title: 'true' },
        { title: 'predicted' },
        { title: 'examples' },
        { title: 'of this class (%)', format: (v) => percent(v, 0) },
      ],
      rows: mistakes.slice(0, 30).map((c) => [c.truth, c.predicted, c.count, c.share]),
    },
  };
}
