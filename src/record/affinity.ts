/** Domain affinity, and whether what a method gains over the last layer goes with it. */
import { Random } from '../base/index.js';
import { fisherInterval, lineWithBand, newcombeInterval, pearson, quantileOfSorted } from '../stats/index.js';
import {
  compared,
  countsOf,
  fromIntervals,
  isOfValues,
  type Measurement,
  measurementsOf,
  type Pairing,
} from './comparisons.js';
import type { Comparison, RunRecord, TaskRecord } from './schema.js';

/** The two methods whose difference is domain affinity (Evci et al., 2022). */
const [near, far] = ['linear', 'scratch'] as const;

/**
 * Score of a probe on the last layer minus that of training from scratch: positive where what the network learned before
 * helps. Undefined where either is missing, failed to train, or cannot be right.
 */
export function domainAffinityOf(
  measurement: Measurement,
  pairing: Pairing,
  methods: RunRecord['methods'],
): TaskRecord['domainAffinity'] {
  const [a, b] = [near, far].map((id) => measurement.cells.find((c) => c.method === id));
  if (!a || !b) return undefined;
  const paired = pairing.difference(measurement, near, far);
  if (paired) return { value: paired.difference, interval: paired.interval() };
  if (isOfValues(measurement.metric)) return { value: a.score - b.score, interval: fromIntervals(a, b, 0.95) };
  const n = measurement.testExamples;
  return { value: a.score - b.score, interval: newcombeInterval(countsOf(a, n, methods), countsOf(b, n, methods)) };
}

/** Tasks below which a correlation has no interval, and below which no line is drawn. */
const [fewest, fewestForLine] = [5, 8];
const shuffles = 2_000;

/** How far the gain of reading all layers goes with domain affinity, over tasks. */
export interface AffinityTrend {
  /** One point per task on which both methods and training from scratch finished. */
  readonly points: readonly { readonly task: string; readonly affinity: number; readonly gain: Comparison }[];
  /** Pearson's r over tasks; undefined below three, or where a list is constant. */
  readonly r: number | undefined;
  /** Fisher's 95 % interval of r. */
  readonly interval: readonly [number, number] | undefined;
  /**
   * r where the scores of training from scratch are shuffled among tasks: affinity and gain share the score of the last
   * layer, which correlates them by itself. Median and central 95 %.
   */
  readonly shuffled: { readonly median: number; readonly interval: readonly [number, number] } | undefined;
  /** Least squares with its 95 % bootstrap band over tasks. */
  readonly line: readonly { readonly x: number; readonly y: number; readonly low: number; readonly high: number }[];
}

/** Gain of `method` over the last layer against domain affinity (Evci et al., 2022, figure 3); undefined below two tasks. */
export function affinityTrend(record: RunRecord, method: string): AffinityTrend | undefined {
  const main = new Map(measurementsOf(record).map((m) => [m.task, m]));
  const found = record.tasks.flatMap((task) => {
    const gain = compared(record.answer.comparisons, {
      task: task.task,
      perClass: task.perClass,
      method,
      reference: near,
    });
    const cells = main.get(task.task)?.cells;
    const [linear, scratch] = [near, far].map((id) => cells?.find((c) => c.method === id)?.score);
    if (!task.domainAffinity || !gain || linear === undefined || scratch === undefined) return [];
    return [{ task: task.task, affinity: task.domainAffinity.value, gain, linear, scratch }];
  });
  if (found.length < 2) return undefined;
  const n = found.length;
  const [xs, ys] = [found.map((p) => p.affinity), found.map((p) => p.gain.difference)];
  const r = n < 3 ? Number.NaN : pearson(xs, ys);
  const [from, to] = [Math.min(...xs), Math.max(...xs)];
  const along = Array.from({ length: 21 }, (_, i) => from + ((to - from) * i) / 20);
  return {
    points: found.map(({ task, affinity, gain }) => ({ task, affinity, gain })),
    r: Number.isNaN(r) ? undefined : r,
    interval: Number.isNaN(r) || n < fewest ? undefined : fisherInterval(r, n),
    shuffled: Number.isNaN(r) || n < fewest ? undefined : shuffledR(found, ys),
    line: n < fewestForLine ? [] : lineWithBand(xs, ys, along),
  };
}

function shuffledR(
  points: readonly { linear: number; scratch: number }[],
  gains: readonly number[],
): AffinityTrend['shuffled'] {
  const random = new Random(0, 'shuffled affinity');
  const values = Array.from({ length: shuffles }, () => {
    const scratch = random.shuffle(points.map((p) => p.scratch));
    return pearson(
      points.map((p, i) => p.linear - (scratch[i] as number)),
      gains,
    );
  })
    .filter((v) => !Number.isNaN(v))
    .sort((a, b) => a - b);
  if (values.length === 0) return undefined;
  const at = (q: number) => quantileOfSorted(values, q);
  return { median: at(0.5), interval: [at(0.025), at(0.975)] };
}
