/** A lock is its holder's as long as the holder counts on, whatever the clocks say. */
import { mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { tryLock } from '../../src/base/index.js';

let folder = '';
let path = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'toehold-lock-'));
  path = join(folder, 'lock');
});
afterEach(() => rm(folder, { recursive: true }));
const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));
const quick = { staleSeconds: 0.2 };

test('is held by one, and free when released', async () => {
  const lock = await tryLock(path);
  expect(await tryLock(path)).toBeUndefined();
  await lock?.release();
  expect(await readdir(folder)).toEqual([]);
  await (await tryLock(path))?.release();
});

test('of a process of this machine that is gone is taken at once', async () => {
  const own = await tryLock(path);
  const [place] = (await readFile(path, 'utf8')).split(' ');
  await own?.release();
  await writeFile(path, `${place} 4194300 abc 000000000007`);
  const lock = await tryLock(path);
  expect(lock).toBeDefined();
  await lock?.release();
});

test('of another machine or container is kept while it counts, however old its file looks', async () => {
  for (let count = 0; count < 4; count++) {
    await writeFile(path, `elsewhere/pid:[7] 1 abc ${String(count).padStart(12, '0')}`);
    await utimes(path, new Date(0), new Date(0));
    expect(await tryLock(path, quick)).toBeUndefined();
    await pause(150);
  }
});

test('is taken over when the count stood still, however new its file looks', async () => {
  await writeFile(path, 'elsewhere/pid:[7] 1 abc 000000000007');
  await utimes(path, new Date(4e12), new Date(4e12));
  expect(await tryLock(path, quick)).toBeUndefined();
  await pause(300);
  const lock = await tryLock(path, quick);
  expect(lock).toBeDefined();
  await lock?.release();
  expect(await readdir(folder)).toEqual([]);
});

test('a holder counts on', async () => {
  const lock = await tryLock(path);
  const before = await readFile(path, 'utf8');
  await pause(5000);
  const after = await readFile(path, 'utf8');
  expect(after).not.toBe(before);
  expect(after).toHaveLength(before.length);
  await lock?.release();
});
