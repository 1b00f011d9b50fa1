import { describe, expect, test } from 'vitest';
import { affinityTrend } from '../../src/record/index.js';
import { record, type Task, task, withCell } from '../report/sample.js';

const at = (name: string, head2toe: number, domainAffinity: number): Task =>
  task(name, { linear: 100, head2toe, scratch: 50 }, { domainAffinity });

describe('gain against domain affinity', () => {
  test('one point per task, with the comparison of the answer', () => {
    const r = record(at('a', 140, -0.2), at('b', 120, 0), at('c', 100, 0.2));
    const trend = affinityTrend(r, 'head2toe');
    expect(trend?.points.map((p) => [p.task, p.affinity, Math.round(200 * p.gain.difference)])).toEqual([
      ['a', -0.2, 40],
      ['b', 0, 20],
      ['c', 0.2, 0],
    ]);
    expect(r.answer.comparisons).toContain(trend?.points[0]?.gain);
    expect(trend?.correlation).toMatchObject({ kind: 'pearson', n: 3 });
    expect(trend?.correlation.coefficient).toBeCloseTo(-1, 12);
    expect(trend?.line.at(0)?.y).toBeCloseTo(0.2, 12);
  });
  test('tasks without an affinity, and those where scratch failed to train, are left out', () => {
    const untrained = withCell(at('c', 100, 0.2), 'scratch', { failedToTrain: true });
    const r = record(at('a', 140, -0.2), at('b', 120, 0), untrained, task('d', { linear: 100, head2toe: 150 }));
    expect(affinityTrend(r, 'head2toe')?.points.map((p) => p.task)).toEqual(['a', 'b']);
  });
  test('one task shows no trend', () => {
    expect(affinityTrend(record(at('a', 140, -0.2)), 'head2toe')).toBeUndefined();
    expect(affinityTrend(record(at('a', 140, -0.2), at('b', 140, 0)), 'finetune')).toBeUndefined();
  });
});
