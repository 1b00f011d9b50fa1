/** What tuning, calibration and stability selection rest on: against scikit-learn, scipy, numpy and simulations. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { Random } from '../../src/base/index.js';
import {
  chanceJaccard,
  confusionMatrix,
  falseSelectionBound,
  fitTemperature,
  jaccard,
  macroF1,
  mean,
  meanPerClassAccuracy,
  outOfBag,
  stratifiedScore,
} from '../../src/stats/index.js';

const fixture = JSON.parse(readFileSync(new URL('../fixtures/probe/numbers.json', import.meta.url), 'utf8'));

test('balanced accuracy and macro F1 are scikit-learn’s; a class that is only predicted counts in the second', () => {
  const { labels, predicted, balanced, macroF1: expected } = fixture.classification;
  const confusion = confusionMatrix(labels, predicted, 5);
  expect(meanPerClassAccuracy(confusion)).toBeCloseTo(balanced, 12);
  expect(macroF1(confusion)).toBeCloseTo(expected, 12);
});

describe('the temperature', () => {
  const { logits, labels, weights, equal, weighted } = fixture.temperature;
  test('is the minimum that scipy finds, with weights and without', () => {
    expect(fitTemperature(logits, labels, 4)).toBeCloseTo(equal, 6);
    expect(fitTemperature(logits, labels, 4, weights)).toBeCloseTo(weighted, 6);
  });
  test('stays above zero where every answer is right, and is large where logits say nothing', () => {
    const right = Array.from({ length: 40 }, (_, at) => (at % 4 === Math.floor(at / 4) % 4 ? 1 : 0));
    const truth = Array.from({ length: 10 }, (_, i) => i % 4);
    expect(fitTemperature(right, truth, 4)).toBeGreaterThan(0.1);
    const random = new Random(1, 'noise');
    const noise = Array.from({ length: 4000 }, () => random.normal());
    const any = Array.from({ length: 1000 }, () => random.integer(4));
    expect(fitTemperature(noise, any, 4)).toBeGreaterThan(3);
  });
});

describe('the best of several candidates', () => {
  /** Right or wrong answers of candidates that are right with the given probabilities. */
  const answers = (probabilities: readonly number[], n: number, random: Random) =>
    probabilities.map((p) => [Float64Array.from({ length: n }, () => (random.uniform() < p ? 1 : 0))]);
  const of = (values: readonly (readonly Float64Array[])[]) => values.map(([own]) => mean(own as Float64Array));
  const pick = (drawn: readonly Float64Array[], others: readonly Float64Array[]) => {
    const scores = drawn.map((own) => own[0] as number);
    return [others[scores.indexOf(Math.max(...scores))]?.[0] as number];
  };

  test('measured by the examples that were not drawn: the mean over all draws, as numpy has it', () => {
    const { values, estimate } = fixture.outOfBag;
    const [found] = outOfBag({ values: values.map((v: number[]) => [v]) }, pick, { seed: 3, draws: 40_000 });
    expect(Math.abs((found as number) - estimate)).toBeLessThan(0.005);
  });

  test('of 40 that guess is 8 points too high as measured, and right within one by the estimate', () => {
    const random = new Random(5, 'null');
    const runs = Array.from({ length: 150 }, (_, seed) => {
      const values = answers(new Array(40).fill(0.5), 200, random);
      return { raw: Math.max(...of(values)), corrected: outOfBag({ values }, pick, { seed, draws: 100 })[0] as number };
    });
    expect(mean(runs.map((r) => r.raw)) - 0.5).toBeGreaterThan(0.06);
    expect(Math.abs(mean(runs.map((r) => r.corrected)) - 0.5)).toBeLessThan(0.01);
  });

  test('that is truly better keeps what it is worth', () => {
    const random = new Random(6, 'better');
    const found = Array.from({ length: 150 }, (_, seed) => {
      const values = answers([0.7, ...new Array(9).fill(0.5)], 200, random);
      return outOfBag({ values }, pick, { seed, draws: 100 })[0] as number;
    });
    expect(Math.abs(mean(found) - 0.7)).toBeLessThan(0.01);
  });

  test('is not helped by examples that come several times, when these are one group', () => {
    const random = new Random(7, 'groups');
    const found = Array.from({ length: 150 }, (_, seed) => {
      const once = answers(new Array(20).fill(0.5), 50, random);
      const values = once.map(([own]) => [Float64Array.from({ length: 200 }, (_, i) => own?.[i % 50] as number)]);
      const clusters = Array.from({ length: 200 }, (_, i) => i % 50);
      const [alone, grouped] = [{ values }, { values, clusters }].map(
        (given) => outOfBag(given, pick, { seed, draws: 60 })[0] as number,
      );
      return { alone: alone as number, grouped: grouped as number };
    });
    expect(mean(found.map((f) => f.alone)) - 0.5).toBeGreaterThan(0.03);
    expect(Math.abs(mean(found.map((f) => f.grouped)) - 0.5)).toBeLessThan(0.015);
  });
});

test('the interval of balanced accuracy holds what it should in 93 to 98 of 100 samples, small classes or not', () => {
  const random = new Random(8, 'balanced');
  const classes = [
    { size: 150, p: 0.95 },
    { size: 40, p: 0.7 },
    { size: 15, p: 0.5 },
  ];
  const strata = classes.flatMap(({ size }, c) => new Array<number>(size).fill(c));
  const truth = mean(classes.map(({ p }) => p));
  const held = Array.from({ length: 1000 }, () => {
    const values = strata.map((c) => (random.uniform() < (classes[c]?.p as number) ? 1 : 0));
    const { interval } = stratifiedScore([values], { strata });
    return interval[0] <= truth && truth <= interval[1] ? 1 : 0;
  });
  expect(mean(held)).toBeGreaterThan(0.93);
  expect(mean(held)).toBeLessThan(0.98);
});

describe('stability selection', () => {
  /** `count` of `from`, without replacement. */
  const some = (count: number, from: readonly number[], random: Random) =>
    Array.from(random.permutation(from.length).slice(0, count), (i) => from[i] as number);
  const range = (first: number, end: number) => Array.from({ length: end - first }, (_, i) => first + i);

  test('chance is the overlap of random sets that take as many of each tap', () => {
    const random = new Random(9, 'chance');
    const draw = () => [...some(8, range(0, 10), random), ...some(12, range(10, 200), random)];
    const found = mean(Array.from({ length: 2000 }, () => jaccard(draw(), draw())));
    const expected = chanceJaccard([
      { of: 10, takes: [8, 8] },
      { of: 190, takes: [12, 12] },
    ]);
    expect(Math.abs(found - expected)).toBeLessThan(0.01);
    // The same sizes without taps: what would have been taken for stability.
    expect(chanceJaccard([{ of: 200, takes: [20, 20] }])).toBeLessThan(expected / 3);
  });

  test('the bound is Shah and Samworth’s: theta q / (2 tau - 1), and C(tau, B) theta q under unimodality', () => {
    const set = { pairs: 50, selected: 20, features: 1000 };
    // theta q = .4; C(.9, 50) = 4 (1 - .9 + .01) / 1.02, C(.6, 50) = 1 / (2 (.2 - .01)).
    expect(falseSelectionBound(set, 0.9)).toBeCloseTo(0.4 * 0.4313725, 6);
    expect(falseSelectionBound(set, 0.6)).toBeCloseTo(0.4 * 2.6315789, 6);
    // Beyond theta = 1 / sqrt(3) only the first holds.
    expect(falseSelectionBound({ pairs: 50, selected: 60, features: 100 }, 0.9)).toBeCloseTo(36 / 0.8, 6);
    expect(() => falseSelectionBound(set, 0.5)).toThrow('(1/2, 1]');
  });

  test('holds the features that halves select by chance: fewer reach the threshold than it says', () => {
    const random = new Random(10, 'bound');
    const [pairs, p, q, signals] = [5, 300, 40, 15];
    for (const threshold of [0.7, 1]) {
      const wrong = Array.from({ length: 400 }, () => {
        const times = new Float64Array(p);
        for (let half = 0; half < 2 * pairs; half++) {
          // Signals nearly always; the places that are left go to noise at random.
          const kept = range(0, signals).filter(() => random.uniform() < 0.95);
          for (const j of [...kept, ...some(q - kept.length, range(signals, p), random)])
            times[j] = (times[j] ?? 0) + 1;
        }
        return times.slice(signals).filter((t) => t >= threshold * 2 * pairs).length;
      });
      expect(mean(wrong)).toBeLessThan(falseSelectionBound({ pairs, selected: q, features: p }, threshold));
    }
  });
});
