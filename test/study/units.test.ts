/** Units: what their ids are made of, and what becomes of records that another version wrote. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WorkError } from '../../src/base/index.js';
import { createEngine, type Engine } from '../../src/engine/index.js';
import {
  extraction,
  type PreparedStudy,
  parseConfig,
  prepareStudy,
  probe,
  RunFolder,
  resultOf,
  runStudy,
  type Unit,
  type UnitRecord,
} from '../../src/study/index.js';
import { protocolNamed } from '../../src/study/load.js';
import { toehold } from '../support/cli.js';
import { testEngine } from '../support/run.js';
import { pretend, smallConfig, writeSmallData } from './support/small.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'toehold-units-'));
  await writeSmallData(folder, ['position']);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const config = smallConfig
  .replace(/ {2}textures: .*\n/, '')
  .replace('control: other\n', '')
  .replace(/methods: .*\n/, 'methods: [linear, head2toe, oracle, finetune]\n')
  .replace('seeds: [0, 1]', 'seeds: [3]');
const prepare = async (text = config, engine?: Engine) =>
  prepareStudy(parseConfig(text, join(folder, 'study.yaml')), engine ?? (await testEngine()));

/** The same study laid out for another engine, without running anything on it. */
function planOn({ inputs }: PreparedStudy, change: Partial<Pick<Engine, 'name' | 'device' | 'threads'>>) {
  const properties = Object.fromEntries(Object.entries(change).map(([key, value]) => [key, { value }]));
  const engine: Engine = Object.create(inputs.engine, properties);
  return protocolNamed(inputs.study.config.protocol).plan({ ...inputs, engine }).plan;
}

/** Kinds of the units of `plan` that `other` has under the same id, and of those that it has not. */
function compare(plan: { units: readonly Unit[] }, other: { units: readonly Unit[] }) {
  const ids = new Set(other.units.map((u) => u.id));
  const kindsOf = (same: boolean) =>
    [...new Set(plan.units.filter((u) => ids.has(u.id) === same).map((u) => u.kind.name))].sort();
  return { same: kindsOf(true), others: kindsOf(false) };
}

describe('the id of a unit', () => {
  test('of training holds the number of threads, that of features and probes does not', async () => {
    const prepared = await prepare();
    const { engine } = prepared.inputs;
    expect(planOn(prepared, {})).toEqual(prepared.plan);
    // Scores of what was trained are others, too: they hold the id of what they score.
    expect(compare(prepared.plan, planOn(prepared, { threads: engine.threads + 1 }))).toEqual({
      same: ['extract', 'probe', 'score'],
      others: ['score', 'train', 'trial'],
    });
  });

  test.each([
    ['engine', { name: 'another engine' }],
    ['device', { device: 'cuda' }],
  ] as const)('holds the %s', async (_, change) => {
    const prepared = await prepare();
    expect(compare(prepared.plan, planOn(prepared, change))).toEqual({
      same: [],
      others: ['extract', 'probe', 'score', 'train', 'trial'],
    });
  });

  test('of a probe holds the options that its method reads, and no others', async () => {
    const { plan } = await prepare();
    const changed = async (from: string, to: string) => {
      expect(config).toContain(from);
      const other = await prepare(config.replace(from, to));
      const ids = new Set(other.plan.units.map((u) => u.id));
      return plan.units.filter((u) => u.kind.name !== 'score' && !ids.has(u.id)).map((u) => u.label);
    };
    expect(await changed('lambdas: 5', 'lambdas: 6')).toEqual(['position: head2toe']);
    expect(await changed('rankWindows: true', 'rankWindows: false')).toEqual(['position: head2toe']);
    expect(await changed('lambdas: 5', 'lambdas: 5, keepRule: max')).toEqual(['position: head2toe']);
    expect(await changed('lambdas: 5', 'lambdas: 5, repetitions: 5, leaveOut: 5')).toEqual(['position: head2toe']);
    expect((await changed('lambdas: 5', 'lambdas: 5, classWeight: balanced')).length).toBe(3);
    expect((await changed('lambdas: 5', 'lambdas: 5, choose: accuracy, l2: [0.1]')).length).toBe(3);
    expect(await changed('epochs: 1', 'epochs: 4')).toEqual([
      'position: finetune, learning rate 0.01 for 1 epoch',
      'position: finetune, learning rate 0.02 for 1 epoch',
      'position: finetune',
    ]);
    expect((await changed('folds: 2', 'folds: 3')).length).toBe(3 + 2 + 1);
  });

  test('of a score holds the test labels and what it scores: nothing else', async () => {
    const { plan, inputs } = await prepare();
    for (const unit of plan.units.filter((u) => u.kind.name === 'score')) {
      expect(unit.inputs).toEqual({ labels: inputs.tasks[0]?.labelKey });
      expect(unit.needs).toHaveLength(1);
    }
    for (const unit of plan.units.filter((u) => u.kind.name !== 'score')) {
      expect(JSON.stringify(unit.inputs)).not.toContain(inputs.tasks[0]?.labelKey);
    }
  });

  test('stands for equal results: features and probes are the same on one thread and on two', {
    timeout: 120_000,
  }, async () => {
    const text = config.replace(/methods: .*\n/, 'methods: [linear, head2toe, oracle]\n');
    const results = await Promise.all(
      [1, 2].map(async (threads) => {
        const prepared = await prepare(text, await createEngine({ threads }));
        const { outcome } = await runStudy(prepared, { folder: join(folder, `threads ${threads}`), command: 'a test' });
        expect(outcome.units.failed).toBe(0);
        return JSON.stringify(
          [...outcome.records].map(([id, { result }]) => [id, result]),
          (key, value) => (key === 'seconds' ? 0 : value),
        );
      }),
    );
    expect(results[1]).toBe(results[0]);
  });
});

describe('a record that another version wrote', () => {
  const fake = (prepared: PreparedStudy, output: string) =>
    runStudy(prepared, {
      folder: join(folder, output),
      command: 'a test',
      executors: pretend((name) => {
        const targets = prepared.inputs.tasks.find((t) => t.name === name)?.targets;
        if (targets?.kind !== 'class') throw new Error(name);
        return targets;
      }),
    });

  /** Changes the record of the unit with this label, and takes away those of the others named. */
  async function age(prepared: PreparedStudy, output: string, label: string, result: unknown, gone: RegExp) {
    const run = new RunFolder(join(folder, output));
    const unit = prepared.plan.units.find((u) => u.label === label) as Unit;
    const path = join(run.unit(unit.id), 'record.json');
    const record = JSON.parse(await readFile(path, 'utf8')) as UnitRecord;
    await writeFile(path, JSON.stringify({ ...record, result }));
    for (const u of prepared.plan.units) {
      if (gone.test(u.label)) await rm(run.unit(u.id), { recursive: true, force: true });
    }
    return unit.id;
  }
  const saying = (id: string) =>
    `units/${id}/record\\.json is not of this version \\(.+\\): delete units/${id} and run again`;

  test('is named in one sentence with what to do, by whoever reads it', () => {
    const record = { id: 'probe-1', kind: 'probe', result: { predicted: [1, 2] } } as unknown as UnitRecord;
    expect(() => resultOf(probe, record)).toThrow(WorkError);
    expect(() => resultOf(probe, record)).toThrow(
      /^units\/probe-1\/record\.json is not of this version \(taps: [^\n]*\): delete units\/probe-1 and run again$/,
    );
    const whole = { ...record, result: null };
    expect(() => resultOf(extraction, whole)).toThrow(
      /^units\/probe-1\/record\.json is not of this version \([^:)][^\n]*\): delete/,
    );
  });

  test('stops the run that would assemble it', async () => {
    const prepared = await prepare();
    await fake(prepared, 'old score');
    const id = await age(prepared, 'old score', 'position: score of linear', { accuracy: 0.5 }, /^$/);
    const error = await fake(prepared, 'old score').catch((e: unknown) => e);
    expect(error).toBeInstanceOf(WorkError);
    expect((error as Error).message).toMatch(new RegExp(`^${saying(id)}$`));
    await rm(join(folder, 'old score', 'units', id), { recursive: true });
    expect((await fake(prepared, 'old score')).record.tasks[0]?.cells.every((c) => c.status === 'done')).toBe(true);
  });

  test('fails what needs it, with the sentence and without a trace', async () => {
    const prepared = await prepare();
    await fake(prepared, 'old probe');
    const id = await age(prepared, 'old probe', 'position: linear', { predicted: [0] }, /score of linear/);
    const { record, outcome } = await fake(prepared, 'old probe');
    expect(outcome.units.failed).toBe(1);
    const cell = record.tasks[0]?.cells.find((c) => c.method === 'linear');
    expect(cell?.status).toBe('failed');
    expect(cell?.status === 'failed' && cell.error).toMatch(new RegExp(`^${saying(id)}$`));
  });

  test('ends the command with 1 and the sentence', async () => {
    const yaml = join(folder, 'study.yaml');
    const text = config
      .replace(/methods: .*\n/, 'methods: [linear]\n')
      .replace('{folds: 2,', '{perTap: false, folds: 2,');
    await writeFile(yaml, text);
    const output = join(folder, 'command');
    const first = await toehold('run', yaml, '-o', output, '--quiet');
    expect(first.code).toBe(0);
    const prepared = await prepare(text);
    const id = await age(prepared, 'command', 'position: features of small', { store: 'none' }, /^$/);
    const { code, stderr } = await toehold('run', yaml, '-o', output, '--quiet');
    expect(code).toBe(1);
    expect(stderr.trim().split('\n').at(-1)).toMatch(new RegExp(`^toehold: ${saying(id)}$`));
    expect(stderr).not.toMatch(/\n {4}at /);
  });
});
