/** Does what a method gains over the last layer go with how near a task is to what the network was trained on? */
import { type Correlation, correlation, lineWithBand } from '../stats/index.js';
import { compared } from './comparisons.js';
import { type Comparison, done, type RunRecord } from './schema.js';

export interface AffinityTrend {
  /** One point per task on which both methods and training from scratch finished. */
  readonly points: readonly { readonly task: string; readonly affinity: number; readonly gain: Comparison }[];
  /** Pearson's, over tasks, with its bootstrap interval. */
  readonly correlation: Correlation;
  /** Least squares over tasks with its 95 % bootstrap band; empty below three tasks. */
  readonly line: readonly { readonly x: number; readonly y: number; readonly low: number; readonly high: number }[];
}

/** Gain of `method` over `reference` against domain affinity (Evci et al., 2022, figure 3); undefined below two tasks. */
export function affinityTrend(
  { tasks, answer }: Pick<RunRecord, 'tasks' | 'answer'>,
  method: string,
  reference = 'linear',
): AffinityTrend | undefined {
  const points = tasks.flatMap((task) => {
    // Scratch that failed to train says nothing about the distance of a task.
    const affinity = done(task, 'scratch')?.failedToTrain ? undefined : task.domainAffinity;
    const gain = compared(answer.comparisons, { task: task.task, perClass: task.perClass, method, reference });
    return affinity === undefined || !gain ? [] : [{ task: task.task, affinity, gain }];
  });
  if (points.length < 2) return undefined;
  const [xs, ys] = [points.map((p) => p.affinity), points.map((p) => p.gain.difference)];
  const [from, to] = [Math.min(...xs), Math.max(...xs)];
  const along = Array.from({ length: 21 }, (_, i) => from + ((to - from) * i) / 20);
  return { points, correlation: correlation('pearson', xs, ys), line: lineWithBand(xs, ys, along) };
}
