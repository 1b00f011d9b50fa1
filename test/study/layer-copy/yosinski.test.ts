/** The layer-copy study: what is planned, that it runs for real, and that what was interrupted ends alike. */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type LayerCopy, type RunRecord, readRecord } from '../../../src/record/index.js';
import { writeReportOf } from '../../../src/report/index.js';
import { parseConfig, prepareStudy, runStudy } from '../../../src/study/index.js';
import { toeholdProcess } from '../../support/cli.js';
import { testEngine } from '../../support/run.js';
import { writeSmallData } from '../support/small.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'toehold-copies-'));
  await writeSmallData(folder, ['position'], 180, 90);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const config = `protocol: yosinski
lite: true
network: caffenet-32
input: 16
tasks:
  position: {data: position}
splits:
  - {name: random 0, seed: 0}
seeds: [0]
train: {epochs: 1, batch: 16, learningRates: [0.003, 0.01]}
`;
const prepare = async (text = config) =>
  prepareStudy(parseConfig(text, join(folder, 'study.yaml')), await testEngine());
const complaint = async (text: string) =>
  prepare(text).then(
    () => 'none',
    (error: Error) => error.message,
  );

describe('the plan', () => {
  test('has 58 networks for one split, as the paper, and one per half and layer of random ones', async () => {
    const { plan } = await prepare();
    const count = (kind: string) => plan.units.filter((u) => u.kind.name === kind).length;
    expect(count('copy')).toBe(58 + 2 * 7);
    expect(count('copy-score')).toBe(58 + 2 * 7);
    expect(count('copy-rate')).toBe(2);
    expect(count('copy-layers')).toBe(2);
  });
  test('a copy needs the base that its layers come from, and a random network none', async () => {
    const { plan } = await prepare();
    const unit = (label: string) => plan.units.find((u) => u.label === label);
    const needs = (label: string) =>
      (unit(label)?.needs ?? [])
        .flatMap((id) => plan.units.find((u) => u.id === id)?.label ?? [])
        .filter((l) => !l.includes('rate'));
    expect(needs('random 0: A3B, half A')).toEqual(['random 0: base, half B']);
    expect(needs('random 0: B3B+, half A')).toEqual(['random 0: base, half A']);
    expect(needs('random 0: random 3, half A')).toEqual([]);
  });
  test('a network of blocks is cut between them, unless the config says where', async () => {
    const cuts = async (text: string) => {
      const { plan } = await prepare(text);
      const found = plan.units.flatMap((u) => /: A(\d+)B, half A$/.exec(u.label)?.[1] ?? []);
      return found.map(Number);
    };
    const residual = config.replace('caffenet-32', 'resnet20');
    // The first convolution, then two to a block.
    expect(await cuts(residual)).toEqual([1, 3, 5, 7, 9, 11, 13, 15, 17, 19]);
    expect(await cuts(`${residual}copy: {layers: [2, 4]}\n`)).toEqual([2, 4]);
  });
  test('layers, treatments, preserved layers and reduced sets are for the config to say', async () => {
    const { plan } = await prepare(`${config}copy:
  layers: [2, 5]
  trainedLayers: [5]
  treatments: [BnB, AnB, AnB+]
  preserve: [1]
  reduced: [5, 10]
  probes: false
`);
    // Per half: a base, two smaller ones, BnB and AnB at two depths with and without a preserved layer, AnB+ at one.
    expect(plan.units.filter((u) => u.kind.name === 'copy').length).toBe(2 * (3 + 2 * 2 * 2 + 1));
    expect(plan.units.some((u) => u.kind.name === 'copy-layers')).toBe(false);
  });
  test.each([
    ['no splits', config.replace(/splits:\n.*\n/, ''), "`splits` is missing: the protocol 'yosinski' needs it"],
    ['an unknown network', config.replace('caffenet-32', 'cafenet-32'), /no architecture 'cafenet-32'; did you mean/],
    ['an unknown class', config.replace('seed: 0}', 'halves: {up: [NW, N], down: [Sx, S]}}'), /there is no class 'Sx'/],
    [
      'a class in both halves',
      config.replace('seed: 0}', 'halves: {up: [NW, N], down: [N, S]}}'),
      /the class 'N' is in both/,
    ],
    ['backbones', `${config}backbones: {a: {model: model.onnx}}\n`, /takes no backbones/],
  ])('%s: one sentence', async (_, text, expected) => {
    expect(await complaint(text)).toMatch(expected);
  });
});

const few = `${config}copy:
  layers: [1, 7]
  trainedLayers: [7]
  evaluations: 1
`;

/** Everything but times. */
const timeless = (record: RunRecord) =>
  JSON.stringify(record, (key, value) => (['seconds', 'startedAt'].includes(key) ? 0 : value));

describe('a run', () => {
  let record: RunRecord;
  let study: LayerCopy;
  beforeAll(async () => {
    const run = await runStudy(await prepare(few), { folder: join(folder, 'run'), command: 'a test' });
    record = run.record;
    study = record.layerCopy as LayerCopy;
  }, 300_000);

  test('trains every network, frozen layers as they were, and scores it on its half', async () => {
    expect(study.runs.map((r) => r.status).filter((s) => s !== 'done')).toEqual([]);
    const of = (treatment: string, n?: number) => study.runs.find((r) => r.treatment === treatment && r.n === n);
    expect(of('base')?.frozen).toBe(0);
    expect(of('AnB', 7)?.frozen).toBe(7);
    expect(of('AnB+', 7)?.frozen).toBe(0);
    expect(of('random', 1)?.frozen).toBe(1);
    const sizes = new Set(study.runs.map((r) => r.correct?.length));
    // 10 test images of each of 9 classes in halves of 4 and 5: 40 and 50 bits in hexadecimal digits.
    expect(sizes).toEqual(new Set([10, 13]));
  });
  test('probes every layer of both base networks, and compares them', () => {
    expect(study.probes?.length).toBe(2 * 2);
    for (const { own, other, cka } of study.probes ?? []) {
      expect(own).toBeGreaterThan(0);
      expect(other).toBeGreaterThan(0);
      expect(cka).toBeLessThanOrEqual(1 + 1e-9);
    }
  });
  test('the page, the tables and the terminal show it', async () => {
    const out = join(folder, 'page');
    const { failed } = await writeReportOf(record, out);
    expect(failed).toEqual([]);
    expect(await readFile(join(out, 'tables/networks.csv'), 'utf8')).toMatch(/random 0/);
    expect(await readFile(join(out, 'report.html'), 'utf8')).toContain(record.answer.headline.slice(0, 40));
  });
  test('what is done again ends with the same figures', async () => {
    const units = join(folder, 'run/units');
    for (const name of await readdir(units)) {
      if (name.startsWith('copy-') ? name.startsWith('copy-layers') : Number.parseInt(name.slice(-1), 16) % 2 === 0)
        await rm(join(units, name), { recursive: true });
    }
    const { record: again } = await runStudy(await prepare(few), { folder: join(folder, 'run'), command: 'a test' });
    expect(timeless(again)).toBe(timeless(record));
    expect(timeless(await readRecord(join(folder, 'run')))).toBe(timeless(record));
  }, 300_000);
});

test('the published study is planned and costed without its data', async () => {
  const { stdout, code } = await toeholdProcess([
    'run',
    'configs/yosinski.yaml',
    '-o',
    join(folder, 'none'),
    '--dry-run',
    '--json',
  ]);
  expect(code).toBe(0);
  const plan = JSON.parse(stdout) as {
    units: { total: number };
    seconds: number;
    bytes: { disk: number; memory: number };
  };
  expect(plan.units.total).toBeGreaterThanOrEqual(150);
  // Months of two cores; weights of ten bases.
  expect(plan.seconds).toBeGreaterThan(30 * 86_400);
  expect(plan.bytes.disk).toBeGreaterThan(2e9);
}, 300_000);
