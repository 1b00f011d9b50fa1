/** Scores of a source model's answers on the reference's numbers. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { leep, negativeConditionalEntropy, topClasses } from '../../src/stats/index.js';

const { labels, source } = JSON.parse(
  readFileSync(new URL('../fixtures/stats/models.json', import.meta.url), 'utf8'),
) as { labels: number[]; source: number[][] };

test.each([
  ['LEEP', leep(source.flat(), 3, labels), -0.34446321],
  ['NCE', negativeConditionalEntropy(topClasses(source.flat(), 3), labels), 0],
])('%s is the reference’s', (_, found, expected) => {
  expect(found).toBeCloseTo(expected, 7);
});
