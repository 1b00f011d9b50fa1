/** Memory that several processes at work on one run share. */
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { executor, MemoryBudget, PlanBuilder, RunFolder, runPlan } from '../../src/study/index.js';
import { temporaryFolder } from '../support/tiny.js';
import { fakeKind } from './support/fake.js';

describe('a budget', () => {
  test('is taken while there is room, and given back once', async () => {
    const budget = new MemoryBudget(10);
    const four = await budget.take(4);
    const six = await budget.take(6);
    expect(await budget.take(1)).toBeUndefined();
    four?.();
    four?.();
    expect(await budget.take(5)).toBeUndefined();
    expect(await budget.take(4)).toBeDefined();
    six?.();
    expect(await budget.take(6)).toBeDefined();
  });

  test('has room for what is larger than itself when nobody else has any', async () => {
    const budget = new MemoryBudget(10);
    const one = await budget.take(1);
    expect(await budget.take(99)).toBeUndefined();
    one?.();
    expect(await budget.take(99)).toBeDefined();
    expect(await budget.take(1)).toBeUndefined();
  });
});

test('units run side by side while their memory fits, each once', async () => {
  const kind = fakeKind('train');
  const plan = new PlanBuilder();
  const bytes = [6, 3, 3, 3, 20, 1, 5, 4];
  for (const [i, memory] of bytes.entries()) plan.add(kind, { label: `${i}`, inputs: { task: i }, memory });
  const [path, budget] = [temporaryFolder(), new MemoryBudget(10)];
  let [used, most] = [0, 0];
  const together: number[] = [];
  const done: string[] = [];
  const work = executor(kind, async (_, { unit }) => {
    used += unit.memory;
    together.push(used);
    if (unit.memory <= 10) most = Math.max(most, used);
    else expect(used).toBe(unit.memory);
    done.push(unit.label);
    await sleep(50);
    used -= unit.memory;
    return { value: 1, of: '' };
  });
  await Promise.all([0, 1, 2].map(() => runPlan(plan.build(), new RunFolder(path), [work], { budget })));
  expect(done.sort()).toEqual(bytes.map((_, i) => `${i}`));
  expect(most).toBeLessThanOrEqual(10);
  // It is not one after the other.
  expect(together.some((sum, i) => sum !== bytes[i])).toBe(true);
  expect(most).toBeGreaterThan(6);
});
