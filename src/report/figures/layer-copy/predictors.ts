/** Whether what needs no training of copies tells what copies lose. */
import { groupOf, type RunRecord } from '../../../record/index.js';
import { copyGroupTitle } from '../../copy-tables.js';
import { standalone } from '../../svg.js';
import { color } from '../../theme.js';
import { dot, type Figure, keyEntry } from '../figure.js';
import { nominal, quantitative } from '../parts.js';
import { groupColours, groupsOf, roleOf } from './shared.js';

const predictorTitles = {
  cka: '1 − CKA of the two base networks at the layer',
  'probe gap': 'accuracy of a probe: own layer − the other half’s',
  depth: 'depth: n over the deepest n',
} as const;

const fixed = (v: number) => v.toFixed(2).replace('-', '−');

/** Whether what needs no training of copies tells what copies lose. */
export function predictorsFigure({ layerCopy: study }: RunRecord): Figure | undefined {
  if (!study || study.predictors.length === 0) return undefined;
  const found = study.predictors;
  const groups = groupsOf(study);
  const group = new Map(study.splits.map((s) => [s.name, copyGroupTitle(groupOf(s))]));
  const correlation = ({ r, interval }: (typeof found)[number]) =>
    `r = ${fixed(r)}${interval ? ` [${interval.map(fixed).join(', ')}]` : ''}`;
  const depth = found.find((p) => p.predictor === 'depth');
  return {
    id: 'predictors',
    section: 'copies',
    group: 'predictors',
    title: 'Does anything tell beforehand where copies fail?',
    caption: `What the other half’s frozen layers cost against one’s own (BnB − AnB), for each half, seed and layer, against what is known without training a copy: how unlike the two base networks are there, what a probe loses on the other’s layer, and depth alone. r: Pearson’s${depth?.interval ? ', with a 95 % interval over families of networks (halves and seeds)' : '; too few halves and seeds for an interval'}. Whatever grows with depth correlates: only what beats depth alone tells more than the number of the layer.`,
    alt: found.map((p) => `${predictorTitles[p.predictor]}: ${correlation(p)}`).join('; '),
    key: groups.map((g, i) => keyEntry(copyGroupTitle(g), roleOf(i), dot)),
    spec: standalone({
      vconcat: found.map((p) => ({
        title: { text: [predictorTitles[p.predictor], correlation(p)], fontSize: 12 },
        width: 700,
        height: 150,
        data: {
          values: p.points.map(({ split, target, n, x, y }) => ({
            split: group.get(split) ?? split,
            half: target,
            n,
            x,
            y: 100 * y,
          })),
        },
        layer: [
          {
            mark: { type: 'point', filled: true, size: 50, opacity: 0.85 },
            encoding: {
              x: quantitative('x', { scale: { zero: false, padding: 10 }, axis: { title: null, grid: false } }),
              y: quantitative('y', { axis: { title: 'BnB − AnB, points', tickCount: 5 } }),
              color: nominal('split', groupColours(groups)),
              tooltip: [
                nominal('split'),
                nominal('half'),
                quantitative('n', { title: 'layers' }),
                quantitative('x', { format: '.3f' }),
                quantitative('y', { format: '+.1f' }),
              ],
            },
          },
          {
            mark: { type: 'text', dx: 8, fontSize: 11, color: color('muted'), align: 'left' },
            encoding: {
              x: quantitative('x', { axis: { title: null, grid: false } }),
              y: quantitative('y'),
              text: quantitative('n'),
            },
          },
        ],
      })),
    }),
    table: {
      id: 'predictors',
      caption: 'Correlation (Pearson’s r) of BnB − AnB with what is known without training a copy',
      columns: [
        { title: 'predictor' },
        { title: 'r', format: fixed },
        { title: 'low', format: fixed },
        { title: 'high', format: fixed },
        { title: 'families' },
        { title: 'points' },
      ],
      rows: found.map((p) => [
        predictorTitles[p.predictor],
        p.r,
        ...(p.interval ?? [undefined, undefined]),
        p.families,
        p.points.length,
      ]),
    },
    wide: true,
  };
}
