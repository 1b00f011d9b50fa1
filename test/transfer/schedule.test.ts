import { describe, expect, test } from 'vitest';
import { kornblithNormMomentum, scheduleDefaults, scheduleFactor } from '../../src/transfer/index.js';

describe('learning-rate schedules', () => {
  test('cosine starts at the peak, is half way down in the middle and nearly zero in the last step', () => {
    expect(scheduleFactor(scheduleDefaults, 0, 100)).toBe(1);
    expect(scheduleFactor(scheduleDefaults, 50, 100)).toBeCloseTo(0.5, 12);
    expect(scheduleFactor(scheduleDefaults, 99, 100)).toBeCloseTo((1 - Math.cos(Math.PI / 100)) / 2, 12);
  });

  test('step decays as in the published layer-copy runs: a tenth every 100,000 of 450,000', () => {
    const step = { ...scheduleDefaults, kind: 'step' as const };
    const at = [0, 99_999, 100_000, 200_000, 300_000, 400_000, 449_999];
    const factors = at.map((t) => scheduleFactor(step, t, 450_000));
    [1, 1, 0.1, 0.01, 0.001, 1e-4, 1e-4].forEach((f, i) => {
      expect(factors[i]).toBeCloseTo(f, 12);
    });
  });

  test('linear warm-up reaches the peak and the rest of the schedule follows it', () => {
    const schedule = { ...scheduleDefaults, warmup: 4 };
    expect([0, 1, 2, 3, 4].map((t) => scheduleFactor(schedule, t, 20))).toEqual([0.25, 0.5, 0.75, 1, 1]);
    expect(scheduleFactor(schedule, 12, 20)).toBeCloseTo(0.5, 12);
  });

  test('constant stays', () => {
    expect(scheduleFactor({ ...scheduleDefaults, kind: 'constant' }, 77, 80)).toBe(1);
  });

  test('momentum of norms follows the epoch length: 8,144, 50,000 and 75,750 images in batches of 256', () => {
    expect(kornblithNormMomentum(8144 / 256)).toBe(0.9);
    expect(kornblithNormMomentum(50_000 / 256)).toBeCloseTo(0.9488, 4);
    expect(kornblithNormMomentum(75_750 / 256)).toBeCloseTo(0.9662, 4);
  });
});
