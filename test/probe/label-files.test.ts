/** Labels of arrays in a text file mean what the same words mean in a manifest. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { encodeNpy } from '../../src/features/index.js';
import { sourceDefaults, taskFromArrays } from '../../src/probe/index.js';
import { temporaryFolder } from '../support/tiny.js';

const folder = temporaryFolder();
const features = join(folder, 'X.npy');
const labels = join(folder, 'y.txt');
const rows = 40;
await writeFile(
  features,
  encodeNpy(
    '<f4',
    [rows, 2],
    Float32Array.from({ length: 2 * rows }, (_, i) => Math.sin(i)),
  ),
);

/** Names of the classes, where the lines are these by turns. */
async function classesOf(lines: readonly string[], encode = (text: string): Buffer => Buffer.from(text), more = {}) {
  const text = Array.from({ length: rows }, (_, i) => lines[i % lines.length]).join('\n');
  await writeFile(labels, encode(`${text}\n`));
  const { task } = await taskFromArrays({ features, labels }, { ...sourceDefaults, holdout: 0, ...more });
  return task.classes;
}

test('quotes, spaces at the end and line ends are no part of a label; commas are', async () => {
  expect(await classesOf(['cat', '"cat"', 'cat  ', 'cat\r', 'big, brown'])).toEqual(['big, brown', 'cat']);
});

test('a letter with its accent apart is the same letter', async () => {
  expect(await classesOf(['Zu\u0308rich', 'Z\u00fcrich', 'Bern'])).toEqual(['Bern', 'Z\u00fcrich']);
});

test('a mark, UTF-16 with a mark, and a named encoding are read; another is an error with line and byte', async () => {
  const words = ['Bern', 'Zürich'];
  expect(await classesOf(words, (text) => Buffer.from(`\ufeff${text}`))).toEqual(words);
  expect(await classesOf(words, (text) => Buffer.from(`\ufeff${text}`, 'utf16le'))).toEqual(words);
  const latin = (text: string) => Buffer.from(text, 'latin1');
  expect(await classesOf(words, latin, { encoding: 'windows-1252' })).toEqual(words);
  await expect(classesOf(words, latin)).rejects.toThrow(/y\.txt line 2: byte 7 \(0xfc\) is not UTF-8: .*encoding/);
});

test.each<[string, string[], RegExp]>([
  ['a missing value', ['1', 'nan'], /'nan' stands for a missing value/],
  ['one number in two ways', ['1', '1.0', '2'], /'1' and '1\.0' are one number/],
  ['an empty line', ['cat', '', 'dog'], /line 2 is empty: every row has a label/],
])('%s is refused', async (_, lines, message) => {
  await expect(classesOf(lines)).rejects.toThrow(message);
});
