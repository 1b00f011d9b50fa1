/** A small part of benchmarks/calibration, seeded: what runs say of worlds whose truth is known. */
import { describe, expect, test } from 'vitest';
import { ratesOf } from '../../benchmarks/calibration/rates.js';
import type { World } from '../../benchmarks/calibration/world.js';

const draws = 150;
/** Of 150, what 5 % exceeds once in a thousand times. */
const mostFalse = 0.115;

describe('where no method is better', () => {
  const equal = (count: number, more = {}) => Array.from({ length: count }, () => ({ accuracy: 0.85, ...more }));
  const seeds = { trained: true, seeds: 3 };
  test.each<[string, World]>([
    ['independent examples', { examples: { n: 200 }, methods: equal(3) }],
    [
      'groups of uneven sizes',
      { examples: { n: 200, clusters: { count: 40, sizes: 'uneven' }, intraclass: 0.4 }, methods: equal(3) },
    ],
    ['seeds', { examples: { n: 200 }, methods: equal(2, seeds), fickle: 0.5, runs: 0.15 }],
  ])('%s: few false claims, and intervals that hold the truth', (name, world) => {
    const { falsePages, coverage, scoreCoverage } = ratesOf(name, world, draws);
    expect(falsePages).toBeLessThan(mostFalse);
    for (const share of [coverage, scoreCoverage]) expect(share).toBeGreaterThan(0.92);
  });
});

test('a gain of 5 points is seen more often with more examples, and "equal" is not said of it', () => {
  const at = (n: number) =>
    ratesOf(`gain ${n}`, { examples: { n }, methods: [{ accuracy: 0.85 }, { accuracy: 0.9 }] }, draws);
  const [few, many] = [at(100), at(800)];
  expect(few.different).toBeLessThan(0.5);
  expect(many.different).toBeGreaterThan(0.9);
  for (const { equal, coverage } of [few, many]) {
    expect(equal).toBe(0);
    expect(coverage).toBeGreaterThan(0.9);
  }
});
