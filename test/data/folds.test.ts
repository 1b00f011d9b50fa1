import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { UserError } from '../../src/base/index.js';
import { type Fold, holdout, nestedSubset, type Rows, stratifiedFolds } from '../../src/data/index.js';

const count = (indices: readonly number[], labels: ArrayLike<number>, c: number) =>
  indices.filter((i) => labels[i] === c).length;
const spread = (values: number[]) => Math.max(...values) - Math.min(...values);
const classesOf = (labels: readonly number[]) => [...new Set(labels)];

/** Both sides together are all rows, each once, in ascending order. */
function expectPartition({ train, validation }: Fold, n: number): void {
  expect([...train, ...validation].sort((a, b) => a - b)).toEqual(Array.from({ length: n }, (_, i) => i));
  for (const side of [train, validation]) expect([...side].sort((a, b) => a - b)).toEqual(side);
}

/** Labels in which every class occurs at least twice. */
const anyLabels = fc
  .array(fc.integer({ min: 0, max: 4 }), { minLength: 4, maxLength: 60 })
  .map((labels) => [...labels, ...new Set(labels)]);
/** Groups of one class each, at least two of every class: sizes by class. */
const pureGroups = fc
  .array(fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 3, maxLength: 9 }), { minLength: 1, maxLength: 4 })
  .map((sizes) => {
    const labels: number[] = [];
    const groups: string[] = [];
    sizes.forEach((list, c) => {
      list.forEach((size, g) => {
        for (let i = 0; i < size; i++) {
          labels.push(c);
          groups.push(`${c}/${g}`);
        }
      });
    });
    return { labels, groups };
  });
const seeds = fc.integer();

describe('stratified folds', () => {
  test('without groups, counts differ by at most one in total and in every class', () => {
    fc.assert(
      fc.property(anyLabels, fc.integer({ min: 2, max: 5 }), seeds, (labels, k, seed) => {
        fc.pre(labels.length >= k);
        const folds = stratifiedFolds({ labels }, { k, seed });
        for (const fold of folds) expectPartition(fold, labels.length);
        expect(folds.flatMap((f) => f.validation).length).toBe(labels.length);
        expect(spread(folds.map((f) => f.validation.length))).toBeLessThanOrEqual(1);
        for (const c of classesOf(labels)) {
          expect(spread(folds.map((f) => count(f.validation, labels, c)))).toBeLessThanOrEqual(1);
          for (const fold of folds) expect(count(fold.train, labels, c)).toBeGreaterThan(0);
        }
      }),
    );
  });

  test('groups never straddle, and classes are as even as their largest group allows', () => {
    fc.assert(
      fc.property(pureGroups, fc.integer({ min: 2, max: 3 }), seeds, ({ labels, groups }, k, seed) => {
        const folds = stratifiedFolds({ labels, groups }, { k, seed });
        for (const fold of folds) {
          expectPartition(fold, labels.length);
          const held = new Set(fold.validation.map((i) => groups[i]));
          expect(fold.train.filter((i) => held.has(groups[i]))).toEqual([]);
        }
        for (const c of classesOf(labels)) {
          const sizes = new Map<string, number>();
          groups.forEach((g, i) => {
            if (labels[i] === c) sizes.set(g, (sizes.get(g) ?? 0) + 1);
          });
          const uneven = spread(folds.map((f) => count(f.validation, labels, c)));
          expect(uneven).toBeLessThanOrEqual(Math.max(...sizes.values()));
          for (const fold of folds) expect(count(fold.train, labels, c)).toBeGreaterThan(0);
        }
      }),
    );
  });

  test('groups of several classes never straddle either, and no class is missing from a training part', () => {
    const mixed = fc.array(fc.tuple(fc.integer({ min: 0, max: 2 }), fc.integer({ min: 0, max: 11 })), {
      minLength: 30,
      maxLength: 80,
    });
    fc.assert(
      fc.property(mixed, seeds, (rows, seed) => {
        const labels = rows.map(([c]) => c);
        const groups = rows.map(([, g]) => `g${g}`);
        const perClass = classesOf(labels).map((c) => new Set(groups.filter((_, i) => labels[i] === c)).size);
        fc.pre(Math.min(...perClass) >= 2 && new Set(groups).size >= 3);
        for (const fold of stratifiedFolds({ labels, groups }, { k: 3, seed })) {
          expectPartition(fold, labels.length);
          const held = new Set(fold.validation.map((i) => groups[i]));
          expect(fold.train.some((i) => held.has(groups[i]))).toBe(false);
          for (const c of classesOf(labels)) expect(count(fold.train, labels, c)).toBeGreaterThan(0);
        }
      }),
    );
  });

  test('are a function of the seed', () => {
    const labels = Array.from({ length: 60 }, (_, i) => i % 3);
    const folds = (seed: number) => stratifiedFolds({ labels }, { k: 5, seed });
    expect(folds(1)).toEqual(folds(1));
    expect(folds(1)).not.toEqual(folds(2));
  });

  test('a class of one example or one group is an error that names it', () => {
    const labels = [0, 0, 0, 1];
    expect(() => stratifiedFolds({ labels, classes: ['cat', 'dog'] }, { k: 2, seed: 0 })).toThrow(
      "2 folds would leave a class out of a training part: class 'dog' has 1 example; add images or drop the class",
    );
    const groups = ['a', 'b', 'c', 'd', 'd', 'd'];
    const rows: Rows = { labels: [0, 0, 0, 1, 1, 1], groups };
    expect(() => stratifiedFolds(rows, { k: 2, seed: 0 })).toThrow("class '1' has 1 group;");
    expect(() => stratifiedFolds(rows, { k: 2, seed: 0 })).toThrow(UserError);
  });

  test('on request such a class is trained on in every fold and validated in none', () => {
    const folds = stratifiedFolds({ labels: [0, 0, 0, 1] }, { k: 2, seed: 0, rare: 'train' });
    for (const fold of folds) {
      expectPartition(fold, 4);
      expect(fold.train).toContain(3);
    }
  });

  test('fewer groups than folds, or one fold, are errors', () => {
    expect(() => stratifiedFolds({ labels: [0, 0, 1, 1] }, { k: 5, seed: 0 })).toThrow(
      '5 folds need at least 5 examples, and there are 4',
    );
    expect(() => stratifiedFolds({ labels: [0, 0, 1, 1] }, { k: 1, seed: 0 })).toThrow('ask for 2 or more');
  });
});

describe('a holdout', () => {
  test('without groups has the fraction of every class within one row, and of the whole to the nearest', () => {
    const fractions = fc.constantFrom(0.1, 0.2, 1 / 3, 0.5, 0.75);
    fc.assert(
      fc.property(anyLabels, fractions, seeds, (labels, fraction, seed) => {
        const n = labels.length;
        fc.pre(Math.round(n * fraction) >= 1);
        const fold = holdout({ labels }, { fraction, seed });
        expectPartition(fold, n);
        let kept = 0;
        for (const c of classesOf(labels)) {
          const all = count(
            labels.map((_, i) => i),
            labels,
            c,
          );
          expect(count(fold.train, labels, c)).toBeGreaterThan(0);
          expect(Math.abs(count(fold.validation, labels, c) - fraction * all)).toBeLessThan(1 + 1e-9);
          if (Math.floor(fraction * all) >= all - 1) kept++;
        }
        // Classes whose last row has to stay in training may leave the whole short.
        if (kept === 0) expect(fold.validation.length).toBe(Math.round(n * fraction));
      }),
    );
  });

  test('a class whose last row stays in training does not push another past its share', () => {
    const labels = [2, 2, 2, 2, 2, 2, 2, 2, 0, 0, 3, 2, 0, 3];
    const { validation } = holdout({ labels }, { fraction: 0.75, seed: 0 });
    expect(count(validation, labels, 2)).toBeLessThanOrEqual(7);
  });

  test('groups never straddle, and every class is trained on', () => {
    fc.assert(
      fc.property(pureGroups, seeds, ({ labels, groups }, seed) => {
        const fold = holdout({ labels, groups }, { fraction: 0.5, seed });
        expectPartition(fold, labels.length);
        const held = new Set(fold.validation.map((i) => groups[i]));
        expect(fold.train.some((i) => held.has(groups[i]))).toBe(false);
        for (const c of classesOf(labels)) expect(count(fold.train, labels, c)).toBeGreaterThan(0);
      }),
    );
  });

  test('that would be empty, or is no fraction, is an error', () => {
    expect(() => holdout({ labels: [0, 1, 2] }, { fraction: 0.2, seed: 0 })).toThrow('is empty');
    expect(() => holdout({ labels: [0, 0] }, { fraction: 1, seed: 0 })).toThrow('is not between 0 and 1');
  });
});

describe('subsets of n per class', () => {
  test('are nested and have n of every class', () => {
    fc.assert(
      fc.property(pureGroups, seeds, ({ labels, groups }, seed) => {
        const smallest = Math.min(...classesOf(labels).map((c) => labels.filter((l) => l === c).length));
        let inner: number[] = [];
        for (let perClass = 1; perClass <= smallest; perClass++) {
          const subset = nestedSubset({ labels, groups }, { perClass, seed });
          for (const c of classesOf(labels)) expect(count(subset, labels, c)).toBe(perClass);
          expect(subset).toEqual(expect.arrayContaining(inner));
          inner = subset;
        }
      }),
    );
  });

  test('take different groups first', () => {
    const labels = new Array(40).fill(0);
    const groups = labels.map((_, i) => (i < 37 ? 'big' : `small${i}`));
    expect(nestedSubset({ labels, groups }, { perClass: 4, seed: 1 }).slice(1)).toEqual([37, 38, 39]);
  });

  test('a class that is too small is named', () => {
    expect(() => nestedSubset({ labels: [0, 0, 1], classes: ['a', 'b'] }, { perClass: 2, seed: 0 })).toThrow(
      "class 'b' has 1 examples, fewer than 2 per class",
    );
    expect(() => nestedSubset({ labels: [0] }, { perClass: 0, seed: 0 })).toThrow('ask for 1 or more');
  });
});
