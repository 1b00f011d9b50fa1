import { describe, expect, test } from 'vitest';
import { comparisonOf } from '../../src/report/index.js';
import { done, record, type Task, task } from './sample.js';

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
      expect(await comparisonOf([small, tested('x', { linear: 1 }, [other])])).toMatchObject({
        pairs: [],
        notes: [expect.stringContaining('On a small and x were not all tested on the same images')],
      });
      const metric = 'mean per-class accuracy' as const;
      const target = { kind: 'class' as const, classes: ['a', 'b'], metric };
      const balanced = {
        ...large,
        record: { ...large.record, tasks: large.record.tasks.map((t) => ({ ...t, target })) },
      };
      expect(await comparisonOf([small, balanced])).toMatchObject({
        pairs: [],
        notes: [expect.stringContaining('On a small and large are scored by different metrics')],
      });
      const without = await comparisonOf([small, tested('x', { linear: 1 }, [])]);
      expect(without.pairs).toEqual([]);
      expect(without.notes).toEqual([
        'On a the record of x does not tell test examples apart; such runs stand side by side by their intervals alone.',
      ]);
      expect(without.page).toContain('On a the record of x does not');
      const [first, ...rest] = large.record.tasks;
      const grouped = { ...first, testGroups: Array.from({ length: 200 }, (_, i) => i >> 1) } as typeof first;
      const groups = { ...large, record: { ...large.record, tasks: [grouped, ...rest] } } as typeof large;
      expect(await comparisonOf([small, groups])).toMatchObject({
        pairs: [],
        notes: [
          expect.stringContaining('small and large were tested on the same images, but with other labels or groups'),
        ],
      });
      expect((await comparisonOf([small, large])).notes).toEqual([]);
    });
    test('networks on one data set are tasks of it, and have its test images', async () => {
      const of = (name: string, right: Record<string, number>) => {
        const own = tested(name, right);
        const tasks = own.record.tasks.map((one) => ({ ...one, task: 'a with net', dataset: 'a' }));
        return { ...own, record: { ...own.record, tasks } };
      };
      const { pairs } = await comparisonOf([of('x', { linear: 100 }), of('y', { linear: 140 })]);
      expect(pairs.map(({ task: name, what }) => [name, what])).toEqual([
        ['a with net', 'last layer'],
        ['a with net', 'highest'],
      ]);
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
  describe('of values and labels, on the same test examples', () => {
    const [images, values] = ['test images', 'test labels'].map((what) => ({
      name: `a: ${what}`,
      sha256: what.padEnd(64, '0'),
    }));
    const prints = [images, values] as { name: string; sha256: string }[];
    /** What 200 examples add to R²: their mean is the score; methods agree on what is hard. */
    const additions = (score: number) =>
      Array.from({ length: 200 }, (_, i) => score + Math.sin(i) + 0.1 * Math.sin(score * i * i));
    const valued = (scores: Record<string, number>, more: Partial<Task> = {}): Task => {
      const of = Object.entries(scores).map(([method, score]) => ({ method, own: additions(score) }));
      const mean = (own: readonly number[]) => own.reduce((sum, v) => sum + v, 0) / own.length;
      return {
        task: 'a',
        target: { kind: 'regression', outputs: ['value'] },
        examples: { train: 100, test: 200 },
        cells: of.map(({ method, own }) =>
          done(method, 0, { score: mean(own), interval: [mean(own) - 0.1, mean(own) + 0.1] }),
        ),
        predictions: of.map(({ method, own }) => ({ method, seed: 0, contributions: own })),
        ...more,
      };
    };
    const of = (name: string, one: Task, fingerprints = prints) => {
      const own = record(one);
      return { name, record: { ...own, run: { ...own.run, fingerprints } } };
    };
    const small = of('small', valued({ linear: 0.5, 'all-ridge': 0.6 }));
    const large = of('large', valued({ linear: 0.51, 'all-ridge': 0.68 }));

    test('runs are compared by what examples add, as methods of one run are', async () => {
      const { page, pairs, notes } = await comparisonOf([small, large]);
      expect(notes).toEqual([]);
      // Intervals by themselves overlap.
      expect(page).toContain('<h1 id="answer">Large is ahead on a.</h1>');
      expect(pairs.map(({ what, first, second }) => [what, first, second])).toEqual([
        ['last layer', 'large', 'small'],
        ['highest', 'large', 'small'],
      ]);
      const highest = pairs[1]?.comparison;
      expect(highest).toMatchObject({ basis: 'paired', verdict: 'better', difference: expect.closeTo(0.08, 2) });
      const [alone] = record(valued({ 'all-ridge': 0.6, 'tap-ridge': 0.68 })).answer.comparisons;
      expect(highest?.interval).toEqual(alone?.interval);
      expect(highest?.corrected?.[0]).toBeLessThan(highest?.interval[0] as number);
    });
    test('differences of classes beside them are corrected together', async () => {
      const classes = (right: number) => task('b', { linear: right });
      const both = (name: string, scores: Record<string, number>, right: number) => {
        const own = record(valued(scores), classes(right));
        const more = [...prints, { name: 'b: test images', sha256: '1'.repeat(64) }];
        return { name, record: { ...own, run: { ...own.run, fingerprints: more } } };
      };
      const alone = await comparisonOf([small, large]);
      const { pairs } = await comparisonOf([
        both('small', { linear: 0.5, 'all-ridge': 0.6 }, 100),
        both('large', { linear: 0.51, 'all-ridge': 0.68 }, 110),
      ]);
      expect(pairs).toHaveLength(4);
      const [before, now] = [alone.pairs, pairs].map((all) => all.find((p) => p.task === 'a' && p.what === 'highest'));
      expect(now?.comparison.interval).toEqual(before?.comparison.interval);
      expect(now?.comparison.corrected?.[0]).toBeLessThan(before?.comparison.corrected?.[0] as number);
    });
    test('other values, names of values or groups are other examples, which is said', async () => {
      const scores = { linear: 0.5 };
      const others = [
        of('x', valued(scores), [images, { ...values, sha256: '9'.repeat(64) }] as typeof prints),
        of('x', valued(scores, { target: { kind: 'regression', outputs: ['age'] } })),
        of('x', valued(scores, { testGroups: Array.from({ length: 200 }, (_, i) => i >> 1) })),
      ];
      for (const other of others) {
        const { pairs, notes, page } = await comparisonOf([small, other]);
        expect(pairs).toEqual([]);
        expect(notes).toEqual([
          'On a small and x were tested on the same images, but with other labels or groups; such runs stand side by side by their intervals alone.',
        ]);
        expect(page).toContain(notes[0]);
      }
    });
    test('a record that says nothing of its true values stays by its intervals', async () => {
      const { pairs, notes } = await comparisonOf([
        small,
        of('old', valued({ linear: 0.5 }), [images] as typeof prints),
      ]);
      expect(pairs).toEqual([]);
      expect(notes).toEqual([expect.stringMatching(/^On a the record of old does not tell test examples apart/)]);
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
