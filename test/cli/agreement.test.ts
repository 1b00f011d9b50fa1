/** The terminal, the page, the tables, the JSON and the record of one run say the same, word for word. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseString } from 'fast-csv';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type RunRecord, readRecord } from '../../src/record/index.js';
import { resultsTable } from '../../src/report/index.js';
import { textOf } from '../report/page-text.js';
import { smallConfig, writeSmallData } from '../study/support/small.js';
import { type Outcome, toehold } from '../support/cli.js';

const config = smallConfig
  .replace(/methods: .*\n/, 'methods: [linear, control, oracle, head2toe, finetune, scratch]\n')
  .replace('rankWindows: true', 'rankWindows: false');

let folder: string;
let plain: Outcome;
let json: Outcome;
let record: RunRecord;

const read = (file: string) => readFile(join(folder, 'run', file), 'utf8');

function rowsOf(csv: string): Promise<Record<string, string>[]> {
  return new Promise((resolve, reject) => {
    const rows: Record<string, string>[] = [];
    parseString<Record<string, string>, Record<string, string>>(csv, { headers: true })
      .on('data', (row) => rows.push(row))
      .on('error', reject)
      .on('end', () => resolve(rows));
  });
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'agreement-'));
  await writeSmallData(folder);
  await writeFile(join(folder, 'study.yaml'), config);
  const run = ['run', join(folder, 'study.yaml'), '-o', join(folder, 'run'), '--quiet'];
  plain = await toehold(...run);
  json = await toehold(...run, '--json');
  record = await readRecord(join(folder, 'run'));
}, 300_000);
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('a study', () => {
  test('has the same sentences everywhere', async () => {
    const { headline, tasks, missing } = record.answer;
    expect(tasks).toHaveLength(2);
    const sentences = [headline, ...tasks.map((t) => `${t.advice}. ${t.sentence}`), ...missing];
    const page = textOf(await read('report.html'));
    for (const sentence of sentences) expect(plain.stdout).toContain(sentence);
    for (const sentence of [headline, ...tasks.map((t) => t.sentence), ...record.answer.deck, ...missing])
      expect(page).toContain(sentence);
    const advice = await rowsOf(await read('tables/recommendations.csv'));
    expect(advice.map((row) => [row.task, row.advice, row.because])).toEqual(
      tasks.map((t) => [t.task, t.advice, t.sentence]),
    );
    expect(JSON.parse(json.stdout).answer).toEqual(record.answer);
  });

  test('has the same scores and intervals everywhere', async () => {
    const page = textOf(await read('report.html'));
    const csv = await rowsOf(await read('tables/results.csv'));
    const lines = plain.stdout.split('\n');
    const { rows } = resultsTable(record);
    expect(rows).toHaveLength(6);
    for (const [name, ...cells] of rows) {
      expect(csv.find((row) => row.method === name)).toEqual({
        method: name,
        ...Object.fromEntries(record.tasks.map((t, i) => [t.task, cells[i]])),
      });
      const line = lines.find((text) => text.startsWith(`${name}  `));
      for (const cell of cells) {
        expect(line).toContain(cell);
        expect(page).toContain(cell);
      }
    }
    for (const { task, methods } of JSON.parse(json.stdout).tasks) {
      for (const { method, accuracy, interval } of methods) {
        const cell = record.tasks.find((t) => t.task === task)?.cells.find((c) => c.method === method);
        expect(cell).toMatchObject({ score: accuracy, interval });
      }
    }
  });

  test('has one interval and one p for a difference, whoever shows it', async () => {
    const table = await rowsOf(await read('tables/comparisons.csv'));
    expect(table).toHaveLength(record.answer.comparisons.length);
    for (const [
      i,
      { difference, interval, corrected, p, pCorrected, verdict },
    ] of record.answer.comparisons.entries()) {
      const row = table[i] as Record<string, string>;
      const figure = (title: string) => (row[title] ? Number(row[title]) : undefined);
      expect([figure('difference'), figure('low'), figure('high')]).toEqual([difference, ...interval]);
      expect([figure('low, corrected'), figure('high, corrected')]).toEqual(
        corrected ? [...corrected] : [undefined, undefined],
      );
      expect([figure('p'), figure('p, corrected'), row.verdict]).toEqual([p, pCorrected, verdict]);
    }
  });

  test('is drawn to the same bytes from its record alone', async () => {
    const files = ['report.html', 'tables/results.csv', 'tables/recommendations.csv'];
    const before = await Promise.all(files.map(read));
    expect((await toehold('report', join(folder, 'run'))).code).toBe(0);
    expect(await Promise.all(files.map(read))).toEqual(before);
  });

  test('with another margin gets another answer, the same scores', async () => {
    expect((await toehold('report', join(folder, 'run'), '--margin', '50')).code).toBe(0);
    const advice = await rowsOf(await read('tables/recommendations.csv'));
    // Half of all examples do not matter: where there is something to compare the simplest suffices.
    const advised = advice.flatMap((row) => row.method || []);
    expect(new Set(advised)).toEqual(new Set(['Linear']));
    expect(record.answer.tasks.flatMap((t) => t.method ?? [])).toHaveLength(advised.length);
    expect(await readRecord(join(folder, 'run'))).toEqual(record);
  });
});
