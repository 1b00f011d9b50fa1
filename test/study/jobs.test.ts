import { describe, expect, test } from 'vitest';
import { Random } from '../../src/base/index.js';
import {
  type Job,
  jobsOf,
  type Plan,
  PlanBuilder,
  queuePrices,
  scheduled,
  shardOf,
  type Unit,
} from '../../src/study/index.js';
import { fakeKind } from './support/fake.js';

const kinds = { extract: fakeKind('extract'), train: fakeKind('train'), score: fakeKind('score') };
let number = 0;

class Plans {
  readonly builder = new PlanBuilder();
  add(kind: keyof typeof kinds, seconds: number, ...needs: Unit[]): Unit {
    number++;
    return this.builder.add(kinds[kind], { label: `${kind} ${number}`, inputs: { task: number }, seconds, needs });
  }
}

/** Units whose needs are any of those before them. */
function randomPlan(seed: number, n = 200): Plan {
  const random = new Random(seed, 'plans');
  const plans = new Plans();
  const units: Unit[] = [];
  for (let i = 0; i < n; i++) {
    const needs = Array.from({ length: random.integer(4) }, () => units[random.integer(Math.max(1, i))]);
    const seconds = [0.01, 0.5, 3, 40, 900][random.integer(5)] as number;
    units.push(plans.add('train', seconds, ...new Set(needs.filter((u) => u !== undefined))));
  }
  return plans.builder.build();
}

const placeOf = (jobs: readonly Job[]) => new Map(jobs.flatMap((job, i) => job.units.map((u) => [u.id, i] as const)));

describe('jobs of a plan', () => {
  test.each([1, 2, 3, 4, 5])(
    'hold every unit once, after what it needs, and wait for no later job (plan %i)',
    (seed) => {
      const plan = randomPlan(seed);
      for (const [parallel, classOf] of [
        [1, () => ''],
        [8, (unit: Unit) => String(unit.id.charCodeAt(7) % 2)],
        [500, () => ''],
      ] as const) {
        const jobs = jobsOf(plan, { parallel, classOf });
        const place = placeOf(jobs);
        expect(jobs.flatMap((j) => j.units).length).toBe(plan.units.length);
        expect(place.size).toBe(plan.units.length);
        for (const [i, job] of jobs.entries()) {
          const before = new Set<string>();
          const needs = new Set<number>();
          for (const unit of job.units) {
            for (const id of unit.needs) {
              const at = place.get(id) as number;
              if (at === i) expect(before.has(id)).toBe(true);
              else needs.add(at);
            }
            before.add(unit.id);
          }
          expect(job.needs).toEqual([...needs].sort((a, b) => a - b));
          for (const need of job.needs) expect(need).toBeLessThan(i);
        }
      }
    },
  );

  test('let a unit under a second ride with the one that it needs', () => {
    const plans = new Plans();
    const trains = [1, 2, 3].map(() => plans.add('train', 5000));
    for (const unit of trains) plans.add('score', 0.01, unit);
    const jobs = jobsOf(plans.builder.build());
    expect(jobs.map((j) => j.units.map((u) => u.kind.name))).toEqual([1, 2, 3].map(() => ['train', 'score']));
  });

  test('share among cheap siblings, as many as it takes to keep the machines busy, and leave long ones alone', () => {
    const plans = new Plans();
    const base = plans.add('extract', 1000);
    for (let i = 0; i < 100; i++) plans.add('train', 10, base);
    plans.add('train', 3000, base);
    const plan = plans.builder.build();
    const few = jobsOf(plan, { parallel: 2 });
    expect(few.length).toBe(1 + 1 + 2);
    const many = jobsOf(plan, { parallel: 100 });
    expect(many.length).toBe(1 + 1 + 100);
    for (const jobs of [few, many]) {
      expect(Math.max(...jobs.slice(2).map((j) => j.seconds))).toBeLessThanOrEqual(600);
      expect(jobs.filter((j) => j.seconds > 500).length).toBeGreaterThanOrEqual(2);
    }
  });

  test('are fewer where each costs more', () => {
    const plans = new Plans();
    for (let i = 0; i < 400; i++) plans.add('train', 10);
    const plan = plans.builder.build();
    const [cheap, dear] = [0, 60].map((start) => jobsOf(plan, { parallel: 10, prices: { start, look: 0 } }).length);
    expect(dear).toBe(10);
    expect(cheap).toBeGreaterThan(10);
  });

  /** Data sets, each with features that two probes read, and with two methods that try settings and train with the best. */
  function study(): Plan {
    const plans = new Plans();
    for (let task = 0; task < 4; task++) {
      const features = plans.add('extract', 2);
      for (let probe = 0; probe < 2; probe++) plans.add('score', 0.01, plans.add('train', 8, features));
      for (let method = 0; method < 2; method++) {
        const first = [6, 2, 2].map((seconds) => plans.add('train', seconds));
        const second = [7, 2].map((seconds) => plans.add('train', seconds, ...first));
        plans.add('score', 0.01, plans.add('train', 10, ...first, ...second));
      }
    }
    return plans.builder.build();
  }

  test('are whole chains where these are short, so that no job waits for another', () => {
    for (const parallel of [1, 2, 4, 64]) {
      const jobs = jobsOf(study(), { parallel });
      expect(jobs.flatMap((j) => j.needs)).toEqual([]);
      // No more jobs than there are chains, and no fewer than processes where there are chains for them.
      expect(jobs.length).toBeLessThanOrEqual(12);
      expect(jobs.length).toBeGreaterThanOrEqual(Math.min(parallel, 12));
      const work = study().units.reduce((sum, { seconds }) => sum + seconds, 0);
      const { makespan } = scheduled(jobs, parallel, queuePrices);
      expect(makespan).toBeLessThan(Math.max(work / parallel, 29 + queuePrices.start) * 1.1);
    }
  });

  test('of small things that wait for one another are one job', () => {
    const plans = new Plans();
    const extract = plans.add('extract', 1);
    const probes = [1, 2].map(() => plans.add('train', 1.5, extract));
    plans.add('score', 0.1, ...probes);
    const [job, ...others] = jobsOf(plans.builder.build());
    expect(others).toEqual([]);
    expect(job?.units.map((u) => u.kind.name)).toEqual(['extract', 'train', 'train', 'score']);
  });

  test('mix no units that ask for other machines', () => {
    const plans = new Plans();
    const base = plans.add('extract', 1);
    plans.add('train', 1, base);
    plans.add('score', 2, base);
    const jobs = jobsOf(plans.builder.build(), { classOf: (unit) => (unit.kind.name === 'train' ? 'gpu' : '') });
    expect(jobs.map((j) => j.units.map((u) => u.kind.name))).toEqual([['extract', 'score'], ['train']]);
  });

  test('leave out what is done, and what is under way', () => {
    const plans = new Plans();
    const base = plans.add('extract', 100);
    const rest = plans.add('train', 100, base);
    const jobs = jobsOf(plans.builder.build(), { without: new Set([base.id]) });
    expect(jobs.map((j) => [j.units[0]?.id, j.needs])).toEqual([[rest.id, []]]);
  });

  test('come first where most depends on them', () => {
    const plans = new Plans();
    plans.add('train', 700);
    const base = plans.add('extract', 650);
    plans.add('train', 650, base);
    const [first] = jobsOf(plans.builder.build());
    expect(first?.units[0]).toBe(base);
  });
});

describe('a schedule', () => {
  test('never beats the work or the longest chain, and never starts a job before its needs have ended', () => {
    const jobs = jobsOf(randomPlan(9, 400), { parallel: 8 });
    const total = jobs.reduce((sum, j) => sum + j.seconds, 0);
    const chain = Math.max(...jobs.map((j) => j.tail));
    for (const workers of [1, 8, 1000]) {
      const { makespan, placed } = scheduled(jobs, workers);
      expect(makespan).toBeGreaterThan(Math.max(total / workers, chain) - 1);
      for (const [i, { needs }] of jobs.entries()) {
        for (const need of needs) {
          const end = (placed[need]?.start as number) + (jobs[need]?.seconds as number);
          expect(placed[i]?.start).toBeGreaterThanOrEqual(end - 1e-9);
        }
      }
    }
    expect(scheduled(jobs, 1).makespan).toBeCloseTo(total, 6);
    expect(scheduled(jobs, 1, { start: 2, look: 0 }).makespan).toBeCloseTo(total + 2 * jobs.length, 6);
  });
});

describe('shards', () => {
  test('are packed as jobs are: scores with what they score, about equal work, nothing left out', () => {
    const plans = new Plans();
    for (let i = 0; i < 30; i++) plans.add('score', 0.01, plans.add('train', 100 + i));
    const plan = plans.builder.build();
    const shards = [0, 1, 2].map((i) => shardOf(plan, i, 3));
    expect(new Set(shards.flatMap((s) => [...s])).size).toBe(plan.units.length);
    const seconds = shards.map((s) => plan.units.reduce((sum, u) => sum + (s.has(u.id) ? u.seconds : 0), 0));
    expect(Math.max(...seconds) / Math.min(...seconds)).toBeLessThan(1.25);
    for (const shard of shards) {
      for (const unit of plan.units) if (shard.has(unit.id)) expect(unit.needs.every((n) => shard.has(n))).toBe(true);
    }
  });
});
