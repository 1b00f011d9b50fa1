/** What copying, freezing and training further change (figure 3 of the paper, and what is behind figure 2). */
import {
  type CopyContrast,
  points as inPoints,
  type LayerCopy,
  list,
  pointsInterval,
  type RunRecord,
} from '../../../record/index.js';
import { copyGroupTitle } from '../../copy-tables.js';
import { standalone } from '../../svg.js';
import { color } from '../../theme.js';
import { dash, type Figure, keyEntry } from '../figure.js';
import { nominal, quantitative } from '../parts.js';
import { groupColours, groupsOf, layerAxis, roleOf } from './shared.js';

/** Titles in lines that a phone has room for. */
const effectPanels: readonly { readonly title: readonly string[]; readonly of: readonly CopyContrast['contrast'][] }[] =
  [
    {
      title: ['Frozen layers against the base:', 'transfer (AnB − base), random (random − base)'],
      of: ['transfer', 'random'],
    },
    {
      title: ['Lost by freezing one’s own layers (co-adaptation)', 'and by their being another’s (specificity)'],
      of: ['co-adaptation', 'specificity'],
    },
    {
      title: ['Gained by training further:', 'AnB+ − base (boost), BnB+ − base (retrained)'],
      of: ['boost', 'retrained'],
    },
  ];

/** The paper's figure 3, relative accuracy, and the decomposition behind figure 2. */
export function effectsFigure({ layerCopy: study, margin }: RunRecord): Figure | undefined {
  if (!study || study.contrasts.length === 0) return undefined;
  const groups = groupsOf(study);
  const rows = study.contrasts.map((c) => ({ ...c, label: copyGroupTitle(c.group) }));
  const panels = effectPanels.filter(({ of }) => rows.some((r) => of.includes(r.contrast)));
  const proven = rows.filter((r) => r.interval && (r.interval[0] > margin || r.interval[1] < -margin));
  return {
    id: 'effects',
    section: 'copies',
    group: 'effects',
    title: 'What copying changes',
    caption: `Differences of test accuracy, ${study.aggregate === 'paired' ? 'each network against that of its own half, split and seed' : 'mean of all networks against mean of all (the published aggregation, whose halves differ in difficulty)'}, with 95 % intervals. Base networks are not of one difficulty: only differences on the same half are compared.`,
    alt:
      proven.length === 0
        ? 'No difference is beyond the margin.'
        : `Beyond the margin: ${list(proven.slice(0, 12).map((r) => `${r.contrast} at ${r.n} on ${r.label}, ${inPoints(r.mean)} ${pointsInterval(r.interval as [number, number])}`))}.`,
    key: groups.map((g, i) => keyEntry(copyGroupTitle(g), roleOf(i), dash)),
    spec: standalone({
      vconcat: panels.map((panel) => effectSpec(study, groups, panel)),
      resolve: { scale: { strokeDash: 'independent' } },
    }),
    table: {
      id: 'effects',
      caption: 'Differences of test accuracy (points) by number of layers, with 95 % intervals',
      columns: [
        { title: 'split' },
        { title: 'difference' },
        { title: 'layers' },
        { title: 'points', format: inPoints },
        { title: 'low', format: inPoints },
        { title: 'high', format: inPoints },
        { title: 'networks' },
        { title: 'repetitions' },
        { title: 'left out' },
      ],
      rows: study.contrasts.map((c) => [
        copyGroupTitle(c.group),
        c.contrast,
        c.n,
        c.mean,
        ...(c.interval ?? [undefined, undefined]),
        c.runs,
        c.repetitions,
        c.failed,
      ]),
    },
    wide: true,
  };
}

function effectSpec(study: LayerCopy, groups: readonly string[], { title, of }: (typeof effectPanels)[number]): object {
  const rows = study.contrasts
    .filter((c) => of.includes(c.contrast))
    .map(({ group, contrast, n, mean, interval }) => ({
      split: copyGroupTitle(group),
      contrast,
      n: n + (of.indexOf(contrast) - 0.5) * 0.08 + groups.indexOf(group) * 0.05,
      points: 100 * mean,
      ...(interval ? { low: 100 * interval[0], high: 100 * interval[1] } : {}),
    }));
  const x = quantitative('n', layerAxis(study));
  const axis = { axis: { title: 'points', tickCount: 5 } };
  const hue = nominal('split', groupColours(groups));
  const dashes = nominal('contrast', {
    scale: {
      domain: [...of],
      range: [
        [1, 0],
        [5, 3],
      ],
    },
    legend: { title: null },
  });
  return {
    title: { text: title, fontSize: 12 },
    width: 700,
    height: 170,
    layer: [
      {
        data: { values: [{ points: 0 }] },
        mark: { type: 'rule', color: color('axis') },
        encoding: { y: quantitative('points', axis) },
      },
      {
        data: { values: rows },
        mark: { type: 'rule', strokeWidth: 1.2, opacity: 0.7 },
        encoding: { x, y: quantitative('low', axis), y2: { field: 'high' }, color: hue },
      },
      {
        data: { values: rows },
        mark: { type: 'line', strokeWidth: 1.7, point: { size: 45 } },
        encoding: {
          x,
          y: quantitative('points', axis),
          color: hue,
          strokeDash: dashes,
          tooltip: [
            nominal('split'),
            nominal('contrast'),
            ...['points', 'low', 'high'].map((f) => quantitative(f, { format: '+.1f' })),
          ],
        },
      },
    ],
  };
}
