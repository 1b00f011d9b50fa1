/**
 * What it takes to add a method or a protocol: its own file and one line of a registry. Both are added here at run time,
 * as that line would, before anything that reads the registries is loaded.
 */
import { readFileSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { methods, type ProbeMethod } from '../../src/probe/index.js';
import { type ClassTargets, done, mainAnswer, parseRecord } from '../../src/record/index.js';
import type { Protocol } from '../../src/study/index.js';
import { middle } from '../probe/support/made-up.js';
import { testEngine } from '../support/run.js';
import { filesOf } from './support/files.js';

(methods as ProbeMethod[]).push(middle);
const { protocols } = await import('../../src/study/protocols/index.js');
const { head2toe } = await import('../../src/study/protocols/head2toe.js');
const { cellOf, extractCell } = await import('../../src/study/cells.js');
const { PlanBuilder } = await import('../../src/study/plan.js');
const { contextOf } = await import('../../src/study/protocols/protocol.js');

/** Every method on half of the seeds that a config names. */
const halves: Protocol = {
  name: 'halves',
  about: 'every method, on half of the seeds',
  curves: false,
  full: head2toe.full,
  lite: { ...head2toe.lite, methods: ['linear', middle.card.id] },
  check: ({ seeds }) => (seeds.length % 2 ? [{ path: ['seeds'], message: 'an even number of seeds is needed' }] : []),
  plan: (inputs) => {
    const plan = new PlanBuilder();
    const seeds = inputs.study.config.seeds.slice(0, inputs.study.config.seeds.length / 2);
    const tasks = inputs.tasks.map((task) => {
      const context = contextOf(inputs, task, plan);
      const cells = inputs.study.budgets.methods.flatMap((m) => seeds.map((seed) => cellOf(context, m, seed)));
      return { task, points: [{ perClass: undefined, cells }], extraction: extractCell(context, inputs.backbone) };
    });
    return { plan: plan.build(), tasks, remarks: ['half of the seeds rest'] };
  },
};
(protocols as Protocol[]).push(halves);
const { parseConfig, prepareStudy, runStudy } = await import('../../src/study/index.js');
const { pretend, smallConfig, writeSmallData } = await import('./support/small.js');

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'toehold-additions-'));
  await writeSmallData(folder, ['position']);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const base = smallConfig
  .replace(/ {2}textures: .*\n/, '')
  .replace('control: other\n', '')
  .replace('seeds: [0, 1]', 'seeds: [4]');
const prepare = async (text: string) => prepareStudy(parseConfig(text, join(folder, 'study.yaml')), await testEngine());

describe('a probe method that is one file', () => {
  test('runs in a study, is scored, compared, advised and tabled as any other', { timeout: 120_000 }, async () => {
    const config = base.replace(/methods: .*\n/, `methods: [linear, ${middle.card.id}]\n`);
    const { record, outcome } = await runStudy(await prepare(config), {
      folder: join(folder, 'method'),
      command: 'a test',
    });
    expect(outcome.units).toMatchObject({ failed: 0, total: 1 + 2 + 2 + 1 + 1 });
    expect(record.methods.find((card) => card.id === middle.card.id)).toEqual(middle.card);
    const [task] = record.tasks;
    const cell = task && done(task, middle.card.id);
    expect(cell).toMatchObject({ notes: ['made up'], converged: true });
    expect(cell?.score).toBeGreaterThan(0);
    expect(record.answer.comparisons.map((c) => [c.method, c.reference])).toEqual([[middle.card.id, 'linear']]);
    const { method, advice } = (task && mainAnswer(record.answer, task)) ?? {};
    expect(advice).toBe(method === 'linear' ? 'probe the last layer' : 'look into the middle layer');
    expect(parseRecord(JSON.parse(JSON.stringify(record)), 'test')).toEqual(record);
    const csv = await readFile(join(folder, 'method', 'predictions.csv'), 'utf8');
    expect(csv).toContain(`position,${middle.card.id},4,`);
  });

  test('is known to configs by its name, with the nearest one suggested', () => {
    expect(() =>
      parseConfig(base.replace(/methods: .*\n/, 'methods: [middle-centroit]\n'), join(folder, 'study.yaml')),
    ).toThrow(`methods[0] is 'middle-centroit'; did you mean '${middle.card.id}'?`);
  });
});

describe('a protocol that is one file', () => {
  const config = base
    .replace('protocol: head2toe', 'protocol: halves')
    .replace(/methods: .*\n/, '')
    .replace('[4]', '[4, 5]');

  test('is planned and run, with its own budgets, remarks and mistakes', async () => {
    const prepared = await prepare(config);
    const targetsOf = (name: string) => prepared.inputs.tasks.find((t) => t.name === name)?.targets as ClassTargets;
    const { record } = await runStudy(prepared, {
      folder: join(folder, 'protocol'),
      command: 'a test',
      executors: pretend(targetsOf),
    });
    expect(record.protocol).toBe('halves');
    expect(record.run.scaledDown).toContain('half of the seeds rest');
    expect(record.tasks[0]?.cells.map((c) => [c.method, c.status])).toEqual([
      ['linear', 'done'],
      [middle.card.id, 'done'],
    ]);
    expect(record.tasks[0]?.predictions?.map((p) => p.seed)).toEqual([4, 4]);
    expect(() => parseConfig(config.replace('[4, 5]', '[4]'), join(folder, 'study.yaml'))).toThrow(
      'study.yaml:8: an even number of seeds is needed',
    );
  });
});

/** Words in quotes, file by file. Rooms below these know nothing of methods: 'linear' is a mode of resizing there. */
async function quoted(pattern: RegExp): Promise<{ file: string; word: string }[]> {
  const files = (await filesOf('src')).filter((file) =>
    /^(transfer|record|probe|study|report|cli)\/.*\.ts$/.test(file),
  );
  return files.flatMap((file) =>
    [
      ...readFileSync(join('src', file), 'utf8')
        .replace(/\/\*[\s\S]*?\*\/|\/\/ .*/g, '')
        .matchAll(pattern),
    ].map(([, word]) => ({ file, word: word as string })),
  );
}

describe('a name stands in one place', () => {
  /** Where else a method may be named, and why. */
  const allowed: Readonly<Record<string, { ids: readonly string[] | 'any'; why: string }>> = {
    'study/protocols/head2toe.ts': { ids: 'any', why: 'the methods that the protocol compares by default' },
    'study/protocols/cs231n.ts': { ids: 'any', why: 'the methods that the protocol compares by default' },
    'study/protocols/kornblith.ts': { ids: 'any', why: 'the methods that the protocol compares by default' },
    'study/protocols/compare.ts': { ids: 'any', why: 'the methods that the protocol compares by default' },
    'record/papers.ts': { ids: 'any', why: 'the papers’ advice names methods, by definition' },
    'record/course.ts': { ids: 'any', why: 'the course’s advice names methods, by definition' },
    'study/demo/index.ts': { ids: 'any', why: 'the config of the demo' },
    'study/ask.ts': { ids: 'any', why: 'the config that answers a question, and what is left out of it first' },
    'record/v1.ts': { ids: 'any', why: 'the methods that version 0.1 knew' },
    'record/affinity.ts': { ids: ['linear'], why: 'domain affinity is linear minus scratch, by definition' },
    'cli/probe.ts': { ids: ['stable', 'head2toe-faithful'], why: '--select and --faithful add a method by name' },
    'probe/targets/ridge.ts': { ids: 'any', why: 'the methods of targets other than classes' },
    'probe/targets/l2.ts': { ids: ['all-l2'], why: 'the method of that name, of values and labels' },
    'probe/targets/group-lasso.ts': { ids: ['all-l21'], why: 'the method of that name, of values and labels' },
    'probe/targets/head2toe.ts': { ids: ['head2toe'], why: 'the method of that name, of values and labels' },
    'probe/targets/files.ts': { ids: ['linear'], why: 'the last layer is the line that others are compared with' },
    'report/compare-runs.ts': { ids: ['linear'], why: 'the last layer is the line that others are compared with' },
    'report/figures/gains.ts': { ids: ['linear'], why: 'the last layer is the line that others are compared with' },
    'report/figures/affinity.ts': { ids: ['linear'], why: 'domain affinity is linear minus scratch, by definition' },
    'report/figures/compare.ts': { ids: ['linear'], why: 'the last layer is the line that copies are compared with' },
    'report/figures/depth.ts': { ids: ['linear'], why: 'the last layer is the line that every depth is compared with' },
    'report/figures/selection.ts': {
      ids: ['linear'],
      why: 'the last layer is the line that selections are compared with',
    },
  };

  test('a probe method in its file in probe/methods, in defaults, and in nothing that decides', async () => {
    const ids = methods.filter((m) => m !== middle).map((m) => m.card.id);
    const found = await quoted(new RegExp(`['"\`](${ids.join('|')})['"\`]`, 'g'));
    const own = found.filter(({ file }) => file.startsWith('probe/methods/'));
    const files = new Map<string, Set<string>>();
    for (const { file, word } of own) files.set(word, (files.get(word) ?? new Set()).add(file));
    expect([...files].map(([id, where]) => [id, where.size])).toEqual([...files].map(([id]) => [id, 1]));
    expect([...files.keys()].sort()).toEqual([...ids].sort());
    const elsewhere = found.filter(({ file, word }) => {
      if (file.startsWith('probe/methods/')) return false;
      const free = allowed[file]?.ids ?? [];
      // The config key and the field of a second network are called control too, and 'auto' is a value of other settings.
      return !(free === 'any' || free.includes(word)) && word !== 'control' && word !== 'auto';
    });
    expect(elsewhere).toEqual([]);
  });

  test('is said to be allowed only where it is used', async () => {
    const ids = methods.map((m) => m.card.id);
    const found = await quoted(new RegExp(`['"\`](${ids.join('|')})['"\`]`, 'g'));
    expect(Object.keys(allowed).filter((file) => !found.some((f) => f.file === file))).toEqual([]);
  });

  test('a protocol in its file in study/protocols and in configs', async () => {
    const names = protocols.filter((p) => p !== halves).map((p) => p.name);
    const found = await quoted(
      new RegExp(`(?:protocol(?:Named)?\\s*(?:===|!==|:|\\()\\s*)['"\`](${names.join('|')})['"\`]`, 'g'),
    );
    const cs231n = await quoted(/['"`](cs231n)['"`]/g);
    const places = [...found, ...cs231n].map(({ file }) => file).filter((file) => !file.startsWith('study/protocols/'));
    // The configs of a question and of the demo; and a preset of training options that bears the name of the same course.
    expect(places).toEqual(['study/ask.ts', 'study/demo/index.ts', 'transfer/options.ts']);
  });
});
