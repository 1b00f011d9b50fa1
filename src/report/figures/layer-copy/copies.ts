/** Accuracy of every network, and means by treatment and layer (figure 2 of the paper). */
import {
  type CopyLevel,
  groupOf,
  isSound,
  type LayerCopy,
  percent,
  type RunRecord,
  treatmentAt,
} from '../../../record/index.js';
import { copyGroupTitle } from '../../copy-tables.js';
import { standalone } from '../../svg.js';
import { color } from '../../theme.js';
import { dot, type Figure, type KeyEntry } from '../figure.js';
import { nominal, percentAxis, quantitative, scoreColumns } from '../parts.js';
import { groupsOf, layerAxis, lowHigh } from './shared.js';

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
