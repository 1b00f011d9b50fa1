import { describe, expect, test } from 'vitest';
import { affinityTrend } from '../../src/record/index.js';
import { record, type Task, task, withCell, withoutPredictions } from '../report/sample.js';

/** Affinity is (100 - scratch) / 200, the gain (head2toe - 100) / 200. */
const at = (name: string, head2toe: number, scratch: number): Task => task(name, { linear: 100, head2toe, scratch });

const apart = (name: string, linear: number, head2toe: number, scratch: number): Task =>
  task(name, { linear, head2toe, scratch });

describe('domain affinity', () => {
  test('score of the last layer minus that of scratch, with the interval of the pair', () => {
    const [t] = record(at('a', 140, 70)).tasks;
    expect(t?.domainAffinity?.value).toBeCloseTo(0.15, 12);
    const [low, high] = t?.domainAffinity?.interval ?? [];
    expect(low).toBeGreaterThan(0.05);
    expect(high).toBeLessThan(0.25);
    // From the two scores alone it is wider.
    const [blind] = record(withoutPredictions(at('a', 140, 70))).tasks;
    expect(blind?.domainAffinity?.value).toBeCloseTo(0.15, 12);
    expect(blind?.domainAffinity?.interval?.[0]).toBeLessThan(low as number);
  });
  test('none where a method is missing, or failed to train', () => {
    expect(record(task('a', { linear: 100 })).tasks[0]).not.toHaveProperty('domainAffinity.value');
    const untrained = withCell(at('c', 100, 60), 'scratch', { failedToTrain: true });
    expect(record(untrained).tasks[0]?.domainAffinity).toBeUndefined();
  });
});

describe('gain against domain affinity', () => {
  test('one point per task, with the comparison of the answer', () => {
    const r = record(at('a', 140, 140), at('b', 120, 100), at('c', 100, 60));
    const trend = affinityTrend(r, 'head2toe');
    expect(
      trend?.points.map((p) => [p.task, Math.round(200 * p.affinity), Math.round(200 * p.gain.difference)]),
    ).toEqual([
      ['a', -40, 40],
      ['b', 0, 20],
      ['c', 40, 0],
    ]);
    expect(r.answer.comparisons).toContain(trend?.points[0]?.gain);
    expect(trend?.r).toBeCloseTo(-1, 12);
  });
  test('no interval of r below five tasks, no line below eight', () => {
    const tasks = Array.from({ length: 8 }, (_, i) => at(`t${i}`, 100 + 5 * i + (i % 3), 90 - 7 * i));
    const of = (n: number) => affinityTrend(record(...tasks.slice(0, n)), 'head2toe');
    expect(of(2)).toMatchObject({ r: undefined, interval: undefined, line: [] });
    expect(of(4)).toMatchObject({ r: expect.any(Number), interval: undefined, shuffled: undefined, line: [] });
    expect(of(5)).toMatchObject({ interval: expect.any(Array), line: [] });
    expect(of(8)?.line).toHaveLength(21);
  });
  test('Fisher’s interval', () => {
    const heads = [110, 126, 119, 140, 132];
    const trend = affinityTrend(record(...heads.map((h, i) => at(`t${i}`, h, 90 - 10 * i))), 'head2toe');
    // scipy.stats.pearsonr([.05,.1,.15,.2,.25], [.05,.13,.095,.2,.16]).confidence_interval(.95)
    expect(trend?.r).toBeCloseTo(0.79281, 4);
    expect(trend?.interval?.[0]).toBeCloseTo(-0.297658, 4);
    expect(trend?.interval?.[1]).toBeCloseTo(0.985647, 4);
  });
  test('the r of shuffled scratch scores is beside it: a shared score correlates by itself', () => {
    // Gain and affinity are independent of each other but for the score of the last layer.
    const linear = [60, 90, 120, 150, 70, 100, 130, 160];
    const trend = affinityTrend(
      record(...linear.map((l, i) => apart(`t${i}`, l, 180 + ((7 * i) % 5), 50 + ((3 * i) % 7)))),
      'head2toe',
    );
    expect(trend?.r).toBeLessThan(-0.9);
    expect(trend?.shuffled?.median).toBeLessThan(-0.9);
  });
  test('one task shows no trend', () => {
    expect(affinityTrend(record(at('a', 140, 140)), 'head2toe')).toBeUndefined();
    expect(affinityTrend(record(at('a', 140, 140), at('b', 140, 100)), 'finetune')).toBeUndefined();
  });
});
