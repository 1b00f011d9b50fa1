/** What is said of classes that are too small. */
import { expect, test } from 'vitest';
import { classWarnings } from '../../src/data/targets.js';

const one = (classes: readonly string[], split = 'train') =>
  classes.map((name, label) => ({ class: name, label, split }));

test('labels that are numbers, most of them on one image, are told the target that reads them', () => {
  const ages = ['4', '4.5', '-1', '7e2', '12'];
  expect(classWarnings(ages, one(ages))).toEqual([
    '5 labels, most of them on one image: they look like numbers, which toehold probe --target regression reads as values',
  ]);
  const places = ['0.1|2', '3|4', '5|6', '7|8', '9|1'];
  expect(classWarnings(places, one(places))[0]).toContain('--target regression');
});

test('so are sets of labels', () => {
  const sets = ['sky', 'sea', 'sky|sea', 'sky|tree', 'tree'];
  expect(classWarnings(sets, one(sets))).toEqual([
    '5 labels, most of them on one image: they look like sets of labels, which toehold probe --target multilabel reads one by one',
  ]);
});

test('numbers that name classes of several images are classes', () => {
  const signs = ['0', '1', '2', '3', '4'];
  expect(classWarnings(signs, [...one(signs), ...one(signs)])).toEqual([]);
  expect(classWarnings(signs, [...one(signs), ...one(signs).slice(1)])).toEqual([
    "class '0' with only one image in split 'train'",
  ]);
});
