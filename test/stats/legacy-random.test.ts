/** The published random splits of ImageNet follow from their seeds, as NumPy's legacy generator draws them. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { LegacyRandom } from '../../src/stats/index.js';

const numpy = JSON.parse(readFileSync(new URL('legacy-random.json', import.meta.url), 'utf8')) as {
  bits: number[];
  halves: Record<string, number[]>;
  small: number[][];
};

describe('LegacyRandom is RandomState of NumPy', () => {
  test('its bits', () => {
    expect(numpy.bits.map((_, seed) => new LegacyRandom([seed]).bits())).toEqual(numpy.bits);
  });
  test.each(Object.entries(numpy.halves))('the half of 1,000 classes with seed %s', (seed, half) => {
    expect(new LegacyRandom([Number(seed)]).choose(1000, 500).sort((a, b) => a - b)).toEqual(half);
  });
  test('draws without replacement from seeds of two numbers, in order', () => {
    expect(numpy.small.map((_, s) => new LegacyRandom([7, s]).choose(10, 5))).toEqual(numpy.small);
  });
});
