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
    expect(level.page).toContain('<h1 id="answer">On a the runs cannot be told apart.</h1>');
  });
  describe('on the same test examples', () => {
    const images = { name: 'a: test images', sha256: '1'.repeat(64) };
    const tested = (name: string, right: Record<string, number>, prints = [images]) => {
      const own = run(name, right);
      return { ...own, record: { ...own.record, run: { ...own.record.run, fingerprints: prints } } };
    };
    const small = tested('small', { linear: 100, head2toe: 120 });
    // Of 200 examples 20 more are right: intervals by themselves overlap, but no example speaks for the other run.
    const large = tested('large', { linear: 101, head2toe: 140 });

    test('runs are compared example by example, as methods of one run are', async () => {
      const { page, more, pairs } = await comparisonOf([small, large]);
      expect(page).toContain('<h1 id="answer">Large is ahead on a.</h1>');
      expect(pairs.map(({ what, first, second, methods }) => [what, first, second, ...methods])).toEqual([
        ['last layer', 'large', 'small', 'Linear', 'Linear'],
        ['highest', 'large', 'small', 'Head2Toe', 'Head2Toe'],
      ]);
      const [last, highest] = pairs.map(({ comparison }) => comparison);
      expect(highest).toMatchObject({ difference: 0.1, basis: 'paired', verdict: 'better' });
      expect(last).toMatchObject({ difference: 0.005, verdict: 'undecided' });
      // The same statistic as of two methods of one run; corrected for two differences.
      const [alone] = record(task('a', { linear: 120, head2toe: 140 })).answer.comparisons;
      expect(highest?.interval).toEqual(alone?.interval);
      expect(highest?.corrected?.[0]).toBeLessThan(alone?.interval[0] as number);
      expect(more.map(({ id }) => id)).toEqual(['differences']);
      expect(page).toContain('corrected intervals hold together over all rows');
    });
    test('other images, labels or groups are other examples', async () => {
      const other = { ...images, sha256: '2'.repeat(64) };
      expect((await comparisonOf([small, tested('x', { linear: 1 }, [other])])).pairs).toEqual([]);
      expect((await comparisonOf([small, tested('x', { linear: 1 }, [])])).pairs).toEqual([]);
      const [first, ...rest] = large.record.tasks;
      const grouped = { ...first, testGroups: Array.from({ length: 200 }, (_, i) => i >> 1) } as typeof first;
      const groups = { ...large, record: { ...large.record, tasks: [grouped, ...rest] } } as typeof large;
      expect((await comparisonOf([small, groups])).pairs).toEqual([]);
    });
    test('scores of a backbone stand beside what its last layer reached', async () => {
      const model = { name: 'net', sha256: '3'.repeat(64) };
      const scored = [{ model: model.sha256, data: 'a', scores: [{ label: 'LogME', value: 1.25 }] }];
      const { more } = await comparisonOf([tested('x', { linear: 100 }, [images, model]), large], scored);
      expect(more.find(({ id }) => id === 'scores')).toMatchObject({
        rows: [['a', 'x', 'net', 0.5, 1.25]],
        columns: expect.arrayContaining([expect.objectContaining({ title: 'LogME' })]),
      });
    });
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
