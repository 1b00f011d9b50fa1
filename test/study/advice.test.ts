import { describe, expect, test } from 'vitest';
import { Random } from '../../src/base/index.js';
import { advise } from '../../src/study/index.js';

const labels = Array.from({ length: 400 }, (_, i) => i % 4);
/** Predictions that are right on the first `right` examples and on `luck` of the others. */
const predict = (right: number, key = '', noise = 0) => {
  const random = new Random('advice', key);
  return labels.map((label, i) => {
    const correct = i < right !== random.uniform() < noise;
    return correct ? label : (label + 1) % 4;
  });
};

describe('advice', () => {
  test('names the best method, its margin and its uncertainty, when the data can tell', () => {
    const advice = advise(
      [
        { method: 'linear', predicted: [predict(200)] },
        { method: 'finetune', predicted: [predict(320)] },
        { method: 'head2toe', predicted: [predict(240)] },
      ],
      labels,
    );
    expect(advice).toMatchObject({ method: 'finetune', best: 'finetune', rival: 'head2toe', certain: true });
    expect(advice?.margin).toBeCloseTo(0.2);
    expect(advice?.interval?.[0]).toBeGreaterThan(0.15);
    expect(advice?.p).toBeLessThan(0.001);
    expect(advice?.sentence).toMatch(
      /^Fine-tuning: it leads selected features of all layers, the next best, by 20\.0 points \[1\d\.\d, 2\d\.\d\]\.$/,
    );
  });

  test('says that the data cannot tell, and takes the simplest of those that are not beaten', () => {
    const advice = advise(
      [
        { method: 'finetune', predicted: [predict(310, 'a', 0.1)] },
        { method: 'linear', predicted: [predict(296, 'b', 0.1)] },
        { method: 'scratch', predicted: [predict(100)] },
      ],
      labels,
    );
    expect(advice?.certain).toBe(false);
    expect(advice?.method).toBe('linear');
    expect(advice?.sentence).toMatch(
      /^The data cannot tell .* from .*, so take the simplest: a probe on the last layer\.$/,
    );
  });

  test('prefers the simpler of two equals, and knows when it leads itself', () => {
    const same = predict(300);
    expect(
      advise(
        [
          { method: 'finetune', predicted: [same] },
          { method: 'linear', predicted: [same] },
        ],
        labels,
      ),
    ).toMatchObject({ method: 'linear', best: 'linear', margin: 0, certain: false });
  });

  test('averages seeds, and has nothing to say of a single method', () => {
    const advice = advise(
      [
        { method: 'linear', predicted: [predict(100, 'a', 0.05), predict(110, 'b', 0.05)] },
        { method: 'finetune', predicted: [predict(300, 'c', 0.05), predict(310, 'd', 0.05)] },
      ],
      labels,
    );
    expect(advice).toMatchObject({ method: 'finetune', certain: true });
    expect(advise([{ method: 'linear', predicted: [predict(100)] }], labels)?.sentence).toMatch(/Only .* was run/);
    expect(advise([], labels)).toBeUndefined();
  });
});
