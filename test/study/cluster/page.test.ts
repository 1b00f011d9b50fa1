/** docs/clusters.md: its commands exist with their flags, its config is one, its table is what was measured. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { type Scale, scaleTable } from '../../../benchmarks/scale/table.js';
import { parseConfig } from '../../../src/study/index.js';
import { toehold } from '../../support/cli.js';

const page = await readFile('docs/clusters.md', 'utf8');
const blocks = [...page.matchAll(/```(\w*)\n([\s\S]*?)```/g)].map(([, kind, text]) => ({ kind, text: text ?? '' }));
const lines = blocks.filter(({ kind }) => kind === '').flatMap(({ text }) => text.trim().split('\n'));

test('every toehold command of the page is one, with these flags', async () => {
  const commands = lines.filter((line) => line.startsWith('toehold '));
  expect(commands.length).toBeGreaterThanOrEqual(8);
  for (const line of commands) {
    const [, name = '', ...words] = line.split(' ');
    const { code, stdout } = await toehold(name, '--help');
    expect([line, code]).toEqual([line, 0]);
    for (const flag of words.filter((word) => word.startsWith('-'))) expect(stdout, line).toContain(flag);
  }
});

test('every other command of the page is a script of ours or of Snakemake', () => {
  const others = lines.filter((line) => !line.startsWith('toehold '));
  for (const line of others) {
    const script = /scripts\/[a-z-]+\.sh/.exec(line)?.[0];
    expect(script === undefined ? line.startsWith('snakemake -s run/Snakefile') : existsSync(script), line).toBe(true);
  }
});

test('the sections that the page gives make one config', () => {
  const yaml = blocks.flatMap(({ kind, text }) => (kind === 'yaml' ? [text] : [])).join('\n');
  const text = `protocol: yosinski
network: caffenet-32
splits: [{name: s, seed: 0}]
tasks: {t: {data: none, expect: {classes: 4, train: 100, test: 10}}}
${yaml}`;
  expect(parseConfig(text, 'study.yaml', { planning: true }).config).toMatchObject({
    extract: { shards: 16 },
    slurm: { account: 'my-lab', cpus: 8 },
  });
});

test('the table of the page is what was measured', async () => {
  const scale = JSON.parse(await readFile('benchmarks/scale/results.json', 'utf8')) as Scale;
  expect(page, 'npm run bench:scale').toContain(scaleTable(scale));
});
