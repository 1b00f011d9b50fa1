/** Figures of a run that compares copied layers with everything else: the way from scratch to fine-tuned, and the papers' advice. */
import {
  doneCells,
  points as inPoints,
  type PaperRow,
  paperRows,
  percent,
  type RunRecord,
  type ScoredCell,
  scoredCells,
  type TaskRecord,
} from '../../record/index.js';
import { cardOf } from '../lookup.js';
import { isHollow, nameOf, noteOn, reasonsOf } from '../marks.js';
import { standalone } from '../svg.js';
import { color } from '../theme.js';
import { dash, dot, type Figure, hollowKey, keyEntry } from './figure.js';
import {
  capital,
  nominal,
  panelId,
  panelSize,
  points,
  quantitative,
  rule,
  scoreAxis,
  scoreColumns,
  scoreRow,
  scoreTips,
  soundLine,
} from './parts.js';
import { verdictLayers } from './verdicts.js';

const series = { frozen: 'copied and frozen (AnB)', trained: 'copied and trained further (AnB+)' } as const;

/** Share of the layers below the head that a method copies; undefined for one that copies none by number. */
function shareOf({ method, settings }: ScoredCell): number | undefined {
  if (method === 'scratch') return 0;
  if (method === 'finetune') return 1;
  const { copiedLayers, layers } = settings ?? {};
  return typeof copiedLayers === 'number' && typeof layers === 'number' ? copiedLayers / (layers - 1) : undefined;
}

/** From training from scratch to fine-tuning: accuracy by the share of the layers that start pretrained. */
export function copyCurveFigure(record: RunRecord, task: TaskRecord): Figure | undefined {
  const cells = scoredCells(task).flatMap((cell) => {
    const share = shareOf(cell);
    return share === undefined ? [] : [{ cell, share }];
  });
  const inner = cells.filter(({ share }) => share > 0 && share < 1);
  if (inner.length < 2) return undefined;
  const isFrozen = (cell: ScoredCell) => Number(cell.settings?.frozenLayers ?? 0) > 0;
  const rows = [
    ...cells.filter(({ cell }) => isFrozen(cell)).map((c) => ({ ...c, series: series.frozen })),
    ...cells.filter(({ cell }) => !isFrozen(cell)).map((c) => ({ ...c, series: series.trained })),
    // Nothing frozen is where both begin.
    ...cells.filter(({ share }) => share === 0).map((c) => ({ ...c, series: series.frozen })),
  ].map(({ cell, share, series: name }) => ({
    share,
    series: name,
    label: nameOf(cardOf(record, cell.method)),
    ...scoreRow(cell, isHollow(cell)),
  }));
  const linear = scoredCells(task).find((c) => c.method === 'linear');
  const domain = Object.values(series);
  const hue = nominal('series', { scale: { domain, range: [color('other'), color('own')] }, legend: null });
  const x = quantitative('share', {
    scale: { domain: [0, 1], nice: false, padding: 8 },
    axis: {
      title: 'share of the layers that start pretrained',
      format: '.0%',
      values: [0, 0.25, 0.5, 0.75, 1],
      grid: false,
    },
  });
  const axis = scoreAxis('test accuracy');
  const y = quantitative('score', axis);
  const all = doneCells(task).filter((c) => cells.some(({ cell }) => cell.method === c.method));
  return {
    id: panelId('copies', task),
    section: 'accuracy',
    group: 'copy-curve',
    task: task.task,
    title: 'From scratch to fine-tuned',
    caption:
      'Test accuracy by the share of the layers that are copied from the pretrained network; the layers above are drawn anew. At 0 training from scratch, at 1 fine-tuning. Dashed: a probe on the last layer. 95 % intervals over test images and seeds.',
    // Training from scratch stands in both series.
    alt: [...new Set(rows.map((r) => `${r.label}: ${percent(r.score)} %`))].join('; '),
    note: noteOn(record, all),
    key: [
      keyEntry(series.frozen, 'other', dot),
      keyEntry(series.trained, 'own', dot),
      ...(linear ? [keyEntry('probe on the last layer', 'ink', dash)] : []),
      ...hollowKey(rows, reasonsOf(all)),
    ],
    spec: standalone({
      width: panelSize.width,
      height: panelSize.height,
      data: { values: rows },
      layer: [
        ...(linear ? [rule('y', 'score', linear.score, color('ink'))] : []),
        {
          transform: [{ filter: 'isValid(datum.low)' }],
          mark: { type: 'rule', strokeWidth: 1.2, opacity: 0.7 },
          encoding: { x, y: quantitative('low', axis), y2: { field: 'high' }, color: hue },
        },
        soundLine(rows, {}, { x, y, color: hue }),
        ...points(
          rows,
          { size: 50 },
          { x, y, color: hue, tooltip: [nominal('label'), ...scoreTips('test accuracy', rows)] },
        ),
      ],
    }),
    wide: false,
    table: {
      id: panelId('copies', task),
      caption: `${task.task}: test accuracy (%) by the share of the layers that start pretrained`,
      columns: [
        { title: 'method' },
        { title: 'share copied', format: percent },
        { title: 'copied layers' },
        { title: 'frozen layers' },
        ...scoreColumns('accuracy'),
      ],
      rows: cells.map(({ cell, share }) => [
        nameOf(cardOf(record, cell.method)),
        share,
        Number(cell.settings?.copiedLayers ?? Number.NaN) || undefined,
        Number(cell.settings?.frozenLayers ?? Number.NaN) || undefined,
        cell.score,
        ...cell.interval,
      ]),
    },
  };
}

const verdictWords: Readonly<Record<PaperRow['verdict'], string>> = {
  best: 'nothing is better by more than the margin',
  beaten: 'another is proven better',
  undecided: 'undecided',
};

/** What each paper would have advised, and how far the best method is ahead of that. */
export function papersFigure(record: RunRecord): Figure | undefined {
  const all = paperRows(record);
  if (all.length === 0) return undefined;
  const label = (id: string) => nameOf(cardOf(record, id));
  const rows = all.map((row) => ({
    row: `${row.task}: ${row.paper} (${label(row.method)})`,
    best: label(row.best),
    verdict: row.verdict,
    difference: 100 * row.difference,
    ...(row.interval ? { low: 100 * row.interval[0], high: 100 * row.interval[1] } : {}),
  }));
  const verdicts = { best: 'accent', undecided: 'muted', beaten: 'alert' } as const;
  const papers = [...new Set(all.map((r) => r.paper))];
  return {
    id: 'papers',
    section: 'accuracy',
    group: 'papers',
    title: 'What each paper would have advised',
    caption:
      'On each task the method that a paper’s advice names, and how far the method with the highest score is ahead of it; rules: intervals that hold together over the run. The highest of many scores is optimistic: look at whether the interval leaves out zero.',
    alt: papers
      .map((paper) => {
        const own = all.filter((r) => r.paper === paper);
        const beaten = own.filter((r) => r.verdict === 'beaten').length;
        return `${paper}: beaten on ${beaten} of ${own.length} tasks`;
      })
      .map(capital)
      .join('; '),
    key: (['best', 'undecided', 'beaten'] as const).map((v) => keyEntry(verdictWords[v], verdicts[v], dot)),
    spec: standalone({
      width: 320,
      height: { step: 19 },
      data: { values: rows },
      layer: verdictLayers(rows, {
        colours: verdicts,
        title: 'the best method minus the advised one, points',
        labelLimit: 360,
        tooltip: [nominal('row'), nominal('best'), quantitative('difference', { format: '+.1f' })],
      }),
    }),
    wide: true,
    table: {
      id: 'papers',
      caption:
        'What each paper would have advised on each task (scores in %, the difference in points with its corrected interval)',
      columns: [
        { title: 'task' },
        { title: 'paper' },
        { title: 'advice', wraps: true },
        { title: 'method' },
        { title: 'score', format: percent },
        { title: 'best method' },
        { title: 'its score', format: percent },
        { title: 'difference', format: inPoints },
        { title: 'low', format: inPoints },
        { title: 'high', format: inPoints },
        { title: 'verdict' },
      ],
      rows: all.map((r) => [
        r.task,
        r.paper,
        r.advice,
        label(r.method),
        r.score,
        label(r.best),
        r.bestScore,
        r.difference,
        ...(r.interval ?? [undefined, undefined]),
        verdictWords[r.verdict],
      ]),
    },
  };
}
