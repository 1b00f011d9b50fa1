/** The protocol kornblith: which units there are, what names them, what a config may say, and resuming. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ClassTargets } from '../../src/record/index.js';
import {
  describePlan,
  type PreparedStudy,
  parseConfig,
  prepareStudy,
  protocols,
  runStudy,
} from '../../src/study/index.js';
import { testEngine } from '../support/run.js';
import { pretend, writeSmallData } from './support/small.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'toehold-kornblith-'));
  await writeSmallData(folder);
  await writeFile(join(folder, 'source.csv'), 'network,accuracy,source\nsmall,0.7,Drawings\n');
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const config = `protocol: kornblith
lite: true
sourceAccuracy: source.csv
backbones:
  small: {model: model.onnx, preprocess: cifar}
  other: {model: other.onnx, preprocess: cifar, pretraining: {dropout: true}}
tasks:
  position: {data: position}
  textures: {data: textures, metric: mean per-class accuracy}
where:
  finetune: {backbones: [small]}
  scratch: {backbones: [small], tasks: [position]}
  convergence: {tasks: [position]}
  sizes: {backbones: [other], tasks: [textures]}
perClass: [4]
seeds: [0, 1]
train:
  batch: 18
  steps: 8
  scratchSteps: 8
  learningRates: [0.01, 0.1]
  weightDecays: [0, 1.0e-5]
  scratchLearningRates: [0.1]
  scratchWeightDecays: [1.0e-4, 1.0e-3]
  stepBudgets: [4, 2]
`;
const parse = (text: string, options: Parameters<typeof parseConfig>[2] = {}) =>
  parseConfig(text, join(folder, 'study.yaml'), options);
const prepare = async (text = config): Promise<PreparedStudy> => prepareStudy(parse(text), await testEngine());
const targets =
  ({ inputs }: PreparedStudy) =>
  (task: string) =>
    inputs.tasks.find((t) => t.name === task)?.targets as ClassTargets;

describe('the published grids', () => {
  const { full, lite } = protocols.find((p) => p.name === 'kornblith') as (typeof protocols)[number];
  const exponents = (values: readonly number[] | undefined) => values?.map((v) => Number(Math.log10(v).toFixed(6)));
  test('7 learning rates, 7 weight decays and none, 56 runs; other ones from scratch', () => {
    expect(exponents(full.train.learningRates)).toEqual([-4, -3.5, -3, -2.5, -2, -1.5, -1]);
    expect(full.train.weightDecays?.[0]).toBe(0);
    expect(exponents(full.train.weightDecays?.slice(1))).toEqual([-6, -5.5, -5, -4.5, -4, -3.5, -3]);
    expect(exponents(full.train.scratchLearningRates)).toEqual([-3, -2.5, -2, -1.5, -1, -0.5, 0]);
    expect(exponents(full.train.scratchWeightDecays)).toEqual([-5, -4.5, -4, -3.5, -3, -2.5, -2, -1.5]);
    expect(full.train).toMatchObject({ steps: 20_000, scratchSteps: 40_000, batch: 256, halving: false });
  });
  test('the lite form tries 4 x 5', () => {
    expect([lite.train.learningRates.length, lite.train.weightDecays?.length]).toEqual([4, 5]);
    expect([lite.train.scratchLearningRates.length, lite.train.scratchWeightDecays?.length]).toEqual([4, 5]);
  });
});

describe('the plan', () => {
  test('has every network on every task, settings where the config wants them', async () => {
    const { tasks } = await prepare();
    expect(
      tasks.map((t) => [t.task.name, t.backbone?.name, t.points.at(-1)?.cells.map((c) => `${c.method} ${c.seed}`)]),
    ).toEqual([
      ['position', 'small', ['logistic 0', 'finetune 0', 'finetune 1', 'scratch 0', 'scratch 1']],
      ['position', 'other', ['logistic 0']],
      ['textures', 'small', ['logistic 0', 'finetune 0', 'finetune 1']],
      ['textures', 'other', ['logistic 0']],
    ]);
    expect(tasks.map((t) => t.points.map((p) => p.perClass))).toEqual([
      [undefined],
      [undefined],
      [undefined],
      [4, undefined],
    ]);
    expect(tasks.map((t) => t.convergence?.map((c) => [c.steps, c.cells.map((x) => x.method)]))).toEqual([
      [
        [2, ['finetune', 'scratch']],
        [4, ['finetune', 'scratch']],
      ],
      undefined,
      undefined,
      undefined,
    ]);
  });

  test('needs: the grid by halving, then the final runs, which share their trials with runs of other lengths', async () => {
    const { plan, tasks } = await prepare();
    const trials = plan.units.filter(
      (u) => u.kind.name === 'trial' && u.label.startsWith('position with small: finetune'),
    );
    expect(trials.map((u) => u.label.replace('position with small: finetune, ', ''))).toEqual([
      'learning rate 0.01, decay 0 for 2 steps',
      'learning rate 0.01, decay 0.00001 for 2 steps',
      'learning rate 0.1, decay 0 for 2 steps',
      'learning rate 0.1, decay 0.00001 for 2 steps',
      'settings in place 1 for 4 steps',
      'settings in place 2 for 4 steps',
    ]);
    const [first] = tasks;
    const main = first?.points.at(-1)?.cells.find((c) => c.method === 'finetune');
    const short = first?.convergence?.[0]?.cells.find((c) => c.method === 'finetune');
    expect(main?.unit.needs).toEqual(trials.map((u) => u.id));
    expect(short?.unit.needs).toEqual(main?.unit.needs);
    expect(short?.unit.id).not.toBe(main?.unit.id);
    expect(main?.unit.inputs).toMatchObject({ recipe: 'kornblith', weightDecays: [0, 1e-5], budget: { steps: 8 } });
  });

  test('identity: what another network or decay changes, and what it does not', async () => {
    const ids = async (text: string) => new Map((await prepare(text)).plan.units.map((u) => [u.label, u.id]));
    const before = await ids(config);
    const decayed = await ids(config.replace('weightDecays: [0, 1.0e-5]', 'weightDecays: [0, 2.0e-5]'));
    const changed = [...before].filter(([label, id]) => decayed.get(label) !== id).map(([label]) => label);
    expect(changed.length).toBeGreaterThan(0);
    expect(changed.every((label) => label.includes('finetune'))).toBe(true);
    const alone = await ids(config.replace(/ {2}other: .*\n/, '').replace('backbones: [other]', 'backbones: [small]'));
    for (const [label, id] of alone) if (!label.includes('4 per class')) expect(before.get(label)).toBe(id);
  });

  test('says what is scaled down, which networks have no accuracy on their source, and what it costs', async () => {
    const prepared = await prepare();
    const said = [...prepared.inputs.study.scaledDown, ...prepared.remarks].join(' ');
    expect(said).toContain('8 steps of fine-tuning instead of 20000.');
    expect(said).toContain('2 weight decays tried in fine-tuning instead of 8.');
    expect(said).toContain('finetune on 1 of 2 networks and 2 of 2 tasks.');
    expect(said).toContain('scratch on 1 of 2 networks and 1 of 2 tasks.');
    expect(said).toContain('left out of its correlation: other.');
    const { units, kinds } = describePlan(prepared);
    expect(units).toBe(kinds.reduce((sum, k) => sum + k.units, 0));
    expect(kinds.find((k) => k.kind === 'extract')?.units).toBe(4);
  });
});

describe('mistakes', () => {
  test.each([
    [
      'a network of `where` that is not there',
      config.replace('finetune: {backbones: [small]}', 'finetune: {backbones: [big]}'),
      "study.yaml:11: there is no 'big'; small, other",
    ],
    [
      'a method that is not compared',
      config.replace('  scratch: {', '  linear: {'),
      "study.yaml:12: nothing here is called 'linear'",
    ],
    ['a control', `${config}control: other\n`, 'there is no control'],
    [
      'grids of decays elsewhere',
      config.replace('protocol: kornblith', 'protocol: head2toe').replace('perClass: [4]\n', ''),
      '`weightDecays` belongs to protocols that compare networks',
    ],
  ])('%s', (_, text, sentence) => {
    expect(() => parse(text)).toThrow(sentence);
  });

  test('a file of accuracies that names no network, or no fraction', async () => {
    await writeFile(join(folder, 'bad.csv'), 'network,accuracy\nsmall,70.5\n');
    await expect(prepare(config.replace('source.csv', 'bad.csv'))).rejects.toThrow(
      "line 2: the accuracy '70.5' is no fraction",
    );
    await writeFile(join(folder, 'none.csv'), 'network,accuracy\nhuge,0.7\n');
    await expect(prepare(config.replace('source.csv', 'none.csv'))).rejects.toThrow(
      'names none of the networks (small, other)',
    );
  });

  test('the flag takes the place of the config’s file', () => {
    const { config: own } = parse(config, { sourceAccuracy: '/elsewhere.csv' });
    expect(own.sourceAccuracy).toBe('/elsewhere.csv');
  });
});

describe('a run with pretended answers', () => {
  const view = (text: string) => text.replace(/"(seconds|startedAt)": [^\n]*/g, '');

  test('records networks, data sets, lengths and sizes; interrupted and resumed it leaves the same', async () => {
    const prepared = await prepare();
    const executors = pretend(targets(prepared));
    const whole = await runStudy(prepared, { folder: join(folder, 'whole'), command: 'a test', executors });
    const { record } = whole;
    expect(record.networks).toMatchObject([
      { name: 'small', sourceAccuracy: 0.7, source: 'Drawings' },
      { name: 'other', pretraining: { dropout: true } },
    ]);
    expect(record.tasks.map((t) => [t.task, t.dataset, t.backbone])).toEqual([
      ['position with small', 'position', 'small'],
      ['position with other', 'position', 'other'],
      ['textures with small', 'textures', 'small'],
      ['textures with other', 'textures', 'other'],
    ]);
    expect(record.tasks[0]?.convergence?.map((c) => c.steps)).toEqual([2, 4]);
    expect(record.tasks[3]?.curve?.map((c) => c.perClass)).toEqual([4]);
    // Mean per-class accuracy where the config wants it.
    const cell = record.tasks[2]?.cells[0];
    expect(cell?.status === 'done' && cell.score === cell.meanPerClass).toBe(true);
    expect(await readFile(join(folder, 'whole', 'predictions.csv'), 'utf8')).toMatch(/^task,network,method,seed,/);

    const parts = join(folder, 'parts');
    const failing = pretend(targets(prepared), { failing: /scratch|textures/ });
    const first = await runStudy(prepared, { folder: parts, command: 'a test', executors: failing });
    expect(first.outcome.units.failed).toBeGreaterThan(0);
    const second = await runStudy(await prepare(), { folder: parts, command: 'a test', executors });
    expect(second.outcome.units).toMatchObject({ failed: 0, cached: first.outcome.units.done });
    const read = async (path: string) => view(await readFile(join(path, 'record.json'), 'utf8'));
    expect(await read(parts)).toBe(await read(join(folder, 'whole')));
  });
});
