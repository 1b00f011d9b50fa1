import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Random, UserError } from '../../src/base/index.js';
import { decideSplits, fitRows, type SplitRows } from '../../src/data/index.js';
import { canonicalSplits } from '../../src/data/splits.js';

/** Rows of some splits, K classes in turn. */
function rowsOf(sizes: Readonly<Record<string, number>>, K = 4, groupSize?: number): SplitRows {
  const splits = Object.entries(sizes).flatMap(([name, n]) => Array.from({ length: n }, () => name));
  return {
    splits,
    names: splits.map((split, i) => `${split}/${i}.png`),
    labels: splits.map((_, i) => i % K),
    ...(groupSize !== undefined && { groups: splits.map((_, i) => `${i % K}/${Math.floor(i / (K * groupSize))}`) }),
  };
}
const decide = (sizes: Record<string, number>, options: Parameters<typeof decideSplits>[1] = {}) =>
  decideSplits(rowsOf(sizes), options);
const counts = ({ train, validation, test: t }: ReturnType<typeof decideSplits>) => [
  train.length,
  validation?.length,
  t.length,
];

describe('names of splits', () => {
  test.each([
    [
      ['train', 'test'],
      ['train', 'test'],
    ],
    [
      ['Training', 'Valid', 'TESTING'],
      ['train', 'val', 'test'],
    ],
    [
      ['train', 'dev'],
      ['train', 'val'],
    ],
    [
      ['train', 'development', 'holdout'],
      ['train', 'val', 'test'],
    ],
    [
      ['train', 'eval'],
      ['train', 'test'],
    ],
    [
      ['train', 'eval', 'test'],
      ['train', 'val', 'test'],
    ],
    [
      ['train', 'val', 'evaluation', 'test'],
      ['train', 'val', 'evaluation', 'test'],
    ],
    [
      ['train', 'eval', 'held-out'],
      ['train', 'val', 'test'],
    ],
    [
      ['train', 'test', 'holdout'],
      ['train', 'test', 'holdout'],
    ],
    [
      ['train', 'extra', '../../x'],
      ['train', 'extra', '../../x'],
    ],
  ])('%j are read as %j', (names, expected) => {
    const canonical = canonicalSplits(names);
    expect(names.map((name) => canonical.get(name))).toEqual(expected);
    // What was read once reads the same from a store.
    const again = canonicalSplits(expected);
    expect(expected.map((name) => again.get(name))).toEqual(expected);
  });

  test('two names for one split are said', () => {
    expect(decide({ train: 10, val: 4, dev: 4, test: 5 }).warnings).toEqual([
      "splits 'dev', 'val' are all read as 'val'",
    ]);
  });
});

describe('the decision', () => {
  test('train, val and test as they are given', () => {
    const splits = decide({ train: 12, val: 8, test: 6 });
    expect(counts(splits)).toEqual([12, 8, 6]);
    expect(splits.sentence).toBe('train 12, val 8 used for tuning, test 6');
    expect(splits.warnings).toEqual([]);
    expect(fitRows(splits)).toEqual(Array.from({ length: 20 }, (_, i) => i));
  });

  test('without test, 20 % of train and val are held out', () => {
    const splits = decide({ train: 180, val: 400 });
    expect(counts(splits)).toEqual([144, 320, 116]);
    expect(splits.sentence).toBe(
      "train 144, val 320 used for tuning, test 116 (20 % of train and val, held out: no split 'test')",
    );
    const perClass = [0, 1, 2, 3].map((c) => splits.test.filter((i) => i % 4 === c).length);
    expect(perClass).toEqual([29, 29, 29, 29]);
  });

  test('without val, tuning is inside train', () => {
    const splits = decide({ train: 100 }, { holdout: 0.3 });
    expect(splits.validation).toBeUndefined();
    expect(splits.sentence).toBe(
      "train 70 (tuned by folds inside it), test 30 (30 % of train, held out: no split 'test')",
    );
  });

  test('a split can be named to test on, by any of its spellings', () => {
    for (const testSplit of ['val', 'valid', 'dev']) {
      const splits = decide({ train: 12, val: 8 }, { testSplit });
      expect(counts(splits)).toEqual([12, undefined, 8]);
      expect(splits.sentence).toBe("train 12 (tuned by folds inside it), test 8 (split 'val', as asked)");
    }
    const other = decide({ train: 12, night: 8, test: 4 }, { testSplit: 'night' });
    expect(other.sentence).toBe(
      "train 12 (tuned by folds inside it), test 8 (split 'night', as asked); left out: 4 of split 'test'",
    );
    expect(decide({ train: 12, holdout: 8 }, { testSplit: 'holdout' }).sentence).toBe(
      'train 12 (tuned by folds inside it), test 8',
    );
  });

  test('other splits are left out and counted', () => {
    const splits = decide({ train: 12, night: 3, test: 6, rain: 5 });
    expect(counts(splits)).toEqual([12, undefined, 6]);
    expect(splits.sentence).toMatch(/; left out: 3 of split 'night', 5 of split 'rain'$/);
  });

  test('no test set on demand', () => {
    const splits = decide({ train: 12, val: 4 }, { holdout: 0 });
    expect(counts(splits)).toEqual([12, 4, 0]);
    expect(splits.sentence).toBe('train 12, val 4 used for tuning, no test set (holdout 0)');
  });

  test('says what becomes of val where nothing is tuned', () => {
    const words = (validation: 'join' | 'watch') => decide({ train: 12, val: 4, test: 2 }, { validation }).sentence;
    expect(words('join')).toBe('train 12, val 4 trained on too (nothing is tuned), test 2');
    expect(words('watch')).toBe('train 12, val 4 watched while training, test 2');
    expect(decide({ train: 12, test: 2 }, { validation: 'join' }).sentence).toBe('train 12, test 2');
  });

  test('a test split without labels cannot be tested on', () => {
    const rows = { ...rowsOf({ train: 50 }), unlabelled: new Map([['test', 9]]) };
    expect(decideSplits(rows).sentence).toBe(
      "train 40 (tuned by folds inside it), test 10 (20 % of train, held out: split 'test' has no labels)",
    );
    expect(() => decideSplits(rows, { testSplit: 'test' })).toThrow("split 'test' has no labels");
  });

  test('groups stay whole, and torn ones are said', () => {
    const rows = rowsOf({ train: 60, val: 40 }, 2, 5);
    const splits = decideSplits(rows);
    const of = (part: readonly number[]) => new Set(part.map((i) => rows.groups?.[i]));
    const held = of(splits.test);
    expect([...of(fitRows(splits))].filter((g) => held.has(g))).toEqual([]);
    expect(splits.sentence).toMatch(/held out in whole groups: no split 'test'\)$/);
    const torn = decideSplits({ ...rowsOf({ train: 6, val: 6, test: 6 }, 2), groups: 'aabbccaaddddeeeeef'.split('') });
    expect(torn.warnings).toEqual(['1 group stands in both train and val: tuning on val is too optimistic']);
    const easy = decideSplits({ ...rowsOf({ train: 6, test: 6 }, 2), groups: 'aabbccaabbdd'.split('') });
    expect(easy.warnings).toEqual(['2 groups stand in both training and test examples: the test is too easy']);
  });

  test.each<[string, Record<string, number>, Parameters<typeof decideSplits>[1], RegExp]>([
    ['no train', { val: 5, test: 5 }, {}, /no training examples: name a split 'train' \(found: val 5, test 5\)/],
    ['nothing', {}, {}, /found: nothing/],
    ['an unknown test split', { train: 9, val: 5 }, { testSplit: 'tset' }, /no split 'tset' .* labels: train, val/],
    ['train as test', { train: 9 }, { testSplit: 'training' }, /'train' is what is trained on/],
    ['too large a share', { train: 9 }, { holdout: 1 }, /a holdout of 1 is not a share/],
    ['a negative share', { train: 9 }, { holdout: -0.1 }, /not a share/],
    ['too little data', { train: 2 }, {}, /every class needs at least two examples/],
  ])('%s is an error', (_, sizes, options, message) => {
    expect(() => decide(sizes, options)).toThrow(message);
    expect(() => decide(sizes, options)).toThrow(UserError);
  });
});

test('is a partition that depends on the examples alone, not on the order in which they are listed', () => {
  const cases = fc.record({
    train: fc.integer({ min: 12, max: 60 }),
    val: fc.integer({ min: 0, max: 40 }),
    extra: fc.integer({ min: 0, max: 5 }),
    groups: fc.constantFrom(undefined, 2, 3),
    holdout: fc.constantFrom(0.1, 0.2, 0.5),
    seed: fc.integer(),
  });
  fc.assert(
    fc.property(cases, ({ groups, holdout, seed, ...sizes }) => {
      const rows = rowsOf(sizes, 3, groups);
      const n = rows.splits.length;
      const order = new Random(seed).permutation(n);
      const pick = <T>(list: ArrayLike<T>) => order.map((i) => list[i] as T);
      const shuffled: SplitRows = {
        splits: pick(rows.splits),
        names: pick(rows.names as string[]),
        labels: pick(rows.labels),
        groups: rows.groups && pick(rows.groups),
      };
      const [a, b] = [decideSplits(rows, { holdout }), decideSplits(shuffled, { holdout })];
      const names = (r: SplitRows, part: readonly number[] = []) => part.map((i) => r.names?.[i]).sort();
      for (const side of ['train', 'validation', 'test'] as const) {
        expect(names(shuffled, b[side])).toEqual(names(rows, a[side]));
        expect([...(a[side] ?? [])].sort((x, y) => x - y)).toEqual(a[side] ?? []);
      }
      expect(b.sentence).toBe(a.sentence);
      expect([...a.train, ...(a.validation ?? []), ...a.test].sort((x, y) => x - y)).toEqual(
        rows.splits.flatMap((s, i) => (s === 'extra' ? [] : [i])),
      );
    }),
    { numRuns: 200 },
  );
});
