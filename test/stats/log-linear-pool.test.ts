/** Weights of a log-linear pool: the conditions that its minimum fulfils, on logits that know more, less and nothing. */
import { describe, expect, test } from 'vitest';
import { Random } from '../../src/base/index.js';
import { fitPoolWeights } from '../../src/stats/index.js';

const [n, K] = [400, 5];
const random = new Random(3, 'pool');
const labels = Int32Array.from({ length: n }, (_, i) => i % K);
/** Logits that know the label by so much, with noise of one. */
const knowing = (signal: number) =>
  Float64Array.from(
    { length: n * K },
    (_, at) => random.normal() + (labels[Math.floor(at / K)] === at % K ? signal : 0),
  );
const [good, fair, nothing] = [knowing(2), knowing(1), knowing(0)];
const opposed = knowing(1).map((z) => -z);

/** Mean log loss of the pool, and its slope in every weight. */
function loss(
  logits: readonly Float64Array[],
  a: ArrayLike<number>,
  { rows = [...labels.keys()], weights }: { rows?: readonly number[]; weights?: Float64Array } = {},
) {
  let [value, total] = [0, 0];
  const slopes = logits.map(() => 0);
  for (const i of rows) {
    const w = weights?.[i] ?? 1;
    const z = Array.from({ length: K }, (_, k) =>
      logits.reduce((sum, own, m) => sum + (a[m] as number) * (own[i * K + k] as number), 0),
    );
    const mass = z.reduce((sum, v) => sum + Math.exp(v), 0);
    value += w * (Math.log(mass) - (z[labels[i] as number] as number));
    for (const [m, own] of logits.entries()) {
      const mean = z.reduce((sum, v, k) => sum + (Math.exp(v) / mass) * (own[i * K + k] as number), 0);
      slopes[m] = (slopes[m] as number) + w * (mean - (own[i * K + (labels[i] as number)] as number));
    }
    total += w;
  }
  return { value: value / total, slopes: slopes.map((s) => s / total) };
}

const weights = Float64Array.from(labels, (c) => 1 + c);
const rows = [...labels.keys()].filter((i) => i % 3 > 0);
describe.each([
  ['all examples', {}],
  ['weighted examples', { weights }],
  ['some examples', { rows }],
])('a pool fitted to %s', (_, how) => {
  test('has no slope where a weight is above zero, and none downwards at zero', () => {
    const logits = [good, fair, nothing, opposed];
    const a = fitPoolWeights(logits, { labels, classes: K, ...how });
    const { slopes } = loss(logits, a, how);
    for (const [m, weight] of a.entries()) {
      expect(weight).toBeGreaterThanOrEqual(0);
      if (weight > 0) expect(slopes[m]).toBeCloseTo(0, 6);
      else expect(slopes[m]).toBeGreaterThan(0);
    }
    expect(a[0]).toBeGreaterThan(a[1] as number);
    expect(a[3]).toBe(0);
  });
});

test('a pool is no worse than its best member at that one’s own temperature', () => {
  const single = fitPoolWeights([good], { labels, classes: K });
  const both = fitPoolWeights([good, fair], { labels, classes: K });
  expect(loss([good, fair], both).value).toBeLessThan(loss([good], single).value);
});

test('logits a thousand times too large, and constant ones, are no trouble', () => {
  const large = good.map((z) => 1000 * z);
  const flat = new Float64Array(n * K).fill(3);
  const a = fitPoolWeights([large, flat], { labels, classes: K });
  const [alone] = fitPoolWeights([good], { labels, classes: K });
  expect(1000 * (a[0] as number)).toBeCloseTo(alone as number, 3);
  expect(Number.isFinite(a[1])).toBe(true);
});
