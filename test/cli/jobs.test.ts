/** `run --jobs`: several processes, one study. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { smallConfig, writeSmallData } from '../study/support/small.js';
import { toehold, toeholdProcess } from '../support/cli.js';
import { temporaryFolder } from '../support/tiny.js';

const folder = temporaryFolder('toehold jobs ');
const config = join(folder, 'study.yaml');
const run = (output: string, jobs: number) =>
  toeholdProcess(['run', config, '-o', join(folder, output), '--jobs', String(jobs), '--threads', '1', '--quiet']);

beforeAll(async () => {
  await writeSmallData(folder);
  await writeFile(
    config,
    smallConfig
      .replace('control: other\n', '')
      .replace(/methods: .*\n/, 'methods: [linear, all-l2, finetune]\n')
      .replace('seeds: [0, 1]', 'seeds: [0]')
      .replace(', rankWindows: true', ''),
  );
});

/** Tables without their columns of seconds. */
const figures = async (output: string) => {
  const record = JSON.parse(await readFile(join(folder, output, 'record.json'), 'utf8'));
  const cells = record.tasks.flatMap((task: { cells: object[] }) => task.cells) as { score: number; method: string }[];
  return cells.map(({ method, score }) => [method, score]);
};

describe('two jobs', () => {
  test('come to the figures of one, each doing a part', async () => {
    const two = await run('two', 2);
    expect(two).toMatchObject({ code: 0 });
    expect(two.stderr).not.toContain('ended early');
    expect(await run('one', 1)).toMatchObject({ code: 0 });
    expect(await figures('two')).toEqual(await figures('one'));
    expect(await readFile(join(folder, 'two', 'predictions.csv'), 'utf8')).toBe(
      await readFile(join(folder, 'one', 'predictions.csv'), 'utf8'),
    );
  }, 120_000);

  test('must be a whole number', async () => {
    const { code, stderr } = await toehold('run', config, '-o', join(folder, 'none'), '--jobs', '0');
    expect([code, stderr]).toEqual([2, expect.stringContaining('--jobs')]);
  });
});
