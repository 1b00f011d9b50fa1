/**
 * Means over the networks of a layer-copy study, and the differences that it is about. Paired by target by default: a network
 * is compared with the base of its own half, split and seed. The published aggregation compares the mean of all networks of
 * a treatment with the mean of all bases, whose targets differ in difficulty: half of the published boost of AnB+ comes from that.
 */
import { crossedMeans, mean as meanOf, standardDeviation, studentQuantile } from '../../stats/index.js';
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
    const estimates = this.#estimates(kinds.map((kind) => this.#gather(group, [[kind, 1]])));
    return kinds.flatMap((kind, i): CopyLevel[] => {
      const own = runs.filter((r) => isOf(r, kind));
      const failed = own.filter((r) => r.status !== 'not run' && !isSound(r)).length;
      const found = estimates[i];
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
    const wanted = contrastKinds.flatMap(({ contrast, first, second }) =>
      this.study.layers.map(({ n }) => ({ contrast, n, kinds: [kindAt(first, n), kindAt(second, n)] as const })),
    );
    const estimates =
      this.study.aggregate === 'pooled'
        ? wanted.map(({ kinds: [a, b] }) => unpaired(this.#sound(group, a), this.#sound(group, b)))
        : this.#estimates(wanted.map(({ kinds }) => this.#gather(group, pair(...kinds))));
    return wanted.flatMap(({ contrast, n, kinds }, i): CopyContrast[] => {
      const found = estimates[i];
      if (!found) return [];
      const involved = this.#runs(group).filter((r) => kinds.some((k) => isOf(r, k)));
      const failed = involved.filter((r) => r.status !== 'not run' && !isSound(r)).length;
      const { mean, runs, repetitions } = found;
      return [{ group, contrast, n, mean, ...intervalOf(found), runs, repetitions, ...(failed > 0 ? { failed } : {}) }];
    });
  }

  /** Layers 1, 3 and 5 to the last, as published, as far as copies at these depths were trained further. */
  boosts(group: string): CopyBoost[] {
    const known = new Set(this.#runs(group).flatMap((r) => (r.treatment === 'AnB+' && isSound(r) ? [r.n] : [])));
    const trained = this.study.layers.map((l) => l.n).filter((n) => known.has(n));
    const starts = [1, 3, 5].flatMap((from) => trained.find((n) => n >= from) ?? []);
    const ranges = [...new Set(starts)].map((from) => trained.filter((n) => n >= from));
    const overBase = this.#ranges(group, ranges, 'base');
    const overRetrained = this.#ranges(group, ranges, 'BnB+');
    return ranges.flatMap((depths, i): CopyBoost[] => {
      const [base, retrained] = [overBase[i], overRetrained[i]];
      if (!base) return [];
      return [
        {
          group,
          from: depths[0] as number,
          to: depths.at(-1) as number,
          overBase: base.mean,
          ...(base.interval ? { overBaseInterval: base.interval } : {}),
          ...(retrained ? { overRetrained: retrained.mean } : {}),
          ...(retrained?.interval ? { overRetrainedInterval: retrained.interval } : {}),
          runs: base.runs,
        },
      ];
    });
  }

  /** AnB+ over another treatment, of all networks in each range of layers. */
  #ranges(group: string, ranges: readonly (readonly number[])[], other: CopyTreatment): (Estimate | undefined)[] {
    if (this.study.aggregate === 'pooled') {
      return ranges.map((depths) => {
        const within = (treatment: CopyTreatment) => depths.flatMap((n) => this.#sound(group, kindAt(treatment, n)));
        return unpaired(within('AnB+'), other === 'base' ? this.#sound(group, kindAt('base')) : within(other));
      });
    }
    return this.#estimates(
      ranges.map((depths) => this.#gather(group, ...depths.map((n) => pair(kindAt('AnB+', n), kindAt(other, n))))),
    );
  }

  /** A contrast (signed kinds) of every split, seed and half whose networks are all there. */
  #gather(group: string, ...contrasts: Signed[]): Gathered | undefined {
    const found: Gathered['found'] = [];
    let runs = 0;
    for (const { split, seed } of this.#repetitions(group)) {
      for (const target of halves) {
        for (const signed of contrasts) {
          const picked = signed.flatMap(([kind, sign]) => {
            const run = this.#run(split, seed, target, kind);
            return run ? [{ run, sign }] : [];
          });
          if (picked.length < signed.length) continue;
          const value = picked.reduce((sum, { run, sign }) => sum + sign * run.score, 0);
          found.push({ value, row: this.#row(split, target, picked), repetition: `${split} ${seed}` });
          runs++;
        }
      }
    }
    return found.length > 0 ? { found, runs } : undefined;
  }

  /**
   * Means over repetitions (a split and a seed) of the mean over targets and contrasts. Repetitions see the same test images,
   * so both are crossed (stats/crossed-mean.ts); without answers to single images the error is over repetitions alone.
   */
  #estimates(gathered: readonly (Gathered | undefined)[]): (Estimate | undefined)[] {
    const known = gathered.flatMap((g) => (g ? [g] : []));
    const rowsOf = ({ found }: Gathered) =>
      grouped(found)
        .map((own) => own.flatMap(({ row }) => (row ? [row] : [])))
        .map(meanRow);
    const crossed = known.filter(({ found }) => found.every(({ row }) => row !== undefined));
    const means = new Map(crossedMeans(crossed.map(rowsOf)).map((mean, i) => [crossed[i], mean]));
    return gathered.map((g): Estimate | undefined => {
      if (!g) return undefined;
      const mean = means.get(g);
      if (mean) {
        const [low, high] = mean.interval;
        return { mean: mean.mean, interval: [low, high], runs: g.runs, repetitions: mean.repetitions };
      }
      const each = grouped(g.found).map((own) => meanOf(own.map(({ value }) => value)));
      // The mean of all networks, as one of a repetition with two targets says more than one with one.
      return {
        mean: meanOf(g.found.map((f) => f.value)),
        ...studentInterval(each),
        runs: g.runs,
        repetitions: each.length,
      };
    });
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

/** Values of a contrast, and where it is known which images were answered rightly, as a row over these. */
interface Gathered {
  readonly found: { readonly value: number; readonly row: Float64Array | undefined; readonly repetition: string }[];
  readonly runs: number;
}

/** By repetition. */
function grouped(found: Gathered['found']): Gathered['found'][] {
  const names = [...new Set(found.map((f) => f.repetition))];
  return names.map((name) => found.filter((f) => f.repetition === name));
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
const varianceOf = (values: readonly number[]): number => standardDeviation(values) ** 2;

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
