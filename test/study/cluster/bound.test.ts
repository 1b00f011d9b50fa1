import { describe, expect, test } from 'vitest';
import { boundsOf } from '../../../benchmarks/scale/bound.js';
import { Random } from '../../../src/base/index.js';
import { jobsOf, type Plan, PlanBuilder, scheduled, type Unit } from '../../../src/study/index.js';
import { fakeKind } from '../support/fake.js';

const kind = fakeKind('train');

/** Units by their seconds and the numbers of those that they need. */
function planOf(rows: readonly (readonly [seconds: number, ...needs: number[]])[]): Plan {
  const plan = new PlanBuilder();
  const units: Unit[] = [];
  for (const [i, [seconds, ...needs]] of rows.entries()) {
    const of = needs.map((need) => units[need] as Unit);
    units.push(plan.add(kind, { label: `${i}`, inputs: { task: i }, seconds, needs: of }));
  }
  return plan.build();
}

describe('the bound of a makespan', () => {
  test('is the work divided by the nodes, or the longest chain', () => {
    expect(boundsOf(planOf([[10], [10], [10], [10]]), 2)).toEqual({ simple: 20, attainable: 20 });
    expect(boundsOf(planOf([[10], [10, 0], [1]]), 2)).toEqual({ simple: 20, attainable: 20 });
  });

  test('knows that nodes stand idle while a chain begins', () => {
    const { simple, attainable } = boundsOf(planOf([[10], [5, 0], [5, 0], [5, 0], [5, 0]]), 2);
    expect([simple, attainable]).toEqual([15, 20]);
  });

  test('knows that units are not divided', () => {
    const { simple, attainable } = boundsOf(planOf([[10], [10], [10]]), 2);
    expect([simple, attainable]).toEqual([15, 20]);
  });

  test('is never above what a schedule reaches', () => {
    const random = new Random('bounds');
    for (let round = 0; round < 60; round++) {
      const rows = Array.from({ length: 30 }, (_, i): [number, ...number[]] => {
        const needs = Array.from({ length: i }, (_, j) => j).filter(() => random.uniform() < 1.5 / (i + 1));
        return [600 + 5000 * random.uniform(), ...needs];
      });
      const plan = planOf(rows);
      for (const nodes of [1, 3, 8]) {
        const { simple, attainable } = boundsOf(plan, nodes);
        expect(attainable).toBeGreaterThanOrEqual(simple);
        expect(scheduled(jobsOf(plan, { parallel: nodes }), nodes).makespan).toBeGreaterThanOrEqual(attainable - 1e-6);
      }
    }
  });
});
