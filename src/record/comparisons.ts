/** Differences between methods on the same test examples, each with an interval and, where predictions exist, a p. */
import {
  discordant,
  holm,
  type Interval,
  mcnemarExact,
  newcombeInterval,
  pairedBootstrap,
  permutationTest,
} from '../stats/index.js';
import { allLayerMethods } from './methods.js';
import { done, type StudyRecord, type TaskRecord } from './study.js';

export interface Comparison {
  task: string;
  method: string;
  reference: string;
  /** Accuracy of method minus accuracy of reference. */
  difference: number;
  interval: Interval;
  /** Exact McNemar (one seed, top-1), else paired permutation; absent without stored predictions. */
  p?: number;
  /** p after Holm's correction over the tasks of the study. */
  pHolm?: number;
  /** 'paired': bootstrap over shared test examples. 'independent': from the two accuracies alone, wider. */
  basis: 'paired' | 'independent';
  /** Better or worse at 5 %, by the corrected p where there is one, else by the interval. */
  verdict: 'better' | 'worse' | 'tie';
}

const draws = 2_000;

const known = new WeakMap<StudyRecord, Map<string, Comparison[]>>();

/** `method` against `reference` on every task where both are done; p corrected over these tasks. Computed once. */
export function compareOverTasks(study: StudyRecord, method: string, reference: string): readonly Comparison[] {
  const ofStudy = known.get(study) ?? new Map<string, Comparison[]>();
  known.set(study, ofStudy);
  const key = JSON.stringify([method, reference]);
  const found = ofStudy.get(key) ?? computeOverTasks(study, method, reference);
  ofStudy.set(key, found);
  return found;
}

function computeOverTasks(study: StudyRecord, method: string, reference: string): Comparison[] {
  const found = study.tasks.flatMap((task) => compare(task, method, reference) ?? []);
  const tested = found.filter((c) => c.p !== undefined);
  const corrected = holm(tested.map((c) => c.p as number));
  tested.forEach((c, i) => {
    c.pHolm = corrected[i] as number;
  });
  return found.map((c) => ({ ...c, verdict: verdictOf(c) }));
}

function verdictOf(c: Comparison): Comparison['verdict'] {
  const [low, high] = c.interval;
  const apart = c.pHolm === undefined ? low > 0 || high < 0 : c.pHolm < 0.05;
  return !apart || c.difference === 0 ? 'tie' : c.difference > 0 ? 'better' : 'worse';
}

/** One comparison on one task; undefined unless both methods are done and left the start of training. */
function compare(task: TaskRecord, method: string, reference: string): Comparison | undefined {
  const [a, b] = [done(task, method), done(task, reference)];
  if (!a || !b || a.failedToTrain || b.failedToTrain) return undefined;
  const base = { task: task.task, method, reference, verdict: 'tie' as const };
  const [first, second] = [correctness(task, method), correctness(task, reference)];
  if (!first || !second) {
    const n = task.examples.test;
    const interval = newcombeInterval([a.accuracy * n, n], [b.accuracy * n, n]);
    return { ...base, difference: a.accuracy - b.accuracy, interval, basis: 'independent' };
  }
  const strata = task.metric === 'mean per class' ? task.predictions?.labels : undefined;
  const options = { seed: 0, draws, ...(strata ? { strata } : {}) };
  const { difference, interval } = pairedBootstrap(first.values, second.values, options);
  const exact = !strata && first.seeds === 1 && second.seeds === 1;
  const p = exact
    ? mcnemarExact(...discordant(first.values, second.values))
    : permutationTest(first.values, second.values, { ...options, draws: 10_000 }).p;
  return { ...base, difference, interval, p, basis: 'paired' };
}

/** Per test example 1 or 0 for right or wrong, averaged over the method's seeds; undefined without predictions. */
export function correctness(task: TaskRecord, method: string): { values: Float64Array; seeds: number } | undefined {
  const labels = task.predictions?.labels;
  const runs = task.predictions?.methods.filter((m) => m.method === method) ?? [];
  if (!labels?.length || runs.length === 0) return undefined;
  const values = Float64Array.from(
    labels,
    (label, i) => runs.reduce((sum, run) => sum + (run.predicted[i] === label ? 1 : 0), 0) / runs.length,
  );
  return { values, seeds: runs.length };
}

/** The study's method that draws on all layers: Head2Toe where it ran, else the first of the all-layer probes. */
export function selectionMethod(study: StudyRecord): string | undefined {
  return allLayerMethods.find((m) => study.tasks.some((task) => done(task, m)));
}
