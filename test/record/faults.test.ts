/** What makes a command end with 1 although it printed its figures. */
import { describe, expect, test } from 'vitest';
import { type Cell, type DoneCell, faultOf, type TaskRecord } from '../../src/record/index.js';

const done = (method: string, more: Partial<DoneCell> = {}): Cell => ({
  status: 'done',
  method,
  score: 0.7,
  interval: [0.6, 0.8],
  seconds: 1,
  converged: true,
  notes: [],
  ...more,
});

function task(cells: Cell[], more: Partial<TaskRecord> = {}): TaskRecord {
  return {
    task: 'signs',
    target: { kind: 'class', classes: ['a', 'b'], metric: 'accuracy' },
    examples: { train: 10, test: 10 },
    cells,
    warnings: [],
    ...more,
  };
}
const tap = (alias: string, converged: boolean) => ({
  alias,
  depth: 0.5,
  features: 3,
  alone: { score: 0.5, converged },
});
const open = { selection: { features: 2, shares: [], rankWindows: [{ first: 0, count: 2, converged: false }] } };
const end = 'their best iterates are shown';

describe('a record whose figures all stand', () => {
  test('has no fault: failed cells and networks that did not train are findings', () => {
    const cells = [
      done('linear'),
      done('finetune', { failedToTrain: true }),
      { status: 'failed' as const, method: 'scratch', error: 'x' },
      { status: 'not run' as const, method: 'oracle' },
    ];
    expect(faultOf({ tasks: [task(cells, { taps: [tap('stem', true)] })] })).toBeUndefined();
  });
});

describe('the fault of a record', () => {
  test('is named by its method, and by its task where there are several', () => {
    expect(faultOf({ tasks: [task([done('linear', { converged: false })])] })).toBe(`not converged: linear; ${end}`);
    const two = [task([done('linear')]), task([done('linear', { converged: false })], { task: 'aid' })];
    expect(faultOf({ tasks: two })).toBe(`not converged: linear on aid; ${end}`);
  });

  test('may be in a window of ranks, in the probe of a tap, or at a point of a curve', () => {
    expect(faultOf({ tasks: [task([done('head2toe', open)])] })).toBe(`not converged: head2toe; ${end}`);
    expect(faultOf({ tasks: [task([done('linear')], { taps: [tap('a', true), tap('b', false)] })] })).toBe(
      `not converged: the probe of tap b; ${end}`,
    );
    const point = { perClass: 2, cells: [done('linear', { converged: false })] };
    expect(faultOf({ tasks: [task([done('linear')], { perClass: 5, curve: [point] })] })).toBe(
      `not converged: linear; ${end}`,
    );
  });

  test('lists five and counts the rest', () => {
    const cells = Array.from({ length: 7 }, (_, i) => done(`m${i}`, { converged: false }));
    expect(faultOf({ tasks: [task(cells)] })).toBe(`not converged: m0, m1, m2, m3, m4 (and 2 more); ${end}`);
  });

  test('that is ours comes before what did not converge', () => {
    const cells = [done('linear', { converged: false }), done('all-l2', { suspect: 'it cannot be right' })];
    expect(faultOf({ tasks: [task(cells)] })).toBe('all-l2: it cannot be right');
    const wrong = { ...tap('stem', true), withLast: { score: 0.1, converged: true, suspect: 'nor can this' } };
    expect(faultOf({ tasks: [task([done('linear')], { taps: [wrong] })] })).toBe('the probe of tap stem: nor can this');
    expect(faultOf({ tasks: [task(cells, { taps: [wrong] })] })).toBe('all-l2: it cannot be right (and 1 more)');
  });
});
