/** Labels as numbers: how names are read, and other examples by what the first ones said. */
import { describe, expect, test } from 'vitest';
import { readNames } from '../../src/data/values.js';

const rowsOf = (...given: Parameters<typeof readNames>) => readNames(...given).rows.map((row) => Array.from(row));

describe('sets of labels', () => {
  test('are 1 and 0 for each label, in order of their names; | alone is none', () => {
    expect(readNames('multilabel', ['sky|sea', '|', 'sea']).outputs).toEqual(['sea', 'sky']);
    expect(rowsOf('multilabel', ['sky|sea', '|', 'sea'])).toEqual([
      [1, 1],
      [0, 0],
      [1, 0],
    ]);
  });
  test('of other examples have the outputs of the first, and what else they name is said', () => {
    const { rows, unknown } = readNames('multilabel', ['sun|sky', 'sun'], ['sea', 'sky']);
    expect(rows.map((row) => Array.from(row))).toEqual([
      [0, 1],
      [0, 0],
    ]);
    expect(unknown).toEqual(['sun']);
  });
  test('are columns where all are 0 and 1, as the first examples were, whatever the others look like', () => {
    const { outputs } = readNames('multilabel', ['0|1|1', '1|0|0']);
    expect(outputs).toEqual(['label 1', 'label 2', 'label 3']);
    expect(rowsOf('multilabel', ['1|1|0'], outputs)).toEqual([[1, 1, 0]]);
    expect(() => readNames('multilabel', ['sky'], outputs)).toThrow("the label 'sky' is not 3 of 0 and 1");
    // Digits as names: test examples that have 0 and 1 alone are no columns.
    expect(rowsOf('multilabel', ['0|1'], readNames('multilabel', ['0|1', '2|3']).outputs)).toEqual([[1, 1, 0, 0]]);
  });
});

test('values of other examples are as many as those of the first', () => {
  const { outputs } = readNames('regression', ['0.1|2', '3|4']);
  expect(rowsOf('regression', ['5|6e-1'], outputs)).toEqual([[5, 0.6]]);
  expect(() => readNames('regression', ['5'], outputs)).toThrow("the label '5' is not 2 numbers");
});
