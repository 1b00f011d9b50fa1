/** A study handed to Slurm by commands that answer as Slurm's do. */
import { existsSync } from 'node:fs';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { Ledger } from '../../src/study/cluster/ledger.js';
import { RunFolder } from '../../src/study/index.js';
import { toeholdProcess } from '../support/cli.js';
import { writeFakeSlurm } from '../support/fake-slurm.js';
import { temporaryFolder, writeImages, writeTinyModel } from '../support/tiny.js';

const folder = temporaryFolder('toehold slurm ');
const bin = join(folder, 'bin');
const config = join(folder, 'study.yaml');

beforeAll(async () => {
  await writeFakeSlurm(bin);
  const model = await writeTinyModel(folder);
  await writeImages(join(folder, 'photos'), ['a', 'b'], 12);
  await writeFile(
    config,
    `protocol: head2toe\nlite: true\nbackbones: {tiny: {model: ${JSON.stringify(model)}, size: 16}}\ntasks: {colours: {data: photos}}\nmethods: [linear, finetune]\n`,
  );
});

const run = (name: string, ...flags: string[]) =>
  toeholdProcess(['run', config, '-o', join(folder, name), '--scheduler', 'slurm', '--threads', '1', ...flags], {
    ...process.env,
    PATH: `${bin}${delimiter}${process.env.PATH}`,
  });
const asked = async () => (await readdir(bin)).filter((file) => file.startsWith('sbatch.asked'));

test('a dry run says what would be submitted, and neither submits nor writes anything', {
  timeout: 120_000,
}, async () => {
  const { code, stdout, stderr } = await run('dry', '--dry-run');
  expect(code, stderr).toBe(0);
  expect(stdout).toMatch(/\d+ units, about .* in one process on 1 thread/);
  expect(stderr).toMatch(/nothing is submitted; as jobs of Slurm: \d+ jobs in \d+ arrays, .* with 512 side by side/);
  expect(await asked()).toEqual([]);
  expect(existsSync(join(folder, 'dry'))).toBe(false);
});

test('without a dry run it is submitted', { timeout: 120_000 }, async () => {
  const { code, stderr } = await run('real', '--no-wait');
  expect(code, stderr).toBe(0);
  expect(stderr).toMatch(/units submitted in \d+ jobs; job \d+ writes the report/);
  expect((await asked()).length).toBeGreaterThan(1);
});

test('who waits writes the report as soon as all units are done, in the place of the job that waits for its turn', {
  timeout: 300_000,
}, async () => {
  const waited = join(folder, 'waited');
  const planned = await toeholdProcess(['plan', config, '-o', waited, '--threads', '1', '--json']);
  expect(planned.code, planned.stderr).toBe(0);
  const { units } = JSON.parse(await readFile(join(waited, 'plan.json'), 'utf8')) as { units: { id: string }[] };
  // A queue with nothing but the last job, which never has its turn.
  const prefix = await new Ledger(new RunFolder(waited)).prefix();
  await writeFile(join(bin, 'squeue.says'), `77|${prefix}last|PENDING|(Dependency)\n`);
  const waiting = run('waited', '--wait', '--quiet');
  const done = await toeholdProcess([
    ...['unit', config, '-o', waited, '--threads', '1', '--quiet'],
    ...units.map(({ id }) => id),
  ]);
  expect(done.code, done.stderr).toBe(0);
  const { code, stdout, stderr } = await waiting;
  expect(code, stderr).toBe(0);
  expect(stdout).toContain('report.html');
  expect(existsSync(join(waited, 'report.html'))).toBe(true);
  // Once by the submission, which makes a job of its own, and once by the one that waited.
  expect((await readFile(join(bin, 'scancel.asked'), 'utf8')).trim().split('\n')).toEqual(['77', '77']);
});
