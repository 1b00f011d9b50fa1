/** Classes of very different size: when balanced figures are shown, and when the reader is warned. */
import { describe, expect, test } from 'vitest';
import { balanceWarnings, isUnbalanced } from '../../src/record/balance.js';
import type { DoneCell } from '../../src/record/index.js';

const cell = (method: string, more: Partial<DoneCell>): DoneCell => ({
  status: 'done',
  method,
  seconds: 1,
  notes: [],
  converged: true,
  score: 0.93,
  interval: [0.91, 0.95],
  meanPerClass: 0.46,
  meanPerClassInterval: [0.35, 0.58],
  ...more,
});
const labelOf = (id: string) => id.toUpperCase();

describe('classes', () => {
  test('are unbalanced by the test examples, else by the training examples', () => {
    const examples = { train: 30, test: 0, perClass: [20, 10] };
    const rows = (...sizes: number[]) => sizes.flatMap((n, c) => new Array<number>(n).fill(c));
    expect(isUnbalanced({ examples, testLabels: rows(10, 11, 9) })).toBe(false);
    expect(isUnbalanced({ examples, testLabels: rows(10, 15) })).toBe(true);
    expect(isUnbalanced({ examples })).toBe(true);
    expect(isUnbalanced({ examples: { train: 30, test: 0, perClass: [14, 10] } })).toBe(false);
    // A record of version 0.1 says nothing of class sizes without test labels.
    expect(isUnbalanced({ examples: { train: 30, test: 0 } })).toBe(false);
  });
});

describe('a warning', () => {
  test('where the intervals of accuracy and balanced accuracy do not meet: with both, and what to do', () => {
    expect(
      balanceWarnings(
        { cells: [cell('a', {}), cell('b', { meanPerClassInterval: [0.4, 0.92] })] },
        { labelOf, weighted: false },
      ),
    ).toEqual([
      'accuracy and balanced accuracy (%) differ by more than their errors: A 93.0 [91.0, 95.0] and 46.0 [35.0, 58.0]. Accuracy speaks of the large classes here, balanced accuracy of all alike; --class-weight balanced fits and tunes for the latter',
    ]);
  });
  test('names three methods and counts the others', () => {
    const cells = ['a', 'b', 'c', 'd', 'e'].map((id) => cell(id, {}));
    expect(balanceWarnings({ cells }, { labelOf, weighted: true })[0]).toMatch(
      /A 93.* and C 93.*, and so for 2 more\. Accuracy .* alike$/,
    );
  });
  test('never without intervals', () => {
    const { meanPerClassInterval: _, ...old } = cell('a', {});
    expect(balanceWarnings({ cells: [old] }, { labelOf, weighted: false })).toEqual([]);
  });
});
