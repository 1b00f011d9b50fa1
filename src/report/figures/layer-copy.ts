/** The figures of a layer-copy study (Yosinski et al., 2014). */
import {
  type CopyContrast,
  type CopyLevel,
  groupOf,
  points as inPoints,
  isSound,
  type LayerCopy,
  list,
  percent,
  pointsInterval,
  type RunRecord,
  treatmentAt,
} from '../../record/index.js';
import { copyGroupTitle } from '../copy-tables.js';
import { standalone } from '../svg.js';
import { color } from '../theme.js';
import { dash, dot, type Figure, type KeyEntry, keyEntry } from './figure.js';
import { nominal, percentAxis, quantitative, scoreColumns } from './parts.js';

const cross = 'M-.2,-1L.2,-1L.2,-.2L1,-.2L1,.2L.2,.2L.2,1L-.2,1L-.2,.2L-1,.2L-1,-.2L-.2,-.2Z';

/** How treatments are drawn: the colour says where layers come from, a plus that they learn further. */
const looks = {
  base: { label: 'base: all layers fresh', hex: color('ink'), shape: dot, dashed: [4, 3] },
  BnB: { label: 'BnB: n of its own layers, frozen', hex: color('own'), shape: dot, dashed: [1, 0] },
  'BnB+': { label: 'BnB+: its own, trained further', hex: color('own'), shape: cross, dashed: [5, 3] },
  AnB: { label: 'AnB: n layers of the other half, frozen', hex: color('other'), shape: dot, dashed: [1, 0] },
  'AnB+': { label: 'AnB+: of the other half, trained further', hex: color('other'), shape: cross, dashed: [5, 3] },
  random: { label: 'random: n layers as they were drawn', hex: color('drawn'), shape: dot, dashed: [2, 3] },
} as const;

const treatments = Object.keys(looks) as (keyof typeof looks)[];

const groupsOf = ({ splits }: LayerCopy): string[] => [...new Set(splits.map(groupOf))];

const keyOfTreatments = (used: ReadonlySet<string>): KeyEntry[] =>
  treatments
    .filter((t) => used.has(t))
    .map((t) => ({ label: looks[t].label, color: looks[t].hex, shape: looks[t].shape }));

/** Colours, symbols and dashes of treatments as encodings over `treatment`. */
const encodings = () => ({
  color: nominal('treatment', {
    scale: { domain: treatments, range: treatments.map((t) => looks[t].hex) },
    legend: null,
  }),
  shape: nominal('treatment', {
    scale: { domain: treatments, range: treatments.map((t) => looks[t].shape) },
    legend: null,
  }),
  strokeDash: nominal('treatment', {
    scale: { domain: treatments, range: treatments.map((t) => [...looks[t].dashed]) },
    legend: null,
  }),
});

const isMain = ({ preserve, perClass }: Pick<CopyLevel, 'preserve' | 'perClass'>): boolean =>
  preserve === undefined && perClass === undefined;

/** Paths of SVG files without an axis of their own: the numbers of layers. */
const layerAxis = (study: LayerCopy) => ({
  axis: {
    title: 'layers n that are copied',
    grid: false,
    values: [0, ...study.layers.map((l) => l.n)],
    format: 'd',
  },
  scale: { nice: false, padding: 14 },
});

/** The paper's figure 2: every network, and means by treatment and layer. */
export function copiesFigure({ layerCopy: study }: RunRecord): Figure | undefined {
  if (!study) return undefined;
  const levels = study.levels.filter(isMain);
  if (levels.length < 2) return undefined;
  const groups = groupsOf(study);
  const used = new Set<string>(levels.map((l) => l.treatment));
  const failed = study.runs.filter((r) => r.status === 'done' && !isSound(r));
  return {
    id: 'copies',
    section: 'copies',
    group: 'copies',
    title: 'Accuracy of networks with copied layers',
    caption: `Test accuracy on the half that is learned (B), by the number of layers that start from another network; layer n is the n-th convolution or matrix product with the norm, activation and pooling that follow it. Small marks: single networks; lines: means with 95 % intervals over test images${repetitionsWord(study)}. Dashed and flat: networks trained from scratch.`,
    alt: groups
      .map((group) => `${copyGroupTitle(group)}: ${wordsOf(levels.filter((l) => l.group === group))}`)
      .join('. '),
    ...(failed.length > 0
      ? { note: `${failed.length} networks failed to train: they are not drawn, and in no mean.` }
      : {}),
    key: keyOfTreatments(used),
    spec: standalone({ vconcat: groups.map((group) => accuracySpec(study, group, levels)) }),
    table: {
      id: 'copies',
      caption: 'Mean test accuracy (%) by treatment and number of layers, with 95 % intervals',
      columns: [
        { title: 'split' },
        { title: 'treatment' },
        { title: 'layers' },
        { title: 'copied too' },
        { title: 'per class' },
        ...scoreColumns('accuracy'),
        { title: 'networks' },
        { title: 'left out' },
      ],
      rows: study.levels.map((l) => [
        copyGroupTitle(l.group),
        l.treatment,
        l.n,
        l.preserve,
        l.perClass,
        l.mean,
        ...(l.interval ?? [undefined, undefined]),
        l.runs,
        l.failed,
      ]),
    },
    wide: true,
  };
}

const repetitionsWord = (study: LayerCopy): string =>
  study.contrasts.some((c) => c.repetitions > 1)
    ? ', splits and seeds (of one split with one seed over test images alone)'
    : '';

/** "AnB 71.2 at 1, 55.0 at 7". */
function wordsOf(levels: readonly CopyLevel[]): string {
  return treatments
    .flatMap((t) => {
      const own = levels.filter((l) => l.treatment === t);
      if (own.length === 0) return [];
      const ends = own.length > 1 ? [own[0], own.at(-1)] : own;
      return [`${t} ${ends.map((l) => `${percent(l?.mean ?? 0)} %${t === 'base' ? '' : ` at ${l?.n}`}`).join(', ')}`];
    })
    .join('; ');
}

function accuracySpec(study: LayerCopy, group: string, levels: readonly CopyLevel[]) {
  const own = levels.filter((l) => l.group === group);
  const base = own.find((l) => l.treatment === 'base');
  const names = new Set(study.splits.filter((s) => groupOf(s) === group).map((s) => s.name));
  const rows = own
    .filter((l) => l.treatment !== 'base')
    .map(({ treatment, n, mean, interval }) => ({ treatment, n, score: mean, ...lowHigh(interval) }));
  const single = study.runs
    .filter((r) => names.has(r.split) && isMain(r) && isSound(r))
    .map((r) => ({
      treatment: r.treatment,
      n: (r.n ?? 0) + jitter(r.treatment),
      score: r.score,
      name: `${r.treatment === 'base' ? 'base' : treatmentAt(r.treatment, r.n)}, half ${r.target}, ${r.split}, seed ${r.seed}`,
    }));
  const x = quantitative('n', layerAxis(study));
  const axis = { scale: { zero: false }, axis: percentAxis('test accuracy') };
  const y = quantitative('score', axis);
  const { color: hue, shape, strokeDash } = encodings();
  return {
    title: copyGroupTitle(group),
    width: 700,
    height: 260,
    layer: [
      ...(base
        ? [
            {
              data: { values: [{ score: base.mean }] },
              mark: { type: 'rule', strokeDash: [4, 3], strokeWidth: 1.4, color: color('ink') },
              encoding: { y },
            },
          ]
        : []),
      {
        data: { values: single },
        mark: { type: 'point', filled: true, size: 22, opacity: 0.35 },
        encoding: { x, y, color: hue, shape, tooltip: [nominal('name'), quantitative('score', { format: '.1%' })] },
      },
      {
        data: { values: rows },
        mark: { type: 'rule', strokeWidth: 1.2, opacity: 0.7 },
        encoding: { x, y: quantitative('low', axis), y2: { field: 'high' }, color: hue },
      },
      { data: { values: rows }, mark: { type: 'line', strokeWidth: 1.7 }, encoding: { x, y, color: hue, strokeDash } },
      {
        data: { values: rows },
        mark: { type: 'point', filled: true, size: 60, opacity: 1 },
        encoding: {
          x,
          y,
          color: hue,
          shape,
          tooltip: [
            nominal('treatment'),
            quantitative('n', { title: 'layers' }),
            ...['score', 'low', 'high'].map((f) => quantitative(f, { format: '.1%' })),
          ],
        },
      },
    ],
  };
}

/** Marks of treatments beside each other. */
const jitter = (treatment: keyof typeof looks): number =>
  treatment === 'base' ? 0 : (treatments.indexOf(treatment) - 3) * 0.06;

const lowHigh = (interval: readonly [number, number] | undefined) =>
  interval ? { low: interval[0], high: interval[1] } : {};

const effectPanels: readonly { readonly title: string; readonly of: readonly CopyContrast['contrast'][] }[] = [
  {
    title: 'Frozen layers against the base: transfer (AnB − base), random (random − base)',
    of: ['transfer', 'random'],
  },
  {
    title: 'Lost by freezing one’s own layers (co-adaptation), and by their being another’s (specificity)',
    of: ['co-adaptation', 'specificity'],
  },
  { title: 'Gained by training further: AnB+ − base (boost), BnB+ − base (retrained)', of: ['boost', 'retrained'] },
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
    key: groups.map((g, i) => keyEntry(copyGroupTitle(g), groupRoles[i % groupRoles.length] ?? 'ink', dash)),
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

const groupRoles = ['own', 'other', 'drawn', 'accent', 'ink'] as const;

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
  const hue = nominal('split', {
    scale: {
      domain: groups.map(copyGroupTitle),
      range: groups.map((_, i) => color(groupRoles[i % groupRoles.length] ?? 'ink')),
    },
    legend: null,
  });
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

const scaled = (interval: readonly [number, number] | undefined) =>
  interval ? { low: 100 * interval[0], high: 100 * interval[1] } : {};

const predictorTitles = {
  cka: '1 − CKA of the two base networks at the layer',
  'probe gap': 'accuracy of a probe on one’s own layer − on the other half’s',
  depth: 'depth: n over the deepest n',
} as const;

const fixed = (v: number) => v.toFixed(2).replace('-', '−');

/** Whether what needs no training of copies tells what copies lose. */
export function predictorsFigure({ layerCopy: study }: RunRecord): Figure | undefined {
  if (!study || study.predictors.length === 0) return undefined;
  const found = study.predictors;
  const groups = groupsOf(study);
  const group = new Map(study.splits.map((s) => [s.name, copyGroupTitle(groupOf(s))]));
  const words = ({ predictor, r, interval }: (typeof found)[number]) =>
    `${predictorTitles[predictor]}: r = ${fixed(r)}${interval ? ` [${interval.map(fixed).join(', ')}]` : ''}`;
  const depth = found.find((p) => p.predictor === 'depth');
  return {
    id: 'predictors',
    section: 'copies',
    group: 'predictors',
    title: 'Does anything tell beforehand where copies fail?',
    caption: `What the other half’s frozen layers cost against one’s own (BnB − AnB), for each half, seed and layer, against what is known without training a copy: how unlike the two base networks are there, what a probe loses on the other’s layer, and depth alone. r: Pearson’s${depth?.interval ? ', with a 95 % interval over families of networks (halves and seeds)' : '; too few halves and seeds for an interval'}. Whatever grows with depth correlates: only what beats depth alone tells more than the number of the layer.`,
    alt: found.map(words).join('; '),
    key: groups.map((g, i) => keyEntry(copyGroupTitle(g), groupRoles[i % groupRoles.length] ?? 'ink', dot)),
    spec: standalone({
      vconcat: found.map((p) => ({
        title: { text: words(p), fontSize: 12 },
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
              color: nominal('split', {
                scale: {
                  domain: groups.map(copyGroupTitle),
                  range: groups.map((_, i) => color(groupRoles[i % groupRoles.length] ?? 'ink')),
                },
                legend: null,
              }),
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
            mark: { type: 'text', dx: 8, fontSize: 10, color: color('muted'), align: 'left' },
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

/** The paper's figure S1: base networks with fewer training images. */
export function reducedFigure({ layerCopy: study }: RunRecord): Figure | undefined {
  const levels = (study?.levels ?? []).filter((l) => l.perClass !== undefined);
  if (!study || levels.length < 2) return undefined;
  const rows = levels.map(({ group, perClass, mean, interval }) => ({
    split: copyGroupTitle(group),
    perClass,
    score: mean,
    ...lowHigh(interval),
  }));
  const groups = [...new Set(rows.map((r) => r.split))];
  const x = quantitative('perClass', {
    scale: { type: 'log', nice: false, padding: 8 },
    axis: { title: 'training images per class', grid: false, format: '~s' },
  });
  const y = quantitative('score', { axis: percentAxis('test accuracy') });
  const hue = nominal('split', {
    scale: { domain: groups, range: groups.map((_, i) => color(groupRoles[i % groupRoles.length] ?? 'ink')) },
    legend: null,
  });
  return {
    id: 'reduced',
    section: 'copies',
    group: 'reduced',
    title: 'Base networks with fewer images',
    caption:
      'Test accuracy of networks trained from scratch on the first images of each class (log scale), with 95 % intervals.',
    alt: rows.map((r) => `${r.split}, ${r.perClass} per class: ${percent(r.score)} %`).join('; '),
    key: groups.map((g, i) => keyEntry(g, groupRoles[i % groupRoles.length] ?? 'ink', dash)),
    spec: standalone({
      width: 640,
      height: 220,
      data: { values: rows },
      layer: [
        {
          mark: { type: 'rule', strokeWidth: 1.2 },
          encoding: {
            x,
            y: quantitative('low', { axis: percentAxis('test accuracy') }),
            y2: { field: 'high' },
            color: hue,
          },
        },
        {
          mark: { type: 'line', strokeWidth: 1.7, point: { size: 45 } },
          encoding: {
            x,
            y,
            color: hue,
            tooltip: [nominal('split'), quantitative('perClass'), quantitative('score', { format: '.1%' })],
          },
        },
      ],
    }),
    table: {
      id: 'reduced',
      caption: 'Test accuracy (%) of base networks by training images per class',
      columns: [{ title: 'split' }, { title: 'per class' }, ...scoreColumns('accuracy')],
      rows: levels.map((l) => [copyGroupTitle(l.group), l.perClass, l.mean, ...(l.interval ?? [undefined, undefined])]),
    },
    wide: true,
  };
}
