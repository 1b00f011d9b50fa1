/** Memory and cores that several processes at work on one run share. */
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { executor, PlanBuilder, RunFolder, runPlan, SharedBudget } from '../../src/study/index.js';
import { temporaryFolder } from '../support/tiny.js';
import { fakeKind } from './support/fake.js';

const bytes = (bytes: number) => ({ bytes, cores: 1 });
const memoryOf = (bytes: number) => new SharedBudget({ bytes, cores: 99 });

describe('a budget', () => {
  test('is taken while there is room, and given back once', async () => {
    const budget = memoryOf(10);
    const four = await budget.take(bytes(4));
    const six = await budget.take(bytes(6));
    expect(await budget.take(bytes(1))).toBeUndefined();
    four?.();
    four?.();
    expect(await budget.take(bytes(5))).toBeUndefined();
    expect(await budget.take(bytes(4))).toBeDefined();
    six?.();
    expect(await budget.take(bytes(6))).toBeDefined();
  });

  test('has room for what is larger than itself when nobody else has any', async () => {
    const budget = memoryOf(10);
    const one = await budget.take(bytes(1));
    expect(await budget.take(bytes(99))).toBeUndefined();
    one?.();
    expect(await budget.take(bytes(99))).toBeDefined();
    expect(await budget.take(bytes(1))).toBeUndefined();
  });

  test('has room where there is memory and cores, both', async () => {
    const budget = new SharedBudget({ bytes: 10, cores: 4 });
    const three = await budget.take({ bytes: 1, cores: 3 });
    expect(await budget.take({ bytes: 1, cores: 2 })).toBeUndefined();
    expect(await budget.take({ bytes: 10, cores: 1 })).toBeUndefined();
    expect(await budget.take({ bytes: 1, cores: 1 })).toBeDefined();
    three?.();
    expect(await budget.take({ bytes: 1, cores: 3 })).toBeDefined();
  });
});

test('units keep no more cores busy than there are: those that run on the engine as many as it has threads, others one', async () => {
  const plan = new PlanBuilder();
  for (let i = 0; i < 4; i++) {
    plan.add(fakeKind('train'), { label: `train ${i}`, inputs: { task: i, engine: { threads: 3 } } });
    plan.add(fakeKind('score'), { label: `score ${i}`, inputs: { task: i } });
  }
  const [path, budget] = [temporaryFolder(), new SharedBudget({ bytes: Number.POSITIVE_INFINITY, cores: 4 })];
  let [trains, busy, most] = [0, 0, 0];
  const works = ['train', 'score'].map((name) =>
    executor(fakeKind(name), async () => {
      const cores = name === 'train' ? 3 : 1;
      if (name === 'train') trains++;
      busy += cores;
      most = Math.max(most, busy);
      expect(trains).toBeLessThanOrEqual(1);
      await sleep(50);
      busy -= cores;
      if (name === 'train') trains--;
      return { value: 1, of: '' };
    }),
  );
  const runs = await Promise.all(
    [0, 1, 2].map(() => runPlan(plan.build(), new RunFolder(path), works, { budget, threads: 3 })),
  );
  expect(runs.map(({ errors }) => errors.size)).toEqual([0, 0, 0]);
  expect(most).toBe(4);
});

test('units run side by side while their memory fits, each once', async () => {
  const kind = fakeKind('train');
  const plan = new PlanBuilder();
  const sizes = [6, 3, 3, 3, 20, 1, 5, 4];
  for (const [i, memory] of sizes.entries()) plan.add(kind, { label: `${i}`, inputs: { task: i }, memory });
  const [path, budget] = [temporaryFolder(), memoryOf(10)];
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
  expect(done.sort()).toEqual(sizes.map((_, i) => `${i}`));
  expect(most).toBeLessThanOrEqual(10);
  // It is not one after the other.
  expect(together.some((sum, i) => sum !== sizes[i])).toBe(true);
  expect(most).toBeGreaterThan(6);
});

test('an accelerator has one unit at a time; units without need none', async () => {
  const budget = new SharedBudget({ bytes: Number.POSITIVE_INFINITY, cores: 99 });
  const on = (...accelerators: string[]) => ({ bytes: 1, cores: 1, accelerators });
  const first = await budget.take(on('cuda:0'));
  expect(await budget.take(on('cuda:0'))).toBeUndefined();
  expect(await budget.take(on('cuda:0', 'cuda:1'))).toBeUndefined();
  expect(await budget.take(on())).toBeDefined();
  expect(await budget.take(on('cuda:1'))).toBeDefined();
  first?.();
  expect(await budget.take(on('cuda:0'))).toBeDefined();
});

test('of four processes on two accelerators never two use the same one, and all are used', async () => {
  const plan = new PlanBuilder();
  for (let i = 0; i < 12; i++)
    plan.add(fakeKind('train'), { label: `${i}`, inputs: { task: i, engine: { threads: 1 } } });
  const [path, budget] = [temporaryFolder(), new SharedBudget({ bytes: Number.POSITIVE_INFINITY, cores: 99 })];
  const used = new Map<string, number>();
  const busy = new Set<string>();
  const processes = ['cuda:0', 'cuda:1', 'cuda:0', 'cuda:1'].map((name) => {
    const work = executor(fakeKind('train'), async () => {
      expect(busy.has(name)).toBe(false);
      busy.add(name);
      used.set(name, (used.get(name) ?? 0) + 1);
      await sleep(20);
      busy.delete(name);
      return { value: 1, of: '' };
    });
    return runPlan(plan.build(), new RunFolder(path), [work], { budget, accelerators: [name] });
  });
  const runs = await Promise.all(processes);
  expect(runs.map(({ errors }) => errors.size)).toEqual([0, 0, 0, 0]);
  expect([...used.values()].reduce((a, b) => a + b)).toBe(12);
  expect([...used.keys()].sort()).toEqual(['cuda:0', 'cuda:1']);
});
