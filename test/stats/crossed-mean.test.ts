/** A mean over examples and repetitions of an experiment: its interval covers what both vary. */
import { describe, expect, test } from 'vitest';
import { Random } from '../../src/base/index.js';
import { type CrossedMean, crossedMeans } from '../../src/stats/index.js';

const crossedMean = (rows: readonly ArrayLike<number>[]) => crossedMeans([rows])[0] as CrossedMean;

/** Differences in {-1, 0, 1} around `mean`: every repetition and every example has an effect of its own. */
function drawn(random: Random, repetitions: number, n: number, spread: { repetition: number; example: number }) {
  const examples = Float64Array.from({ length: n }, () => random.normal() * spread.example);
  return Array.from({ length: repetitions }, () => {
    const own = random.normal() * spread.repetition;
    return examples.map((e) => 0.1 + own + e + random.normal() * 0.3);
  });
}

/** Share of 95 % intervals that hold the true mean, and of those by examples alone. */
function coverage(repetitions: number, spread: { repetition: number; example: number }) {
  const random = new Random(1, `crossed ${repetitions}`);
  let [crossed, alone] = [0, 0];
  const trials = 400;
  for (let t = 0; t < trials; t++) {
    const rows = drawn(random, repetitions, 200, spread);
    const holds = ([low, high]: readonly number[]) => (low as number) <= 0.1 && 0.1 <= (high as number);
    if (holds(crossedMean(rows).interval)) crossed++;
    const [first = []] = rows;
    if (holds(crossedMean([first]).interval)) alone++;
  }
  return { crossed: crossed / trials, alone: alone / trials };
}

describe('crossedMeans', () => {
  test.each([2, 4])('covers the truth where %i repetitions differ', (repetitions) => {
    const { crossed, alone } = coverage(repetitions, { repetition: 0.05, example: 0.3 });
    expect(crossed).toBeGreaterThan(0.91);
    // What the examples of one repetition alone would claim.
    expect(alone).toBeLessThan(0.85);
  });
  test('is not much wider than examples make it where repetitions do not differ', () => {
    const random = new Random(2, 'still');
    const rows = drawn(random, 4, 500, { repetition: 0, example: 0.3 });
    const one = crossedMean([rows[0] as Float64Array]).standardError;
    expect(crossedMean(rows).standardError).toBeLessThan(one);
  });
  test('quantities of one study lend each other what repetitions add', () => {
    const random = new Random(3, 'lent');
    const study = () => Array.from({ length: 8 }, () => drawn(random, 2, 200, { repetition: 0.05, example: 0.3 }));
    let [held, count, widths, alone] = [0, 0, 0, 0];
    for (let t = 0; t < 60; t++) {
      const quantities = study();
      for (const [i, { interval }] of crossedMeans(quantities).entries()) {
        const own = crossedMean(quantities[i] as Float64Array[]).interval;
        held += interval[0] <= 0.1 && 0.1 <= interval[1] ? 1 : 0;
        widths += interval[1] - interval[0];
        alone += own[1] - own[0];
        count++;
      }
    }
    expect(held / count).toBeGreaterThan(0.92);
    expect(widths).toBeLessThan(0.7 * alone);
  });
  test('one repetition has the interval of its examples', () => {
    const { interval, mean, repetitions } = crossedMean([[0, 1, 0, 1, 1, 1, 0, 1]]);
    expect(repetitions).toBe(1);
    expect(mean).toBe(0.625);
    // Student, 7 degrees of freedom: 2.3646 times the standard error .18298.
    expect(interval[1] - interval[0]).toBeCloseTo(2 * 2.3646 * 0.18298, 3);
  });
});
