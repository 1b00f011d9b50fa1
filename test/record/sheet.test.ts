/** From a method's answers to its cell: sheets, and the scores that whoever owns the test labels adds. */
import { describe, expect, test } from 'vitest';
import {
  type ClassPredictions,
  type ClassTargets,
  type DoneCell,
  overSeeds,
  type SeedRun,
  type Sheet,
  StoredSheet,
  StoredTapSheet,
  scoreSheet,
  scoreTaps,
  storeSheet,
  storeTapSheet,
  type UnscoredCell,
} from '../../src/record/index.js';

const n = 40;
/** Half of them 0, half 1. */
const labels = Array.from({ length: n }, (_, i) => i % 2);
const targets: ClassTargets = { kind: 'class', classes: ['a', 'b'], labels };

/** Right on all but the first `wrong` examples, with sure probabilities where these are asked for. */
function answers(wrong: number, sure?: number): ClassPredictions {
  const predicted = labels.map((label, i) => (i < wrong ? 1 - label : label));
  const probabilities =
    sure === undefined ? undefined : predicted.flatMap((c) => (c ? [1 - sure, sure] : [sure, 1 - sure]));
  return { kind: 'class', predicted, ...(probabilities ? { probabilities } : {}) };
}

const cell = (more: Partial<UnscoredCell> = {}): UnscoredCell => ({
  status: 'done',
  method: 'linear',
  seconds: 1,
  converged: true,
  notes: [],
  ...more,
});

describe('a sheet becomes a cell', () => {
  test('with the score of its predictions', () => {
    const scored = scoreSheet({ cell: cell({ validation: 0.9 }), predictions: answers(10, 0.8) }, targets);
    expect(scored.cell).toMatchObject({ score: 0.75, meanPerClass: 0.75, validation: 0.9, method: 'linear' });
    expect(scored.cell.logLoss).toBeCloseTo(-(0.75 * Math.log(0.8) + 0.25 * Math.log(0.2)), 12);
    expect(scored.cell.calibrationError).toBeCloseTo(0.05, 12);
    const [low, high] = scored.cell.interval as [number, number];
    expect([low < 0.75, high > 0.75, low > 0.55, high < 0.9]).toEqual([true, true, true, true]);
    expect(scored.predictions).toEqual(answers(10, 0.8));
  });

  test('without test labels, or without predictions, with no score at all', () => {
    for (const found of [
      scoreSheet({ cell: cell(), predictions: answers(0) }, undefined),
      scoreSheet({ cell: cell() }, targets),
    ]) {
      expect(found).toEqual({ cell: cell() });
    }
  });

  test('windows of a ranking are scored beside it', () => {
    const window = (first: number) => ({ first, count: 5, validation: 0.5, converged: true });
    const selection = { features: 5, shares: [], rankWindows: [window(0), window(5)] };
    const sheet: Sheet = { cell: cell({ selection }), predictions: answers(0), windows: [answers(4), answers(20)] };
    const windows = scoreSheet(sheet, targets).cell.selection?.rankWindows;
    expect(windows?.map((w) => [w.first, w.score, w.validation])).toEqual([
      [0, 0.9, 0.5],
      [5, 0.5, 0.5],
    ]);
    expect(scoreSheet(sheet, undefined).cell.selection).toEqual(selection);
  });
});

describe('a bound', () => {
  const sheet: Sheet = {
    cell: cell({ method: 'oracle', settings: { folds: 3 } }),
    alternatives: [
      { name: 'stem', predictions: answers(20) },
      { name: 'middle', predictions: answers(5) },
      { name: 'late', predictions: answers(5) },
    ],
  };

  test('chooses by the test score, of equals the first, and says what', () => {
    const { cell, predictions } = scoreSheet(sheet, targets);
    expect(cell).toMatchObject({ score: 0.875, settings: { folds: 3, tap: 'middle' } });
    expect(predictions).toEqual(answers(5));
  });

  test('chooses anew when other labels are true', () => {
    const other = { ...targets, labels: labels.map((label, i) => (i < 20 ? 1 - label : label)) };
    expect(scoreSheet(sheet, other).cell).toMatchObject({ score: 1, settings: { tap: 'stem' } });
  });

  test('without test labels chooses nothing', () => {
    expect(scoreSheet(sheet, undefined)).toEqual({ cell: sheet.cell });
  });
});

describe('a figure that cannot be right', () => {
  const found = (wrong: number, validation?: number) =>
    scoreSheet({ cell: cell(validation === undefined ? {} : { validation }), predictions: answers(wrong) }, targets)
      .cell.suspect;

  test('is a test score at or below chance where validation is far above it', () => {
    expect(found(20, 0.8)).toMatch(
      /^its test score of 50\.0 % is no better than naming the most frequent class \(50\.0 %\), while validation says 80\.0 %: a fault of toehold unless the test examples are of another kind/,
    );
    expect(found(40, 0.75)).toContain('its test score of 0.0 %');
  });

  test.each([
    ['above chance', 19, 0.99],
    ['validation is not far above chance either', 20, 0.69],
    ['nothing was validated', 40, undefined],
  ])('is not suspected when %s', (_, wrong, validation) => {
    expect(found(wrong, validation)).toBeUndefined();
  });

  test('chance is the share of the most frequent class', () => {
    const skewed: ClassTargets = { ...targets, labels: labels.map((_, i) => (i < 30 ? 0 : 1)) };
    const all0: ClassPredictions = { kind: 'class', predicted: new Array<number>(n).fill(0) };
    const suspect = (validation: number) =>
      scoreSheet({ cell: cell({ validation }), predictions: all0 }, skewed).cell.suspect;
    expect(suspect(0.96)).toContain('most frequent class (75.0 %)');
    expect(suspect(0.9)).toBeUndefined();
  });
});

describe('stored sheets', () => {
  const sheet: Sheet = {
    cell: cell({
      validation: 0.8,
      selection: { features: 5, shares: [], rankWindows: [{ first: 0, count: 5, converged: true }] },
    }),
    predictions: { ...answers(7, 0.9), predicted: Int32Array.from(answers(7).predicted) },
    windows: [answers(11, 0.6)],
  };

  test('are JSON without probabilities, and scored alike', () => {
    const read = StoredSheet.parse(JSON.parse(JSON.stringify(storeSheet(sheet))));
    expect(JSON.stringify(read)).not.toContain('probabilities');
    const { logLoss, calibrationError, ...scored } = scoreSheet(sheet, targets).cell;
    expect([logLoss, calibrationError].every((v) => v !== undefined)).toBe(true);
    expect(scoreSheet(read, targets).cell).toEqual(scored);
  });

  test('have no place for a score: it is refused', () => {
    for (const figure of [{ score: 1 }, { interval: [0, 1] }, { suspect: 'x' }, { logLoss: 0 }]) {
      const stored = storeSheet(sheet);
      expect(() => StoredSheet.parse({ ...stored, cell: { ...stored.cell, ...figure } })).toThrow();
    }
    expect(() => StoredSheet.parse(storeSheet(sheet))).not.toThrow();
  });

  test('of a bound hold what every alternative says', () => {
    const bound: Sheet = {
      cell: cell({ method: 'oracle' }),
      alternatives: [
        { name: 'stem', predictions: answers(20, 0.7) },
        { name: 'late', predictions: answers(5, 0.7) },
      ],
    };
    const read = StoredSheet.parse(JSON.parse(JSON.stringify(storeSheet(bound))));
    expect(read.alternatives?.map((a) => a.name)).toEqual(['stem', 'late']);
    expect(scoreSheet(read, targets).cell).toMatchObject({ score: 0.875, settings: { tap: 'late' } });
  });
});

describe('single taps', () => {
  const answer = (wrong: number, validation = 0.6) => ({
    validation,
    l2: 0.01,
    converged: true,
    predictions: answers(wrong, 0.9),
  });
  const sheets = [
    { alias: 'stem', alone: answer(20), withLast: answer(4) },
    { alias: 'features', alone: { ...answer(6), converged: false } },
  ];

  test('are scored one by one, stored or not', () => {
    const read = sheets.map((s) => StoredTapSheet.parse(JSON.parse(JSON.stringify(storeTapSheet(s)))));
    for (const given of [sheets, read]) {
      const scored = scoreTaps(given, targets);
      expect(scored.get('stem')).toMatchObject({
        alone: { score: 0.5, validation: 0.6, l2: 0.01, converged: true },
        withLast: { score: 0.9 },
      });
      expect(scored.get('features')).toMatchObject({ alone: { score: 0.85, converged: false } });
      expect(scored.get('features')).not.toHaveProperty('withLast');
    }
  });

  test('are suspected as methods are', () => {
    const [stem] = [
      ...scoreTaps([{ alias: 'stem', alone: answer(20, 0.9), withLast: answer(4, 0.9) }], targets).values(),
    ];
    expect(stem?.alone?.suspect).toMatch(/^its test score of 50\.0 % is no better than/);
    expect(stem?.withLast).not.toHaveProperty('suspect');
  });

  test('without test labels keep their validation alone', () => {
    expect(scoreTaps(sheets, undefined).get('stem')).toEqual({
      alone: { validation: 0.6, l2: 0.01, converged: true },
      withLast: { validation: 0.6, l2: 0.01, converged: true },
    });
  });
});

describe('cells of several seeds are one', () => {
  const of = (score: number | undefined, more: Partial<DoneCell> = {}): DoneCell => ({
    ...cell({ validation: 0.5 }),
    ...(score === undefined ? {} : { score, interval: [score - 0.1, score + 0.1] as [number, number] }),
    ...more,
  });
  /** A scored run that got all but the first `wrong` of 40 right. */
  const run = (seed: number, wrong: number, more: Partial<DoneCell> = {}): SeedRun => ({
    seed,
    cell: of((n - wrong) / n, more),
    predicted: Array.from(answers(wrong).predicted),
  });

  test('one seed stays as it is', () => {
    const only = of(0.7);
    expect(overSeeds([{ seed: 3, cell: only }], targets)).toEqual(only);
  });

  test('the mean, every seed beside it, and an interval over examples and seeds', () => {
    const [first, second] = [
      { validation: 0.5, meanPerClass: 0.6, seconds: 2 },
      { validation: 0.7, meanPerClass: 0.7, seconds: 3 },
    ];
    const merged = overSeeds([run(0, 16, first), run(1, 8, second)], targets);
    expect(merged).toMatchObject({ validation: 0.6, seconds: 5, converged: true });
    expect(merged.score).toBeCloseTo(0.7, 12);
    expect(merged.meanPerClass).toBeCloseTo(0.65, 12);
    expect(merged.seeds).toEqual([
      { seed: 0, score: 0.6 },
      { seed: 1, score: 0.8 },
    ]);
    // Two seeds 20 points apart tell next to nothing: few degrees of freedom, a wide interval.
    const same = overSeeds([run(0, 12), run(1, 12)], targets);
    const width = ({ interval }: DoneCell) => (interval?.[1] as number) - (interval?.[0] as number);
    expect(width(merged)).toBeGreaterThan(1.5 * width(same));
    expect(merged.effectiveN).toBeLessThan(same.effectiveN as number);
    // Equal seeds: what is left is the sampling of test examples.
    expect(same.effectiveN).toBeGreaterThan(38);
    expect(width(same)).toBeCloseTo(0.28, 1);
  });

  test('is converged, trained and unsuspected only where every seed is', () => {
    const merged = overSeeds(
      [run(0, 16), run(1, 16, { converged: false, failedToTrain: true, suspect: 'it cannot be' })],
      targets,
    );
    expect(merged).toMatchObject({ converged: false, failedToTrain: true, suspect: 'it cannot be' });
  });

  test('a figure that one seed lacks is absent', () => {
    expect(overSeeds([run(0, 16, { logLoss: 1 }), run(1, 16)], targets)).not.toHaveProperty('logLoss');
  });

  test('what folds of one seed said is not said of all', () => {
    const merged = overSeeds(
      [
        run(0, 16, { validationFolds: [0.4, 0.6], settings: { l2: 1 }, notes: ['a', 'b'] }),
        run(1, 16, { validationFolds: [0.5, 0.5], settings: { l2: 2 }, notes: ['b', 'c'] }),
      ],
      targets,
    );
    expect(merged).not.toHaveProperty('validationFolds');
    expect(merged).toMatchObject({ settings: { l2: 1 }, notes: ['a', 'b', 'c'] });
  });

  test('without test labels there is no score', () => {
    const merged = overSeeds(
      [
        { seed: 0, cell: of(undefined, { validation: 0.4 }) },
        { seed: 1, cell: of(undefined, { validation: 0.6 }) },
      ],
      targets,
    );
    expect(merged).not.toHaveProperty('score');
    expect(merged).not.toHaveProperty('interval');
    expect(merged).not.toHaveProperty('seeds');
    expect(merged.validation).toBe(0.5);
  });
});
