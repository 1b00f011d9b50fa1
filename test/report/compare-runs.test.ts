import { describe, expect, test } from 'vitest';
import { comparisonOf } from '../../src/report/index.js';
import { record, task } from './sample.js';

const run = (name: string, right: Record<string, number>, of = 'a') => ({ name, record: record(task(of, right)) });

describe('runs side by side', () => {
  test('on each task that they share: the last layer and the highest candidate of every run', async () => {
    const { table, tasks } = await comparisonOf([
      run('small', { linear: 100, head2toe: 120 }),
      run('large', { linear: 150, head2toe: 140 }),
    ]);
    expect(tasks).toBe(1);
    expect(table.rows.map((row) => row.slice(0, 6))).toEqual([
      ['a', 'small', 'net', 'last layer', 'Linear', 0.5],
      ['a', 'small', 'net', 'highest', 'Head2Toe', 0.6],
      ['a', 'large', 'net', 'last layer', 'Linear', 0.75],
      ['a', 'large', 'net', 'highest', 'Linear', 0.75],
    ]);
  });
  test('one is ahead where its interval lies above all others, and else intervals overlap', async () => {
    const small = run('small', { linear: 100, head2toe: 120 });
    const ahead = await comparisonOf([small, run('large', { linear: 150, head2toe: 140 })]);
    expect(ahead.page).toContain('<h1 id="answer">Large is ahead on a.</h1>');
    const level = await comparisonOf([small, run('other', { linear: 101, head2toe: 121 })]);
    expect(level.page).toContain('<h1 id="answer">On a intervals overlap.</h1>');
  });
  test('the page fetches nothing and shows names as text', async () => {
    const { page } = await comparisonOf([
      run('<b>', { linear: 100, head2toe: 120 }),
      run('x', { linear: 1, head2toe: 2 }),
    ]);
    expect(page.match(/(?:src|href)="(?!#|data:)[^"]*"/g)).toBeNull();
    expect(page).not.toContain('<b>');
  });
  test('runs without a task in common are refused', async () => {
    await expect(comparisonOf([run('x', { linear: 1 }), run('y', { linear: 1 }, 'b')])).rejects.toThrow(
      'x and y share no task with scores',
    );
  });
});
