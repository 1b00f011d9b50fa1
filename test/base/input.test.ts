/** What comes from outside: files of JSON, options that may be absent. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { given, readJson, UserError, WorkError } from '../../src/base/index.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'toehold base '));
});
afterAll(() => rm(folder, { recursive: true }));

test('readJson gives the value, and undefined where there is no file', async () => {
  const path = join(folder, 'a.json');
  await writeFile(path, '{"a": [1]}');
  expect(await readJson(path)).toEqual({ a: [1] });
  expect(await readJson(join(folder, 'absent.json'))).toBeUndefined();
});

test("broken JSON is the user's mistake in a user's file, and failed work in one of ours", async () => {
  const path = join(folder, 'broken.json');
  await writeFile(path, '{"a": ');
  await expect(readJson(path)).rejects.toThrow(UserError);
  await expect(readJson(path)).rejects.toThrow(`${path} is not JSON: `);
  await expect(readJson(path, 'delete it and run again')).rejects.toThrow(WorkError);
  await expect(readJson(path, 'delete it and run again')).rejects.toThrow(/; delete it and run again$/);
});

test('a folder in place of the file is named', async () => {
  await expect(readJson(folder)).rejects.toThrow(`${folder} is a folder where a file is needed`);
});

test('given keeps what has a value, falsy ones included', () => {
  const options: { a?: number; b?: boolean; c?: null; d?: string } = { a: 0, b: false, c: null, d: undefined };
  expect({ d: 'default', ...given(options) }).toEqual({ a: 0, b: false, c: null, d: 'default' });
  expect(given(undefined)).toEqual({});
});
