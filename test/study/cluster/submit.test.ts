import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { UserError } from '../../../src/base/index.js';
import { cancel, type SubmitOptions, statusOf, submit } from '../../../src/study/cluster/index.js';
import { type Plan, PlanBuilder, parseConfig, RunFolder, type Unit } from '../../../src/study/index.js';
import { fakeKind } from '../support/fake.js';
import { FakeQueue, optionIn } from '../support/fake-queue.js';

const kinds = { extract: fakeKind('extract'), train: fakeKind('train'), score: fakeKind('score') };

/** Two data sets, each with an extraction, four long trainings, and their scores. */
function plan(): Plan {
  const builder = new PlanBuilder();
  for (const task of [0, 1]) {
    const extract = builder.add(kinds.extract, { label: `${task}: extract`, inputs: { task }, seconds: 700 });
    for (let method = 0; method < 4; method++) {
      const train = builder.add(kinds.train, {
        label: `${task}: train ${method}`,
        inputs: { task, method },
        seconds: 3000,
        needs: [extract],
      });
      builder.add(kinds.score, {
        label: `${task}: score ${method}`,
        inputs: { task, method },
        seconds: 0.01,
        needs: [train],
      });
    }
  }
  return builder.build();
}
const study = plan();
const labelled = (label: string) => study.units.find((u) => u.label === label) as Unit;

const temporary: string[] = [];
afterAll(async () => {
  for (const path of temporary) await rm(path, { recursive: true, force: true });
});

let folder: string;
let queue: FakeQueue;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'it\'s a "run" $(x) é-'));
  temporary.push(folder);
  queue = new FakeQueue();
  await writeFile(
    join(folder, 'run.json'),
    JSON.stringify({ units: study.units.map(({ kind, ...unit }) => ({ ...unit, kind: kind.name })) }),
  );
});

const submitting = (changes: Partial<SubmitOptions> = {}) =>
  submit({
    plan: study,
    folder,
    settings: {},
    cpus: 8,
    unitCommand: ['toehold', 'unit', 'a config', '-o', folder],
    lastCommand: ['toehold', 'run', 'a config', '-o', folder, '--continue'],
    queue,
    ...changes,
  });

const finish = (...units: Unit[]) =>
  Promise.all(
    units.map(({ id, label, kind, needs }) =>
      new RunFolder(folder).writeRecord({
        id,
        label,
        kind: kind.name,
        needs,
        inputs: {},
        result: {},
        seconds: 1,
        finishedAt: '',
        versions: {},
      }),
    ),
  );

describe('a submission', () => {
  test('is arrays of equal jobs that wait for what they need, and a last job that waits for all', async () => {
    const done = await submitting();
    expect(done).toMatchObject({ jobs: 10, units: study.units.length, underWay: 0, later: 0 });
    const arrays = queue.arrays();
    expect(arrays.map((a) => a.jobs.length)).toEqual([2, 4, 4]);
    const [extracts, first, second] = arrays;
    expect(optionIn(extracts?.args ?? [], 'dependency')).toBeUndefined();
    expect([first, second].map((a) => optionIn(a?.args ?? [], 'dependency')).sort()).toEqual([
      `afterok:${extracts?.id}_0`,
      `afterok:${extracts?.id}_1`,
    ]);
    for (const { args } of arrays) {
      expect(args).toContain('--kill-on-invalid-dep=yes');
      expect(args).toContain('--signal=B:USR1@60');
      expect(args).toContain('--requeue');
      expect(args).toContain('--cpus-per-task=8');
      expect(args).toContain(`--chdir=${folder}`);
    }
    const last = queue.asked.at(-1);
    expect(last?.id).toBe(done.last);
    expect(optionIn(last?.args ?? [], 'dependency')).toBe(`afterany:${arrays.map((a) => a.id).join(':')}`);
    // A score is in the job of what it scores.
    for (const [train, score] of [...(first?.jobs ?? []), ...(second?.jobs ?? [])]) {
      expect(study.units.find((u) => u.id === score)?.needs).toEqual([train]);
    }
  });

  test('are taken in the order in which they stand in the wave, whichever got its number first', async () => {
    const niceness = () => queue.arrays().map(({ args }) => Number(optionIn(args, 'nice')));
    const names = () => queue.arrays().map(({ args }) => optionIn(args, 'job-name')?.split('.').at(-1));
    await submitting();
    expect(names()).toEqual(['000001', '000002', '000003']);
    expect(niceness()).toEqual([0, 1, 2]);
    queue = new FakeQueue();
    queue.limitsGiven.byNumber = true;
    await submitting();
    // More than the numbers of two neighbours can differ by.
    expect(niceness()).toEqual([0, 10, 20]);
  });

  test('asks for time by the estimates, and for what the config wishes, kind by kind', async () => {
    const settings = {
      account: 'lab; rm -rf ~',
      partition: 'cpu',
      memory: '5G',
      kinds: { train: { partition: 'gpu', gres: 'gpu:1', time: '1-12', extra: ['--exclude=node 7'] } },
    };
    await submitting({ settings });
    const [extracts, trains] = queue.arrays().map((a) => a.args);
    expect(optionIn(extracts ?? [], 'partition')).toBe('cpu');
    // Three times 700 seconds, and five minutes.
    expect(Number(optionIn(extracts ?? [], 'time'))).toBeGreaterThanOrEqual(40);
    expect(optionIn(extracts ?? [], 'mem')).toBe('5G');
    expect(trains).toEqual(
      expect.arrayContaining(['--partition=gpu', '--gres=gpu:1', '--time=1-12', '--exclude=node 7', '--mem=5G']),
    );
    // One word, whatever it holds: no shell reads it.
    expect(trains).toContain('--account=lab; rm -rf ~');
  });

  test('repeated, takes only what is neither done nor under way, and waits for the latter', async () => {
    await submitting();
    const before = queue.asked.length;
    await finish(labelled('0: extract'), labelled('0: train 0'));
    // All of data set 0 is gone from the queue but one training; data set 1 waits for its extraction.
    const [extracts, ...trains] = queue.arrays();
    const arrayOf = (id: string) => trains.find((a) => a.jobs.some((j) => j.includes(id)))?.id as string;
    const zero = arrayOf(labelled('0: train 0').id);
    const place = extracts?.jobs.findIndex((j) => j.includes(labelled('0: extract').id));
    queue.end((job) => job.id === `${extracts?.id}_${place}`);
    const kept = trains.find((a) => a.id === zero)?.jobs.findIndex((j) => j.includes(labelled('0: train 3').id));
    queue.end((job) => job.id.startsWith(`${zero}_`) && job.id !== `${zero}_${kept}`);
    const again = await submitting();
    // Trainings 1 and 2 with their scores, and the score of training 0, which is a job by itself now.
    expect(again).toMatchObject({ units: 5, jobs: 3, underWay: 2 + 1 + 8 });
    const fresh = queue.arrays(before);
    const labels = fresh.flatMap((a) => a.jobs.flat()).map((id) => study.units.find((u) => u.id === id)?.label);
    expect(labels.sort()).toEqual(['0: score 0', '0: score 1', '0: score 2', '0: train 1', '0: train 2']);
    // The first last job made way for another.
    expect(queue.cancelled).toEqual([queue.asked[before - 1]?.id]);
    expect((await queue.queued('')).filter((job) => job.name.endsWith('.last')).length).toBe(1);
  });

  test('of a unit that needs one under way waits for the job that has it', async () => {
    await submitting();
    const [extracts, ...trains] = queue.arrays();
    for (const { id } of trains) queue.end((job) => job.id.startsWith(`${id}_`));
    const before = queue.asked.length;
    await submitting();
    const waits = queue.arrays(before).map((a) => optionIn(a.args, 'dependency'));
    expect(waits.sort()).toEqual([`afterok:${extracts?.id}_0`, `afterok:${extracts?.id}_1`]);
  });

  test('finds jobs of a command that was killed before it wrote their numbers down', async () => {
    await submitting();
    await rm(join(folder, 'slurm', '000001.ids'));
    expect(await submitting()).toMatchObject({ jobs: 0, underWay: study.units.length });
  });

  test('comes in waves where the queue takes no more, and the last job of each submits the next', async () => {
    const settings = { most: 4 };
    expect(await submitting({ settings })).toMatchObject({ jobs: 3, later: study.units.length - 4 });
    const labels = () => queue.arrays().flatMap((a) => a.jobs.flat());
    for (let wave = 0; wave < 10; wave++) {
      const running = labels().map((id) => study.units.find((u) => u.id === id) as Unit);
      await finish(...running);
      queue.end((job) => !job.name.endsWith('.last'));
      queue.run((job) => job.name.endsWith('.last'));
      const next = await submitting({ settings, continues: true });
      expect(next.jobs).toBeLessThanOrEqual(3);
      if (next.last === undefined) break;
      queue.end((job) => job.state === 'RUNNING');
    }
    expect(labels().sort()).toEqual(study.units.map((u) => u.id).sort());
    expect(new Set(labels()).size).toBe(labels().length);
  });

  test('that the queue cuts short is continued by its last job', async () => {
    queue.room = 7;
    expect(await submitting()).toMatchObject({ jobs: 6, later: 8 });
    queue.end((job) => !job.name.endsWith('.last'));
    await finish(
      ...queue.arrays().flatMap((a) => a.jobs.flat().map((id) => study.units.find((u) => u.id === id) as Unit)),
    );
    queue.room = 100;
    expect(await submitting({ continues: true })).toMatchObject({ jobs: 4, later: 0 });
  });

  test('does not try again in later waves what failed in an earlier one, but does when a person says so', async () => {
    await submitting();
    const bad = labelled('0: extract');
    await new RunFolder(folder).writeFailure(bad, new Error('no such image'));
    await finish(...study.units.filter((u) => u.label.startsWith('1')));
    queue.end(() => true);
    expect(await submitting({ continues: true })).toEqual({ jobs: 0, units: 0, underWay: 0, later: 0 });
    expect(await submitting()).toMatchObject({ jobs: 5, units: 9 });
  });

  test('is made by one of two commands at once', async () => {
    const both = await Promise.all([submitting(), submitting()]);
    expect(both.filter((s) => s.busy).length).toBe(1);
    expect(queue.arrays().flatMap((a) => a.jobs.flat()).length).toBe(study.units.length);
  });

  test('gives twice the memory to what ran out of it', async () => {
    await submitting();
    const [extracts] = queue.arrays();
    const before = Number.parseInt(optionIn(extracts?.args ?? [], 'mem') ?? '', 10);
    const name = extracts?.args.at(-1);
    await writeFile(join(folder, 'slurm', 'logs', `${name}_0.log`), 'slurmstepd: error: Exceeded job memory limit\n');
    queue.end(() => true);
    const from = queue.asked.length;
    await submitting();
    const memory = queue.arrays(from).map((a) => [a.jobs[0]?.[0], Number.parseInt(optionIn(a.args, 'mem') ?? '', 10)]);
    expect(memory.find(([id]) => id === extracts?.jobs[0]?.[0])?.[1]).toBe(2 * before);
    expect(memory.find(([id]) => id === extracts?.jobs[1]?.[0])?.[1]).toBe(before);
  });
});

describe('the state of a run', () => {
  test('says of every unit whether it is done, runs, waits, failed, was lost, or waits for one that was', async () => {
    await submitting();
    const [extracts, ...trains] = queue.arrays();
    await finish(labelled('0: extract'));
    queue.end((job) => job.id.startsWith(`${extracts?.id}_`));
    const zero = trains.find((a) => a.jobs.some((j) => j.includes(labelled('0: train 0').id)));
    const element = (label: string) => zero?.jobs.findIndex((j) => j.includes(labelled(label).id)) as number;
    queue.run((job) => job.id === `${zero?.id}_${element('0: train 0')}`);
    await mkdir(join(folder, 'units', labelled('0: train 0').id), { recursive: true });
    await writeFile(join(folder, 'units', labelled('0: train 0').id, 'lock'), 'node7/pid:[1] 12 abc 000000000000');
    await new RunFolder(folder).writeFailure(labelled('0: train 1'), new Error('a class has no image'));
    const log = (label: string) => join(folder, 'slurm', 'logs', `${zero?.args.at(-1)}_${element(label)}.log`);
    await writeFile(log('0: train 2'), 'a\nb\n*** JOB 3 CANCELLED AT 1 DUE TO TIME LIMIT ***\n');
    for (const label of ['0: train 1', '0: train 2']) queue.end((job) => job.id === `${zero?.id}_${element(label)}`);
    const { units, counts } = await statusOf(folder, queue);
    const of = (label: string) => units.find((u) => u.label === label);
    expect(of('0: extract')).toMatchObject({ state: 'done' });
    expect(of('0: train 0')).toMatchObject({
      state: 'running',
      where: 'node7',
      job: `${zero?.id}_${element('0: train 0')}`,
    });
    expect(of('0: train 1')).toMatchObject({ state: 'failed', error: 'a class has no image' });
    expect(of('0: score 1')).toMatchObject({ state: 'blocked', error: "needs '0: train 1'" });
    expect(of('0: train 2')).toMatchObject({ state: 'lost', error: 'its job ended before its time' });
    expect(of('0: train 2')?.lines?.at(-1)).toContain('DUE TO TIME LIMIT');
    expect(of('0: train 3')).toMatchObject({ state: 'queued', where: 'Priority' });
    // Its extraction left the queue without a word.
    expect(of('1: extract')).toMatchObject({ state: 'lost' });
    expect(counts).toMatchObject({ done: 1, failed: 1, lost: 2, running: 1 });
  });

  test('of a folder that no queue knows is what the folder says', async () => {
    await finish(labelled('0: extract'));
    const { counts } = await statusOf(folder);
    expect(counts).toMatchObject({ done: 1, open: study.units.length - 1 });
    await expect(statusOf(tmpdir())).rejects.toThrow(UserError);
  });
});

describe('cancelling', () => {
  test('takes this run out of the queue, and no other, its last job first', async () => {
    await submitting();
    const other = await mkdtemp(join(tmpdir(), 'other-'));
    temporary.push(other);
    await submitting({ folder: other });
    const of = async () => (await queue.queued('')).length;
    const all = await of();
    expect(await cancel(folder, queue)).toBe(all / 2);
    expect(await of()).toBe(all / 2);
    expect(queue.cancelled[0]).toBe(queue.asked.find((a) => a.jobs.length === 0)?.id);
    await expect(cancel(tmpdir(), queue)).rejects.toThrow('was not handed to a queue');
  });
});

describe('the section slurm of a config', () => {
  const config = (slurm: string) => `protocol: yosinski
network: caffenet-32
splits: [{name: s, seed: 0}]
tasks: {t: {data: none, expect: {classes: 4, train: 100, test: 10}}}
slurm: ${slurm}
`;
  const parsed = (slurm: string) => parseConfig(config(slurm), 'study.yaml', { planning: true });

  test('takes what Slurm takes', () => {
    const text =
      '{partition: gpu, account: lab, time: 4:00:00, memory: 16G, extra: ["--exclude=n[1-3]"], kinds: {copy: {gres: "gpu:1"}}}';
    expect(parsed(text).config.slurm).toMatchObject({ partition: 'gpu', kinds: { copy: { gres: 'gpu:1' } } });
  });

  test.each([
    ['a line break in a name', '{partition: "a\\n#SBATCH --wrap=x"}'],
    ['a word that is no option', '{extra: ["touch /tmp/x"]}'],
    ['a second word that stands alone', '{extra: ["; touch /tmp/x"]}'],
    ['an option that is ours', '{extra: ["--wrap=touch /tmp/x"]}'],
    ['another working folder', '{extra: ["--chdir=/"]}'],
    ['a memory that is none', '{memory: "16G; x"}'],
    ['a time that is none', '{time: "1:00 x"}'],
  ])('refuses %s', (_, slurm) => {
    expect(() => parsed(slurm)).toThrow(/study\.yaml:5: slurm\./);
  });
});
