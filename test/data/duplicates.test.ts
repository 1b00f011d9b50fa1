/** Equal examples are of one group: none stands on two sides of a split or a fold. */
import { expect, test } from 'vitest';
import {
  type Dataset,
  duplicateWarnings,
  groupDuplicates,
  joinEqual,
  rowsOf,
  stratifiedFolds,
} from '../../src/data/index.js';

test('rows of one key are of one group; others have none', () => {
  expect(joinEqual(undefined, ['a', 'b', 'a', 'c'])).toEqual(['equal a', undefined, 'equal a', undefined]);
  expect(joinEqual(undefined, ['a', 'b', 'c'])).toBeUndefined();
});

test('groups that share a row are one, by the name that comes first', () => {
  expect(joinEqual(['x', 'x', 'y', undefined, 'z'], ['1', '2', '2', '1', '5'])).toEqual(['x', 'x', 'x', 'x', 'z']);
});

test('likeness is passed on', () => {
  expect(joinEqual(undefined, [['a'], ['a', 'b'], ['c', 'b'], ['d']])).toEqual([
    'equal a',
    'equal a',
    'equal a',
    undefined,
  ]);
});

const dataset: Dataset = {
  kind: 'class',
  root: '.',
  classes: ['cat', 'dog'],
  warnings: [],
  examples: Array.from({ length: 40 }, (_, i) => ({
    file: `${i}.png`,
    image: `${i}.png`,
    split: 'train',
    label: i % 2,
    class: i % 2 ? 'dog' : 'cat',
    extra: {},
  })),
};
/** Every image of a cat is there twice. */
const hashes = dataset.examples.map((_, i) => (i % 2 ? `dog ${i}` : `cat ${i % 20}`));

test('copies of an image stand on one side of every fold', () => {
  const grouped = groupDuplicates(dataset, hashes);
  const rows = rowsOf(grouped.examples, grouped.classes);
  for (const { train, validation } of stratifiedFolds(rows, { k: 5, seed: 0 })) {
    const held = new Set(validation.map((i) => hashes[i]));
    expect(train.filter((i) => held.has(hashes[i]))).toEqual([]);
  }
});

test('and are counted', () => {
  expect(duplicateWarnings(dataset.examples, hashes)).toEqual([
    '10 images occur several times, as 20 files (0.png = 20.png): kept together where examples are divided',
  ]);
});
