import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import {
  accuracy,
  adjustedMeans,
  averagePrecision11,
  confusionMatrix,
  correlation,
  discordant,
  expectedCalibrationError,
  fitLine,
  holm,
  kendall,
  lineWithBand,
  logit,
  logitAccuracy,
  logLoss,
  mcnemarExact,
  meanOverSeeds,
  meanPerClassAccuracy,
  newcombeInterval,
  normalQuantile,
  normalTail,
  pairedBootstrap,
  pearson,
  permutationTest,
  rank,
  spearman,
  studentCdf,
  studentQuantile,
  topClasses,
  wilcoxonSignedRank,
  wilsonInterval,
} from '../../src/stats/index.js';

const fixture = JSON.parse(readFileSync(new URL('../fixtures/stats/stats.json', import.meta.url), 'utf8'));
const close = (found: number | undefined, expected: number, tolerance = 1e-10) =>
  expect(Math.abs((found as number) - expected), `${found} for ${expected}`).toBeLessThanOrEqual(
    tolerance * Math.max(1, Math.abs(expected)),
  );

describe('distribution functions', () => {
  test('quantiles and tails of the normal and of Student t are scipy’s', () => {
    for (const [p, df, t, cdf, z, tail] of fixture.quantiles) {
      close(studentQuantile(p, df), t, 1e-9);
      close(studentCdf(1.3, df), cdf, 1e-12);
      close(normalQuantile(p), z);
      close(normalTail(p * 6) / tail, 1, 1e-9);
    }
  });
});

describe('intervals', () => {
  test('Wilson interval is scipy’s', () => {
    for (const [k, n, level, low, high] of fixture.wilson) {
      const interval = wilsonInterval(k, n, level);
      close(interval[0], low);
      close(interval[1], high);
    }
    expect(wilsonInterval(0, 0)).toEqual([0, 1]);
  });
  test('Newcombe’s interval gives the printed example of his paper: 56/70 against 48/80', () => {
    const [low, high] = newcombeInterval([56, 70], [48, 80]);
    close(low, 0.0524, 5e-5);
    close(high, 0.3339, 5e-5);
  });
  test('mean over seeds has the t interval, and none for one seed', () => {
    const { mean, sd, interval } = meanOverSeeds(fixture.seeds.values);
    close(mean, fixture.seeds.mean);
    close(sd, fixture.seeds.sd);
    close(interval?.[0], fixture.seeds.interval[0]);
    close(interval?.[1], fixture.seeds.interval[1]);
    expect(meanOverSeeds([0.7])).toEqual({ mean: 0.7, sd: undefined, interval: undefined, n: 1 });
  });
});

describe('paired comparisons', () => {
  test('exact McNemar is the two-sided binomial test', () => {
    for (const [b, c, p] of fixture.mcnemar) close(mcnemarExact(b, c), p);
    close(mcnemarExact(30, 14), 0.0226288, 1e-6);
    expect(mcnemarExact(0, 0)).toBe(1);
    expect(discordant([1, 1, 0, 0], [1, 0, 1, 0])).toEqual([1, 1]);
  });
  test('the permutation test agrees with McNemar on right and wrong, and with all permutations of scipy', () => {
    const first = [...new Array(30).fill(1), ...new Array(14).fill(0), ...new Array(100).fill(1)];
    const second = [...new Array(30).fill(0), ...new Array(14).fill(1), ...new Array(100).fill(1)];
    const { difference, p } = permutationTest(first, second);
    close(difference, 16 / 144);
    close(p, 0.0227, 0.002);
    const { permutation } = fixture;
    close(permutationTest(permutation.first, permutation.second).p, permutation.p, 0.01);
  });
  test('the paired bootstrap has scipy’s percentile interval and repeats with its seed', () => {
    const { first, second, interval } = fixture.bootstrap;
    const found = pairedBootstrap(first, second);
    close(found.interval[0], interval[0], 0.004);
    close(found.interval[1], interval[1], 0.004);
    expect(pairedBootstrap(first, second)).toEqual(found);
  });
  test('strata compare mean per-class accuracy', () => {
    const strata = [0, 0, 0, 1];
    expect(permutationTest([1, 1, 1, 0], [1, 1, 1, 1], { strata, draws: 100 }).difference).toBeCloseTo(-0.5, 12);
    expect(pairedBootstrap([1, 1, 1, 0], [1, 1, 1, 1], { strata, draws: 100 }).interval).toEqual([-0.5, -0.5]);
  });
  test('methods scored on different examples are refused', () => {
    expect(() => pairedBootstrap([1, 0], [1])).toThrow('both methods need the same test examples');
  });
  test('Wilcoxon’s signed ranks: exact without and with ties, normal above fifty', () => {
    for (const [differences, statistic, p] of fixture.wilcoxon) {
      const found = wilcoxonSignedRank(differences);
      close(found.statistic, statistic);
      close(found.p, p);
    }
    expect(wilcoxonSignedRank([0, 0])).toEqual({ statistic: 0, p: 1, n: 0, method: 'exact' });
    expect(rank([3, 1, 3, 2])).toEqual([3.5, 1, 3.5, 2]);
  });
  test('Holm steps down and never decreases', () => {
    holm(fixture.holm.p).forEach((p, i) => {
      close(p, fixture.holm.adjusted[i]);
    });
  });
});

describe('correlations', () => {
  const { x, y } = fixture.correlation;
  test('Pearson, Spearman and Kendall are scipy’s, ties included', () => {
    close(pearson(x, y), fixture.correlation.pearson);
    close(spearman(x, y), fixture.correlation.spearman);
    close(kendall(x, y), fixture.correlation.kendall);
    const line = fitLine(x, y);
    close(line.slope, fixture.correlation.slope);
    close(line.intercept, fixture.correlation.intercept);
  });
  test('bootstrap interval of r, seeded', () => {
    const found = correlation('pearson', x, y);
    close(found.interval?.[0], fixture.correlation.pearsonInterval[0], 0.02);
    close(found.interval?.[1], fixture.correlation.pearsonInterval[1], 0.02);
    expect(correlation('pearson', x, y)).toEqual(found);
    expect(correlation('pearson', x, y, { seed: 1 }).interval).not.toEqual(found.interval);
  });
  test('three pairs are the least; constant lists have no correlation', () => {
    expect(correlation('pearson', [1, 2], [1, 2]).coefficient).toBeUndefined();
    expect(correlation('kendall', [1, 1, 1], [1, 2, 3]).interval).toBeUndefined();
    expect(correlation('spearman', [1, 2, 3], [1, 2, 4]).interval).toEqual([1, 1]);
  });
  test('the band encloses the fitted line', () => {
    for (const { y, low, high } of lineWithBand(x, fixture.correlation.y, [-1, 0, 1])) {
      expect(low).toBeLessThan(y);
      expect(high).toBeGreaterThan(y);
    }
  });
});

describe('accuracies across models and tasks', () => {
  const accuracies = [
    [0.7, 0.93, 0.55, 0.8],
    [0.72, 0.95, 0.6, 0.83],
    [0.78, 0.96, 0.66, 0.85],
  ];
  const x = accuracies.map((row) => row.map(logit));
  test('adjusted means and Morey’s standard errors', () => {
    const found = adjustedMeans(x);
    [-0.223309, -0.008548, 0.231857].forEach((v, m) => {
      close(found.adjusted[m], v, 1e-6);
    });
    [0.040267, 0.030804, 0.028534].forEach((v, m) => {
      close(found.standardErrors[m], v, 1e-6);
    });
    [1.255238, 1.469998, 1.710404].forEach((v, m) => {
      close(found.means[m], v, 1e-6);
    });
    close(pearson([0.716, 0.75, 0.8].map(logit), found.means), 0.994083, 1e-6);
    expect(spearman([0.716, 0.75, 0.8], found.means)).toBe(1);
  });
  test('a data set that one model has not run is dropped, never read as 0', () => {
    const holed = x.map((row, m) => [...row, m === 1 ? Number.NaN : 1]);
    expect(adjustedMeans(holed).dropped).toEqual([4]);
    expect(adjustedMeans(holed).adjusted).toEqual(adjustedMeans(x).adjusted);
    expect(() => adjustedMeans(x.slice(0, 1))).toThrow('two models and two data sets');
  });
  test('the logit of 0 and 1 is clamped and says so', () => {
    expect(logitAccuracy(1, 9)).toEqual({ value: logit(0.95), clamped: true });
    expect(logitAccuracy(0, 9)).toEqual({ value: logit(0.05), clamped: true });
    expect(logitAccuracy(0.5, 9)).toEqual({ value: 0, clamped: false });
  });
});

describe('classification scores', () => {
  const { labels, probabilities, classes, ...expected } = fixture.classification;
  const predicted = topClasses(probabilities, classes);
  test('are scikit-learn’s', () => {
    const confusion = confusionMatrix(labels, predicted, classes);
    expect(confusion).toEqual(expected.confusion);
    close(accuracy(labels, predicted), expected.accuracy);
    close(meanPerClassAccuracy(confusion), expected.meanPerClass);
    close(logLoss(labels, probabilities, classes), expected.logLoss);
    close(expectedCalibrationError(labels, probabilities, classes), expected.ece);
  });
  test('a class without examples does not count in the mean per class', () => {
    expect(
      meanPerClassAccuracy([
        [1, 1],
        [0, 0],
      ]),
    ).toBe(0.5);
  });
  test('the 11-point average precision of VOC counts a recall of .6 at the threshold .6', () => {
    // .5227273 = 5.75 / 11 is what 6 * .1 = .6000000000000001 as a threshold gives: a rounding slip, not the definition.
    close(averagePrecision11([1, 1, 0.67, 0.75, 0.6], [0.2, 0.4, 0.4, 0.6, 0.6]), (5 * 1 + 2 * 0.75) / 11);
    close(averagePrecision11([1, 1, 0.67, 0.75, 0.6], [0.2, 0.4, 0.4, 0.59, 0.59]), 0.5227273, 1e-6);
  });
  test('a prediction outside the classes is named', () => {
    expect(() => confusionMatrix([0], [5], 2)).toThrow('example 0');
  });
});
