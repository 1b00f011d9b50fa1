import { describe, expect, test } from 'vitest';
import { compared } from '../../src/record/index.js';
import { cells, record, row, type Task, task, withoutPredictions } from '../report/sample.js';

const comparisonsOf = (...tasks: Task[]) => record(...tasks).answer.comparisons;

describe('comparisons', () => {
  test('every pair of candidates once, the simpler one as reference', () => {
    const all = comparisonsOf(task('a', { finetune: 120, head2toe: 110, linear: 100, scratch: 90 }));
    expect(all.map((c) => `${c.method} ${c.reference}`)).toEqual([
      'head2toe linear',
      'finetune linear',
      'scratch linear',
      'finetune head2toe',
      'scratch head2toe',
      'scratch finetune',
    ]);
  });
  test('with predictions: paired, exact p, corrected over every test of the run', () => {
    const [a, b] = comparisonsOf(task('a', { linear: 100, head2toe: 106 }), task('b', { linear: 100, head2toe: 107 }));
    expect(a).toMatchObject({ basis: 'paired', verdict: 'better' });
    expect(a?.p).toBeCloseTo(2 / 2 ** 6, 12);
    expect(a?.pHolm).toBeCloseTo(2 / 2 ** 6, 12);
    expect(b?.p).toBeCloseTo(2 / 2 ** 7, 12);
    expect(b?.pHolm).toBeCloseTo(4 / 2 ** 7, 12);
  });
  test('the points of a curve are compared on their own predictions, and corrected with the rest', () => {
    const curve = [{ perClass: 5, ...cells({ linear: 100, head2toe: 107 }) }];
    const all = comparisonsOf({ ...task('a', { linear: 100, head2toe: 106 }), perClass: 50, curve });
    expect(all.map((c) => [c.perClass, Math.round(200 * c.difference)])).toEqual([
      [5, 7],
      [50, 6],
    ]);
    expect(all[0]?.pHolm).toBeCloseTo(4 / 2 ** 7, 12);
  });
  test('one interval and one p wherever a pair is looked up, mirrored when it is asked the other way', () => {
    const all = comparisonsOf(task('a', { linear: 100, head2toe: 130 }));
    const there = compared(all, { task: 'a', method: 'head2toe', reference: 'linear' });
    const back = compared(all, { task: 'a', method: 'linear', reference: 'head2toe' });
    expect(there).toBe(all[0]);
    const [low, high] = there?.interval ?? [];
    expect(back).toEqual({
      ...there,
      method: 'linear',
      reference: 'head2toe',
      difference: -(there?.difference ?? 0),
      interval: [-(high ?? 0), -(low ?? 0)],
      verdict: 'worse',
    });
    expect(compared(all, { task: 'a', method: 'head2toe', reference: 'scratch' })).toBeUndefined();
    expect(compared(all, { task: 'a', perClass: 5, method: 'head2toe', reference: 'linear' })).toBeUndefined();
  });
  test('without predictions: the wider interval of independent proportions, no p, the verdict by the interval', () => {
    const t = task('a', { linear: 100, head2toe: 110, finetune: 150 });
    const [paired] = comparisonsOf(t);
    const [near, far] = comparisonsOf(withoutPredictions(t));
    expect(near).toMatchObject({ basis: 'independent', verdict: 'tie' });
    expect(near).not.toHaveProperty('p');
    expect(near?.interval[0]).toBeLessThan(paired?.interval[0] as number);
    expect(far).toMatchObject({ basis: 'independent', verdict: 'better' });
  });
  test('a task on which one of the two failed has no comparison', () => {
    const all = comparisonsOf(
      task('a', { linear: 100, finetune: undefined }),
      task('b', { linear: 100, finetune: 120 }),
    );
    expect(all.map((c) => c.task)).toEqual(['b']);
  });
  test('several seeds are averaged per example, and tested by permutation', () => {
    const t = task('a', { linear: 100, head2toe: 110 });
    const [c] = comparisonsOf({ ...t, predictions: [...(t.predictions ?? []), row('head2toe', 200, 1)] });
    expect(c?.difference).toBeCloseTo((110 + 200) / 2 / 200 - 0.5, 12);
    expect(c?.p).toBeCloseTo(1 / 10_001, 12);
  });
  test('mean per-class accuracy: each class counts the same, however many examples it has', () => {
    // 180 of class 0, all right; 20 of class 1, of which Head2Toe gets 10 more right.
    const testLabels = Array.from({ length: 200 }, (_, i) => (i < 180 ? 0 : 1));
    const predicted = (right: number) => testLabels.map((label, i) => (i < 180 + right ? label : 0));
    const [c] = comparisonsOf({
      ...task('a', { linear: 185, head2toe: 195 }),
      target: { kind: 'class', classes: ['a', 'b'], metric: 'mean per-class accuracy' },
      testLabels,
      predictions: [
        { method: 'linear', seed: 0, predicted: predicted(5) },
        { method: 'head2toe', seed: 0, predicted: predicted(15) },
      ],
    });
    expect(c?.difference).toBeCloseTo((15 / 20 - 5 / 20) / 2, 12);
    expect(c?.interval[0]).toBeGreaterThan(0.1);
    expect(c).toMatchObject({ basis: 'paired', verdict: 'better' });
  });
});
