/** On a real Slurm, of one node: scripts/slurm-here.sh. Skipped where Slurm is not installed. */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { cancel, type RunStatus, slurm, statusOf } from '../../../src/study/cluster/index.js';
import { RunFolder } from '../../../src/study/index.js';
import { runPlan } from '../../../src/study/runner.js';
import { clusterExecutors, clusterPlan } from '../support/cluster-study.js';

const script = 'scripts/slurm-here.sh';
const isHere = ['slurmctld', 'slurmd', 'munged', 'sbatch'].every(
  (program) => spawnSync('sh', ['-c', `PATH=$PATH:/usr/sbin; command -v ${program}`]).status === 0,
);
if (!isHere) console.warn('no test on a real queue: Slurm is not here (apt-get install slurm-wlm munge)');

const study = 'test/study/support/cluster-study.ts';
// Jobs run in the run folder: what loads the sources is named by its full path.
const tsx = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href;
const minutes = 60_000;

let cluster: string;
const folders: string[] = [];
const plan = clusterPlan();
const idOf = (label: string) => plan.units.find((u) => u.label === label)?.id as string;

/** Results by unit, without times. */
async function resultsIn(path: string): Promise<string> {
  const folder = new RunFolder(path);
  return JSON.stringify(await Promise.all(plan.units.map(async ({ id }) => (await folder.record(id))?.result)));
}

async function newFolder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'it\'s a "run" $(touch pwned) é-'));
  folders.push(path);
  return path;
}

const submitting = (folder: string) =>
  spawn(process.execPath, ['--import', tsx, `${process.cwd()}/${study}`, 'submit', folder], { stdio: 'inherit' });
const ended = (child: ReturnType<typeof submitting>) => new Promise((resolve) => child.on('exit', resolve));

async function until<T>(look: () => Promise<T | undefined | false>): Promise<T> {
  for (;;) {
    const found = await look().catch(() => undefined);
    if (found) return found;
    await sleep(300);
  }
}

/** How the run stood when its last job ran. */
const end = (folder: string) =>
  until(async () => JSON.parse(await readFile(join(folder, 'ended.json'), 'utf8')) as RunStatus);

const startedIn = async (folder: string) => (await readFile(join(folder, 'started.log'), 'utf8')).trim().split('\n');

describe.skipIf(!isHere)('a study on a Slurm of one node', () => {
  let truth: string;

  beforeAll(async () => {
    cluster = await mkdtemp(join(tmpdir(), 'slurm-here-'));
    process.env.SLURM_CONF = execFileSync(script, ['start', cluster, '2', '9000'], { encoding: 'utf8' }).trim();
    const folder = await newFolder();
    await runPlan(plan, new RunFolder(folder), clusterExecutors(folder));
    truth = await resultsIn(folder);
  }, 5 * minutes);

  afterAll(async () => {
    execFileSync(script, ['stop', cluster]);
    delete process.env.SLURM_CONF;
    for (const path of [cluster, ...folders]) await rm(path, { recursive: true, force: true });
  });

  test('leaves what one process leaves, each unit once, and nothing that a path smuggled in', {
    timeout: 15 * minutes,
  }, async () => {
    const folder = await newFolder();
    // Two commands at once: one submits.
    await Promise.all([ended(submitting(folder)), ended(submitting(folder))]);
    const { counts } = await end(folder);
    expect(counts).toMatchObject({ done: plan.units.length });
    expect(await resultsIn(folder)).toBe(truth);
    expect((await startedIn(folder)).sort()).toEqual(plan.units.map((u) => u.label).sort());
    expect(existsSync(join(folder, 'pwned'))).toBe(false);
  });

  test('survives kill -9 of a job, of the node, and of the command that submits, with the same results', {
    timeout: 15 * minutes,
  }, async () => {
    const folder = await newFolder();
    await writeFile(join(folder, 'slow'), '0: extract\n1: train 0\n');
    const first = submitting(folder);
    await until(async () => existsSync(join(folder, 'slurm', '000001.ids')));
    first.kill('SIGKILL');
    const pid = await until(async () =>
      Number(await readFile(join(folder, 'units', idOf('0: extract'), 'pid'), 'utf8')),
    );
    process.kill(pid, 'SIGKILL');
    await ended(submitting(folder));
    const slow = await until(async () =>
      Number(await readFile(join(folder, 'units', idOf('1: train 0'), 'pid'), 'utf8')),
    );
    execFileSync(script, ['node', cluster, 'kill']);
    expect(slow).toBeGreaterThan(0);
    await sleep(1000);
    execFileSync(script, ['node', cluster, 'start']);
    const { counts } = await end(folder);
    expect(counts).toMatchObject({ done: plan.units.length });
    expect(await resultsIn(folder)).toBe(truth);
    const started = await startedIn(folder);
    expect(started.filter((label) => label === '0: extract').length).toBe(2);
  });

  test('runs nothing that needs a unit that failed; submitted again, it does only what is missing', {
    timeout: 15 * minutes,
  }, async () => {
    const folder = await newFolder();
    await writeFile(join(folder, 'failing'), '0: extract\n');
    await ended(submitting(folder));
    const { units, counts } = await end(folder);
    expect(counts).toMatchObject({ failed: 1, blocked: 4, done: 5 });
    expect(units.find((u) => u.state === 'failed')).toMatchObject({
      label: '0: extract',
      error: '0: extract cannot be',
    });
    expect((await startedIn(folder)).filter((l) => l.startsWith('0'))).toEqual(['0: extract']);
    for (const file of ['failing', 'ended.json', 'started.log']) await rm(join(folder, file));
    await ended(submitting(folder));
    await end(folder);
    expect(await resultsIn(folder)).toBe(truth);
    expect((await startedIn(folder)).every((l) => l.startsWith('0'))).toBe(true);
  });

  test('gives a job that ran out of memory more of it the next time', { timeout: 15 * minutes }, async () => {
    const folder = await newFolder();
    await writeFile(join(folder, 'greedy'), '0: train 0\n');
    await ended(submitting(folder));
    const { units } = await end(folder);
    const greedy = units.find((u) => u.label === '0: train 0');
    expect(greedy).toMatchObject({ state: 'lost', error: 'its job ran out of memory; run again to give it more' });
    await rm(join(folder, 'ended.json'));
    await ended(submitting(folder));
    expect((await end(folder)).counts).toMatchObject({ done: plan.units.length });
    expect(await resultsIn(folder)).toBe(truth);
  });

  test('is taken out of the queue by cancel, and what is done stays', { timeout: 15 * minutes }, async () => {
    const folder = await newFolder();
    await writeFile(join(folder, 'slow'), '0: train 0\n0: train 1\n1: train 0\n1: train 1\n');
    await ended(submitting(folder));
    await until(async () => (await startedIn(folder)).some((l) => l.includes('train')));
    expect(await cancel(folder, slurm)).toBeGreaterThan(0);
    await until(async () => (await statusOf(folder, slurm)).jobs === 0);
    const { counts } = await statusOf(folder, slurm);
    expect(counts.done).toBeGreaterThanOrEqual(1);
    expect(counts.done).toBeLessThan(plan.units.length);
    expect(existsSync(join(folder, 'ended.json'))).toBe(false);
  });
});
