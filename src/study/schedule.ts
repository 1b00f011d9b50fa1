/** Jobs on machines, as a queue deals them out: how long all of them take, and in which order they should be asked for. */
import { Random } from '../base/index.js';

/** Jobs dealt out to processes. */
export interface Schedule {
  /** Expected seconds until the last job has ended. */
  readonly makespan: number;
  /** Of each job: who does it, and when it starts. */
  readonly placed: readonly { readonly worker: number; readonly start: number }[];
}

/** What jobs cost beside their units. */
export interface Prices {
  /** Seconds from a job's start to that of its first unit. */
  readonly start: number;
  /** Seconds between two looks of the queue for jobs that need wait no longer for others. */
  readonly look: number;
}

/** A process reads the config, the networks and the sizes of all images, and is slower at its beginning. */
export const queuePrices: Prices = { start: 2, look: 4 };
/** Of jobs that share a process. */
export const noPrices: Prices = { start: 0, look: 0 };

/** A job as far as time goes. */
export interface Timed {
  /** Numbers of the jobs that it waits for: all smaller than its own. */
  readonly needs: readonly number[];
  readonly seconds: number;
}

/**
 * Jobs on so many workers, each taking the first job that can be done as soon as it is free: what a queue does.
 * @param order numbers of all jobs, first things first; by default that of the jobs
 */
export function scheduled(
  jobs: readonly Timed[],
  workers: number,
  prices: Prices = noPrices,
  order: Iterable<number> = jobs.keys(),
): Schedule {
  const { makespan, starts, doer } = new Dealing(jobs, workers, prices).run(ranksOf(jobs, order));
  return { makespan, placed: Array.from(starts, (start, i) => ({ worker: doer[i] as number, start })) };
}

/** Numbers by a key, the smallest first; of equal keys, the one that was put in first. */
class Heap {
  readonly #keys: number[] = [];
  readonly #ages: number[] = [];
  readonly #items: number[] = [];
  #age = 0;

  get firstKey(): number | undefined {
    return this.#keys[0];
  }

  put(item: number, key: number): void {
    let at = this.#items.length;
    const age = this.#age++;
    while (at > 0) {
      const above = (at - 1) >> 1;
      if ((this.#keys[above] as number) <= key) break;
      this.#move(above, at);
      at = above;
    }
    this.#set(at, item, key, age);
  }

  /** @returns the item, and its key */
  take(): [item: number, key: number] | undefined {
    const [item, key] = [this.#items[0], this.#keys[0]];
    if (item === undefined || key === undefined) return undefined;
    const last = this.#items.length - 1;
    const [own, ownKey, ownAge] = [this.#items[last], this.#keys[last], this.#ages[last]] as [number, number, number];
    for (const list of [this.#items, this.#keys, this.#ages]) list.pop();
    if (last === 0) return [item, key];
    let at = 0;
    for (;;) {
      let below = 2 * at + 1;
      if (below >= last) break;
      if (below + 1 < last && this.#isBefore(below + 1, below)) below++;
      const [next, age] = [this.#keys[below] as number, this.#ages[below] as number];
      if (ownKey < next || (ownKey === next && ownAge < age)) break;
      this.#move(below, at);
      at = below;
    }
    this.#set(at, own, ownKey, ownAge);
    return [item, key];
  }

  #isBefore(a: number, b: number): boolean {
    const [x, y] = [this.#keys[a] as number, this.#keys[b] as number];
    return x < y || (x === y && (this.#ages[a] as number) < (this.#ages[b] as number));
  }

  #move(from: number, to: number): void {
    this.#set(to, this.#items[from] as number, this.#keys[from] as number, this.#ages[from] as number);
  }

  #set(at: number, item: number, key: number, age: number): void {
    this.#items[at] = item;
    this.#keys[at] = key;
    this.#ages[at] = age;
  }
}

/** The same jobs on the same workers, dealt out by one order or another. */
class Dealing {
  readonly #waiting: number[][];

  constructor(
    private readonly jobs: readonly Timed[],
    private readonly workers: number,
    private readonly prices: Prices,
  ) {
    this.#waiting = jobs.map(() => []);
    for (const [i, { needs }] of jobs.entries()) for (const need of needs) this.#waiting[need]?.push(i);
  }

  /** @param ranks of each job: of those that can be done, the smallest is taken first */
  run(ranks: Int32Array): { makespan: number; starts: Float64Array; doer: Int32Array } {
    const { jobs, prices } = this;
    const starts = new Float64Array(jobs.length);
    const doer = new Int32Array(jobs.length);
    const missing = Int32Array.from(jobs, ({ needs }) => needs.length);
    /** `ready` by rank; `events` by time: the end of a job, or the moment from which one may start. */
    const [ready, events] = [new Heap(), new Heap()];
    for (const [i, count] of missing.entries()) if (count === 0) ready.put(i, ranks[i] as number);
    const free = Array.from({ length: this.workers }, (_, i) => this.workers - 1 - i);
    let makespan = 0;
    let time = 0;
    for (;;) {
      // What happens at one moment is weighed together.
      while (free.length > 0 && events.firstKey !== time) {
        const [job] = ready.take() ?? [];
        if (job === undefined) break;
        starts[job] = time;
        doer[job] = free.pop() as number;
        events.put(job, time + prices.start + (jobs[job] as Timed).seconds);
      }
      const event = events.take();
      if (!event) return { makespan, starts, doer };
      const [job, at] = event;
      time = at;
      if (missing[job] === unseen) {
        missing[job] = 0;
        ready.put(job, ranks[job] as number);
        continue;
      }
      makespan = at;
      free.push(doer[job] as number);
      for (const next of this.#waiting[job] as number[]) {
        missing[next] = (missing[next] as number) - 1;
        if (missing[next] !== 0) continue;
        if (prices.look === 0) ready.put(next, ranks[next] as number);
        else {
          missing[next] = unseen;
          events.put(next, (Math.floor(at / prices.look) + 1) * prices.look);
        }
      }
    }
  }
}

/** In the place of the number of needs that are missing: nothing is, but the queue has not seen it yet. */
const unseen = -1;

/** The place of each job in an order. */
function ranksOf(jobs: readonly Timed[], order: Iterable<number>): Int32Array {
  const ranks = new Int32Array(jobs.length);
  let rank = 0;
  for (const job of order) ranks[job] = rank++;
  return ranks;
}

/** Jobs that are dealt out in the search: about a second of processor time. */
const dealt = 600_000;
/** A makespan so near to what nothing can beat is not improved. */
const nearEnough = 1.01;

/**
 * Groups of jobs (arrays of a queue, whose elements stand in a row) in an order in which all jobs end early: the given one, of
 * which one group after another is moved to another place for as long as this makes the end no later (a random local search,
 * with a seed of its own: the same groups have the same order). No group comes before one that it waits for.
 * @param groups numbers of jobs
 * @returns numbers of groups
 */
export function searchedOrder(
  jobs: readonly Timed[],
  groups: readonly (readonly number[])[],
  workers: number,
): number[] {
  const dealing = new Dealing(jobs, workers, queuePrices);
  const groupOf = new Int32Array(jobs.length);
  for (const [g, own] of groups.entries()) for (const job of own) groupOf[job] = g;
  const needs = groups.map(
    (own) => new Set(own.flatMap((job) => (jobs[job] as Timed).needs.map((n) => groupOf[n] ?? 0))),
  );
  const enough = nearEnough * boundOf(jobs, workers);
  const makespanOf = (order: readonly number[]) => {
    const own = order.flatMap((g) => groups[g] as readonly number[]);
    return dealing.run(ranksOf(jobs, own)).makespan;
  };
  const random = new Random('order of jobs');
  let best = groups.map((_, g) => g);
  let least = makespanOf(best);
  const rounds = groups.length < 2 ? 0 : Math.floor(dealt / jobs.length);
  for (let round = 0; round < rounds && least > enough; round++) {
    const order = [...best];
    const [moved] = order.splice(random.integer(order.length), 1) as [number];
    const isBelow = (g: number) => (needs[moved] as Set<number>).has(g);
    const first = order.findLastIndex(isBelow) + 1;
    const above = order.findIndex((g) => (needs[g] as Set<number>).has(moved));
    const last = above < 0 ? order.length : above;
    order.splice(first + random.integer(last - first + 1), 0, moved);
    const makespan = makespanOf(order);
    if (makespan <= least) [best, least] = [order, makespan];
  }
  return best;
}

/** The work divided by the workers, or the longest chain. */
function boundOf(jobs: readonly Timed[], workers: number): number {
  const ends: number[] = [];
  let work = 0;
  // What a job needs has a smaller number.
  for (const { needs, seconds } of jobs) {
    work += queuePrices.start + seconds;
    const begin = needs.reduce((latest, need) => Math.max(latest, queuePrices.look / 2 + (ends[need] ?? 0)), 0);
    ends.push(begin + queuePrices.start + seconds);
  }
  return ends.reduce((latest, end) => Math.max(latest, end), work / workers);
}

/** Units take other times than expected, most of them by less than this part. */
const error = 0.4;
/** Cases that are tried, and jobs that are dealt out for them at most: a part of a second of processor time. */
const mostCases = 8;
const dealtInCases = 400_000;

/**
 * Mean seconds until all is done, of ways to pack the same units into jobs, over some cases of what the units really take: each of
 * these is the same for all ways, and by a seed of its own.
 */
export function expectedEnds(
  packings: readonly (readonly (Timed & { readonly units: readonly { readonly id: string }[] })[])[],
  units: readonly { readonly id: string; readonly seconds: number }[],
  workers: number,
  prices: Prices,
): number[] {
  const ends = packings.map(() => 0);
  if (packings.length < 2) return ends;
  const random = new Random('times of units');
  const once = packings.reduce((sum, jobs) => sum + jobs.length, 0);
  const cases = Math.min(mostCases, Math.ceil(dealtInCases / Math.max(1, once)));
  for (let n = 0; n < cases; n++) {
    const actual = new Map(
      units.map(({ id, seconds }) => [id, seconds * Math.exp(error * random.normal() - error ** 2 / 2)]),
    );
    for (const [i, jobs] of packings.entries()) {
      const timed = jobs.map(({ needs, units: own }) => ({
        needs,
        seconds: own.reduce((sum, { id }) => sum + (actual.get(id) ?? 0), 0),
      }));
      (ends[i] as number) += scheduled(timed, workers, prices).makespan / cases;
    }
  }
  return ends;
}
