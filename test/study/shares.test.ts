/** Extractions of a study in shares: what they are called, what they leave, and what becomes of one that is killed. */
import { spawn } from 'node:child_process';
import { readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, expect, test } from 'vitest';
import { arraysOf, planFile, snakefile } from '../../src/study/cluster/index.js';
import {
  describePlan,
  doUnits,
  extraction,
  extractionShare,
  jobsOf,
  type Plan,
  parseConfig,
  prepareStudy,
  RunFolder,
  resultOf,
  runStudy,
  type Unit,
} from '../../src/study/index.js';
import { storeBytes } from '../features/support/store-bytes.js';
import { commandLine } from '../support/cli.js';
import { testEngine } from '../support/run.js';
import { temporaryFolder, writeImages, writeTinyModel } from '../support/tiny.js';

const folder = temporaryFolder('toehold study in shares ');
const at = (...parts: string[]) => join(folder, ...parts);
let model: string;
beforeAll(async () => {
  model = await writeTinyModel(folder);
  await writeImages(at('images'), ['a', 'b'], 300);
});

/** Two methods, of which one reads another network, on 600 images of either split: three chunks each. */
const text = (extract: string) => `protocol: head2toe
backbones:
  tiny: {model: ${model}, size: 16, taps: [features]}
  control: {model: ${model}, size: 24}
control: control
tasks: {colours: {data: images}}
labels: all
methods: [linear, control]
seeds: [0]
probe: {folds: 2, perTap: false}
${extract}
`;
const prepare = async (extract = '') => prepareStudy(parseConfig(text(extract), at('study.yaml')), await testEngine());
const sharesIn = ({ units }: Plan) => units.filter((unit) => unit.kind.name === extractionShare.name);
const extractionsIn = ({ units }: Plan) => units.filter((unit) => unit.kind.name === extraction.name);

test('change no other unit: all have the ids that they have without', async () => {
  const [{ plan: whole }, { plan: parts }] = await Promise.all([prepare(), prepare('extract: {shards: 3}')]);
  expect(sharesIn(whole)).toEqual([]);
  expect(sharesIn(parts)).toHaveLength(2 * 3);
  expect(parts.units.filter((unit) => !sharesIn(parts).includes(unit)).map(({ id }) => id)).toEqual(
    whole.units.map(({ id }) => id),
  );
  for (const joining of extractionsIn(parts)) {
    const own = sharesIn(parts).filter(({ inputs }) => (inputs as { extraction: string }).extraction === joining.id);
    expect(joining.needs).toEqual(own.map(({ id }) => id));
    expect(joining.reads).toEqual([]);
  }
  // No more than there are chunks: 600 images of either split in runs of 256.
  expect(sharesIn((await prepare('extract: {shards: 100}')).plan)).toHaveLength(2 * 6);
  expect(sharesIn((await prepare('extract: {shards: 1}')).plan)).toEqual([]);
});

test('are counted, cost their part of the pass, and are units for every engine', async () => {
  const [whole, parts] = await Promise.all([prepare(), prepare('extract: {shards: 3}')]);
  const [before, after] = [describePlan(whole), describePlan(parts)];
  expect(after.units).toBe(before.units + 6);
  expect(after.storeBytes).toBe(before.storeBytes);
  const secondsOf = (plan: typeof after, kind: string) => plan.kinds.find((k) => k.kind === kind)?.seconds;
  expect(secondsOf(after, 'extract-share')).toBeCloseTo(secondsOf(before, 'extract') as number, 6);
  expect(secondsOf(after, 'extract')).toBeLessThan(secondsOf(before, 'extract') as number);
  const options = { folder: '/run', threads: 2, unitCommand: ['toehold', 'unit'], assembleCommand: ['toehold'] };
  const file = planFile(parts.plan, options);
  for (const { needs } of file.units.filter(({ kind }) => kind === 'extract')) expect(needs).toHaveLength(3);
  expect(file.units.filter(({ kind }) => kind === 'extract-share').map(({ threads }) => threads)).toEqual(
    Array.from({ length: 6 }, () => 2),
  );
  expect(snakefile(file)).toMatch(/\nrule extract_share:\n[\s\S]*unit=r"extract-share-\[0-9a-f\]\{16\}"/);
});

/** The plan as it would be of a thousand times as many images. */
const large = ({ units }: Plan): Plan => ({
  units: units.map((unit): Unit => ({ ...unit, seconds: 1000 * unit.seconds })),
});

test('of a long extraction are jobs side by side, and ask for what extractions ask for', async () => {
  const { plan } = await prepare('extract: {shards: 3}');
  const settings = { kinds: { extract: { gres: 'gpu:1' } } };
  const jobs = jobsOf(large(plan), { parallel: 64, classOf: (unit) => unit.kind.name });
  const jobOf = (id: string) => jobs.findIndex((job) => job.units.some((unit) => unit.id === id));
  for (const joining of extractionsIn(plan)) {
    expect(new Set(joining.needs.map(jobOf)).size).toBe(3);
    for (const id of joining.needs) expect(jobOf(id)).toBeLessThan(jobOf(joining.id));
  }
  const arrays = arraysOf(jobs, settings, 1000, { waits: () => [], megabytes: () => 0 });
  const kindOf = (array: (typeof arrays)[number]) => jobs[array.jobs[0] as number]?.units[0]?.kind.name;
  for (const array of arrays) {
    expect(array.request.gres).toBe(kindOf(array)?.startsWith('extract') ? 'gpu:1' : undefined);
  }
  const shares = arrays.filter((array) => kindOf(array) === 'extract-share');
  expect(shares.flatMap((array) => array.jobs)).toHaveLength(6);
});

/** What a unit left, without times. */
async function resultsIn(run: string, { units }: Plan) {
  const records = await Promise.all(units.map(({ id }) => new RunFolder(run).record(id)));
  return records.map((record) =>
    JSON.stringify([record?.id, record?.needs, record?.result], (key, value) => (key === 'seconds' ? 0 : value)),
  );
}

test('make the same stores and results as one unit', { timeout: 300_000 }, async () => {
  const [whole, parts] = await Promise.all([prepare(), prepare('extract: {shards: 3}')]);
  const first = await runStudy(whole, { folder: at('whole'), command: 'a test' });
  const second = await runStudy(parts, { folder: at('parts'), command: 'a test' });
  expect([first.outcome.units.failed, second.outcome.units.failed]).toEqual([0, 0]);
  const images = sharesIn(parts.plan).map(
    (unit) => resultOf(extractionShare, second.outcome.records.get(unit.id) as never).images,
  );
  expect(images.slice(0, 3).reduce((a, b) => a + b)).toBe(1200);
  expect(Math.min(...images)).toBeGreaterThan(0);
  expect(await resultsIn(at('parts'), whole.plan)).toEqual(await resultsIn(at('whole'), whole.plan));
  for (const { id } of extractionsIn(whole.plan)) {
    const bytes = await storeBytes(at('whole', 'features', id));
    expect(Object.keys(bytes)).toContain('meta.json');
    expect(await storeBytes(at('parts', 'features', id))).toEqual(bytes);
  }
  expect(second.record.tasks.map(({ cells }) => cells.map((c) => ({ ...c, seconds: 0 })))).toEqual(
    first.record.tasks.map(({ cells }) => cells.map((c) => ({ ...c, seconds: 0 }))),
  );

  // Where the stores are there, shares have nothing to do.
  const again = await runStudy(parts, { folder: at('whole'), command: 'a test' });
  expect(again.outcome.units).toMatchObject({ done: parts.plan.units.length, cached: whole.plan.units.length });
  for (const { id } of sharesIn(parts.plan)) {
    expect(resultOf(extractionShare, again.outcome.records.get(id) as never).images).toBe(0);
  }
});

test('that are killed go on after their last whole chunk', { timeout: 300_000 }, async () => {
  await writeFile(at('study.yaml'), text('extract: {shards: 2}'));
  const prepared = await prepare('extract: {shards: 2}');
  const [share, other] = sharesIn(prepared.plan) as [Unit, Unit];
  const [{ id }] = extractionsIn(prepared.plan) as [Unit];
  const chunks = async () => {
    const files = await readdir(at('killed', 'features', id), { recursive: true }).catch(() => []);
    return files.filter((file) => file.endsWith('.chunk')).length;
  };
  // A machine that is too fast for us is given other chances.
  let left = 3;
  for (let attempt = 0; left === 3 && attempt < 10; attempt++) {
    await rm(at('killed'), { recursive: true, force: true });
    const args = [
      ...commandLine,
      ...['unit', at('study.yaml'), '-o', at('killed'), share.id, '--quiet', '--threads', '1'],
    ];
    const child = spawn(process.execPath, args, { stdio: 'ignore' });
    const ended = new Promise((resolve) => child.on('exit', resolve));
    while (child.exitCode === null && (await chunks()) === 0) await sleep(1);
    child.kill('SIGKILL');
    await ended;
    left = await chunks();
  }
  expect([1, 2]).toContain(left);
  expect(new RunFolder(at('killed')).has(share.id)).toBe(false);
  // Whoever joins waits for them.
  await expect(doUnits(prepared, { folder: at('killed'), ids: [id], patienceSeconds: 0 })).rejects.toThrow(
    `'colours: features of tiny, share 1 of 2' is needed and not done`,
  );
  await doUnits(prepared, { folder: at('killed'), ids: [share.id, other.id, id] });
  await doUnits(await prepare(), { folder: at('whole'), ids: [id] });
  expect(await storeBytes(at('killed', 'features', id))).toEqual(await storeBytes(at('whole', 'features', id)));
});
