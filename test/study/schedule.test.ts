import { describe, expect, test } from 'vitest';
import { Random } from '../../src/base/index.js';
import { noPrices, queuePrices, scheduled, searchedOrder } from '../../src/study/index.js';

interface Timed {
  readonly needs: readonly number[];
  readonly seconds: number;
}

/** Jobs of which each needs some of those before it, and groups of these that need the same. */
function random(seed: string, size: number): { jobs: Timed[]; groups: number[][] } {
  const from = new Random(seed);
  const jobs: Timed[] = [];
  const groups: number[][] = [];
  while (jobs.length < size) {
    const first = jobs.length;
    const needs = Array.from({ length: first }, (_, i) => i).filter(() => from.uniform() < 1 / (first + 1));
    const seconds = 100 + 5000 * from.uniform();
    groups.push(Array.from({ length: 1 + from.integer(5) }, (_, i) => first + i));
    for (const _ of groups.at(-1) as number[]) jobs.push({ needs, seconds });
  }
  return { jobs, groups };
}

const makespan = (jobs: readonly Timed[], groups: readonly number[][], order: readonly number[], workers: number) =>
  scheduled(
    jobs,
    workers,
    queuePrices,
    order.flatMap((g) => groups[g] as number[]),
  ).makespan;

describe('a schedule by an order', () => {
  test('takes of the jobs that can be done the first one of the order', () => {
    const jobs = [
      { needs: [], seconds: 1 },
      { needs: [], seconds: 2 },
      { needs: [1], seconds: 3 },
    ];
    expect(scheduled(jobs, 1).placed.map(({ start }) => start)).toEqual([0, 1, 3]);
    expect(scheduled(jobs, 1, noPrices, [2, 1, 0]).placed.map(({ start }) => start)).toEqual([5, 0, 2]);
  });

  test('counts what each job costs, and what a queue takes to see that one need wait no longer', () => {
    const jobs = [
      { needs: [], seconds: 10 },
      { needs: [0], seconds: 10 },
      { needs: [], seconds: 4 },
    ];
    // The first ends at 12, the queue sees at 15 what waited for it; meanwhile the third is at work.
    const { makespan, placed } = scheduled(jobs, 1, { start: 2, look: 5 });
    expect(placed.map(({ start }) => start)).toEqual([0, 18, 12]);
    expect(makespan).toBe(30);
    expect(scheduled(jobs, 2, { start: 2, look: 5 }).makespan).toBe(27);
  });

  test('takes the first of all that can be done at one moment', () => {
    const jobs = [
      { needs: [], seconds: 10 },
      { needs: [], seconds: 10 },
      { needs: [0], seconds: 1 },
      { needs: [1], seconds: 50 },
      { needs: [1], seconds: 50 },
    ];
    // Both end at once: the two that waited for the second come before the one that waited for the first.
    const { placed } = scheduled(jobs, 2, noPrices, [0, 1, 3, 4, 2]);
    expect(placed.map(({ start }) => start)).toEqual([0, 0, 60, 10, 10]);
  });

  test('leaves no worker idle while a job can be done, and starts none before its needs', () => {
    const { jobs } = random('idle', 60);
    const { placed } = scheduled(jobs, 4, { start: 5, look: 0 });
    const end = (i: number) => (placed[i]?.start ?? 0) + 5 + (jobs[i]?.seconds ?? 0);
    for (const [i, { needs }] of jobs.entries()) {
      const start = placed[i]?.start ?? 0;
      const ready = Math.max(0, ...needs.map(end));
      expect(start).toBeGreaterThanOrEqual(ready);
      // Until it starts, all four work.
      const busy = (time: number) =>
        placed.filter(({ start: s }, other) => s <= time && end(other) > time && other !== i).length;
      if (start > ready) expect(busy(ready)).toBe(4);
    }
  });
});

describe('the order of groups', () => {
  test('ends no later than the given one, keeps what is needed before what needs it, and is the same each time', () => {
    let better = 0;
    for (let round = 0; round < 12; round++) {
      const { jobs, groups } = random(`round ${round}`, 40);
      const order = searchedOrder(jobs, groups, 3);
      expect([...order].sort((a, b) => a - b)).toEqual(groups.map((_, i) => i));
      const places = new Map(order.flatMap((g) => groups[g] as number[]).map((job, place) => [job, place]));
      for (const [i, { needs }] of jobs.entries()) {
        for (const need of needs) expect(places.get(need)).toBeLessThan(places.get(i) as number);
      }
      const given = groups.map((_, i) => i);
      const [before, after] = [makespan(jobs, groups, given, 3), makespan(jobs, groups, order, 3)];
      expect(after).toBeLessThanOrEqual(before);
      if (after < before) better++;
      if (round < 2) expect(searchedOrder(jobs, groups, 3)).toEqual(order);
    }
    expect(better).toBeGreaterThan(6);
  });

  test('is the given one where nothing is to be gained', () => {
    expect(searchedOrder([], [], 4)).toEqual([]);
    const jobs = Array.from({ length: 8 }, () => ({ needs: [], seconds: 100 }));
    expect(
      searchedOrder(
        jobs,
        jobs.map((_, i) => [i]),
        4,
      ),
    ).toEqual(jobs.map((_, i) => i));
  });
});
