import { describe, expect, test } from 'vitest';
import { type Table, tablesOf, toCsv, toLatex, toMarkdown } from '../../src/report/index.js';
import { compact, toHtml } from '../../src/report/table.js';
import {
  cellsTable,
  comparisonsTable,
  notesTable,
  recommendationsTable,
  resultsTable,
  tasksTable,
} from '../../src/report/tables.js';
import { cells, done, record, sample, task, withCell } from './sample.js';

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
    expect(toMarkdown(table)).toBe(
      '| task | share |\n| --- | ---: |\n| a\\|b, "c" | 50 % |\n| d_e &amp; &lt;f&gt; | – |\n',
    );
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
  test('a column that no row fills is left out', () => {
    const { columns, rows } = compact({
      ...table,
      rows: [
        ['a', undefined],
        ['b', undefined],
      ],
    });
    expect(columns.map((c) => c.title)).toEqual(['task']);
    expect(rows).toEqual([['a'], ['b']]);
  });
});

describe('the record’s tables', () => {
  test('methods by tasks; every cell says what it is', () => {
    const a = task('a', {
      linear: 100,
      control: 110,
      oracle: 120,
      'all-l2': 130,
      'all-l21': 120,
      head2toe: 20,
      finetune: undefined,
      scratch: 20,
    });
    const marked = withCell(
      withCell(withCell(a, 'all-l21', { converged: false }), 'scratch', { failedToTrain: true }),
      'head2toe',
      { suspect: 'it is below chance' },
    );
    expect(resultsTable(record(marked)).rows).toEqual([
      ['Linear', '50.0 [45.0, 55.0]'],
      ['Control (baseline)', '55.0 [50.0, 60.0]'],
      ['Oracle (bound)', '60.0 [55.0, 65.0]'],
      ['All-ℓ2', '65.0 [60.0, 70.0]'],
      ['All-ℓ2,1', '60.0 [55.0, 65.0] not converged'],
      ['Head2Toe', '10.0 [5.0, 15.0] suspect'],
      ['Fine-tune', 'failed'],
      ['Scratch', '10.0 [5.0, 15.0] failed to train'],
    ]);
  });
  test('without test labels the validation score, named as one', () => {
    const t = { ...task('a', {}), cells: [{ status: 'done' as const, method: 'linear', validation: 0.8, seconds: 1 }] };
    expect(resultsTable(record(t)).rows).toEqual([['Linear', 'no test score, validation 80.0']]);
    expect(cellsTable(record(t)).rows[0]).toContain('done, no test score');
  });
  test('advice and comparisons are the answer’s own, points of curves included', () => {
    const { answer, ...rest } = sample();
    const told = recommendationsTable({ answer, ...rest });
    expect(told.rows.map((r) => r.at(-1))).toEqual(answer.tasks.map((t) => t.sentence));
    expect(told.rows.filter((r) => r[0] === 'signs').map((r) => r[1])).toEqual([1, 2, 5, 10, 20, 50]);
    const { columns, rows } = comparisonsTable({ answer, ...rest });
    const at = (title: string) => columns.findIndex((c) => c.title === title);
    expect(rows.map((r) => [r[at('difference')], r[at('p, corrected')], r[at('verdict')]])).toEqual(
      answer.comparisons.map((c) => [c.difference, c.pCorrected, c.verdict]),
    );
    expect(rows.some((r) => r[at('method')] === 'Oracle (bound)' && r[at('p')] === undefined)).toBe(true);
  });
  test('every note of a cell, and why a score cannot be right', () => {
    const curve = [{ perClass: 5, ...cells({}), cells: [done('linear', 9, { notes: ['It stopped.'] })] }];
    const t = withCell(task('a', { linear: 100 }), 'linear', {
      suspect: 'it is below chance',
      notes: ['One.', 'Two.'],
    });
    expect(notesTable(record({ ...t, perClass: 50, curve })).rows).toEqual([
      ['a', 5, 'Linear', 'It stopped.'],
      ['a', 50, 'Linear', 'suspect: it is below chance'],
      ['a', 50, 'Linear', 'One.'],
      ['a', 50, 'Linear', 'Two.'],
    ]);
  });
  test('the reason of a failure stands in the cell’s row', () => {
    expect(cellsTable(record(task('a', { linear: undefined }))).rows).toEqual([
      ['a', 'Linear', 'failed: out of memory'],
    ]);
  });
  test('how the data of each task were split', () => {
    const { columns, rows } = tasksTable(sample());
    expect(columns.map((c) => c.title)).toContain('groups');
    expect(rows[2]).toContain('train 1,000 (200 of them for tuning), test 300, as the folders have it.');
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
    expect(csv).not.toMatch(/,NaN/);
  });
});
