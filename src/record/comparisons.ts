/**
 * Differences between methods on the same test examples. Every pair of candidates on every task is compared and tested
 * once, and p is corrected over all of these tests (Holm): wherever a difference is shown it has one interval and one p.
 * Baselines and bounds are compared with the simplest candidate and not tested: nobody chooses them.
 */
import { discordant, holm, mcnemarExact, newcombeInterval, pairedBootstrap, permutationTest } from '../stats/index.js';
import type { MethodCard } from './cards.js';
import { type Comparison, type Measured, type ScoredCell, scoredCells, type TaskRecord } from './schema.js';

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
  readonly predictions: TaskRecord['predictions'];
}

type MeasuredTask = Omit<TaskRecord, 'warnings'> | TaskRecord;
export type MeasuredRun = Pick<Measured, 'methods'> & { readonly tasks: readonly MeasuredTask[] };

/** Order of simplicity, then of the run's catalogue. */
export function bySimplicity(methods: readonly MethodCard[]): (a: string, b: string) => number {
  const rank = (id: string) => methods.find((m) => m.id === id)?.simplicity ?? Number.POSITIVE_INFINITY;
  const place = (id: string) => methods.findIndex((m) => m.id === id);
  return (a, b) => rank(a) - rank(b) || place(a) - place(b);
}

/** Main cells of every task and the points of its curve. Failed, untrained and suspect cells are left out. */
export function measurementsOf({ methods, tasks }: MeasuredRun): Measurement[] {
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
      predictions,
    }));
  });
}

/** Every comparison of a run. */
export function compareAll(run: MeasuredRun): Comparison[] {
  const roleOf = (id: string) => run.methods.find((m) => m.id === id)?.role ?? 'baseline';
  const found = measurementsOf(run).flatMap((measurement) => {
    const candidates = measurement.cells.filter((c) => roleOf(c.method) === 'candidate');
    const [simplest] = candidates;
    const pairs = candidates.flatMap((reference, i) =>
      candidates.slice(i + 1).map((cell) => compare(measurement, cell, reference, true)),
    );
    const others = measurement.cells.filter((c) => roleOf(c.method) !== 'candidate');
    return [...pairs, ...(simplest ? others.map((cell) => compare(measurement, cell, simplest, false)) : [])];
  });
  const corrected = holm(found.flatMap(({ p }) => (p === undefined ? [] : [p])));
  let next = 0;
  return found.map((c) => {
    const pHolm = c.p === undefined ? undefined : corrected[next++];
    return { ...c, ...(pHolm === undefined ? {} : { pHolm }), verdict: verdictOf({ ...c, pHolm }) };
  });
}

function verdictOf({ difference, interval: [low, high], pHolm }: Omit<Comparison, 'verdict'>): Comparison['verdict'] {
  const apart = pHolm === undefined ? low > 0 || high < 0 : pHolm < 0.05;
  return !apart || difference === 0 ? 'tie' : difference > 0 ? 'better' : 'worse';
}

const bootstrapDraws = 10_000;
const permutationDraws = 10_000;

function compare(
  measurement: Measurement,
  method: ScoredCell,
  reference: ScoredCell,
  tested: boolean,
): Omit<Comparison, 'verdict'> {
  const { task, perClass, metric, testExamples: n } = measurement;
  const base = {
    task,
    ...(perClass === undefined ? {} : { perClass }),
    method: method.method,
    reference: reference.method,
  };
  const [a, b] = [correctness(measurement, method.method), correctness(measurement, reference.method)];
  if (!a || !b) {
    const interval = newcombeInterval([method.score * n, n], [reference.score * n, n]);
    return { ...base, difference: method.score - reference.score, interval, basis: 'independent' };
  }
  const strata = metric === 'mean per-class accuracy' ? measurement.labels : undefined;
  const options = { seed: 0, draws: bootstrapDraws, ...(strata ? { strata } : {}) };
  const { difference, interval } = pairedBootstrap(a.values, b.values, options);
  if (!tested) return { ...base, difference, interval, basis: 'paired' };
  const exact = !strata && a.seeds === 1 && b.seeds === 1;
  const p = exact
    ? mcnemarExact(...discordant(a.values, b.values))
    : permutationTest(a.values, b.values, { ...options, draws: permutationDraws }).p;
  return { ...base, difference, interval, p, basis: 'paired' };
}

/** Per test example 1 or 0 for right or wrong, averaged over the method's seeds; undefined without predictions. */
function correctness(
  { labels, predictions }: Measurement,
  method: string,
): { values: Float64Array; seeds: number } | undefined {
  const runs = predictions?.filter((row) => row.method === method) ?? [];
  if (!labels?.length || runs.length === 0) return undefined;
  const values = Float64Array.from(
    labels,
    (label, i) => runs.reduce((sum, { predicted }) => sum + (predicted[i] === label ? 1 : 0), 0) / runs.length,
  );
  return { values, seeds: runs.length };
}

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
  const verdicts = { better: 'worse', worse: 'better', tie: 'tie' } as const;
  return {
    ...mirror,
    method,
    reference,
    difference: -mirror.difference,
    interval: [-high, -low],
    verdict: verdicts[mirror.verdict],
  };
}
