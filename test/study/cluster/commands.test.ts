/** The commands of docs/clusters.md, from top to bottom, as a user types them; those for a queue on a Slurm of one node. */
import { execFile, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, copyFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { commandLine } from '../../support/cli.js';
import { writeImages, writeTinyModel } from '../../support/tiny.js';

const isHere = (program: string) => spawnSync('sh', ['-c', `PATH=$PATH:/usr/sbin; command -v ${program}`]).status === 0;
const hasSlurm = ['slurmctld', 'slurmd', 'munged', 'sbatch'].every(isHere);
const hasSnakemake = isHere('snakemake');

const page = await readFile('docs/clusters.md', 'utf8');
const blocks = [...page.matchAll(/```(\w*)\n([\s\S]*?)```/g)].flatMap(([, kind, text]) =>
  kind === '' ? [(text ?? '').trim().split('\n')] : [],
);
const commands = /^(toehold|snakemake|export SLURM_CONF=\$\(scripts\/slurm-here|scripts\/slurm-here)/;
const needsSlurm = (block: readonly string[]) =>
  block.some((line) => line.includes('--scheduler') || line.includes('slurm-here') || /^toehold cancel/.test(line));

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'toehold-clusters-'));
  // munged wants to be reached by all.
  await chmod(folder, 0o755);
  const model = await writeTinyModel(folder);
  await copyFile(model, join(folder, 'model.onnx'));
  await writeImages(join(folder, 'moved'), ['a', 'b'], 12);
  await writeImages(join(folder, 'photos'), ['a', 'b'], 12);
  const study = `protocol: head2toe\nlite: true\nbackbones: {tiny: {model: ${model}, size: 16, taps: [features]}}
tasks: {colours: {data: /scratch/photos}}\nmethods: [linear]\nprobe: {folds: 2}\nextract: {shards: 2}\n`;
  // Where the page says that data were moved, they were; elsewhere the config knows where they are.
  await writeFile(join(folder, 'moved.yaml'), study);
  await writeFile(join(folder, 'study.yaml'), study.replace('/scratch/photos', 'moved'));
  await mkdir(join(folder, 'bin'));
  const words = [process.execPath, ...commandLine.map((word) => resolve(word))].map((word) => `'${word}'`).join(' ');
  await writeFile(join(folder, 'bin', 'toehold'), `#!/bin/sh\nexec ${words} "$@"\n`);
  await chmod(join(folder, 'bin', 'toehold'), 0o755);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

test('the page has commands, and nothing else between their marks', () => {
  expect(blocks.flat().filter((line) => !commands.test(line))).toEqual([]);
  expect(plain.length).toBeGreaterThanOrEqual(5);
});

/** Runs a line of the page in a shell, in the folder with the study. */
function typed(line: string, env: NodeJS.ProcessEnv): Promise<{ code: number; said: string }> {
  if (!commands.test(line) && !line.startsWith('scripts/')) throw new Error(`this is no command: ${line}`);
  const full = {
    ...process.env,
    PATH: `${join(folder, 'bin')}${delimiter}${process.env.PATH}${delimiter}/usr/sbin`,
    ...env,
  };
  const here = line.replaceAll('scripts/', `'${resolve('scripts')}'/`);
  return new Promise((done) =>
    execFile('sh', ['-c', here], { cwd: folder, env: full }, (error, stdout, stderr) =>
      done({ code: error ? Number(error.code ?? 1) : 0, said: `${stdout}${stderr}` }),
    ),
  );
}

const plain = blocks.filter((block) => !needsSlurm(block) && !block.some((line) => line.startsWith('toehold status')));

test.each(plain.map((block) => [block.join('; '), block] as const))('%s', { timeout: 600_000 }, async (_, block) => {
  await rm(join(folder, 'run'), { recursive: true, force: true });
  for (const line of block) {
    if (line.startsWith('snakemake') && !hasSnakemake) continue;
    const isMoved = line.includes('--data');
    const said = isMoved
      ? line.replace('/data/photos', join(folder, 'moved')).replace('study.yaml', 'moved.yaml')
      : line;
    const outcome = await typed(said, {});
    expect(outcome, outcome.said).toMatchObject({ code: 0 });
  }
  const left = block[0]?.includes(' extract ')
    ? 'features/meta.json'
    : block.every((line) => line.includes(' plan '))
      ? 'run/plan.json'
      : 'run/run.json';
  expect(existsSync(join(folder, left))).toBe(true);
  const ran = block.some((line) => line.startsWith('toehold run') || (line.startsWith('snakemake') && hasSnakemake));
  expect(await sharesDone()).toBe(ran ? 2 : 0);
});

/** Shares of the study's extraction that the run folder has. */
async function sharesDone(): Promise<number> {
  const units = await readdir(join(folder, 'run', 'units')).catch(() => []);
  return units.filter(
    (id) => id.startsWith('extract-share-') && existsSync(join(folder, 'run', 'units', id, 'record.json')),
  ).length;
}

test.skipIf(!hasSlurm)('what the page says of Slurm', { timeout: 900_000 }, async () => {
  await rm(join(folder, 'run'), { recursive: true, force: true });
  const [start = '', stop = ''] = blocks.find((block) => block[0]?.includes('slurm-here')) ?? [];
  const script = /\$\((.*)\)/.exec(start)?.[1] as string;
  const { said } = await typed(script, {});
  const env = { SLURM_CONF: said.trim() };
  try {
    const [submit = ''] = blocks.find((block) => block[0]?.includes('--scheduler')) ?? [];
    const [status = '', cancel = ''] = blocks.find((block) => block[0]?.startsWith('toehold status')) ?? [];
    expect(await typed(`${submit} --wait`, env)).toMatchObject({ code: 0 });
    expect((await typed(status, env)).said).toMatch(/done/);
    expect(await sharesDone()).toBe(2);
    expect(existsSync(join(folder, 'run', 'report.html'))).toBe(true);
    expect(await typed(cancel, env)).toMatchObject({ code: 0 });
  } finally {
    await typed(stop, env);
  }
});
