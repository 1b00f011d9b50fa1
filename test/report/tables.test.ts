import { describe, expect, test } from 'vitest';
import { type Table, tablesOf, toCsv, toLatex, toMarkdown } from '../../src/report/index.js';
import { toHtml } from '../../src/report/table.js';
import { resultsTable } from '../../src/report/tables.js';
import { sample, study, task } from './sample.js';

const table: Table = {
  id: 't',
  caption: 'A <caption>',
  columns: [{ title: 'task' }, { title: 'share', format: (v) => `${100 * v} %` }],
  rows: [
    ['a|b, "c"', 0.5],
    ['d_e & <f>', undefined],
  ],
};

describe('one table, four forms', () => {
  test('CSV keeps numbers and quotes text; an absent cell is empty', async () => {
    expect(await toCsv(table)).toBe('task,share\n"a|b, ""c""",0.5\nd_e & <f>,\n');
  });
  test('Markdown escapes the bar and aligns numbers', () => {
    expect(toMarkdown(table)).toBe('| task | share |\n| --- | ---: |\n| a\\|b, "c" | 50 % |\n| d_e & <f> | – |\n');
  });
  test('LaTeX escapes what it must', () => {
    expect(toLatex(table)).toContain('  d\\_e \\& $<$f$>$ & -- \\\\');
    expect(toLatex(table)).toContain('50 \\%');
  });
  test('HTML names rows and columns for screen readers and escapes text', () => {
    expect(toHtml(table)).toContain('<th scope="row">d_e &#38; &#60;f&#62;</th><td class="n">–</td>');
    expect(toHtml(table)).toContain('<caption>A &#60;caption&#62;</caption>');
  });
  test('a long table is cut in the page and says where the rest is', () => {
    const long = toHtml({ ...table, rows: Array.from({ length: 500 }, (_, i) => [`row ${i}`, i]) });
    expect(long.match(/<tr/g)).toHaveLength(401);
    expect(long).toContain('the first 400 of 500 rows; all in tables/t.csv');
  });
});

describe('the study’s tables', () => {
  test('methods by tasks; a failed cell says so', () => {
    const rows = resultsTable(study(task('a', { linear: 100, finetune: undefined }))).rows;
    expect(rows).toEqual([
      ['Linear', '50.0 [45.0, 55.0]'],
      ['Fine-tune', 'failed'],
    ]);
  });
  test('every figure brings its numbers, and names are unique', () => {
    const tables = tablesOf(sample());
    expect(new Set(tables.map((t) => t.id)).size).toBe(tables.length);
    for (const t of tables) expect(t.rows.length, t.id).toBeGreaterThan(0);
  });
  test('no absent figure is written as 0 or NaN', async () => {
    const results = tablesOf(sample()).find((t) => t.id === 'accuracy') as Table;
    const csv = await toCsv(results);
    expect(csv).toContain('counting,Fine-tune,,,,failed');
    expect(csv).not.toContain('NaN');
  });
});
