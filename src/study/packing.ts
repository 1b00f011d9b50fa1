/** Units packed into groups that one process does, never in a circle: by what hangs together, and by what needs the same. */
import type { Unit } from './plan.js';

/** Units that will be a job. */
export interface Group {
  readonly units: Unit[];
  /** What they ask for: others are in no group with them. */
  readonly class: string;
  seconds: number;
}

/** Seconds: longer groups are not made of several. */
export interface Packing {
  /** Of what hangs together, which is packed first. */
  readonly chain: number;
  /** Of what needs the same. */
  readonly share: number;
}

type Needs = ReadonlyMap<Group, ReadonlySet<Group>>;

/** Units that take less ride with the unit that they need. */
const rideSeconds = 1;

/** Every unit in a group of its own, but the small ones, which are in that of the only group that they need. */
export function ridden(units: readonly Unit[], classOf: (unit: Unit) => string): Group[] {
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

/** Groups that are made of these; these stay as they are. */
export function packed(groups: readonly Group[], { chain, share }: Packing): Group[] {
  return shared(chain > 0 ? chained(groups, chain) : groups, share);
}

/** The groups that each needs. */
export function needsOf(groups: readonly Group[]): Needs {
  const homes = new Map(groups.flatMap((group) => group.units.map(({ id }) => [id, group] as const)));
  const of = (group: Group) => {
    const needs = new Set(group.units.flatMap((unit) => unit.needs.flatMap((id) => homes.get(id) ?? [])));
    needs.delete(group);
    return needs;
  };
  return new Map(groups.map((group) => [group, of(group)]));
}

function add(group: Group, units: readonly Unit[], seconds: number): void {
  group.units.push(...units);
  group.seconds += seconds;
}

function joined(groups: readonly Group[]): Group {
  const [first, ...others] = groups as [Group, ...Group[]];
  const group = { units: [...first.units], class: first.class, seconds: first.seconds };
  for (const { units, seconds } of others) add(group, units, seconds);
  return group;
}

const secondsOf = (groups: readonly Group[]): number => groups.reduce((sum, { seconds }) => sum + seconds, 0);

/** Groups that hang together are one, where they take no longer than the limit; where they do, parts of them are. */
function chained(groups: readonly Group[], limit: number): Group[] {
  const needs = needsOf(groups);
  const result: Group[] = [];
  const open: (readonly Group[])[] = [groups];
  for (let part = open.pop(); part; part = open.pop()) {
    for (const cluster of clusters(part, needs, limit)) {
      if (cluster.length === 1 || secondsOf(cluster) <= limit) result.push(joined(cluster));
      else {
        const edge = edgeOf(cluster, needs);
        result.push(...edge);
        open.push(cluster.filter((group) => !edge.has(group)));
      }
    }
  }
  return inOrder(result);
}

/**
 * Groups that hang together by needs that may be inside a job: both sides ask for the same, and neither exceeds the limit. A group's
 * depth counts the other needs above it. Those of a cluster are of one depth, and what a cluster needs elsewhere is less deep: no
 * circle.
 */
function clusters(groups: readonly Group[], needs: Needs, limit: number): Group[][] {
  const depths = new Map<Group, number>();
  const clusterOf = new Map<Group, Group[]>();
  const isApart = (a: Group, b: Group) => a.class !== b.class || a.seconds > limit || b.seconds > limit;
  // What a group needs stands before it.
  for (const group of groups) {
    const own = [...(needs.get(group) ?? [])].filter((need) => depths.has(need));
    const depthBelow = (need: Group) => (depths.get(need) as number) + Number(isApart(need, group));
    const depth = own.reduce((deepest, need) => Math.max(deepest, depthBelow(need)), 0);
    depths.set(group, depth);
    let cluster = [group];
    clusterOf.set(group, cluster);
    for (const need of own) {
      const other = clusterOf.get(need) as Group[];
      if (other === cluster || isApart(need, group) || depths.get(need) !== depth) continue;
      const [large, small] = other.length > cluster.length ? [other, cluster] : [cluster, other];
      large.push(...small);
      for (const moved of small) clusterOf.set(moved, large);
      cluster = large;
    }
  }
  const places = new Map(groups.map((group, i) => [group, i]));
  const place = (group: Group) => places.get(group) as number;
  return [...new Set(clusterOf.values())].map((cluster) => cluster.sort((a, b) => place(a) - place(b)));
}

/** Those that need none of the others, or those that none of the others needs, whichever are fewer. */
function edgeOf(cluster: readonly Group[], needs: Needs): ReadonlySet<Group> {
  const own = new Set(cluster);
  const of = (group: Group) => [...(needs.get(group) ?? [])].filter((need) => own.has(need));
  const first = new Set(cluster.filter((group) => of(group).length === 0));
  const needed = new Set(cluster.flatMap(of));
  const last = new Set(cluster.filter((group) => !needed.has(group)));
  return last.size < first.size ? last : first;
}

/** Groups with what they need before them. */
function inOrder(groups: readonly Group[]): Group[] {
  const needs = needsOf(groups);
  const waiting = waitingFor(needs);
  const missing = new Map(groups.map((group) => [group, needs.get(group)?.size ?? 0]));
  const result = groups.filter((group) => missing.get(group) === 0);
  for (const group of result) {
    for (const next of waiting.get(group) ?? []) {
      const left = (missing.get(next) as number) - 1;
      missing.set(next, left);
      if (left === 0) result.push(next);
    }
  }
  return result;
}

/** The groups that wait for each. */
export function waitingFor(needs: Needs): Map<Group, Group[]> {
  const waiting = new Map<Group, Group[]>();
  for (const [group, above] of needs) {
    for (const need of above) {
      const list = waiting.get(need);
      if (list) list.push(group);
      else waiting.set(need, [group]);
    }
  }
  return waiting;
}

/**
 * Groups of few seconds put together, level by level: only such as need the same groups, and never more than the limit.
 * Neither makes a circle: equal needs lie above both, and what joins the only group that it needs waits for nothing else.
 */
function shared(groups: readonly Group[], limit: number): Group[] {
  const above = needsOf(groups);
  /** What a group has become part of. */
  const into = new Map<Group, { readonly group: Group; readonly number: number }>();
  const result: Group[] = [];
  const put = (members: readonly Group[]): void => {
    const made = { group: joined(members), number: result.length };
    result.push(made.group);
    for (const member of members) into.set(member, made);
  };
  for (const level of levels(groups, above)) {
    const buckets = new Map<string, { needs: Set<number>; groups: Group[] }>();
    for (const group of level) {
      const needs = new Set([...(above.get(group) ?? [])].flatMap((need) => into.get(need)?.number ?? []));
      const key = `${group.class}\n${[...needs].sort((a, b) => a - b).join()}`;
      const bucket = buckets.get(key);
      if (bucket) bucket.groups.push(group);
      else buckets.set(key, { needs, groups: [group] });
    }
    for (const { needs, groups: equal } of buckets.values()) {
      const [number = 0] = needs;
      const only = needs.size === 1 ? result[number] : undefined;
      if (only && only.class === equal[0]?.class && only.seconds + secondsOf(equal) <= limit) {
        for (const group of equal) {
          add(only, group.units, group.seconds);
          into.set(group, { group: only, number });
        }
        continue;
      }
      for (const group of equal) if (group.seconds >= limit) put([group]);
      for (const bin of binned(
        equal.filter((group) => group.seconds < limit),
        limit,
      )) {
        put(bin);
      }
    }
  }
  return result;
}

/** Groups by the length of the longest chain of needs above them. */
function levels(groups: readonly Group[], needs: Needs): Group[][] {
  const depths = new Map<Group, number>();
  const result: Group[][] = [];
  // What a group needs stands before it.
  for (const group of groups) {
    const depth = Math.max(0, ...[...(needs.get(group) ?? [])].map((need) => (depths.get(need) ?? 0) + 1));
    depths.set(group, depth);
    const level = result[depth];
    if (level) level.push(group);
    else result[depth] = [group];
  }
  return result;
}

/** Groups dealt out to few bins, none longer than the limit. */
function binned(groups: readonly Group[], limit: number): Group[][] {
  // Sums of equal work differ in their last digits.
  const most = limit * (1 + 1e-6);
  let count = Math.ceil(secondsOf(groups) / most);
  for (;;) {
    const bins = dealt(groups, Math.min(groups.length, Math.max(1, count)));
    if (count >= groups.length || bins.every((bin) => secondsOf(bin) <= most)) return bins;
    count = Math.ceil(1.05 * count + 0.5);
  }
}

/** Groups dealt out by falling cost, each time to the bin that holds least. */
function dealt(groups: readonly Group[], count: number): Group[][] {
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
