/** The real thing, in small: what the test labels can and cannot change. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parseStudy } from '../../src/report/index.js';
import { type AssembledStudy, parseConfig, prepareStudy, runStudy } from '../../src/study/index.js';
import { testEngine } from '../support/run.js';
import { smallConfig, writeSmallData } from './support/small.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'toehold-leak-'));
  await writeSmallData(folder, ['position']);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const config = smallConfig
  .replace(/ {2}textures: .*\n/, '')
  .replace('control: other\n', '')
  .replace(/methods: .*\n/, 'methods: [linear, oracle, head2toe, head2toe-ft]\n')
  .replace('seeds: [0, 1]', 'seeds: [3]')
  .replace('lambdas: 5', 'lambdas: 3');

async function run(output: string) {
  const prepared = await prepareStudy(parseConfig(config, join(folder, 'study.yaml')), await testEngine());
  let record: AssembledStudy | undefined;
  const { outcome } = await runStudy(prepared, { folder: join(folder, output), command: 'a test' }, async (r) => {
    record = r;
  });
  return { outcome, record: record as unknown as AssembledStudy };
}

test('changing every test label changes test figures and nothing else: tuning sees training rows only', async () => {
  const before = await run('before');
  expect(before.outcome.units.failed).toBe(0);
  parseStudy(before.record, 'test');

  const path = join(folder, 'position', 'labels.csv');
  const lines = (await readFile(path, 'utf8')).split('\n');
  // NW becomes N, N becomes NE and so on: no label stays what it was.
  const header = lines[0] as string;
  const names = new Map(
    lines.slice(1).flatMap((l) => (l ? [[Number(l.split(',')[1]), l.split(',')[2]] as const] : [])),
  );
  const rotated = lines.map((line) => {
    if (!line.startsWith('test/')) return line;
    const [file, label] = line.split(',');
    const next = (Number(label) + 1) % names.size;
    return `${file},${next},${names.get(next)}`;
  });
  expect(rotated[0]).toBe(header);
  await writeFile(path, rotated.join('\n'));

  // From the beginning, in another folder: nothing is reused.
  const after = await run('after');
  expect(after.outcome.units.cached).toBe(0);
  const work = (r: typeof before) =>
    JSON.stringify([...r.outcome.records].flatMap(([id, u]) => (u.kind === 'score' ? [] : [[id, u.result]])));
  expect(work(after)).toBe(work(before));

  const [a, b] = [before.record.tasks[0], after.record.tasks[0]];
  const settings = (t: typeof a) =>
    t?.methods.map((m) => (m.status === 'done' && m.method !== 'oracle' ? [m.settings, m.validation, m.features] : []));
  expect(settings(b)).toEqual(settings(a));
  expect(b?.predictions?.labels).not.toEqual(a?.predictions?.labels);
  expect(b?.predictions?.methods.filter((m) => m.method !== 'oracle')).toEqual(
    a?.predictions?.methods.filter((m) => m.method !== 'oracle'),
  );
  expect(b?.methods.map((m) => m.status === 'done' && m.accuracy)).not.toEqual(
    a?.methods.map((m) => m.status === 'done' && m.accuracy),
  );

  // In the old folder only scores are new.
  const again = await run('before');
  const fresh = again.outcome.units.total - again.outcome.units.cached;
  expect(fresh).toBe([...again.outcome.records.values()].filter((r) => r.kind === 'score').length);
});
