import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseStudy, writeReportOf } from '../../src/report/index.js';
import { type AssembledStudy, parseConfig, parseShard, prepareStudy, runStudy } from '../../src/study/index.js';
import { testEngine } from '../support/run.js';
import { pretend, smallConfig, writeSmallData } from './support/small.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'toehold-study-'));
  await writeSmallData(folder);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const prepare = async (text = smallConfig) =>
  prepareStudy(parseConfig(text, join(folder, 'study.yaml')), await testEngine());
type Prepared = Awaited<ReturnType<typeof prepare>>;
const labelsOf = (prepared: Prepared) => (name: string) =>
  prepared.inputs.tasks.find((t) => t.name === name)?.test.labels ?? [];

async function run(prepared: Prepared, output: string, failing?: RegExp) {
  let record: AssembledStudy | undefined;
  const { outcome } = await runStudy(
    prepared,
    {
      folder: join(folder, output),
      command: 'a test',
      executors: pretend(labelsOf(prepared), failing ? { failing } : {}),
    },
    async (r) => {
      record = r;
    },
  );
  return { outcome, record: record as unknown as AssembledStudy };
}

/** The record without what measures time. */
function timeless(record: AssembledStudy): string {
  const times = new Set(['seconds', 'startedAt']);
  return JSON.stringify(record, (key, value) => (times.has(key) ? 0 : value));
}

describe('a study of the head2toe protocol', () => {
  test('lays out a unit for every cell, with a score, and one extraction for all of them', async () => {
    const { plan, cells } = await prepare();
    const count = (kind: string) => plan.units.filter((u) => u.kind === kind).length;
    expect(count('extract')).toBe(2 * 2);
    // Two seeds of linear, control, all-l2, head2toe; one look at every layer.
    expect(count('probe')).toBe(2 * (4 * 2 + 1));
    // Per seed: fine-tuning with two rates tried, and scratch.
    expect(count('train')).toBe(2 * 2 * (3 + 1));
    expect(cells.length).toBe(2 * (6 * 2 + 1));
  });

  test('has the same ids wherever the data lies, and others when it differs', async () => {
    const ids = (p: Prepared) => p.plan.units.map((u) => u.id);
    const here = ids(await prepare());
    const elsewhere = await mkdtemp(join(tmpdir(), 'toehold-elsewhere-'));
    try {
      await writeSmallData(elsewhere);
      const moved = parseConfig(smallConfig, join(elsewhere, 'study.yaml'));
      expect(ids(await prepareStudy(moved, await testEngine()))).toEqual(here);
    } finally {
      await rm(elsewhere, { recursive: true, force: true });
    }
  });

  test('test labels are inputs of scores alone', async () => {
    const before = await prepare();
    const path = join(folder, 'position', 'labels.csv');
    const original = await readFile(path, 'utf8');
    try {
      // The labels of two test images change places.
      const lines = original.split('\n');
      const [a, b] = lines.flatMap((line, i) => (line.startsWith('test/') ? [i] : []));
      const [first, second] = [lines[a as number] as string, lines[b as number] as string];
      lines[a as number] = [first.split(',')[0], ...second.split(',').slice(1)].join(',');
      lines[b as number] = [second.split(',')[0], ...first.split(',').slice(1)].join(',');
      expect(lines.join('\n')).not.toBe(original);
      await writeFile(path, lines.join('\n'));
      const after = await prepare();
      const changed = after.plan.units.filter((u) => !before.plan.units.some((v) => v.id === u.id));
      expect(changed.length).toBeGreaterThan(0);
      expect(new Set(changed.map((u) => u.kind))).toEqual(new Set(['score']));
    } finally {
      await writeFile(path, original);
    }
  });

  test('assembles a record that the report accepts, with everything in it', { timeout: 60_000 }, async () => {
    const { record } = await run(await prepare(), 'whole');
    const study = parseStudy(record, 'test');
    const [task] = study.tasks;
    expect(task?.methods.map((m) => m.method)).toEqual([
      'linear',
      'control',
      'oracle',
      'all-l2',
      'head2toe',
      'finetune',
      'scratch',
    ]);
    expect(task?.methods.every((m) => m.status === 'done')).toBe(true);
    expect(task?.domainAffinity).toBeLessThan(0);
    expect(task?.taps?.map((t) => [t.alias, t.kept])).toEqual([
      ['stem', 0],
      ['middle', 12],
      ['features', 0],
    ]);
    expect(task?.recommendations?.[0]?.sentence).toMatch(/points/);
    expect(task?.thumbnails?.length).toBeGreaterThan(0);
    expect(study.run.scaledDown).toContain('2 cross-validation folds instead of 5.');
    const written = await writeReportOf(study, join(folder, 'whole'));
    expect(written.tables).toContain('tables/results.csv');
    const csv = await readFile(join(folder, 'whole', 'predictions.csv'), 'utf8');
    expect(csv.split('\n')[0]).toBe('task,method,seed,file,label,predicted,correct');
    expect(csv.trim().split('\n').length).toBe(1 + 2 * 36 * (6 * 2 + 1));
  });

  test('comes out the same, byte for byte, after failures and second runs', async () => {
    const prepared = await prepare();
    const { record: undisturbed } = await run(prepared, 'undisturbed');
    const { record: broken, outcome } = await run(prepared, 'disturbed', /textures: (features of small|scratch)/);
    expect(outcome.units.failed).toBe(1 + 2);
    const statuses = broken.tasks[1]?.methods.map((m) => m.status);
    // What needs the features cannot run; fine-tuning can.
    const none = 'not run';
    expect(statuses).toEqual([none, none, none, none, none, 'done', 'failed']);
    expect(broken.tasks[1]?.methods[0]).toMatchObject({ error: 'textures: features of small: it was told to fail' });
    expect(broken.tasks[1]).not.toHaveProperty('domainAffinity');
    parseStudy(broken, 'test');
    const { record: repaired } = await run(prepared, 'disturbed');
    expect(timeless(repaired)).toBe(timeless(undisturbed));
    const { record: again, outcome: idle } = await run(prepared, 'disturbed');
    expect(idle.units.cached).toBe(idle.units.total);
    expect(JSON.stringify(again)).toBe(JSON.stringify(repaired));
  });
});

describe('a study of the cs231n protocol', () => {
  const curve = smallConfig
    .replace('head2toe\n', 'cs231n\n')
    .replace(/methods: .*\n/, '')
    .replace('control: other\n', '');

  test('measures every method at every size and says what to do, or that the data cannot tell', async () => {
    const prepared = await prepare(`${curve}perClass: [2, 3]\n`);
    const { record } = await run(prepared, 'curve');
    const study = parseStudy(record, 'test');
    const [task] = study.tasks;
    expect(task?.learningCurve?.length).toBe(2 * 5);
    expect(task?.examples.train).toBe(3 * 9);
    expect(task?.recommendations?.map((r) => r.perClass)).toEqual([2, 3]);
    for (const r of task?.recommendations ?? []) {
      expect(r.sentence).toMatch(r.certain ? /leads .* by/ : /cannot tell/);
    }
  });

  test('says with the line when a class is too small', async () => {
    await expect(prepare(`${curve}perClass: [2, 50]\n`)).rejects.toThrow(
      /study\.yaml:\d+: task 'position': class '.*' has only 6 training examples, fewer than 50 per class; ask for fewer$/,
    );
    const { remarks } = await prepare(curve.replace('lite: true', 'lite: true'));
    expect(remarks.join(' ')).toMatch(/its curve ends at 5 per class/);
  });
});

test('impossible folds and broken data fail before any work, with the line', async () => {
  await expect(
    prepare(smallConfig.replace('folds: 2', 'folds: 20').replaceAll('{data', '{labels: 12, data')),
  ).rejects.toThrow(/study\.yaml:8: task 'position': 20 folds/);
  await expect(prepare(smallConfig.replace('model.onnx', 'study.test.onnx'))).rejects.toThrow(
    /study\.yaml:4: no such file/,
  );
});

test('shards are written i/n', () => {
  expect(parseShard('0/4')).toEqual({ index: 0, count: 4 });
  for (const bad of ['4/4', '1', 'a/b', '-1/2', '0/0']) expect(() => parseShard(bad)).toThrow(/i\/n/);
});
