/** The page of a benchmark: 20 tasks, 10 methods, 1000 test examples each. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parseRecord } from '../../src/record/index.js';
import { writeReportOf } from '../../src/report/index.js';
import { temporaryFolder } from '../support/tiny.js';
import { large } from './large.js';

test('stays under 3 MB, with every figure in a file and none broken', async () => {
  const record = large();
  expect(parseRecord(JSON.parse(JSON.stringify(record)), 'record.json').tasks).toHaveLength(20);
  expect(record.tasks.flatMap(({ cells }) => cells).length).toBeGreaterThanOrEqual(200);
  const folder = temporaryFolder();
  const { report, bytes, figures, failed } = await writeReportOf(record, folder);
  expect(failed).toEqual([]);
  expect(bytes).toBeLessThan(3e6);
  const page = await readFile(report, 'utf8');
  const files = await readdir(join(folder, 'figures'));
  expect(files).toHaveLength(2 * figures);
  // What does not fit is named, and is there.
  const leftOut = [...page.matchAll(/Left out to keep the page small: see figures\/([^<]+\.svg)\./g)].map((m) => m[1]);
  expect(leftOut.length).toBeGreaterThan(0);
  expect(leftOut.length).toBeLessThan(figures / 4);
  for (const file of leftOut) expect(files).toContain(file);
  for (const { task } of record.tasks) expect(page).toContain(`data-task="${task}"`);
}, 240_000);
