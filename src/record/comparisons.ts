/**
 * Differences between methods on the same test examples. Every pair of candidates on every task is compared once. One
 * statistic gives interval and p (stats/paired-difference.ts); the corrected ones hold together over the whole run
 * (stats/simultaneous.ts), so a difference is proven just where its corrected interval leaves out zero. Baselines and
 * bounds are compared with the simplest candidate and not tested: nobody chooses them.
 */
import {
  assumedExamples,
  assumedSeedVariance,
  moderate,
  newcombeInterval,
  normalQuantile,
  PairedDifference,
  type Scores,
  Simultaneous,
  seedSpreadOf,
  TestDesign,
} from '../stats/index.js';
import type { MethodCard } from './cards.js';
import { type ScoredCell, scoredCells } from './cell-schema.js';
import type { Comparison, Measured, TaskRecord } from './schema.js';
import { valuedMetrics, worthOf } from './valued-score.js';

/** Cells at one number of labels, whether the task's main ones or a point of its curve. */
export interface Measurement {
  readonly task: string;
  readonly perClass: number | undefined;
  /** The finished cells that can be compared, simplest first. */
  readonly cells: readonly ScoredCell[];
  /** Finished cells without a score: the test examples have no labels. */
  readonly unscored: number;
  readonly testExamples: number;
  readonly metric: TaskRecord['target']['metric'];
  readonly labels: readonly number[] | undefined;
  readonly groups: readonly number[] | undefined;
  readonly predictions: TaskRecord['predictions'];
}

type MeasuredTask = Omit<TaskRecord, 'warnings'> | TaskRecord;
export type MeasuredRun = Pick<Measured, 'methods'> & {
  readonly tasks: readonly MeasuredTask[];
  /** Difference in score that does not matter. */
  readonly margin: number;
};

/** Whether a metric is of real values or of several labels, not an accuracy. */
export const isOfValues = (metric: Measurement['metric'] | undefined): boolean =>
  Object.values<string>(valuedMetrics).includes(metric ?? '');

/** Order of simplicity, then of the run's catalogue. */
export function bySimplicity(methods: readonly MethodCard[]): (a: string, b: string) => number {
  const rank = (id: string) => methods.find((m) => m.id === id)?.simplicity ?? Number.POSITIVE_INFINITY;
  const place = (id: string) => methods.findIndex((m) => m.id === id);
  return (a, b) => rank(a) - rank(b) || place(a) - place(b);
}

/** Main cells of every task and the points of its curve. Failed, untrained and suspect cells are left out. */
export function measurementsOf({ methods, tasks }: Pick<MeasuredRun, 'methods' | 'tasks'>): Measurement[] {
  const order = bySimplicity(methods);
  return tasks.flatMap((task) => {
    const points = [
      ...(task.curve ?? []),
      { perClass: task.perClass, cells: task.cells, predictions: task.predictions },
    ];
    return points.map(({ perClass, cells, predictions }) => ({
      task: task.task,
      perClass,
      cells: scoredCells({ cells })
        .filter((c) => !c.failedToTrain && c.suspect === undefined)
        .sort((a, b) => order(a.method, b.method)),
      unscored: cells.filter((c) => c.status === 'done' && c.score === undefined).length,
      testExamples: task.examples.test,
      metric: task.target.metric,
      labels: task.testLabels,
      groups: task.testGroups,
      predictions,
    }));
  });
}

interface Pair {
  readonly measurement: Measurement;
  readonly method: ScoredCell;
  readonly reference: ScoredCell;
  /** Both are candidates. */
  readonly tested: boolean;
  /** Undefined where predictions were not kept. */
  readonly paired: PairedDifference | undefined;
}

/** Every comparison of a run. */
export function compareAll(run: MeasuredRun): Comparison[] {
  const measurements = measurementsOf(run);
  const pairing = new Pairing(measurements, run.methods);
  const pairs = measurements.map((measurement) => pairsOf(measurement, run.methods, pairing));
  const family = new Simultaneous(pairs.map(correlationsOf));
  const alone = pairs.flat().filter((pair) => pair.tested && !pair.paired).length;
  // Pairs without predictions have no place in the joint distribution: they get their even part of the 5 %.
  const share = family.size / (family.size + alone);
  const critical = family.critical(1 - 0.05 * share);
  return pairs.flat().map((pair) => {
    const { measurement, method, reference, tested, paired } = pair;
    const { task, perClass, testExamples: n } = measurement;
    const base = {
      task,
      ...(perClass === undefined ? {} : { perClass }),
      method: method.method,
      reference: reference.method,
    };
    if (!paired && !isBounded(measurement)) {
      const [level, all] = [0.95, 1 - 0.05 / (family.size + alone)];
      const figures = {
        difference: method.score - reference.score,
        interval: fromIntervals(method, reference, level),
        ...(tested ? { corrected: fromIntervals(method, reference, all) } : {}),
      };
      return { ...base, ...figures, basis: 'independent', ...decisionOf(figures, run.margin, { n, fixed: 0 }) };
    }
    if (!paired) {
      const counts = [countsOf(method, n, run.methods), countsOf(reference, n, run.methods)] as const;
      const figures = {
        difference: method.score - reference.score,
        interval: newcombeInterval(...counts),
        ...(tested ? { corrected: newcombeInterval(...counts, 1 - 0.05 / (family.size + alone)) } : {}),
      };
      return { ...base, ...figures, basis: 'independent', ...decisionOf(figures, run.margin, { n, fixed: 0 }) };
    }
    const figures = {
      difference: paired.difference,
      interval: paired.interval(),
      ...(tested
        ? { corrected: paired.interval(critical), p: paired.p, pCorrected: Math.min(1, family.p(paired.z) / share) }
        : {}),
    };
    const [a, b] = paired.seedVariance;
    const fixed = (a + b) / paired.standardError ** 2 || 0;
    return { ...base, ...figures, basis: 'paired', ...decisionOf(figures, run.margin, { n, fixed }) };
  });
}

/** Interval of a difference from the two scores' own intervals alone (Zou and Donner, 2008). */
export function fromIntervals(a: ScoredCell, b: ScoredCell, level: number): [number, number] {
  const wider = normalQuantile((1 + level) / 2) / normalQuantile(0.975);
  const side = (x: number, y: number) => wider * Math.hypot(x, y);
  const difference = a.score - b.score;
  return [
    difference - side(a.score - a.interval[0], b.interval[1] - b.score),
    difference + side(a.interval[1] - a.score, b.score - b.interval[0]),
  ];
}

/** Right answers and examples, as many as would give the cell's own interval if they were independent, one run of training included. */
export function countsOf(cell: ScoredCell, testExamples: number, methods: readonly MethodCard[]): [number, number] {
  const { score, effectiveN = testExamples } = cell;
  const once = isTrained(methods, cell.method) && (cell.seeds?.length ?? 1) === 1;
  const n = once ? 1 / (1 / effectiveN + 1 / assumedExamples) : effectiveN;
  return [score * n, n];
}

const isTrained = (methods: readonly MethodCard[], method: string): boolean =>
  methods.find((m) => m.id === method)?.reads === 'images';

function pairsOf(measurement: Measurement, methods: readonly MethodCard[], pairing: Pairing): Pair[] {
  const isCandidate = (c: ScoredCell) => methods.find((m) => m.id === c.method)?.role === 'candidate';
  const candidates = measurement.cells.filter(isCandidate);
  const [simplest] = candidates;
  const pair = (method: ScoredCell, reference: ScoredCell, tested: boolean): Pair => ({
    measurement,
    method,
    reference,
    tested,
    paired: pairing.difference(measurement, method.method, reference.method),
  });
  return [
    ...candidates.flatMap((reference, i) => candidates.slice(i + 1).map((method) => pair(method, reference, true))),
    ...(simplest ? measurement.cells.filter((c) => !isCandidate(c)).map((cell) => pair(cell, simplest, false)) : []),
  ];
}

/** The methods of a run, two at a time on shared test examples. How much seeds matter is learned from all of them. */
export class Pairing {
  readonly #designs = new Map<Measurement, TestDesign>();
  readonly #scores = new Map<Measurement, Map<string, Scores>>();

  constructor(measurements: readonly Measurement[], methods: readonly MethodCard[]) {
    const found = measurements.flatMap((measurement) => {
      const { labels, groups, metric, predictions } = measurement;
      const n = labels?.length ?? predictions?.[0]?.contributions?.length;
      if (!n) return [];
      const strata = metric === 'mean per-class accuracy' ? labels : undefined;
      const design = new TestDesign(n, { clusters: groups, strata });
      this.#designs.set(measurement, design);
      return measurement.cells.flatMap(({ method }) => {
        const rows = measurement.predictions?.filter((row) => row.method === method) ?? [];
        const runs = rows.flatMap((row) => additionsOf(row, labels) ?? []);
        const [only] = runs;
        if (!only) return [];
        const once = runs.length === 1 && isTrained(methods, method);
        const assumed = (values: ArrayLike<number>) =>
          isBounded(measurement)
            ? assumedSeedVariance(design.mean(values))
            : (design.errorOf(values).variance * n) / assumedExamples;
        return [{ measurement, method, runs, spread: once ? { assumed: assumed(only) } : seedSpreadOf(runs, design) }];
      });
    });
    // Scores of one metric lend each other their spread over seeds.
    for (const bounded of [true, false]) {
      const alike = found.filter(({ measurement }) => isBounded(measurement) === bounded);
      const seeds = moderate(alike.map(({ spread }) => spread));
      for (const [i, { measurement, method, runs }] of alike.entries()) {
        const here = this.#scores.get(measurement) ?? new Map<string, Scores>();
        this.#scores.set(measurement, here.set(method, { runs, seeds: seeds[i] }));
      }
    }
  }

  /** Undefined where predictions were not kept. */
  difference(measurement: Measurement, method: string, reference: string): PairedDifference | undefined {
    const scores = this.#scores.get(measurement);
    const [first, second] = [scores?.get(method), scores?.get(reference)];
    const design = this.#designs.get(measurement);
    return first && second && new PairedDifference(first, second, design, ofContributions(measurement));
  }
}

/** Whether examples are right or wrong; else each adds a number without bounds to the score. */
const isBounded = ({ metric }: Measurement): boolean => !isOfValues(metric);

/** A difference of mean average precision is never surer than if one true label told the methods apart. */
function ofContributions(measurement: Measurement): { leastVariance?: number } {
  if (isBounded(measurement)) return {};
  const [positives] = measurement.cells.flatMap(({ labels }) =>
    labels ? [labels.outputs.map((o) => o.positive)] : [],
  );
  return { leastVariance: positives ? worthOf(positives) ** -2 : 0 };
}

/** What each example adds to the score of a run. */
function additionsOf(
  { predicted, contributions }: NonNullable<Measurement['predictions']>[number],
  labels: Measurement['labels'],
): readonly (readonly number[])[] | undefined {
  if (contributions) return [contributions];
  return predicted && labels && [labels.map((label, i) => (predicted[i] === label ? 1 : 0))];
}

/** Correlations between the tested differences of one measurement: they share examples and methods. */
function correlationsOf(pairs: readonly Pair[]): Float64Array[] {
  const tested = pairs.flatMap(({ tested, paired, method, reference }) =>
    tested && paired ? [{ paired, methods: [method.method, reference.method] as const }] : [],
  );
  return tested.map((a, i) =>
    Float64Array.from(tested, (b, j) => {
      const scale = a.paired.standardError * b.paired.standardError;
      if (i === j || scale === 0) return i === j ? 1 : 0;
      let sum = a.paired.influence.reduce((total, v, g) => total + v * (b.paired.influence[g] as number), 0);
      for (const [s, method] of a.methods.entries()) {
        for (const [t, other] of b.methods.entries()) {
          if (method === other) sum += (s === t ? 1 : -1) * (a.paired.seedVariance[s] as number);
        }
      }
      return sum / scale;
    }),
  );
}

/**
 * What a corrected interval says, and what it would take to know more.
 * @param fixed share of the variance that more test examples leave as it is: that of seeds
 */
function decisionOf(
  { difference, interval, corrected }: Pick<Comparison, 'difference' | 'interval' | 'corrected'>,
  margin: number,
  { n, fixed }: { n: number; fixed: number },
): Pick<Comparison, 'verdict' | 'moreTestExamples'> {
  const [low, high] = corrected ?? interval;
  if (low > 0) return { verdict: 'better' };
  if (high < 0) return { verdict: 'worse' };
  if (low >= -margin && high <= margin) return { verdict: 'equal' };
  // The half width that would show a difference, or that there is none beyond the margin: whichever is wider.
  const wanted = Math.max(Math.abs(difference), margin - Math.abs(difference));
  const shrink = (wanted / ((high - low) / 2)) ** 2 - fixed;
  if (!(shrink > 0)) return { verdict: 'undecided' };
  const more = n * ((1 - fixed) / shrink - 1);
  return more > 0 && more < 1e7 ? { verdict: 'undecided', moreTestExamples: roundUp(more) } : { verdict: 'undecided' };
}

/** Two digits, upwards. */
function roundUp(count: number): number {
  const unit = 10 ** Math.max(0, Math.floor(Math.log10(count)) - 1);
  return Math.ceil(count / unit) * unit;
}

/** The interval that verdicts and sentences go by. */
export const rangeOf = (c: Comparison) => c.corrected ?? c.interval;

/** A comparison seen from `method`: the stored one, or its mirror image. Undefined where the two were not compared. */
export function compared(
  comparisons: readonly Comparison[],
  {
    task,
    perClass,
    method,
    reference,
  }: { task: string; perClass?: number | undefined; method: string; reference: string },
): Comparison | undefined {
  const here = comparisons.filter((c) => c.task === task && c.perClass === perClass);
  const found = here.find((c) => c.method === method && c.reference === reference);
  if (found) return found;
  const mirror = here.find((c) => c.method === reference && c.reference === method);
  if (!mirror) return undefined;
  const [low, high] = mirror.interval;
  const verdicts = { better: 'worse', worse: 'better', equal: 'equal', undecided: 'undecided' } as const;
  const [least, most] = mirror.corrected ?? [];
  return {
    ...mirror,
    method,
    reference,
    difference: -mirror.difference,
    interval: [-high, -low],
    ...(least === undefined || most === undefined ? {} : { corrected: [-most, -least] as [number, number] }),
    verdict: verdicts[mirror.verdict],
  };
}
