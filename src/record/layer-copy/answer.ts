/** What a layer-copy study says, in sentences: where copied layers stop serving, by how much, and how sure that is. */
import { list, percent, points, pointsInterval } from '../format.js';
import type { Answer } from '../schema.js';
import type { CopyContrast, LayerCopy } from './schema.js';
import { isSound } from './sound.js';

/** @param margin difference in score that does not matter */
export function layerCopyAnswer(study: LayerCopy, margin: number): Answer {
  const groups = [...new Set(study.levels.map((l) => l.group))];
  const sentences = groups.map((group) => specificityOf(study, group, margin));
  const [first = 'No network came to its end: nothing can be said of its layers.'] = sentences;
  return {
    headline: first,
    deck: [
      ...sentences.slice(1),
      ...groups.flatMap((group) =>
        [coAdaptationOf(study, group, margin), boostOf(study, group, margin)].filter((s) => s !== ''),
      ),
      ...farAgainstNear(study),
    ],
    tasks: [],
    missing: missingOf(study),
    comparisons: [],
  };
}

/** "On random splits", "On animals / vehicles". */
const on = (group: string): string =>
  group === 'random' ? 'On random halves of the classes' : `On the split ${group}`;

const told = ({ mean, interval }: Pick<CopyContrast, 'mean' | 'interval'>): string =>
  `${points(mean)} points${interval ? ` ${pointsInterval(interval)}` : ''}`;

const layersOf = (found: readonly CopyContrast[]): string => {
  const numbers = found.map((c) => String(c.n));
  return `${numbers.length === 1 ? 'layer' : 'layers'} ${list(numbers)}`;
};

const ofGroup = (study: LayerCopy, group: string, contrast: CopyContrast['contrast']): CopyContrast[] =>
  study.contrasts.filter((c) => c.group === group && c.contrast === contrast);

/** Does the interval lie beyond the margin, on the side of `sign`? */
const beyond = ({ interval }: CopyContrast, margin: number, sign: 1 | -1): boolean =>
  interval !== undefined && sign * interval[sign === 1 ? 0 : 1] > margin;

function specificityOf(study: LayerCopy, group: string, margin: number): string {
  const found = ofGroup(study, group, 'specificity');
  const last = found.at(-1);
  if (!last) return `${on(group)}: frozen layers of the two halves cannot be compared.`;
  const proven = found.filter((c) => beyond(c, margin, 1));
  const [first] = proven;
  if (!first) {
    return `${on(group)}, no number of frozen layers is proven to serve the other half worse than their own: copying all ${last.n} costs ${told(last)}.`;
  }
  return `${on(group)}, frozen layers serve the other half worse from ${first.n} copied layers on (${told(first)}); with ${last.n} the difference is ${told(last)}.`;
}

function coAdaptationOf(study: LayerCopy, group: string, margin: number): string {
  const found = ofGroup(study, group, 'co-adaptation');
  if (found.length === 0) return '';
  const proven = found.filter((c) => beyond(c, margin, 1));
  const worst = found.reduce((a, b) => (b.mean > a.mean ? b : a));
  return proven.length > 0
    ? `${on(group)}, layers that learned together cannot be relearned apart at ${layersOf(proven)}: freezing a network’s own first ${worst.n} costs ${told(worst)}.`
    : `${on(group)}, no loss of co-adaptation is proven: at most ${told(worst)}, with ${worst.n} of its own layers frozen.`;
}

function boostOf(study: LayerCopy, group: string, margin: number): string {
  const whole = study.boosts.find((b) => b.group === group);
  if (!whole) return '';
  const found = ofGroup(study, group, 'boost');
  const proven = found.filter((c) => beyond(c, margin, 1));
  const over = told({ mean: whole.overBase, interval: whole.overBaseInterval });
  const selffer =
    whole.overRetrained === undefined
      ? ''
      : `; over layers of the same half, trained further alike, ${told({ mean: whole.overRetrained, interval: whole.overRetrainedInterval })}`;
  const verdict = proven.length > 0 ? ` (proven at ${layersOf(proven)})` : '';
  return `${on(group)}, starting from layers of the other half and training all of them gives ${over} over training from scratch, ${whole.from === whole.to ? `with ${whole.from} copied layers` : `the mean over ${whole.from} to ${whole.to} copied layers`}${verdict}${selffer}.`;
}

/** Whether splits by meaning lose more than random ones, where both were run. */
function farAgainstNear(study: LayerCopy): string[] {
  const depth = Math.max(...study.layers.map((l) => l.n));
  const at = (group: string) => ofGroup(study, group, 'transfer').find((c) => c.n === depth);
  const near = at('random');
  if (!near) return [];
  return study.splits
    .filter((s) => s.kind === 'given')
    .flatMap(({ name }) => {
      const far = at(name);
      return far
        ? [
            `With ${depth} frozen layers of the other half, accuracy changes by ${told(near)} on random halves and by ${told(far)} on ${name}, each against the base of its own half.`,
          ]
        : [];
    });
}

function missingOf(study: LayerCopy): string[] {
  const left = study.runs.filter((r) => !isSound(r));
  const notRun = left.filter((r) => r.status === 'not run').length;
  const failed = left.filter((r) => r.status === 'failed').length;
  const flat = left.filter((r) => r.status === 'done');
  const seeds = new Set(study.runs.map((r) => r.seed)).size;
  const single = study.splits.filter((s) => s.kind === 'given').length > 0 && seeds === 1;
  const randomOnes = study.splits.filter((s) => s.kind === 'random').length;
  return [
    ...(flat.length > 0
      ? [
          `Failed to train, marked and left out of every mean: ${list(flat.map(nameOfRun))} (on validation images no better than naming the commonest class).`,
        ]
      : []),
    ...(failed > 0 ? [`${failed} networks failed: they are left out of every mean.`] : []),
    ...(notRun > 0 ? [`${notRun} networks were not run.`] : []),
    ...(single ? ['Splits that are given ran with one seed: their intervals are over test images alone.'] : []),
    ...(randomOnes === 1 && seeds === 1
      ? ['There is one random split with one seed: its intervals are over test images alone.']
      : []),
  ];
}

/** "A4B of random 0 on half B, seed 1, 11.0 %". */
export function nameOfRun({
  treatment,
  n,
  preserve,
  split,
  target,
  seed,
  perClass,
  score,
}: LayerCopy['runs'][number]): string {
  const kind = treatment === 'base' ? 'base' : treatmentAt(treatment, n);
  const extra = [
    preserve === undefined ? '' : ` with ${preserve} more copied`,
    perClass === undefined ? '' : ` at ${perClass} per class`,
  ];
  return `${kind}${extra.join('')} of ${split} on half ${target}, seed ${seed}${score === undefined ? '' : `, ${percent(score)} %`}`;
}

/** B3B, A3B+, random 3. */
export const treatmentAt = (treatment: string, n: number | undefined): string =>
  treatment === 'random' ? `random ${n}` : treatment.replace('n', String(n));
