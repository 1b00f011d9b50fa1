/** Transferability scores on the reference's numbers. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { hScore, leep, linearCKA, logME, negativeConditionalEntropy, topClasses } from '../../src/stats/index.js';

const { features, labels, source } = JSON.parse(
  readFileSync(new URL('../fixtures/stats/models.json', import.meta.url), 'utf8'),
) as { features: number[][]; labels: number[]; source: number[][] };

test.each([
  ['H-score', hScore(features, labels), 0.98404172],
  ['LEEP', leep(source, labels), -0.34446321],
  ['NCE', negativeConditionalEntropy(topClasses(source.flat(), 3), labels), 0],
  ['LogME', logME(features, labels), -0.96202614],
  ['linear CKA', linearCKA(features, source), 0.98077545],
])('%s is the reference’s', (_, found, expected) => {
  expect(found).toBeCloseTo(expected, 7);
});

test('H-score is at most the number of classes less one, also with more features than examples', () => {
  const wide = features.map((row, i) => [...row, ...Array.from({ length: 8 }, (_, j) => Math.sin(i * 8 + j))]);
  expect(hScore(wide, labels)).toBeLessThanOrEqual(1 + 1e-6);
});
