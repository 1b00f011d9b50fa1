/** Statistics of several models on several data sets: the published formulas, on scipy's and numpy's numbers. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import {
  adjustedMeans,
  averagePrecision,
  elevenPointPrecision,
  geometricMean,
  inverseLogit,
  logit,
  logitAccuracy,
  logSpaced,
  mcnemar,
  nearBest,
  pearson,
  signedRanks,
  spearman,
  swapTest,
} from '../../src/stats/index.js';

interface Fixture {
  wilcoxon: { differences: number[]; statistic: number; p: number }[];
  spearman: { x: number[]; y: number[]; rho: number }[];
  mcnemar: [number, number, number][];
  adjusted: {
    accuracies: number[][];
    means: number[];
    adjusted: number[];
    standardErrors: number[];
    intervals: [number, number][];
  };
}
const fixture = JSON.parse(readFileSync(new URL('../fixtures/stats/models.json', import.meta.url), 'utf8')) as Fixture;

describe('grids', () => {
  test('45 penalties from 1e-6 to 1e5, a quarter of a decade apart', () => {
    const grid = logSpaced(1e-6, 1e5, 45);
    expect(grid).toHaveLength(45);
    [1e-6, 1.77827941e-6, 3.16227766e-6, 5.62341325e-6].forEach((v, i) => {
      expect((grid[i] as number) / v).toBeCloseTo(1, 8);
    });
    expect(grid.at(-2)).toBeCloseTo(56234.13251903, 7);
    expect(grid.at(-1)).toBe(1e5);
  });
  test('learning rates and decays half a decade apart', () => {
    const rates = logSpaced(1e-4, 1e-1, 7);
    [1e-4, 3.16227766e-4, 1e-3, 3.16227766e-3, 1e-2, 3.16227766e-2, 1e-1].forEach((v, i) => {
      expect((rates[i] as number) / v).toBeCloseTo(1, 8);
    });
  });
});

describe('adjusted means', () => {
  const { accuracies, means, adjusted, standardErrors, intervals } = fixture.adjusted;
  const rows = accuracies.map((row) => row.map(logit));
  const found = adjustedMeans(rows);
  test('on the logit scale, with Morey’s standard errors, are numpy’s', () => {
    found.forEach((m, i) => {
      expect(m.mean).toBeCloseTo(means[i] as number, 12);
      expect(m.adjusted).toBeCloseTo(adjusted[i] as number, 12);
      expect(m.standardError).toBeCloseTo(standardErrors[i] as number, 12);
      m.interval?.forEach((end, side) => {
        expect(end).toBeCloseTo((intervals[i] as [number, number])[side] as number, 9);
      });
    });
  });
  test('are those of the reference’s fixture, and so is r with the accuracy on the source', () => {
    const published = { adjusted: [-0.223309, -0.008548, 0.231857], errors: [0.040267, 0.030804, 0.028534] };
    expect(found.map((m) => Number(m.adjusted.toFixed(6)))).toEqual(published.adjusted);
    expect(found.map((m) => Number(m.standardError?.toFixed(6)))).toEqual(published.errors);
    expect(found.map((m) => Number(m.mean.toFixed(6)))).toEqual([1.255238, 1.469998, 1.710404]);
    const source = [0.716, 0.75, 0.8].map(logit);
    expect(
      pearson(
        source,
        found.map((m) => m.mean),
      ),
    ).toBeCloseTo(0.994083, 6);
    expect(
      spearman(
        source,
        found.map((m) => m.mean),
      ),
    ).toBe(1);
  });
  test('have no error with one model or one data set, and no value for an incomplete table', () => {
    expect(adjustedMeans([[1, 2]])[0]).toMatchObject({ mean: 1.5, standardError: undefined });
    expect(adjustedMeans([[1], [2]])[1]).toMatchObject({ adjusted: 0.5, interval: undefined });
    expect(() => adjustedMeans([[1, 2], [3]])).toThrow('a number for every model on every data set');
  });
  test('logits of 0 and 1 are those of half an example, and say so', () => {
    expect(logitAccuracy(1, 99)).toEqual({ value: logit(99.5 / 100), clamped: true });
    expect(logitAccuracy(0.8, 99)).toEqual({ value: logit(0.8), clamped: false });
    expect(inverseLogit(logit(0.37))).toBeCloseTo(0.37, 14);
  });
});

describe('exact tests', () => {
  test('McNemar’s p is scipy’s binomial one, and the reference’s', () => {
    for (const [a, b, p] of fixture.mcnemar) expect(mcnemar(a, b)).toBeCloseTo(p, 10);
    expect(mcnemar(30, 14)).toBeCloseTo(0.0226288, 7);
    expect(mcnemar(0, 0)).toBe(1);
  });
  test('swapping predictions at random comes to the same p', () => {
    const differences = [...Array<number>(30).fill(1), ...Array<number>(14).fill(-1), ...Array<number>(50).fill(0)];
    expect(Math.abs(swapTest(differences) - mcnemar(30, 14))).toBeLessThan(0.002);
  });
  test('Wilcoxon’s p is scipy’s exact one', () => {
    for (const { differences, statistic, p } of fixture.wilcoxon) {
      const found = signedRanks(differences);
      expect(Math.min(found.positive, found.negative)).toBe(statistic);
      expect(found.p).toBeCloseTo(p, 12);
    }
  });
  test('ties and zeros: all signs of (1, 1, 2) are eight, and two are as far out', () => {
    expect(signedRanks([1, 1, 2, 0])).toEqual({ positive: 6, negative: 0, n: 3, p: 0.25 });
    expect(signedRanks([0, 0]).p).toBe(1);
  });
  test('Spearman’s rho is scipy’s, ties included', () => {
    for (const { x, y, rho } of fixture.spearman) expect(spearman(x, y)).toBeCloseTo(rho, 12);
  });
});

describe('average precision', () => {
  const [precision, recall] = [
    [1, 1, 0.67, 0.75, 0.6],
    [0.2, 0.4, 0.4, 0.6, 0.6],
  ];
  test('over eleven recalls counts a recall of .6 at .6', () => {
    expect(elevenPointPrecision(precision, recall)).toBeCloseTo((5 + 2 * 0.75) / 11, 12);
  });
  test('with np.arange’s thresholds is the reference’s .5227273: its seventh is above .6', () => {
    const arange = Array.from({ length: 11 }, (_, t) => t * 0.1);
    expect(arange[6]).toBeGreaterThan(0.6);
    expect(elevenPointPrecision(precision, recall, arange)).toBeCloseTo(0.5227273, 7);
  });
  test('of scores: ties count together, what is difficult does not count', () => {
    expect(averagePrecision([0.9, 0.8, 0.7, 0.6], [1, 0, 1, 0])).toBeCloseTo((6 * 1 + 5 * (2 / 3)) / 11, 12);
    expect(averagePrecision([0.9, 0.85, 0.8, 0.7, 0.6], [1, -1, 0, 1, 0])).toBeCloseTo((6 + 10 / 3) / 11, 12);
    expect(averagePrecision([0.5, 0.5], [1, 0])).toBe(0.5);
    expect(() => averagePrecision([0.5], [0])).toThrow('no example is of the class');
  });
});

describe('convergence', () => {
  test('the smallest budget with 90 % of the best odds', () => {
    const runs = [0.5, 0.79, 0.8, 0.81].map((score, i) => ({ score, steps: 100 * 2 ** i }));
    // .9 of the odds of .81 are 3.837: .7932.
    expect(nearBest(runs)).toEqual({ score: 0.8, steps: 400 });
    expect(nearBest([...runs, { score: 0.7933, steps: 150 }])?.steps).toBe(150);
    expect(nearBest([])).toBeUndefined();
  });
  test('steps are averaged as logarithms', () => {
    const { mean, quartiles } = geometricMean([100, 200, 400]);
    expect(mean).toBeCloseTo(200, 9);
    expect(quartiles[0]).toBeCloseTo(100 * Math.SQRT2, 9);
  });
});
