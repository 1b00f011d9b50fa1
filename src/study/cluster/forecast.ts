/** What a submission would ask a queue for, and how long it would take: before anybody is asked. */
import type { SlurmSettings } from '../config/slurm.js';
import { jobsOf } from '../jobs.js';
import type { Plan } from '../plan.js';
import { queuePrices, scheduled, searchedOrder } from '../schedule.js';
import { arraysOf, classOf } from './arrays.js';

export interface Forecast {
  readonly jobs: number;
  /** Calls of sbatch. */
  readonly arrays: number;
  /** Expected, of the longest job. */
  readonly longest: number;
  /** Expected seconds from the first job's start to the last one's end, with nobody else in the queue. */
  readonly seconds: number;
}

/**
 * @param parallel jobs side by side
 * @param maxArray elements of an array
 */
export function forecast(plan: Plan, settings: SlurmSettings, parallel: number, maxArray: number): Forecast {
  const jobs = jobsOf(plan, { parallel, classOf: (unit) => classOf(settings, unit) });
  const known = { waits: () => [], megabytes: () => 0 };
  const arrays = arraysOf(jobs, settings, Math.max(1, maxArray - 1), known).map((array) => array.jobs);
  const order = searchedOrder(jobs, arrays, parallel).flatMap((array) => arrays[array] ?? []);
  return {
    jobs: jobs.length,
    arrays: arrays.length,
    longest: jobs.reduce((longest, { seconds }) => Math.max(longest, seconds), 0),
    seconds: scheduled(jobs, parallel, queuePrices, order).makespan,
  };
}
