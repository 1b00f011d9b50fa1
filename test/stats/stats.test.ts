import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import {
  accuracy,
  confusionMatrix,
  expectedCalibrationError,
  fisherInterval,
  fitLine,
  lineWithBand,
  logLoss,
  meanPerClassAccuracy,
  newcombeInterval,
  normalQuantile,
  normalTail,
  pearson,
  studentCdf,
  studentQuantile,
  topClasses,
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
});

describe('correlations', () => {
  const { x, y } = fixture.correlation;
  test('Pearson’s r, Fisher’s interval and the line are scipy’s', () => {
    close(pearson(x, y), fixture.correlation.pearson);
    fisherInterval(pearson(x, y), x.length).forEach((end, i) => {
      close(end, fixture.correlation.fisher[i]);
    });
    const line = fitLine(x, y);
    close(line.slope, fixture.correlation.slope);
    close(line.intercept, fixture.correlation.intercept);
  });
  test('constant lists have no correlation; an r of 1 has an interval', () => {
    expect(pearson([1, 1, 1], [1, 2, 3])).toBeNaN();
    expect(fisherInterval(1, 5)[0]).toBeLessThan(1);
  });
  test('the band encloses the fitted line', () => {
    for (const { y, low, high } of lineWithBand(x, fixture.correlation.y, [-1, 0, 1])) {
      expect(low).toBeLessThan(y);
      expect(high).toBeGreaterThan(y);
    }
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
  test('a prediction outside the classes is named', () => {
    expect(() => confusionMatrix([0], [5], 2)).toThrow('example 0');
  });
});
