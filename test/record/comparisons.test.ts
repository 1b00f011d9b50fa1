import { describe, expect, test } from 'vitest';
import { compared, recordOf } from '../../src/record/index.js';
import { cells, measured, record, row, type Task, task, withoutPredictions } from '../report/sample.js';

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
  test('with predictions: paired, with an interval and a p of its own, and of all tests of the run together', () => {
    const [a, b] = comparisonsOf(task('a', { linear: 100, head2toe: 109 }), task('b', { linear: 100, head2toe: 112 }));
    for (const c of [a, b]) {
      expect(c).toMatchObject({ basis: 'paired', verdict: 'better' });
      // Two independent tests: Sidak's correction, to the error of the simulation.
      expect(c?.pCorrected).toBeCloseTo(1 - (1 - (c?.p as number)) ** 2, 2);
      expect(c?.corrected?.[0]).toBeLessThan(c?.interval[0] as number);
      expect(c?.corrected?.[1]).toBeGreaterThan(c?.interval[1] as number);
    }
  });
  test('one test needs no correction', () => {
    const [c] = comparisonsOf(task('a', { linear: 100, head2toe: 106 }));
    expect(c?.pCorrected).toBeCloseTo(c?.p as number, 2);
    expect(c?.corrected?.[0]).toBeCloseTo(c?.interval[0] as number, 2);
  });
  test('without an example that tells two methods apart the interval is not empty', () => {
    const [c] = comparisonsOf(task('a', { linear: 100, head2toe: 100 }));
    // 3.84 / (200 + 3.84): the score interval of no event among 200 (Tango, 1998).
    expect(c?.interval[1]).toBeCloseTo(0.01884, 4);
    expect(c?.interval[0]).toBeCloseTo(-0.01884, 4);
    expect(c).toMatchObject({ p: 1, verdict: 'undecided' });
  });
  test('equal, where the interval lies within the margin', () => {
    const run = { ...measured(task('a', { linear: 100, head2toe: 100 })), margin: 0.02 };
    expect(recordOf(run).answer.comparisons[0]).toMatchObject({ verdict: 'equal' });
  });
  test('groups widen the interval: examples of one group say less than as many alone', () => {
    const t = task('a', { linear: 100, head2toe: 116 });
    const [alone] = comparisonsOf(t);
    const [grouped] = comparisonsOf({ ...t, testGroups: Array.from({ length: 200 }, (_, i) => i >> 2) });
    const width = (c: typeof alone) => (c?.interval[1] as number) - (c?.interval[0] as number);
    // The 16 examples that differ are 4 whole groups: a design effect of about 4.
    expect(width(grouped) / width(alone)).toBeGreaterThan(1.6);
    expect(grouped?.p).toBeGreaterThan(alone?.p as number);
  });
  test('the points of a curve are compared on their own predictions, and corrected with the rest', () => {
    const curve = [{ perClass: 5, ...cells({ linear: 100, head2toe: 107 }) }];
    const all = comparisonsOf({ ...task('a', { linear: 100, head2toe: 106 }), perClass: 50, curve });
    expect(all.map((c) => [c.perClass, Math.round(200 * c.difference)])).toEqual([
      [5, 7],
      [50, 6],
    ]);
    for (const c of all) expect(c.pCorrected).toBeGreaterThan(c.p as number);
  });
  test('one interval and one p wherever a pair is looked up, mirrored when it is asked the other way', () => {
    const all = comparisonsOf(task('a', { linear: 100, head2toe: 130 }));
    const there = compared(all, { task: 'a', method: 'head2toe', reference: 'linear' });
    const back = compared(all, { task: 'a', method: 'linear', reference: 'head2toe' });
    expect(there).toBe(all[0]);
    const [low, high] = there?.interval ?? [];
    const [least, most] = there?.corrected ?? [];
    expect(back).toEqual({
      ...there,
      method: 'linear',
      reference: 'head2toe',
      difference: -(there?.difference ?? 0),
      interval: [-(high ?? 0), -(low ?? 0)],
      corrected: [-(most ?? 0), -(least ?? 0)],
      verdict: 'worse',
    });
    expect(compared(all, { task: 'a', method: 'head2toe', reference: 'scratch' })).toBeUndefined();
    expect(compared(all, { task: 'a', perClass: 5, method: 'head2toe', reference: 'linear' })).toBeUndefined();
  });
  test('without predictions: the wider interval of independent proportions, no p, the verdict by the interval', () => {
    const t = task('a', { linear: 100, head2toe: 110, finetune: 150 });
    const [paired] = comparisonsOf(t);
    const [near, far] = comparisonsOf(withoutPredictions(t));
    expect(near).toMatchObject({ basis: 'independent', verdict: 'undecided' });
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
  test('several seeds are averaged per example, and their spread is in the interval', () => {
    const t = task('a', { linear: 100, head2toe: 110 });
    const with3 = (scores: number[]) =>
      comparisonsOf({
        ...t,
        predictions: [
          ...(t.predictions?.filter((p) => p.method === 'linear') ?? []),
          ...scores.map((k, seed) => row('head2toe', k, seed)),
        ],
      })[0];
    const [same, apart] = [with3([110, 110, 110]), with3([100, 110, 120])];
    expect(apart?.difference).toBeCloseTo(0.05, 12);
    expect(same).toMatchObject({ verdict: 'better' });
    expect(apart).toMatchObject({ verdict: 'undecided' });
    expect(apart?.interval[0]).toBeLessThan(0);
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
