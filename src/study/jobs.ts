/**
 * Units packed into jobs: what one process does in a row. A process costs a start, and a queue takes its time over each job;
 * half of a study's units take a hundredth of a second.
 */
import { closure, type Plan, type Unit } from './plan.js';
import { scheduled } from './schedule.js';

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
}

/** Units that take less ride with the unit that they need. */
const rideSeconds = 1;
/** Jobs are no shorter, where units can share one, and no longer for the sake of sharing. */
const shortest = 5;
const longest = 600;
/** Jobs for each process that works: with fewer, the last ones to end leave the others idle. */
const perProcess = 4;

/** Units that will be a job. */
interface Group {
  readonly units: Unit[];
  readonly class: string;
  seconds: number;
}

/**
 * The open units of a plan as jobs, those first that most depends on: units under a second are in the job of the unit that they
 * need; cheap ones with the same needs share a job, or join the one that they wait for.
 */
export function jobsOf(plan: Plan, { without, parallel = 64, classOf = () => '' }: JobOptions = {}): Job[] {
  const open = without ? plan.units.filter(({ id }) => !without.has(id)) : plan.units;
  const total = open.reduce((sum, { seconds }) => sum + seconds, 0);
  const enough = Math.min(longest, Math.max(shortest, total / (perProcess * parallel)));
  return ordered(packed(ridden(open, classOf), enough));
}

/** Every unit in a group of its own, but the small ones, which are in that of the only group that they need. */
function ridden(units: readonly Unit[], classOf: (unit: Unit) => string): Group[] {
  const homes = new Map<string, Group>();
  const groups: Group[] = [];
  for (const unit of units) {
    const needs = new Set(unit.needs.flatMap((id) => homes.get(id) ?? []));
    const [only] = needs;
    const home: Group =
      only && needs.size === 1 && unit.seconds < rideSeconds ? only : { units: [], class: classOf(unit), seconds: 0 };
    if (home !== only) groups.push(home);
    add(home, [unit], unit.seconds);
    homes.set(unit.id, home);
  }
  return groups;
}

function add(group: Group, units: readonly Unit[], seconds: number): void {
  group.units.push(...units);
  group.seconds += seconds;
}

/**
 * Groups of few seconds put together, level by level: only such as need the same groups, and never more than `enough` seconds.
 * Neither makes a circle: equal needs lie above both, and what joins the only group that it needs waits for nothing else.
 */
function packed(groups: readonly Group[], enough: number): Group[] {
  /** What a group has become part of. */
  const into = new Map<Group, Group>();
  const homes = new Map<string, Group>();
  const now = (group: Group): Group => into.get(group) ?? group;
  for (const group of groups) for (const { id } of group.units) homes.set(id, group);
  const result: Group[] = [];
  for (const level of levels(groups, homes)) {
    const buckets = new Map<string, { needs: Group[]; groups: Group[] }>();
    const numbers = new Map(result.map((group, i) => [group, i]));
    for (const group of level) {
      const needs = [...needsOf(group, homes, now)];
      const key = `${group.class}\n${needs
        .map((n) => numbers.get(n))
        .sort()
        .join()}`;
      const bucket = buckets.get(key) ?? { needs, groups: [] };
      bucket.groups.push(group);
      buckets.set(key, bucket);
    }
    for (const { needs, groups: equal } of buckets.values()) {
      const [only] = needs;
      const seconds = equal.reduce((sum, g) => sum + g.seconds, 0);
      if (only && needs.length === 1 && only.class === equal[0]?.class && only.seconds + seconds <= enough) {
        for (const group of equal) {
          add(only, group.units, group.seconds);
          into.set(group, only);
        }
        continue;
      }
      result.push(...equal.filter((g) => g.seconds >= enough));
      for (const bin of binned(
        equal.filter((g) => g.seconds < enough),
        enough,
      )) {
        const [first, ...others] = bin as [Group, ...Group[]];
        for (const other of others) {
          add(first, other.units, other.seconds);
          into.set(other, first);
        }
        result.push(first);
      }
    }
  }
  return result;
}

/** Groups that a group needs, in what they have become. */
function needsOf(group: Group, homes: ReadonlyMap<string, Group>, now = (g: Group) => g): Set<Group> {
  const needs = new Set<Group>();
  for (const unit of group.units) {
    for (const id of unit.needs) {
      const home = homes.get(id);
      if (home && now(home) !== now(group)) needs.add(now(home));
    }
  }
  return needs;
}

/** Groups by the length of the longest chain of needs above them. */
function levels(groups: readonly Group[], homes: ReadonlyMap<string, Group>): Group[][] {
  const depths = new Map<Group, number>();
  const result: Group[][] = [];
  // What a group needs stands before it: groups are in the order of their first units.
  for (const group of groups) {
    const depth = Math.max(0, ...[...needsOf(group, homes)].map((need) => (depths.get(need) ?? 0) + 1));
    depths.set(group, depth);
    const level = result[depth];
    if (level) level.push(group);
    else result[depth] = [group];
  }
  return result;
}

/** Groups dealt out by falling cost to as few bins as hold them, each time to the one that holds least. */
function binned(groups: readonly Group[], enough: number): Group[][] {
  const seconds = groups.reduce((sum, g) => sum + g.seconds, 0);
  const count = Math.min(groups.length, Math.max(1, Math.ceil(seconds / enough)));
  const bins = Array.from({ length: count }, (_, number) => ({ number, groups: [] as Group[], seconds: 0 }));
  /** The lightest last, of equal ones the first. */
  const byLoad = [...bins].reverse();
  for (const group of [...groups].sort((a, b) => b.seconds - a.seconds)) {
    const lightest = byLoad.pop() as (typeof bins)[number];
    lightest.groups.push(group);
    lightest.seconds += group.seconds;
    insert(byLoad, lightest, (a, b) => b.seconds - a.seconds || b.number - a.number);
  }
  return bins.map((bin) => bin.groups);
}

/** Jobs by falling tail. A job's tail is longer than that of any that waits for it, so needs come first. */
function ordered(groups: readonly Group[]): Job[] {
  const homes = new Map<string, Group>();
  for (const group of groups) for (const { id } of group.units) homes.set(id, group);
  const needs = new Map(groups.map((group) => [group, needsOf(group, homes)]));
  const tails = new Map<Group, number>();
  const waiting = new Map<Group, Group[]>();
  for (const [group, above] of needs) {
    for (const need of above) waiting.set(need, [...(waiting.get(need) ?? []), group]);
  }
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

/** Puts an item into a sorted list. */
function insert<T>(list: T[], item: T, compare: (a: T, b: T) => number): void {
  let [low, high] = [0, list.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (compare(list[middle] as T, item) <= 0) low = middle + 1;
    else high = middle;
  }
  list.splice(low, 0, item);
}

/**
 * The units that process `index` of `count` does: its jobs, as a queue would deal them out, and what they need, which is
 * done by whoever comes first.
 * @param index from 0
 */
export function shardOf(plan: Plan, index: number, count: number): Set<string> {
  // A share is one process, whatever the number of its jobs: small ones are dealt out more evenly.
  const jobs = jobsOf(plan, { parallel: 16 * count });
  const { placed } = scheduled(jobs, count);
  const own = jobs.flatMap((job, i) => (placed[i]?.worker === index ? job.units.map(({ id }) => id) : []));
  return closure(plan, own);
}
