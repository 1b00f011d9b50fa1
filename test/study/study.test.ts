import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { parseShare } from '../../src/base/index.js';
import { type ClassTargets, mainAnswer, parseRecord, type RunRecord, readRecord } from '../../src/record/index.js';
import { writeReportOf } from '../../src/report/index.js';
import {
  cellsOf,
  type PreparedStudy,
  parseConfig,
  prepareStudy,
  runStudy,
  type StudyRun,
  training,
  trial,
} from '../../src/study/index.js';
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
const targetsOf = (prepared: PreparedStudy) => (name: string) =>
  prepared.inputs.tasks.find((t) => t.name === name)?.targets as ClassTargets;

function run(
  prepared: PreparedStudy,
  output: string,
  failing?: RegExp,
  draw?: (record: RunRecord) => Promise<void>,
): Promise<StudyRun> {
  return runStudy(
    prepared,
    {
      folder: join(folder, output),
      command: 'a test',
      executors: pretend(targetsOf(prepared), failing ? { failing } : {}),
    },
    draw,
  );
}

/** The record without what measures time. */
function timeless(record: RunRecord): string {
  const times = new Set(['seconds', 'startedAt']);
  const json = JSON.stringify(record, (key, value) => (times.has(key) ? 0 : value));
  return json.replaceAll(/, [\d.]+ % of its seconds/g, '');
}

describe('a study of the head2toe protocol', () => {
  test('lays out a unit for every cell, with a score, and one extraction for all of them', async () => {
    const prepared = await prepare();
    const { units } = prepared.plan;
    const count = (kind: string) => units.filter((u) => u.kind.name === kind).length;
    expect(count('extract')).toBe(2 * 2);
    // linear, control, all-l2, head2toe; one look at every layer.
    expect(count('probe')).toBe(2 * (4 + 1));
    // Fine-tuning and scratch with two seeds, and what chose their rates: two tried for the one, one for the other.
    expect(count('train')).toBe(2 * 2 * 2);
    expect(count('trial')).toBe(2 * (2 + 1));
    expect(cellsOf(prepared).length).toBe(2 * (5 + 2 * 2));
    expect(count('score')).toBe(cellsOf(prepared).length);
  });

  test('has the same ids wherever the data lies, and others when it differs', async () => {
    const ids = (p: PreparedStudy) => p.plan.units.map((u) => u.id);
    const here = ids(await prepare());
    const elsewhere = await mkdtemp(join(tmpdir(), 'toehold-elsewhere-'));
    try {
      await writeSmallData(elsewhere);
      const moved = parseConfig(smallConfig, join(elsewhere, 'study.yaml'));
      expect(ids(await prepareStudy(moved, await testEngine()))).toEqual(here);
      // Two training images of one task change their labels: all that learns from them is new.
      const path = join(elsewhere, 'position', 'labels.csv');
      const lines = (await readFile(path, 'utf8')).split('\n');
      const [a, b] = lines.flatMap((line, i) => (line.startsWith('train/') ? [i] : []));
      const [first, second] = [lines[a as number] as string, lines[b as number] as string];
      lines[a as number] = [first.split(',')[0], ...second.split(',').slice(1)].join(',');
      lines[b as number] = [second.split(',')[0], ...first.split(',').slice(1)].join(',');
      await writeFile(path, lines.join('\n'));
      const other = await prepareStudy(moved, await testEngine());
      const [known, fresh] = [true, false].map((isKnown) =>
        other.plan.units.filter((u) => here.includes(u.id) === isKnown).map((u) => u.sources.task),
      );
      expect(new Set(known)).toEqual(new Set(['textures']));
      expect(new Set(fresh)).toEqual(new Set(['position']));
    } finally {
      await rm(elsewhere, { recursive: true, force: true });
    }
  });

  test('probes and training read images of one size, the backbone’s or the config’s', async () => {
    const sizes = async (text: string) => {
      const { plan, inputs } = await prepare(text);
      const sized = z.object({ preprocess: z.object({ size: z.tuple([z.number(), z.number()]) }) });
      const read = plan.units.filter((u) => ['extract', 'trial', 'train'].includes(u.kind.name));
      const found = read.map((u) => sized.parse(u.inputs).preprocess.size.join(' x '));
      return { sizes: [...new Set(found)], said: inputs.study.scaledDown.filter((s) => /pixels/.test(s)) };
    };
    expect((await sizes(smallConfig)).sizes).toEqual(['32 x 32']);
    expect(await sizes(`${smallConfig}input: 24\n`)).toEqual({
      sizes: ['24 x 24'],
      said: ['Every method reads images of 24 pixels.'],
    });
    // Whoever wants another size for training alone is told what that makes of the comparison.
    const { said } = await sizes(smallConfig.replace('train: {', 'train: {size: 16, '));
    expect(said).toContain('Training reads images of 16 pixels; the probes read the backbone’s own size.');
  });

  test('a learning rate is chosen once for all seeds, and labels of the test are nowhere near', async () => {
    const { plan, inputs } = await prepare();
    const trials = plan.units.filter((u) => u.kind === trial && u.sources.task === 'position');
    const runs = plan.units.filter((u) => u.kind === training && u.sources.task === 'position');
    expect(trials.map((u) => trial.inputs.parse(u.inputs).seed)).toEqual([0, 0, 0]);
    expect(runs.map((u) => training.inputs.parse(u.inputs).seed)).toEqual([0, 1, 0, 1]);
    const [first, second] = runs.map((u) => u.needs);
    expect(second).toEqual(first);
    const [task] = inputs.tasks;
    for (const { inputs: own } of trials) {
      for (const key of [task?.testKey, task?.labelKey]) expect(JSON.stringify(own)).not.toContain(key);
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
      expect(new Set(changed.map((u) => u.kind.name))).toEqual(new Set(['score']));
    } finally {
      await writeFile(path, original);
    }
  });

  test('assembles a record with everything in it', { timeout: 60_000 }, async () => {
    let drawn: RunRecord | undefined;
    const { record } = await run(await prepare(), 'whole', undefined, async (found) => {
      drawn = found;
    });
    expect(drawn).toBe(record);
    expect(await readRecord(join(folder, 'whole'))).toEqual(record);
    expect(parseRecord(JSON.parse(JSON.stringify(record)), 'test')).toEqual(record);
    const [task] = record.tasks;
    const methods = ['linear', 'control', 'oracle', 'all-l2', 'head2toe', 'finetune', 'scratch'];
    expect(task?.cells.map((c) => c.method)).toEqual(methods);
    expect(task?.cells.every((c) => c.status === 'done')).toBe(true);
    expect(record.methods.map((card) => card.id).sort()).toEqual([...methods].sort());
    expect(task?.domainAffinity?.value).toBeLessThan(0);
    const head2toe = task?.cells.find((c) => c.method === 'head2toe');
    expect(head2toe?.status === 'done' && head2toe.selection?.shares.map((s) => [s.tap, s.kept])).toEqual([
      ['stem', 0],
      ['middle', 12],
      ['features', 0],
    ]);
    expect(task?.taps?.map((t) => t.alias)).toEqual(['stem', 'middle', 'features']);
    for (const tap of task?.taps ?? []) {
      expect(tap.alone?.score).toBeGreaterThan(0);
      expect(tap.withLast?.score).toBeGreaterThan(0);
    }
    expect(task && mainAnswer(record.answer, task)?.sentence).toMatch(/points/);
    expect(task?.thumbnails?.length).toBeGreaterThan(0);
    expect(record.run.scaledDown).toContain('2 cross-validation folds instead of 5.');
    const csv = await readFile(join(folder, 'whole', 'predictions.csv'), 'utf8');
    expect(csv.split('\n')[0]).toBe('task,method,seed,per class,file,label,predicted,correct');
    expect(csv.trim().split('\n').length).toBe(1 + 2 * 36 * (5 + 2 * 2));
  });

  test('leaves a record that the report accepts', { timeout: 60_000 }, async () => {
    const { record } = await run(await prepare(), 'whole');
    const written = await writeReportOf(record, join(folder, 'whole'));
    expect(written.failed).toEqual([]);
    expect(await readFile(join(folder, 'whole', 'tables', 'results.csv'), 'utf8')).toContain('Head2Toe');
  });

  test('of which every unit fails says why, on its page too', { timeout: 60_000 }, async () => {
    const { record, outcome } = await run(await prepare(), 'nothing', /./);
    expect(outcome.units.done).toBe(0);
    for (const cell of record.tasks.flatMap((task) => task.cells)) {
      expect(cell).toMatchObject({
        status: expect.stringMatching(/failed|not run/),
        error: expect.stringContaining('it was told to fail'),
      });
    }
    expect(await readRecord(join(folder, 'nothing'))).toEqual(record);
    const written = await writeReportOf(record, join(folder, 'nothing'));
    expect(written.failed).toEqual([]);
    const page = await readFile(join(folder, 'nothing', 'report.html'), 'utf8');
    expect(page).toContain('features of small: it was told to fail');
  });

  test('comes out the same, byte for byte, after failures and second runs', async () => {
    const prepared = await prepare();
    const { record: undisturbed } = await run(prepared, 'undisturbed');
    const { record: broken, outcome } = await run(
      prepared,
      'disturbed',
      /textures: (features of small|scratch, learning rate)/,
    );
    expect(outcome.units.failed).toBe(1 + 1);
    const statuses = broken.tasks[1]?.cells.map((c) => c.status);
    // What needs the features cannot run; fine-tuning can.
    const none = 'not run';
    expect(statuses).toEqual([none, none, none, none, none, 'done', 'failed']);
    expect(broken.tasks[1]?.cells[0]).toMatchObject({ error: 'textures: features of small: it was told to fail' });
    expect(broken.tasks[1]).not.toHaveProperty('domainAffinity');
    expect(parseRecord(JSON.parse(JSON.stringify(broken)), 'test')).toEqual(broken);
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
    const [task] = record.tasks;
    expect(task?.curve?.map((point) => point.perClass)).toEqual([2]);
    expect(task?.perClass).toBe(3);
    expect([...(task?.curve ?? []), task].map((point) => point?.cells.length)).toEqual([9, 9]);
    expect([...(task?.curve ?? []), task].map((point) => point?.predictions?.length)).toEqual([2 * 9, 2 * 9]);
    expect(task?.examples.train).toBe(3 * 9);
    const answers = record.answer.tasks.filter((a) => a.task === task?.task);
    expect(answers.map((a) => a.perClass)).toEqual([2, 3]);
    for (const { decided, sentence } of answers) {
      expect(sentence).toMatch(decided ? /points \[.*\]/ : /^(Undecided between|Nothing that was tuned)/);
    }
  });

  test('says with the line when a class is too small', async () => {
    await expect(prepare(`${curve}perClass: [2, 50]\n`)).rejects.toThrow(
      /study\.yaml:\d+: task 'position': class '.*' has only 6 training examples, fewer than 50 per class; ask for fewer$/,
    );
    await expect(prepare(`${curve}perClass: [1, 2]\n`)).rejects.toThrow(
      /study\.yaml:\d+: perClass\[0\] is 1; it must be at least 2$/,
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
  expect(parseShare('0/4', '--shard')).toEqual({ index: 0, count: 4 });
  for (const bad of ['4/4', '1', 'a/b', '-1/2', '0/0']) expect(() => parseShare(bad, '--shard')).toThrow(/i\/n/);
});
