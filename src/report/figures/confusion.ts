/** The confusion matrix. */
import { classesOf, list, mainAnswer, percent, type RunRecord, type TaskRecord } from '../../record/index.js';
import { accuracy, confusionMatrix } from '../../stats/index.js';
import { cardOf, selectingCell } from '../lookup.js';
import { isDrawn, noteOn } from '../marks.js';
import { standalone } from '../svg.js';
import { color } from '../theme.js';
import { block, type Figure, keyEntry } from './figure.js';
import { nominal, panelId, panelSize, quantitative } from './parts.js';

/** Up to this many classes there is a matrix, whose axes carry names; of more, the pairs that are confused most. */
const namedClasses = 16;
const shownPairs = 10;

/** Counts of true against predicted class; only cells that occur are drawn, so 100 classes stay light. */
export function confusionFigure(record: RunRecord, task: TaskRecord): Figure | undefined {
  const { testLabels: labels } = task;
  const drawn = new Set(task.cells.filter(isDrawn).map((c) => c.method));
  const predictions = task.predictions?.filter((row) => drawn.has(row.method)) ?? [];
  const wanted = [mainAnswer(record.answer, task)?.method, selectingCell(task)?.method];
  const run = wanted.map((m) => predictions.find((row) => row.method === m)).find(Boolean) ?? predictions[0];
  if (!run?.predicted || !labels?.length) return undefined;
  const { predicted } = run;
  const classes = classesOf(task.target);
  const matrix = confusionMatrix(labels, predicted, classes.length);
  const cells = matrix.flatMap((row, i) => {
    const total = row.reduce((a, b) => a + b, 0);
    return row.flatMap((count, j) =>
      count ? [{ i, j, truth: classes[i], predicted: classes[j], count, share: count / total, right: i === j }] : [],
    );
  });
  const mistakes = cells.filter((c) => !c.right).sort((a, b) => b.count - a.count || a.i - b.i || a.j - b.j);
  const frequent = mistakes.slice(0, 3).map((c) => `${c.truth} as ${c.predicted} (${c.count})`);
  const { label } = cardOf(record, run.method);
  const many = classes.length > namedClasses && mistakes.length > 0;
  const thumbs = many ? examplesOf(task, run.method) : new Map<string, string>();
  return {
    id: panelId('confusion', task),
    section: 'errors',
    group: 'confusion',
    task: task.task,
    title: 'Which classes are confused',
    caption: many
      ? `The ${shownPairs} pairs of classes that are confused most often, of ${classes.length} classes: the true class, then the predicted one, and the number of test examples${thumbs.size > 0 ? ', with one of them' : ''}.`
      : 'Rows are the true class, columns the predicted one, over the test split; the darker, the larger the share of the row.',
    alt: `${label}${run.seed ? `, seed ${run.seed}` : ''}: ${percent(accuracy(labels, predicted))} % right. ${frequent.length > 0 ? `Most confused: ${list(frequent)}.` : 'No mistakes.'}`,
    note: noteOn(
      record,
      task.cells.filter((c) => c.method === run.method),
    ),
    key: many ? [] : [keyEntry('right', 'accent', block), keyEntry('wrong', 'alert', block)],
    spec: many
      ? pairsSpec(
          mistakes.slice(0, shownPairs).map((c) => {
            const pair = pairName(c.truth, c.predicted);
            const image = thumbs.get(pair);
            return { ...c, pair, ...(image === undefined ? {} : { image }) };
          }),
        )
      : specOf(classes, cells),
    wide: false,
    table: {
      id: panelId('confusion', task),
      caption: `${task.task}: the most frequent confusions of ${label}`,
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

const pairName = (truth: string | undefined, predicted: string | undefined) => `${truth} → ${predicted}`;

/** An image for each confusion of a method, where the record has one. */
function examplesOf({ thumbnails = [] }: TaskRecord, method: string): Map<string, string> {
  const found = new Map<string, string>();
  for (const { image, label, predictions } of thumbnails) {
    const predicted = predictions[method];
    const pair = pairName(label, predicted);
    if (predicted !== undefined && predicted !== label && !found.has(pair)) found.set(pair, image);
  }
  return found;
}

/** Bars of pairs, the most frequent first, with an image at their ends. */
function pairsSpec(rows: readonly { readonly pair: string; readonly count: number; readonly image?: string }[]) {
  const images = rows.some((r) => r.image !== undefined);
  const side = 30;
  const y = {
    y: nominal('pair', {
      sort: rows.map((r) => r.pair),
      axis: { title: null, labelLimit: 190, labelColor: color('ink'), ticks: false, domain: false },
    }),
  };
  const x = quantitative('count', {
    scale: { zero: true, nice: true, padding: images ? side : 0 },
    axis: { title: 'test examples', tickMinStep: 1, format: 'd', tickCount: 4 },
  });
  const tooltip = [
    nominal('truth', { title: 'true' }),
    nominal('predicted'),
    quantitative('count'),
    quantitative('share', { format: '.0%', title: 'of this class' }),
  ];
  return standalone({
    width: panelSize.width,
    height: { step: images ? side + 4 : 22 },
    data: { values: rows },
    layer: [
      { mark: { type: 'bar', color: color('alert'), height: 12 }, encoding: { ...y, x, tooltip } },
      ...(images
        ? [
            {
              transform: [{ filter: 'isValid(datum.image)' }],
              mark: { type: 'image', width: side, height: side, align: 'left', baseline: 'middle', xOffset: 5 },
              encoding: { ...y, x, url: nominal('image'), tooltip },
            },
          ]
        : []),
    ],
  });
}

function specOf(classes: readonly string[], cells: readonly object[]) {
  const quiet = { ticks: false, domain: false, grid: false };
  const names = {
    labelLimit: 84,
    labelFontSize: 11,
    labelExpr: `datum.value < ${classes.length} ? ${JSON.stringify(classes)}[datum.value] : ''`,
  };
  const axis = (title: string, rest: object = {}) => ({ title, ...quiet, ...names, ...rest });
  const scale = { domain: classes.map((_, i) => i) };
  // Names lie flat where the longest has room in its column.
  const fits = 7 * Math.max(...classes.map((name) => name.length)) + 4 < panelSize.width / classes.length;
  return standalone({
    width: panelSize.width,
    height: 290,
    view: { stroke: color('rule') },
    data: { values: cells },
    mark: { type: 'rect' },
    encoding: {
      x: { field: 'j', type: 'ordinal', scale, axis: axis('predicted', { labelAngle: fits ? 0 : -45 }) },
      y: { field: 'i', type: 'ordinal', scale, axis: axis('true class') },
      color: nominal('right', {
        scale: { domain: [true, false], range: [color('accent'), color('alert')] },
        legend: null,
      }),
      opacity: quantitative('share', { scale: { domain: [0, 1], range: [0.14, 1] }, legend: null }),
      tooltip: [
        nominal('truth', { title: 'true' }),
        nominal('predicted'),
        quantitative('count'),
        quantitative('share', { format: '.0%', title: 'of this class' }),
      ],
    },
  });
}
