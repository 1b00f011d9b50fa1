import { type ChildProcess, spawn } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import { Random, tryLock } from '../../src/base/index.js';
import { createView, PlanBuilder, RunFolder, type RunOutcome, runPlan, shardOf } from '../../src/study/index.js';
import { fakeExecutors, fakeKind, fakePlan } from './support/fake.js';

const temporary: string[] = [];
async function newFolder(): Promise<RunFolder> {
  const path = await mkdtemp(join(tmpdir(), 'toehold run é-'));
  temporary.push(path);
  return new RunFolder(path);
}
afterAll(async () => {
  for (const path of temporary) await rm(path, { recursive: true, force: true });
});

/** What tables are made of: results by unit, without times. */
function results(outcome: RunOutcome): string {
  return JSON.stringify([...outcome.records].map(([id, { result }]) => [id, result]).sort());
}

const child = fileURLToPath(new URL('./support/run-fake.ts', import.meta.url));
function start(folder: string, milliseconds: number, ...shard: number[]): ChildProcess {
  return spawn(process.execPath, ['--import', 'tsx', child, folder, String(milliseconds), ...shard.map(String)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
}
const ended = (process: ChildProcess) => new Promise<number | null>((resolve) => process.on('exit', resolve));

describe('a plan', () => {
  test('has ids made of content: equal work is one unit, whatever the order or the label', () => {
    const plan = new PlanBuilder();
    const [extract, probe] = [fakeKind('extract'), fakeKind('probe')];
    const a = plan.add(extract, { label: 'a', inputs: { task: 1, method: 2 } });
    const b = plan.add(extract, { label: 'b', inputs: { method: 2, task: 1 }, sources: { path: '/elsewhere' } });
    expect(b).toBe(a);
    const c = plan.add(probe, { label: 'c', inputs: {}, needs: [a] });
    const d = plan.add(probe, { label: 'd', inputs: {} });
    expect(c.id).not.toBe(d.id);
    expect(fakePlan().units.map((u) => u.id)).toEqual(fakePlan().units.map((u) => u.id));
  });

  test('is dealt out to shards without gaps, each with all that it needs', () => {
    const plan = fakePlan(5, 2);
    const shards = [0, 1, 2].map((i) => shardOf(plan, i, 3));
    for (const unit of plan.units) expect(shards.some((s) => s.has(unit.id))).toBe(true);
    for (const shard of shards) {
      for (const unit of plan.units) {
        if (shard.has(unit.id)) for (const need of unit.needs) expect(shard.has(need)).toBe(true);
      }
    }
  });
});

describe('the runner', () => {
  test('does the units that it is to do first before the others, after what they need', async () => {
    const plan = fakePlan(4, 2);
    const own = shardOf(plan, 1, 2);
    const labels: string[] = [];
    const done = await runPlan(plan, await newFolder(), fakeExecutors({ onStart: (label) => labels.push(label) }), {
      first: own,
    });
    expect(done.units).toMatchObject({ total: plan.units.length, done: plan.units.length });
    const mine = plan.units.filter((u) => own.has(u.id)).map((u) => u.label);
    expect(new Set(labels.slice(0, mine.length))).toEqual(new Set(mine));
  });

  test('does every unit after what it needs, and nothing twice', async () => {
    const folder = await newFolder();
    const order: string[] = [];
    const executors = fakeExecutors({ onStart: (label) => order.push(label) });
    const first = await runPlan(fakePlan(), folder, executors);
    expect(first.units).toEqual({ total: 20, done: 20, failed: 0, cached: 0 });
    for (let t = 0; t < 4; t++) {
      const at = (what: string) => order.indexOf(`task ${t}: ${what}`);
      expect(at('extract')).toBeLessThan(at('probe 0'));
      expect(at('probe 2')).toBeLessThan(at('score'));
    }
    const again = await runPlan(fakePlan(), folder, executors);
    expect(order.length).toBe(20);
    expect(again.units.cached).toBe(20);
    expect(results(again)).toBe(results(first));
  });

  test('lets a failed unit fail alone, marks what needs it as not run, and retries it', async () => {
    const folder = await newFolder();
    const broken = await runPlan(
      fakePlan(),
      folder,
      fakeExecutors({ failing: ['task 1: extract', 'task 2: probe 0'] }),
    );
    expect(broken.units).toEqual({ total: 20, done: 20 - 5 - 2, failed: 2, cached: 0 });
    const byLabel = new Map(fakePlan().units.map((u) => [u.label, u.id]));
    const state = (label: string) => broken.states.get(byLabel.get(label) as string);
    expect([state('task 1: extract'), state('task 1: probe 0'), state('task 1: score')]).toEqual([
      'failed',
      'not run',
      'not run',
    ]);
    expect([state('task 2: probe 1'), state('task 2: score')]).toEqual(['done', 'not run']);
    expect(broken.errors.get(byLabel.get('task 1: extract') as string)).toBe('task 1: extract cannot be');
    const labels: string[] = [];
    const repaired = await runPlan(fakePlan(), folder, fakeExecutors({ onStart: (label) => labels.push(label) }));
    expect(repaired.units).toEqual({ total: 20, done: 20, failed: 0, cached: 13 });
    expect(labels.length).toBe(7);
    expect(results(repaired)).toBe(results(await runPlan(fakePlan(), await newFolder(), fakeExecutors())));
  });

  test('takes over the lock of a process that died', async () => {
    const folder = await newFolder();
    const [first] = fakePlan(1).units;
    await mkdir(folder.unit(first?.id as string), { recursive: true });
    const lock = join(folder.unit(first?.id as string), 'lock');
    const own = await tryLock(lock);
    const [place] = (await readFile(lock, 'utf8')).split(' ');
    await own?.release();
    // No process has this number.
    await writeFile(lock, `${place} 4194300 abc 000000000007`);
    expect((await runPlan(fakePlan(1), folder, fakeExecutors())).units.done).toBe(5);
  });

  test('gives every unit to one process when several share the folder', async () => {
    const folder = await newFolder();
    const processes = [start(folder.path, 30, 0, 2), start(folder.path, 30, 1, 2), start(folder.path, 30)];
    expect(await Promise.all(processes.map(ended))).toEqual([0, 0, 0]);
    const started = (await readFile(folder.file('started.log'), 'utf8')).trim().split('\n');
    expect(started.length).toBe(20);
    expect(new Set(started).size).toBe(20);
    const after = await runPlan(fakePlan(), folder, fakeExecutors());
    expect(after.units.cached).toBe(20);
  });

  test('ends with the same results after kill -9 at random moments', { timeout: 100_000 }, async () => {
    const undisturbed = results(await runPlan(fakePlan(), await newFolder(), fakeExecutors()));
    const folder = await newFolder();
    const random = new Random('kill');
    let kills = 0;
    for (let round = 0; round < 12; round++) {
      const process = start(folder.path, 40);
      const exit = ended(process);
      const timer = setTimeout(() => process.kill('SIGKILL'), 300 + 500 * random.uniform());
      if ((await exit) === null) kills++;
      clearTimeout(timer);
    }
    expect(kills).toBeGreaterThan(0);
    const outcome = await runPlan(fakePlan(), folder, fakeExecutors());
    expect(outcome.units.done).toBe(20);
    expect(results(outcome)).toBe(undisturbed);
    // Nothing half-written is left where records are.
    for (const id of await readdir(folder.file('units'))) {
      const record = JSON.parse(await readFile(join(folder.unit(id), 'record.json'), 'utf8'));
      expect(record.id).toBe(id);
    }
  });
});

describe('the progress view', () => {
  const lines = async (isTTY: boolean) => {
    let text = '';
    const stream = {
      isTTY,
      columns: 100,
      write: (t: string) => {
        text += t;
        return true;
      },
    };
    await runPlan(fakePlan(2, 1), await newFolder(), fakeExecutors({ failing: ['task 1: extract'] }), {
      view: createView(1, stream as unknown as NodeJS.WriteStream),
    });
    return text;
  };

  test('is plain lines when nobody watches, one per unit, with the time left', async () => {
    const text = await lines(false);
    expect(text).not.toContain('\r');
    expect(text).toMatch(/^6 units, about 6 s left\n\[1\/6\] task 0: extract {2}0 s {2}\d+ s left\n/);
    expect(text).toContain('task 1: extract  FAILED: task 1: extract cannot be\n');
    expect(text).toContain('3 of 6 units done, 1 failed; run again to retry them\n');
  });

  test('rewrites its line on a terminal', async () => {
    expect(await lines(true)).toContain('\r\x1b[2K[0/6] task 0: extract');
  });
});
