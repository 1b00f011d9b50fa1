import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import { planFile, snakefile } from '../../../src/study/cluster/index.js';
import { RunFolder, runPlan } from '../../../src/study/index.js';
import { clusterExecutors, clusterPlan } from '../support/cluster-study.js';

const temporary: string[] = [];
async function newFolder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'it\'s a "plan" {x} é-'));
  temporary.push(path);
  return path;
}
afterAll(async () => {
  for (const path of temporary) await rm(path, { recursive: true, force: true });
});

const plan = clusterPlan();
const tsx = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href;
const study = (what: string, folder: string) => [
  process.execPath,
  '--import',
  tsx,
  `${process.cwd()}/test/study/support/cluster-study.ts`,
  what,
  folder,
];
const fileOf = (folder: string) =>
  planFile(plan, {
    folder,
    threads: 4,
    unitCommand: study('unit', folder),
    assembleCommand: study('assemble', folder),
  });

describe('a plan for other engines', () => {
  test('names of every unit its needs, its files, what it costs and the command that does it', async () => {
    const { units } = fileOf('/a b');
    expect(units.map((u) => u.id)).toEqual(plan.units.map((u) => u.id));
    const score = units.find((u) => u.kind === 'score');
    expect(score).toMatchObject({ threads: 1, seconds: 0.01 });
    expect(score?.outputs).toEqual([`units/${score?.id}/record.json`]);
    for (const { needs } of units) for (const id of needs) expect(units.some((u) => u.id === id)).toBe(true);
    expect(units[0]?.command).toMatch(/ unit '\/a b' extract-[0-9a-f]{16}$/);
  });

  test('has commands that a shell runs as they are', { timeout: 300_000 }, async () => {
    const folder = await newFolder();
    const { units } = fileOf(folder);
    const [first] = units;
    execFileSync('sh', ['-c', first?.command as string], { cwd: tmpdir() });
    expect((await new RunFolder(folder).record(first?.id as string))?.label).toBe(first?.label);
  });
});

const hasSnakemake = spawnSync('snakemake', ['--version']).status === 0;
if (!hasSnakemake) console.warn('no test of workflows: snakemake is not here (pip install snakemake)');

describe('a Snakefile', () => {
  test('has a rule for each kind of unit, and local rules for scores', () => {
    const text = snakefile(fileOf('/run'));
    for (const kind of ['extract', 'train', 'score']) expect(text).toContain(`\nrule ${kind}:\n`);
    expect(text).toContain('localrules: all, assemble, score\n');
    expect(text).toContain('wildcard_constraints: unit=r"train-[0-9a-f]{16}"');
  });

  test.skipIf(!hasSnakemake)('is run by Snakemake with the same results', { timeout: 600_000 }, async () => {
    const [here, there] = [await newFolder(), await newFolder()];
    const file = fileOf(here);
    await writeFile(join(here, 'plan.json'), JSON.stringify(file));
    await writeFile(join(here, 'Snakefile'), snakefile(file));
    execFileSync('snakemake', ['-s', join(here, 'Snakefile'), '--cores', '2', '--quiet'], { cwd: tmpdir() });
    await runPlan(plan, new RunFolder(there), clusterExecutors(there));
    for (const { id } of plan.units) {
      const [own, other] = await Promise.all([here, there].map((path) => new RunFolder(path).record(id)));
      expect(own?.result).toEqual(other?.result);
    }
    expect(await readFile(join(here, 'report.html'), 'utf8')).toBe('done');
  });
});
