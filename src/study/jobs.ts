/**
 * Units packed into jobs: what one process does in a row. A process costs a start, and a queue takes its time over each job;
 * half of a study's units take a hundredth of a second.
 */
import { type Group, needsOf, packed, ridden, waitingFor } from './packing.js';
import { closure, type Plan, type Unit } from './plan.js';
import { expectedEnds, noPrices, type Prices, queuePrices, scheduled } from './schedule.js';

/** Units that one process does, one after the other. */
export interface Job {
  /** In an order in which needs come first. */
  readonly units: readonly Unit[];
  /** Numbers of the jobs whose units it needs: all smaller than its own. */
  readonly needs: readonly number[];
  /** Expected, of all units. */
  readonly seconds: number;
  /** Expected bytes of the unit that needs most. */
  readonly memory: number;
  /** Expected seconds from its start to the end of the last job that waits for it, if none ever waits for a machine. */
  readonly tail: number;
}

/** What goes into jobs, and how large they are. */
export interface JobOptions {
  /** Units in no job: done, or in the hands of another. */
  readonly without?: Pick<ReadonlySet<string>, 'has'> | undefined;
  /** How many jobs run side by side. */
  readonly parallel?: number | undefined;
  /** Units share a job where they ask for the same: its text. */
  readonly classOf?: ((unit: Unit) => string) | undefined;
  /** What jobs cost beside their units. */
  readonly prices?: Prices | undefined;
}

/** Jobs are no shorter, where units can share one, and no longer for the sake of sharing. */
const shortest = 5;
const longest = 600;
/** Jobs for each process that works, at most, for the sake of those that end together. */
const perProcess = 4;

/**
 * The open units of a plan as jobs, those first that most depends on: units under a second are in the job of the unit that they
 * need; others share a job with what they need, or with what needs the same. How long jobs are, and which of these comes first, is
 * what a simulated queue does soonest: long jobs cost fewer starts, jobs that are whole chains wait for nobody, and many small
 * ones end together.
 */
export function jobsOf(
  plan: Plan,
  { without, parallel = 64, classOf = () => '', prices = queuePrices }: JobOptions = {},
): Job[] {
  const open = without ? plan.units.filter(({ id }) => !without.has(id)) : plan.units;
  const groups = ridden(open, classOf);
  const limits = limitsOf(open, parallel);
  const packings = limits.flatMap((share) =>
    [0, ...limits.filter((limit) => limit >= share)].map((chain) => ordered(packed(groups, { chain, share }))),
  );
  const ends = expectedEnds(packings, open, parallel, prices);
  return packings[ends.indexOf(Math.min(...ends))] ?? [];
}

/** Lengths of jobs that come into question: doubled from the shortest that `parallel` processes need to end together. */
function limitsOf(units: readonly Unit[], parallel: number): number[] {
  const total = units.reduce((sum, { seconds }) => sum + seconds, 0);
  const limits = [Math.min(longest, Math.max(shortest, total / (perProcess * parallel)))];
  for (;;) {
    const last = limits.at(-1) as number;
    if (last >= Math.min(longest, total)) return limits;
    limits.push(Math.min(longest, 2 * last));
  }
}

/** Jobs by falling tail. A job's tail is longer than that of any that waits for it, so needs come first. */
function ordered(groups: readonly Group[]): Job[] {
  const needs = needsOf(groups);
  const waiting = waitingFor(needs);
  const tails = new Map<Group, number>();
  /** Longer than it is by a moment, so that units that cost nothing have their order too. */
  const tailOf = (group: Group): number => {
    const known = tails.get(group);
    if (known !== undefined) return known;
    const tail = group.seconds + 1e-6 + Math.max(0, ...(waiting.get(group) ?? []).map(tailOf));
    tails.set(group, tail);
    return tail;
  };
  const sorted = [...groups].sort((a, b) => tailOf(b) - tailOf(a));
  const numbers = new Map(sorted.map((group, i) => [group, i]));
  return sorted.map((group) => ({
    units: inOrder(group.units),
    needs: [...(needs.get(group) ?? [])].map((need) => numbers.get(need) as number).sort((a, b) => a - b),
    seconds: group.seconds,
    memory: Math.max(0, ...group.units.map((unit) => unit.memory)),
    tail: tailOf(group),
  }));
}

/** Units with what they need before them. */
function inOrder(units: readonly Unit[]): Unit[] {
  const left = new Map(units.map((unit) => [unit.id, unit]));
  const result: Unit[] = [];
  const take = (unit: Unit): void => {
    if (!left.delete(unit.id)) return;
    for (const id of unit.needs) {
      const need = left.get(id);
      if (need) take(need);
    }
    result.push(unit);
  };
  for (const unit of units) take(unit);
  return result;
}

/**
 * The units that process `index` of `count` does: its jobs, as a queue would deal them out, and what they need, which is
 * done by whoever comes first.
 * @param index from 0
 */
export function shardOf(plan: Plan, index: number, count: number): Set<string> {
  // A share is one process, whatever the number of its jobs, which cost nothing.
  const jobs = jobsOf(plan, { parallel: 4 * count, prices: noPrices });
  const { placed } = scheduled(jobs, count);
  const own = jobs.flatMap((job, i) => (placed[i]?.worker === index ? job.units.map(({ id }) => id) : []));
  return closure(plan, own);
}
