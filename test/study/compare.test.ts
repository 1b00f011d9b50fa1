/** One page across the papers: what is planned, what a treatment by share copies, and what each paper would have advised. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { paperRows, type RunRecord } from '../../src/record/index.js';
import { writeReportOf } from '../../src/report/index.js';
import { parseConfig, prepareStudy, probe, runStudy, training } from '../../src/study/index.js';
import { testEngine } from '../support/run.js';
import { smallConfig, writeSmallData } from './support/small.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'toehold-compare-'));
  await writeSmallData(folder, ['position']);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const config = smallConfig
  .replace('protocol: head2toe', 'protocol: compare')
  .replace(/ {2}textures: .*\n/, '')
  .replace('control: other\n', '')
  .replace(
    /methods: .*\n/,
    'methods: [linear, best-tap, head2toe, copy-quarter, copy-half, copy-half-trained, copy-three-quarters, finetune, scratch]\n',
  )
  .replace('seeds: [0, 1]', 'seeds: [0]');

describe('a run', () => {
  let record: RunRecord;
  beforeAll(async () => {
    const prepared = await prepareStudy(parseConfig(config, join(folder, 'study.yaml')), await testEngine());
    expect(prepared.plan.units.filter((u) => u.kind.name === training.name)).toHaveLength(6);
    // Who fits every tap to choose one brings the probes on every tap: they are not fitted a second time.
    const probes = prepared.plan.units.filter((u) => u.kind.name === probe.name);
    expect(probes.map((u) => u.label).sort()).toEqual(
      ['best-tap', 'head2toe', 'linear'].map((method) => `position: ${method}`),
    );
    record = (await runStudy(prepared, { folder: join(folder, 'run'), command: 'a test' })).record;
  }, 300_000);

  test('shows every layer by itself, the one that was chosen among them', () => {
    const [task] = record.tasks;
    const chosen = task?.cells.find((c) => c.method === 'best-tap');
    const scores = task?.taps?.map((tap) => tap.alone?.score);
    expect(scores?.length).toBeGreaterThan(3);
    expect(scores).toContain(chosen?.status === 'done' ? chosen.score : undefined);
  });
  test('copies the share of the layers that a method names, and freezes them or not', () => {
    const settings = (method: string) => {
      const cell = record.tasks[0]?.cells.find((c) => c.method === method);
      return cell?.status === 'done' ? cell.settings : undefined;
    };
    const total = settings('copy-half')?.layers as number;
    expect(total).toBeGreaterThan(4);
    expect(settings('copy-half')).toMatchObject({
      copiedLayers: Math.round((total - 1) / 2),
      frozenLayers: Math.round((total - 1) / 2),
    });
    expect(settings('copy-half-trained')).toMatchObject({ copiedLayers: Math.round((total - 1) / 2), frozenLayers: 0 });
    expect(settings('finetune')).not.toHaveProperty('copiedLayers');
  });
  test('says what each paper would have advised, and how far the best is ahead', () => {
    const rows = paperRows(record);
    expect(rows.map((r) => r.paper)).toEqual(
      expect.arrayContaining(['Yosinski et al. (2014)', 'Kornblith et al. (2019)', 'Head2Toe (2022)']),
    );
    // 54 labels: few.
    expect(rows.find((r) => r.paper.startsWith('Kornblith'))?.method).toBe('linear');
    for (const row of rows) expect(row.difference).toBeCloseTo(row.bestScore - row.score, 10);
  });
  test('draws the way from scratch to fine-tuned', async () => {
    const { failed } = await writeReportOf(record, join(folder, 'page'));
    expect(failed).toEqual([]);
    const page = await readFile(join(folder, 'page/report.html'), 'utf8');
    expect(page).toContain('From scratch to fine-tuned');
    expect(page).toContain('What each paper would have advised');
  });
});
