import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import {
  assumedSeedVariance,
  moderate,
  PairedDifference,
  type SeedSpread,
  Simultaneous,
  scoreInterval,
  seedSpreadOf,
  TestDesign,
  wilsonInterval,
} from '../../src/stats/index.js';
import { seedFreedom } from '../../src/stats/seeds.js';

const fixture = JSON.parse(readFileSync(new URL('../fixtures/stats/paired.json', import.meta.url), 'utf8'));
const once = (values: readonly number[]) => ({ runs: [values] });

/** Scores of n examples of which the first method alone gets `right`, the second alone `wrong` right. */
function discordant(right: number, wrong: number, n: number) {
  const first = Array.from({ length: n }, (_, i) => (i < right || i >= right + wrong ? 1 : 0));
  const second = Array.from({ length: n }, (_, i) => (i < right ? 0 : 1));
  return [once(first), once(second)] as const;
}

describe('the error of a mean over clusters and strata', () => {
  test('equal clusters: statsmodels’ cluster-robust variance', () => {
    const { values, clusters, variance } = fixture.equal;
    expect(new TestDesign(values.length, { clusters }).errorOf(values).variance).toBeCloseTo(variance, 12);
  });
  test('clusters of unequal sizes: CR2 and its degrees of freedom, from the matrices of their definition', () => {
    const { values, clusters, variance, df } = fixture.uneven;
    const found = new TestDesign(values.length, { clusters }).errorOf(values);
    expect(found.variance).toBeCloseTo(variance, 12);
    expect(found.df).toBeCloseTo(df, 9);
  });
  test('strata: the mean of their means, with CR2', () => {
    const { values, strata, variance } = fixture.strata;
    expect(new TestDesign(values.length, { strata }).errorOf(values).variance).toBeCloseTo(variance, 12);
  });
  test('an example without a group is refused', () => {
    expect(() => new TestDesign(3, { clusters: [1, 2] })).toThrow('2 groups for 3 test examples');
  });
});

describe('a paired difference', () => {
  test.each(fixture.tango as [number, number, number, number, number][])(
    'the interval of %i against %i of %i is Tango’s, by numerical likelihood',
    (right, wrong, n, low, high) => {
      const [first, second] = discordant(right, wrong, n);
      const [least, most] = new PairedDifference(first, second).interval();
      expect(least).toBeCloseTo(low, 5);
      expect(most).toBeCloseTo(high, 5);
    },
  );
  test('without an example that tells the methods apart the interval is that of none among n', () => {
    const [first, second] = discordant(0, 0, 80);
    const found = new PairedDifference(first, second);
    expect(found.p).toBe(1);
    expect(found.interval()[1]).toBeCloseTo(3.8415 / (80 + 3.8415), 5);
    // Among clusters each counts as one example.
    const design = new TestDesign(80, { clusters: Array.from({ length: 80 }, (_, i) => i >> 2) });
    expect(new PairedDifference(first, second, design).interval()[1]).toBeCloseTo(3.8415 / (20 + 3.8415), 5);
  });
  test('p is near that of flipping the signs of whole clusters', () => {
    const { first, second, clusters, p } = fixture.flips;
    const design = new TestDesign(first.length, { clusters });
    expect(Math.abs(new PairedDifference(once(first), once(second), design).p - p)).toBeLessThan(0.02);
  });
  test('p and interval agree at every level, with clusters and seeds', () => {
    const n = 60;
    const design = new TestDesign(n, { clusters: Array.from({ length: n }, (_, i) => i >> 2) });
    for (let k = 0; k < 12; k++) {
      const run = (seed: number) =>
        Array.from({ length: n }, (_, i) => ((i * 7 + seed * 13 + k) % 11 < 6 + (k % 3) ? 1 : 0));
      const found = new PairedDifference({ runs: [run(0), run(1), run(2)] }, once(run(5)), design);
      for (const z of [Math.abs(found.z) - 1e-6, Math.abs(found.z) + 1e-6]) {
        const [low, high] = found.interval(z);
        expect(low > 0 || high < 0).toBe(Math.abs(found.z) > z);
      }
    }
  });
  test('methods that were scored on different examples are refused', () => {
    expect(() => new PairedDifference(once([1, 0]), once([1]))).toThrow('both methods need the same');
  });
});

describe('seeds', () => {
  const spread = (values: readonly number[]): SeedSpread => {
    // Runs that are shifted as wholes.
    const found = seedSpreadOf(
      values.map((v) => new Array<number>(50).fill(v)),
      new TestDesign(50),
    );
    if (!found) throw new Error('no spread');
    return found;
  };
  test('alone, two methods have the variance and the degrees of freedom of Welch’s t', () => {
    const { a, b, variance, df } = fixture.welch;
    const [first, second] = [a, b].map((runs) => moderate([spread(runs)])[0]);
    if (!first || !second) throw new Error('no seeds');
    expect(first.excess + second.excess).toBeCloseTo(variance, 12);
    expect(seedFreedom(first, second)).toBeCloseTo(df, 9);
  });
  test('methods lend each other their spread; a wild one borrows little of the calm of others', () => {
    const [calm, like] = moderate([spread([0.7, 0.71, 0.72]), spread([0.7, 0.71, 0.72])]);
    expect(calm?.df).toBeGreaterThan(2);
    expect(calm?.excess).toBeCloseTo(like?.excess as number, 12);
    const wild = spread([0.5, 0.7, 0.9]);
    const [own] = moderate([wild]);
    const [among] = moderate([wild, ...[1, 2, 3].map(() => spread([0.7, 0.7001, 0.7]))]);
    expect(among?.excess).toBeGreaterThan(0.9 * (own?.excess as number));
  });
  test('one run has the others’ spread, and at least that of drawing 200 test examples', () => {
    const assumed = assumedSeedVariance(0.8);
    expect(Math.sqrt(assumed)).toBeCloseTo(0.0286, 4);
    expect(moderate([{ assumed }])[0]?.excess).toBe(assumed);
    const others = [0.6, 0.75, 0.9];
    expect(moderate([{ assumed }, spread(others)])[0]?.excess).toBeCloseTo(0.0225, 12);
    expect(moderate([{ assumed }, spread([0.7, 0.7001, 0.7])])[0]?.excess).toBe(assumed);
  });
});

describe('several at once', () => {
  test.each(fixture.largest as [number, number, number][])(
    'correlated by %f, %i of them: the critical value is scipy’s',
    (rho, k, critical) => {
      const block = Array.from({ length: k }, (_, i) =>
        Float64Array.from({ length: k }, (_, j) => (i === j ? 1 : rho)),
      );
      expect(Math.abs(new Simultaneous([block]).critical() - critical)).toBeLessThan(0.03);
    },
  );
});

describe('the interval of a score', () => {
  test('one run on independent examples: Wilson’s', () => {
    const values = Array.from({ length: 90 }, (_, i) => (i < 80 ? 1 : 0));
    expect(scoreInterval([values])).toEqual({ mean: 80 / 90, interval: wilsonInterval(80, 90), effectiveN: 90 });
  });
  test('clusters whose examples are all alike count as one example each, or a little less', () => {
    const clusters = Array.from({ length: 400 }, (_, i) => i >> 2);
    const { effectiveN } = scoreInterval([clusters.map((c) => (c % 5 ? 1 : 0))], new TestDesign(400, { clusters }));
    expect(effectiveN).toBeGreaterThan(95);
    expect(effectiveN).toBeLessThanOrEqual(100);
  });
});
