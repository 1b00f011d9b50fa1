/** Shares of an extraction, which several processes or machines do, and the store that they make together. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { readDataset } from '../../src/data/index.js';
import { createOnnxRuntime, machineTopology } from '../../src/engine/index.js';
import { extract, extractShare, loadBackbone, requestOf } from '../../src/features/index.js';
import { commandLine } from '../support/cli.js';
import { temporaryFolder, writeImages, writeTinyModel } from '../support/tiny.js';
import { storeBytes } from './support/store-bytes.js';

const engine = await createOnnxRuntime();
const folder = temporaryFolder('toehold shares ');
const run = promisify(execFile);
const model = await writeTinyModel(folder);
const images = await writeImages(join(folder, 'dealt out'), ['a', 'b', 'c'], 100);

const bytesOf = (output: string) => storeBytes(join(folder, output));
const work = async (output: string) =>
  [
    await loadBackbone(model, engine, { overrides: { size: 16 } }),
    requestOf(await readDataset(images)),
    engine,
    { output: join(folder, output), batch: 4, quiet: true },
  ] as const;
async function extractTo(output: string, onImages?: (done: number) => void) {
  const [backbone, request, , options] = await work(output);
  return extract(backbone, request, engine, { ...options, ...(onImages ? { onImages } : {}) });
}
const shareOf = async (output: string, index: number, count: number) =>
  extractShare(...(await work(output)), { index, count });

test('side by side make the store that one call makes, byte for byte, and no image is run twice', {
  timeout: 300_000,
}, async () => {
  await extractTo('whole');
  const shares = await Promise.all([0, 1, 2].map((i) => shareOf('parts', i, 3)));
  expect(shares.map((share) => share.of)).toEqual([600, 600, 600]);
  expect(shares.reduce((sum, share) => sum + share.images, 0)).toBe(600);
  for (const share of shares) expect(share.images).toBeGreaterThan(0);
  expect(existsSync(join(folder, 'parts', 'meta.json'))).toBe(false);
  const calls: number[] = [];
  await extractTo('parts', (done) => calls.push(done));
  expect(calls).toEqual([]);
  expect(await bytesOf('parts')).toEqual(await bytesOf('whole'));
  // What is there is a share of nothing.
  expect(await shareOf('parts', 0, 2)).toMatchObject({ images: 0, of: 600 });
});

test('that are missing are done by the call that makes the store', { timeout: 300_000 }, async () => {
  await shareOf('half', 1, 2);
  const calls: number[] = [];
  await extractTo('half', (done) => calls.push(done));
  // Those of the share that was there are counted, and not run again.
  expect(Math.min(...calls)).toBeGreaterThan(4);
  expect(await bytesOf('half')).toEqual(await bytesOf('whole'));
});

test('are named as i/n', { timeout: 120_000 }, async () => {
  const [program = '', ...words] = [
    ...commandLine,
    'extract',
    model,
    images,
    '-o',
    join(folder, 'none'),
    '--shard',
    '2/2',
  ];
  const failed = await run(process.execPath, [program, ...words]).catch((error) => error);
  expect(failed.code).toBe(2);
  expect(failed.stderr).toContain('--shard 2/2 is not i/n');
  expect(existsSync(join(folder, 'none'))).toBe(false);
});

test('how many streams there are changes no byte', async () => {
  const [backbone, request, , options] = await work('streams');
  const few = await extract(backbone, request, engine, { ...options, memory: 1 });
  const wide = await createOnnxRuntime({ threads: 3 });
  const many = await extract(backbone, request, wide, { ...options, output: join(folder, 'more streams') });
  expect(few.streams).toEqual({ count: 1, threads: 1 });
  expect(many.streams?.count).toBe(Math.min(3, machineTopology().cores));
  expect(await bytesOf('streams')).toEqual(await bytesOf('more streams'));
});
