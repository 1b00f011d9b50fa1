/**
 * Means over the networks of a layer-copy study, and the differences that it is about. Paired by target by default: a network
 * is compared with the base of its own half, split and seed. The published aggregation compares the mean of all networks of
 * a treatment with the mean of all bases, whose targets differ in difficulty: half of the published boost of AnB+ comes from that.
 */
import { crossedMean, studentQuantile } from '../../stats/index.js';
import { predictorsOf } from './predictors.js';
import {
  type CopyBoost,
  type CopyContrast,
  type CopyLevel,
  type CopyRun,
  type CopyTreatment,
  copyTreatments,
  type Half,
  halves,
  type LayerCopy,
  type LayerCopyRuns,
} from './schema.js';
import { isSound, type Sound } from './sound.js';

/** Which networks: a treatment at a number of layers. */
interface Kind {
  readonly treatment: CopyTreatment;
  readonly n?: number | undefined;
  readonly preserve?: number | undefined;
  readonly perClass?: number | undefined;
}

const isOf = (run: CopyRun, kind: Kind): boolean =>
  run.treatment === kind.treatment &&
  run.n === kind.n &&
  run.preserve === kind.preserve &&
  run.perClass === kind.perClass;

const contrastKinds: readonly {
  readonly contrast: CopyContrast['contrast'];
  readonly first: CopyTreatment;
  readonly second: CopyTreatment;
}[] = [
  { contrast: 'co-adaptation', first: 'base', second: 'BnB' },
  { contrast: 'specificity', first: 'BnB', second: 'AnB' },
  { contrast: 'boost', first: 'AnB+', second: 'base' },
  { contrast: 'transfer', first: 'AnB', second: 'base' },
  { contrast: 'retrained', first: 'BnB+', second: 'base' },
  { contrast: 'random', first: 'random', second: 'base' },
];

/** The study with its means and differences. */
export function withEffects(study: LayerCopyRuns): LayerCopy {
  const of = new Effects(study);
  const groups = [...new Set(study.splits.map(groupOf))];
  return {
    ...study,
    levels: groups.flatMap((g) => of.levels(g)),
    contrasts: groups.flatMap((g) => of.contrasts(g)),
    boosts: groups.flatMap((g) => of.boosts(g)),
    predictors: predictorsOf(study),
  };
}

/** Random splits are samples of one population; every other split stands for itself. */
export const groupOf = ({ kind, name }: LayerCopyRuns['splits'][number]): string =>
  kind === 'random' ? 'random' : name;

interface Estimate {
  readonly mean: number;
  readonly interval?: [number, number];
  readonly runs: number;
  readonly repetitions: number;
}

class Effects {
  constructor(private readonly study: LayerCopyRuns) {}

  levels(group: string): CopyLevel[] {
    const runs = this.#runs(group);
    const kinds = distinct(runs).filter((k) => k.treatment !== 'base' || k.n === undefined);
    return kinds.flatMap((kind): CopyLevel[] => {
      const own = runs.filter((r) => isOf(r, kind));
      const failed = own.filter((r) => r.status !== 'not run' && !isSound(r)).length;
      const found = this.#paired(group, [[kind, 1]]);
      if (!found) return [];
      const { treatment, n = 0, preserve, perClass } = kind;
      return [
        {
          group,
          treatment,
          n,
          ...(preserve === undefined ? {} : { preserve }),
          ...(perClass === undefined ? {} : { perClass }),
          mean: found.mean,
          ...intervalOf(found),
          runs: found.runs,
          ...(failed > 0 ? { failed } : {}),
        },
      ];
    });
  }

  contrasts(group: string): CopyContrast[] {
    const depths = this.study.layers.map((l) => l.n);
    return contrastKinds.flatMap(({ contrast, first, second }) =>
      depths.flatMap((n): CopyContrast[] => {
        const kinds = [kindAt(first, n), kindAt(second, n)] as const;
        const found = this.#difference(group, ...kinds);
        if (!found) return [];
        const involved = this.#runs(group).filter((r) => kinds.some((k) => isOf(r, k)));
        const failed = involved.filter((r) => r.status !== 'not run' && !isSound(r)).length;
        const { mean, runs, repetitions } = found;
        return [
          { group, contrast, n, mean, ...intervalOf(found), runs, repetitions, ...(failed > 0 ? { failed } : {}) },
        ];
      }),
    );
  }

  /** Layers 1, 3 and 5 to the last, as published, where there are so many. */
  boosts(group: string): CopyBoost[] {
    const last = Math.max(...this.study.layers.map((l) => l.n));
    return [1, 3, 5]
      .filter((from) => from <= last)
      .flatMap((from): CopyBoost[] => {
        const depths = this.study.layers.map((l) => l.n).filter((n) => n >= from);
        const overBase = this.#range(group, depths, 'base');
        if (!overBase) return [];
        const overRetrained = this.#range(group, depths, 'BnB+');
        return [
          {
            group,
            from,
            to: last,
            overBase: overBase.mean,
            ...(overBase.interval ? { overBaseInterval: overBase.interval } : {}),
            ...(overRetrained ? { overRetrained: overRetrained.mean } : {}),
            ...(overRetrained?.interval ? { overRetrainedInterval: overRetrained.interval } : {}),
            runs: overBase.runs,
          },
        ];
      });
  }

  /** AnB+ over another treatment, of all networks in a range of layers. */
  #range(group: string, depths: readonly number[], other: CopyTreatment): Estimate | undefined {
    if (this.study.aggregate === 'pooled') {
      const within = (treatment: CopyTreatment) => depths.flatMap((n) => this.#sound(group, kindAt(treatment, n)));
      return unpaired(within('AnB+'), other === 'base' ? this.#sound(group, kindAt('base')) : within(other));
    }
    const terms = depths
      .filter((n) => this.#paired(group, pair(kindAt('AnB+', n), kindAt(other, n))))
      .map((n) => pair(kindAt('AnB+', n), kindAt(other, n)));
    return this.#paired(group, ...terms);
  }

  #difference(group: string, first: Kind, second: Kind): Estimate | undefined {
    return this.study.aggregate === 'pooled'
      ? unpaired(this.#sound(group, first), this.#sound(group, second))
      : this.#paired(group, pair(first, second));
  }

  /**
   * The mean over repetitions (a split and a seed) of the mean over its targets, of each contrast (signed kinds) that all its
   * networks are there for. Repetitions see the same test images, so both are crossed (stats/crossed-mean.ts); without
   * answers to single images the error is over targets and repetitions alone.
   */
  #paired(group: string, ...contrasts: Signed[]): Estimate | undefined {
    const found: { value: number; row: Float64Array | undefined; repetition: string }[] = [];
    let runs = 0;
    for (const { split, seed } of this.#repetitions(group)) {
      for (const target of halves) {
        for (const signed of contrasts) {
          const picked = signed.map(([kind, sign]) => ({ run: this.#run(split, seed, target, kind), sign }));
          if (picked.some(({ run }) => run === undefined)) continue;
          const value = picked.reduce((sum, { run, sign }) => sum + sign * (run as Sound).score, 0);
          const row = this.#row(split, target, picked as { run: Sound; sign: number }[]);
          found.push({ value, row, repetition: `${split} ${seed}` });
          runs += signed[0]?.[0].treatment === 'base' && signed.length > 1 ? 0 : 1;
        }
      }
    }
    if (found.length === 0) return undefined;
    const repetitions = [...new Set(found.map((f) => f.repetition))];
    const count = Math.max(runs, found.length);
    if (found.every((f) => f.row !== undefined)) {
      const rows = repetitions.map((repetition) =>
        meanRow(found.filter((f) => f.repetition === repetition).map((f) => f.row as Float64Array)),
      );
      const { mean, interval } = crossedMean(rows);
      return { mean, interval: [...interval], runs: count, repetitions: repetitions.length };
    }
    const perRepetition = repetitions.map((repetition) =>
      meanOf(found.filter((f) => f.repetition === repetition).map((f) => f.value)),
    );
    // The mean of all networks, as one of a repetition with two targets says more than one with one.
    return {
      mean: meanOf(found.map((f) => f.value)),
      ...studentInterval(perRepetition),
      runs: count,
      repetitions: repetitions.length,
    };
  }

  /** A target's networks as values over all test images of the data set, whose mean is the contrast. */
  #row(split: string, target: Half, picked: readonly { run: Sound; sign: number }[]): Float64Array | undefined {
    const { testLabels } = this.study;
    const half = this.study.splits.find((s) => s.name === split)?.[target];
    if (!testLabels || !half || picked.some(({ run }) => run.correct === undefined)) return undefined;
    const own = new Set(half.classes);
    const row = new Float64Array(testLabels.length);
    const places = testLabels.flatMap((label, i) => (own.has(label) ? [i] : []));
    const weight = testLabels.length / places.length;
    for (const { run, sign } of picked) {
      const right = bitsOf(run.correct as string, places.length);
      places.forEach((place, i) => {
        row[place] = (row[place] as number) + sign * weight * (right[i] as number);
      });
    }
    return row;
  }

  #runs(group: string): CopyRun[] {
    const names = new Set(this.study.splits.filter((s) => groupOf(s) === group).map((s) => s.name));
    return this.study.runs.filter((r) => names.has(r.split));
  }

  #sound(group: string, kind: Kind): number[] {
    return this.#runs(group).flatMap((r) => (isOf(r, kind) && isSound(r) ? [r.score] : []));
  }

  #repetitions(group: string): { split: string; seed: number }[] {
    const known = new Map(this.#runs(group).map(({ split, seed }) => [`${split} ${seed}`, { split, seed }]));
    return [...known.values()];
  }

  #run(split: string, seed: number, target: Half, kind: Kind): Sound | undefined {
    return this.study.runs.find(
      (r): r is Sound => r.split === split && r.seed === seed && r.target === target && isOf(r, kind) && isSound(r),
    );
  }
}

type Signed = readonly (readonly [Kind, number])[];
const pair = (first: Kind, second: Kind): Signed => [
  [first, 1],
  [second, -1],
];
const kindAt = (treatment: CopyTreatment, n?: number): Kind =>
  treatment === 'base' ? { treatment } : { treatment, n };

/** Difference of the means of two sets of networks, with Welch's interval over networks. */
function unpaired(first: readonly number[], second: readonly number[]): Estimate | undefined {
  if (first.length === 0 || second.length === 0) return undefined;
  const mean = meanOf(first) - meanOf(second);
  const runs = first.length;
  if (first.length < 2 || second.length < 2) return { mean, runs, repetitions: 1 };
  const [a, b] = [varianceOf(first) / first.length, varianceOf(second) / second.length];
  const df = (a + b) ** 2 / (a ** 2 / (first.length - 1) + b ** 2 / (second.length - 1));
  const half = a + b > 0 ? studentQuantile(0.975, df) * Math.sqrt(a + b) : 0;
  return { mean, interval: [mean - half, mean + half], runs, repetitions: Math.min(first.length, second.length) };
}

function studentInterval(values: readonly number[]): { interval?: [number, number] } {
  if (values.length < 2) return {};
  const mean = meanOf(values);
  const half = studentQuantile(0.975, values.length - 1) * Math.sqrt(varianceOf(values) / values.length);
  return { interval: [mean - half, mean + half] };
}

const intervalOf = ({ interval }: Estimate) => (interval ? { interval } : {});
const meanOf = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
const varianceOf = (values: readonly number[]): number => {
  const mean = meanOf(values);
  return values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / (values.length - 1);
};

function meanRow(rows: readonly Float64Array[]): Float64Array {
  const mean = new Float64Array(rows[0]?.length ?? 0);
  for (const row of rows)
    for (let i = 0; i < mean.length; i++) mean[i] = (mean[i] as number) + (row[i] as number) / rows.length;
  return mean;
}

/** The kinds of networks that there are, in the order of treatments and layers. */
function distinct(runs: readonly CopyRun[]): Kind[] {
  const known = new Map(
    runs.map(({ treatment, n, preserve, perClass }) => [
      `${treatment} ${n} ${preserve} ${perClass}`,
      { treatment, n, preserve, perClass },
    ]),
  );
  const place = (k: Kind) => copyTreatments.indexOf(k.treatment);
  return [...known.values()].sort(
    (a, b) =>
      place(a) - place(b) ||
      (a.perClass ?? Number.POSITIVE_INFINITY) - (b.perClass ?? Number.POSITIVE_INFINITY) ||
      (a.preserve ?? 0) - (b.preserve ?? 0) ||
      (a.n ?? 0) - (b.n ?? 0),
  );
}

/** Bits as hexadecimal digits, the first in the highest place of the first digit. */
export function hexOf(bits: ArrayLike<number | boolean>): string {
  let text = '';
  for (let i = 0; i < bits.length; i += 4) {
    let digit = 0;
    for (let j = 0; j < 4; j++) digit = digit * 2 + (bits[i + j] ? 1 : 0);
    text += digit.toString(16);
  }
  return text;
}

/** The first `length` bits of hexadecimal digits. */
export function bitsOf(text: string, length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (Number.parseInt(text[i >> 2] ?? '0', 16) >> (3 - (i & 3))) & 1);
}
