/** The course's advice by size and likeness of the data, held against scores. */
import { describe, expect, test } from 'vitest';
import { type CourseRow, courseRows, recordOf } from '../../src/record/index.js';
import { cells, measured, task } from '../report/sample.js';

type Scores = Record<string, number>;

/** One task with few labels and many. */
function rowsOf(few: Scores, many: Scores, more: { similar?: boolean } = { similar: true }, margin = 0.2): CourseRow[] {
  const one = task('signs', many, { perClass: 50, curve: [{ perClass: 2, ...cells(few) }], ...more });
  return courseRows(recordOf({ ...measured(one), margin }));
}
const verdicts = (rows: readonly CourseRow[]) => rows.map((r) => [r.size, r.method, r.rival, r.verdict]);

describe('the advice', () => {
  test('is held where no other method is better by more than the margin, and failed where one is proven better', () => {
    const rows = rowsOf({ linear: 150, finetune: 120 }, { linear: 150, finetune: 40 });
    expect(verdicts(rows)).toEqual([
      ['small', 'linear', 'finetune', 'held'],
      ['large', 'finetune', 'linear', 'failed'],
    ]);
    const [, large] = rows;
    expect(large?.difference).toBeCloseTo(0.55, 12);
    expect(large?.interval[0]).toBeGreaterThan(0);
    expect(large?.interval[1]).toBeGreaterThan(0.55);
  });

  test('is undecided where the interval holds both', () => {
    const rows = rowsOf({ linear: 150, finetune: 152 }, { linear: 150, finetune: 152 }, { similar: true }, 0.01);
    expect(verdicts(rows).map(([, , , verdict]) => verdict)).toEqual(['undecided', 'undecided']);
  });

  test('of other data than the source is another: earlier layers with few labels, all layers with many', () => {
    const rows = rowsOf(
      { linear: 100, 'linear-quarter': 120, 'linear-half': 190, finetune: 60 },
      { linear: 100, 'finetune-top': 110, finetune: 190 },
      { similar: false },
    );
    expect(verdicts(rows)).toEqual([
      ['small', 'linear-half', 'linear', 'held'],
      ['large', 'finetune', 'finetune-top', 'held'],
    ]);
    expect(rows.every((r) => r.declared)).toBe(true);
  });

  test('of a smaller rate for pretrained weights is held against the full one at any size', () => {
    const rows = rowsOf(
      { linear: 190, finetune: 60, 'finetune-tenth': 120 },
      { linear: 20, finetune: 190, 'finetune-tenth': 150 },
    );
    const rate = rows.filter((r) => r.advice.startsWith('a tenth'));
    expect(verdicts(rate)).toEqual([
      ['small', 'finetune-tenth', 'finetune', 'held'],
      ['large', 'finetune-tenth', 'finetune', 'failed'],
    ]);
  });

  test('goes by domain affinity where nobody judged the task beforehand', () => {
    const near = rowsOf({ linear: 150, scratch: 80 }, { linear: 150, finetune: 160, scratch: 80 }, {});
    expect(near.map((r) => [r.similar, r.declared])).toEqual([
      [true, false],
      [true, false],
    ]);
    expect(rowsOf({ linear: 150 }, { linear: 150, finetune: 160 }, {})).toEqual([]);
  });

  test('needs a curve', () => {
    const one = task('signs', { linear: 150, finetune: 120 }, { similar: true });
    expect(courseRows(recordOf(measured(one)))).toEqual([]);
  });
});
