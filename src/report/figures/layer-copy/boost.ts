/** What a start from the other half gives (table 1 of the paper). */
import { points as inPoints, pointsInterval, type RunRecord } from '../../../record/index.js';
import { copyGroupTitle } from '../../copy-tables.js';
import { standalone } from '../../svg.js';
import { color } from '../../theme.js';
import { dot, type Figure, keyEntry } from '../figure.js';
import { nominal, quantitative } from '../parts.js';
import { scaled } from './shared.js';

/** The paper's table 1, drawn. */
export function boostFigure({ layerCopy: study }: RunRecord): Figure | undefined {
  if (!study || study.boosts.length === 0) return undefined;
  const rows = study.boosts.flatMap((b) =>
    (
      [
        ['over training from scratch', b.overBase, b.overBaseInterval],
        ['over its own layers, trained further', b.overRetrained, b.overRetrainedInterval],
      ] as const
    ).flatMap(([over, mean, interval]) =>
      mean === undefined
        ? []
        : [
            {
              range: `${copyGroupTitle(b.group)}, layers ${b.from} to ${b.to}`,
              over,
              mean: 100 * mean,
              ...scaled(interval),
            },
          ],
    ),
  );
  const x = quantitative('mean', { axis: { title: 'points', tickCount: 6 } });
  const y = nominal('range', { axis: { title: null, labelLimit: 320 }, sort: null });
  const hue = nominal('over', {
    scale: {
      domain: ['over training from scratch', 'over its own layers, trained further'],
      range: [color('ink'), color('own')],
    },
    legend: { title: null },
  });
  const offset = nominal('over');
  return {
    id: 'boost',
    section: 'copies',
    group: 'boost',
    title: 'What a start from the other half gives',
    caption: `AnB+ (layers of the other half, trained further), the mean over all networks with that many copied layers, with 95 % intervals. ${study.aggregate === 'paired' ? 'Each network against its own half’s; the published table compares all networks with all bases, whose halves differ in difficulty.' : 'As published: all networks against all bases.'}`,
    alt: study.boosts
      .map(
        (b) =>
          `${copyGroupTitle(b.group)}, layers ${b.from} to ${b.to}: ${inPoints(b.overBase)}${b.overBaseInterval ? ` ${pointsInterval(b.overBaseInterval)}` : ''} over training from scratch`,
      )
      .join('; '),
    key: [
      keyEntry('over training from scratch', 'ink', dot),
      keyEntry('over its own layers, trained further', 'own', dot),
    ],
    spec: standalone({
      width: 560,
      height: { step: 34 },
      layer: [
        {
          data: { values: [{ mean: 0 }] },
          mark: { type: 'rule', color: color('axis') },
          encoding: { x },
        },
        {
          data: { values: rows },
          mark: { type: 'rule', strokeWidth: 1.4 },
          encoding: { y, yOffset: offset, x: quantitative('low'), x2: { field: 'high' }, color: hue },
        },
        {
          data: { values: rows },
          mark: { type: 'point', filled: true, size: 60, opacity: 1 },
          encoding: {
            y,
            yOffset: offset,
            x,
            color: hue,
            tooltip: [
              nominal('range'),
              nominal('over'),
              ...['mean', 'low', 'high'].map((f) => quantitative(f, { format: '+.1f' })),
            ],
          },
        },
      ],
    }),
    table: {
      id: 'boost',
      caption: 'Boost of AnB+ (points) by range of layers, with 95 % intervals',
      columns: [
        { title: 'split' },
        { title: 'from layer' },
        { title: 'to layer' },
        { title: 'over base', format: inPoints },
        { title: 'low', format: inPoints },
        { title: 'high', format: inPoints },
        { title: 'over BnB+', format: inPoints },
        { title: 'low, BnB+', format: inPoints },
        { title: 'high, BnB+', format: inPoints },
        { title: 'networks' },
      ],
      rows: study.boosts.map((b) => [
        copyGroupTitle(b.group),
        b.from,
        b.to,
        b.overBase,
        ...(b.overBaseInterval ?? [undefined, undefined]),
        b.overRetrained,
        ...(b.overRetrainedInterval ?? [undefined, undefined]),
        b.runs,
      ]),
    },
    wide: true,
  };
}
