/** Likeness of representations: figures computed with NumPy (shared reference, transfer.md, section 6), and what it must not see. */
import { describe, expect, test } from 'vitest';
import { Random } from '../../src/base/index.js';
import { debiasedCka, linearKernel, unbiasedHsic } from '../../src/stats/index.js';

const features = [1, 0.2, 0.9, -0.1, 1.1, 0.1, -1, 0.3, -0.8, -0.2, -1.2, 0];
const probabilities = [0.8, 0.1, 0.1, 0.7, 0.2, 0.1, 0.6, 0.3, 0.1, 0.1, 0.2, 0.7, 0.2, 0.2, 0.6, 0.1, 0.1, 0.8];
const [f, p] = [linearKernel(features, 6), linearKernel(probabilities, 6)];

const normals = (seed: number, count: number) => {
  const random = new Random(seed, 'cka');
  return Float64Array.from({ length: count }, () => random.normal());
};

describe('debiased linear CKA', () => {
  test('is what NumPy computes', () => {
    expect(unbiasedHsic(f, p)).toBeCloseTo(0.27003333, 8);
    expect(debiasedCka(f, p)).toBeCloseTo(0.98546208, 8);
  });
  test('does not change with rotation, scale or offset', () => {
    const moved = features.map((_, k) => {
      const [x, y] = [features[k - (k % 2)] as number, features[k - (k % 2) + 1] as number];
      return 3 * (k % 2 ? Math.sin(1) * x + Math.cos(1) * y : Math.cos(1) * x - Math.sin(1) * y) + 5;
    });
    expect(debiasedCka(linearKernel(moved, 6), p)).toBeCloseTo(debiasedCka(f, p), 10);
    expect(debiasedCka(linearKernel(moved, 6), f)).toBeCloseTo(1, 10);
  });
  test('is about zero for unrelated features, however many', () => {
    const n = 100;
    const found = [1, 2, 3, 4, 5].map((s) =>
      debiasedCka(linearKernel(normals(s, n * 400), n), linearKernel(normals(100 + s, n * 400), n)),
    );
    expect(Math.abs(found.reduce((a, b) => a + b, 0) / found.length)).toBeLessThan(0.02);
  });
  test('needs the same four examples or more', () => {
    expect(() => debiasedCka(linearKernel([1, 2, 3], 3), linearKernel([1, 2, 3], 3))).toThrow(/n >= 4/);
  });
});
