/** How a run stands: from its folder, and from the queue where it was handed to one. */
import { readdir, readFile } from 'node:fs/promises';
import * as z from 'zod';
import { given, readJson, UserError } from '../../base/index.js';
import { RunFolder } from '../folder.js';
import { Ledger } from './ledger.js';
import type { QueuedJob } from './queue.js';
import { elementOf, lastName, nameOf, type Queue } from './submit.js';

const planned = z.object({
  units: z.array(
    z.object({
      id: z.string(),
      kind: z.string(),
      label: z.string(),
      needs: z.array(z.string()),
      seconds: z.number().default(0),
    }),
  ),
});

/** `lost`: its job ended, and left neither a record nor a reason. `blocked`: needs one that failed or was lost. */
export const unitStates = ['done', 'failed', 'lost', 'blocked', 'running', 'queued', 'open'] as const;
export type UnitStateNow = (typeof unitStates)[number];

export interface UnitStatus {
  readonly id: string;
  readonly label: string;
  readonly state: UnitStateNow;
  /** Machine, of one that runs; of one in the queue, why it waits. */
  readonly where?: string;
  /** Job, as the queue calls it. */
  readonly job?: string;
  /** Why it failed. */
  readonly error?: string;
  /** Last lines of its job's log, and where this is. */
  readonly lines?: readonly string[];
  readonly log?: string;
}

export interface RunStatus {
  readonly run: string;
  readonly counts: Readonly<Record<UnitStateNow, number>>;
  readonly units: readonly UnitStatus[];
  /** Jobs that Slurm has of this run, the one that assembles included. */
  readonly jobs: number;
  /** The job that assembles, where Slurm has it. */
  readonly last?: QueuedJob;
  /** Expected until all is done: as the finished units took, by what runs at once now. */
  readonly secondsLeft: number;
}

/** @throws UserError where there is no run */
export async function statusOf(path: string, queue?: Queue): Promise<RunStatus> {
  const folder = new RunFolder(path);
  const file = await readJson(folder.file('run.json'), 'run the study again');
  if (file === undefined) throw new UserError(`${path} is no run folder: it has no run.json`);
  const { units } = planned.parse(file);
  const ledger = new Ledger(folder);
  const submissions = await ledger.submissions();
  const alive = queue && ledger.exists() ? await queue.queued(await ledger.prefix()) : [];
  const jobOf = new Map<string, QueuedJob>();
  for (const job of alive) {
    const { jobs } = submissions.find(({ name }) => name === nameOf(job)) ?? { jobs: [] };
    for (const id of jobs[elementOf(job)] ?? []) jobOf.set(id, job);
  }
  /** Where each unit was submitted last. */
  const placed = new Map<string, { name: string; element: number }>();
  const names = new Set(alive.map(nameOf));
  for (const { name, jobs, id: taken } of submissions) {
    if (taken === undefined && !names.has(name)) continue;
    for (const [element, ids] of jobs.entries()) for (const id of ids) placed.set(id, { name, element });
  }
  const begun = new Set(await readdir(folder.file('units')).catch(() => []));
  const states = new Map<string, UnitStatus>();
  let [expected, left] = [0, 0];
  for (const { id, label, needs, seconds } of units) {
    const status = await one(id, label, needs);
    states.set(id, status);
    if (status.state === 'done') expected += seconds;
    else if (['running', 'queued', 'open'].includes(status.state)) left += seconds;
  }
  const all = [...states.values()];
  const count = (state: UnitStateNow) => all.filter((u) => u.state === state).length;
  return {
    run: path,
    counts: Object.fromEntries(unitStates.map((s) => [s, count(s)])) as Record<UnitStateNow, number>,
    units: all,
    jobs: alive.length,
    ...given({ last: alive.find((job) => nameOf(job) === lastName) }),
    secondsLeft: (left * (expected > 0 ? await paceOf(expected) : 1)) / Math.max(1, count('running')),
  };

  async function one(id: string, label: string, needs: readonly string[]): Promise<UnitStatus> {
    const unit = { id, label };
    if (begun.has(id) && folder.has(id)) return { ...unit, state: 'done' };
    const job = jobOf.get(id);
    const host = begun.has(id) ? await holderOf(folder.file('units', id, 'lock')) : undefined;
    if (host !== undefined && (job !== undefined || !placed.has(id))) {
      return { ...unit, state: 'running', where: job?.where ?? host, ...given({ job: job?.id }) };
    }
    if (job) return { ...unit, state: 'queued', where: job.where, job: job.id };
    const failure = begun.has(id) ? await folder.failure(id) : undefined;
    if (failure) return { ...unit, state: 'failed', error: failure.error, ...(await logOf(id)) };
    const blocker = needs.map((need) => states.get(need)).find((n) => n && isBroken(n.state));
    if (blocker) return { ...unit, state: 'blocked', error: `needs '${blocker.label}'` };
    const place = placed.get(id);
    if (!place) return { ...unit, state: 'open' };
    const { code, memory, lines, log } = await ledger.ending(place.name, place.element);
    // Another unit of its job failed, and the job ended before this one began.
    if (code !== undefined && code <= 128) return { ...unit, state: 'open' };
    const how = memory
      ? 'its job ran out of memory; run again to give it more'
      : code !== undefined
        ? `its job ended by signal ${code - 128}`
        : 'its job ended before its time';
    return { ...unit, state: 'lost', error: how, lines, log };
  }

  async function logOf(id: string) {
    const place = placed.get(id);
    if (!place) return {};
    const { lines, log } = await ledger.ending(place.name, place.element);
    return { lines, log };
  }

  /** Actual seconds for each expected one, of units that are done. */
  async function paceOf(expectedSeconds: number): Promise<number> {
    let actual = 0;
    for (const { id, state } of states.values()) {
      if (state === 'done') actual += (await folder.record(id))?.seconds ?? 0;
    }
    return actual / expectedSeconds;
  }
}

const isBroken = (state: UnitStateNow): boolean => state === 'failed' || state === 'lost' || state === 'blocked';

/** The machine whose process holds a lock. */
async function holderOf(lock: string): Promise<string | undefined> {
  const text = await readFile(lock, 'utf8').catch(() => undefined);
  return text?.split('/')[0]?.split(' ')[0];
}

/** Takes every job of a run out of the queue. @returns how many there were */
export async function cancel(path: string, queue: Queue): Promise<number> {
  const ledger = new Ledger(new RunFolder(path));
  if (!ledger.exists()) throw new UserError(`${path} was not handed to a queue: there is nothing to cancel`);
  const alive = await queue.queued(await ledger.prefix());
  // The last job first: it would submit what is left as soon as the others are gone.
  const ids = [...alive].sort((a, b) => Number(nameOf(b) === lastName) - Number(nameOf(a) === lastName));
  if (ids.length > 0) await queue.cancel(ids.map(({ id }) => id));
  return alive.length;
}
