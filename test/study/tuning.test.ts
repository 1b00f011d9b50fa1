/** How learning rates are tried: which, for how long, on which rows, and which one is taken. */
import { describe, expect, test } from 'vitest';
import { Random } from '../../src/base/index.js';
import { edgeNote, judged, ranked, rungsOf, shareOf } from '../../src/study/tuning.js';
import { partsOf } from '../../src/study/units/trial.js';

describe('the rungs', () => {
  const rungs = (n: number) => rungsOf(n, { halving: true }).map(({ places, share }) => [places, share]);

  test('halve what is left and double its length, up to two rates at half of the final length', () => {
    expect(rungs(3)).toEqual([
      [3, 1 / 4],
      [2, 1 / 2],
    ]);
    expect(rungs(8)).toEqual([
      [8, 1 / 8],
      [4, 1 / 4],
      [2, 1 / 2],
    ]);
    expect(rungs(5).map(([places]) => places)).toEqual([5, 3, 2]);
  });

  test('try two rates at once, and one rate too: validation says whether it learns anything', () => {
    expect(rungs(2)).toEqual([[2, 1 / 2]]);
    expect(rungs(1)).toEqual([[1, 1 / 2]]);
  });

  test('are one, of the full length, without halving', () => {
    expect(rungsOf(7, { halving: false })).toEqual([{ places: 7, share: 1 }]);
  });

  test('of a grid keep a quarter: 20, then 5, then 2', () => {
    expect(rungsOf(20, { halving: true, kept: 1 / 4 })).toEqual([
      { places: 20, share: 1 / 8 },
      { places: 5, share: 1 / 4 },
      { places: 2, share: 1 / 2 },
    ]);
    expect(rungsOf(4, { halving: true, kept: 1 / 4 }).map((r) => r.places)).toEqual([4, 2]);
  });

  test('last at least an epoch', () => {
    expect([1, 3, 12].map((epochs) => shareOf(epochs, 1 / 4))).toEqual([1, 1, 3]);
  });
});

describe('the ranking', () => {
  const rates = (tried: Parameters<typeof ranked>[0]) => ranked(tried).map((t) => t.learningRate);

  test('goes by validation accuracy, of equals by log loss, of these by the smaller rate, whatever the order', () => {
    const tried = [
      { learningRate: 0.1, validation: 0.7, validationLoss: 1 },
      { learningRate: 0.03, validation: 0.8, validationLoss: 0.9 },
      { learningRate: 0.01, validation: 0.8, validationLoss: 0.8 },
      { learningRate: 0.003, validation: 0.8, validationLoss: 0.8 },
    ];
    for (let seed = 0; seed < 10; seed++) {
      expect(rates(new Random(seed).shuffle([...tried]))).toEqual([0.003, 0.01, 0.03, 0.1]);
    }
  });

  test('puts what diverged last, and a log loss that nobody knows behind any other', () => {
    expect(
      rates([
        { learningRate: 0.001, validation: 0, diverged: 'training diverged' },
        { learningRate: 0.01, validation: 0 },
        { learningRate: 0.1, validation: 0, validationLoss: 5 },
      ]),
    ).toEqual([0.1, 0.01, 0.001]);
  });

  test('says when the chosen rate is at an end of those tried', () => {
    const tried = [0.003, 0.01, 0.03];
    expect(edgeNote(0.01, tried)).toBeUndefined();
    expect(edgeNote(0.03, tried)).toMatch(/0\.03, is the largest that was tried/);
    expect(edgeNote(0.003, tried)).toMatch(/0\.003, is the smallest that was tried/);
    expect(edgeNote(0.01, [0.01])).toBeUndefined();
  });
});

describe('the validation part', () => {
  /** Ten tracks of three frames each, in three classes. */
  const n = 30;
  const groups = Array.from({ length: n }, (_, i) => `track ${Math.floor(i / 3)}`);
  const side = {
    inputs: Array.from({ length: n }, (_, i) => ({ file: `${i}.png`, image: { kind: 'file', path: `${i}.png` } })),
    hashes: groups.map((_, i) => String(i)),
    labels: groups.map((_, i) => Math.floor(i / 3) % 3),
    groups,
  } as unknown as Parameters<typeof partsOf>[1]['train'];
  const classes = ['a', 'b', 'c'];
  const files = (part: { inputs: readonly { file: string }[] }) => part.inputs.map((i) => i.file);

  test('comes from the training rows, and no group stands on both sides', () => {
    for (const seed of [0, 1, 2]) {
      const { learn, validation } = partsOf({ subset: null, folds: 3, seed }, { train: side, classes });
      expect([...files(learn), ...files(validation)].sort()).toEqual(files(side).sort());
      expect(validation.groups?.filter((g) => learn.groups?.includes(g))).toEqual([]);
      expect(validation.labels.length).toBeGreaterThanOrEqual(6);
    }
  });

  test('is the data’s val split where there is one', () => {
    const val = [3, 4, 5, 27, 28, 29];
    const { validation } = partsOf({ subset: null, folds: 3, seed: 0 }, { train: side, classes, validation: val });
    expect(files(validation)).toEqual(val.map((i) => `${i}.png`));
  });
});

describe('a method failed to train', () => {
  /** 100 examples, 40 of the commonest of three classes; the first `right` are named rightly. */
  const labels = Array.from({ length: 100 }, (_, i) => (i % 5 < 2 ? 0 : i % 5 < 4 ? 1 : 2));
  const classes = ['a', 'b', 'c'];
  const naming = (right: number) => ({
    kind: 'class' as const,
    predicted: labels.map((label, i) => (i < right ? label : (label + 1) % 3)),
  });

  test('where validation is no better than naming the commonest class, beyond chance', () => {
    const learned = (right: number) => judged(naming(right), { kind: 'class', classes, labels }).learned;
    // 95 % intervals of 40, 45 and 55 of 100: from 31, 36 and 45 %.
    expect([40, 45, 55].map(learned)).toEqual([false, false, true]);
  });

  test('and groups count as one example each', () => {
    const groups = labels.map((_, i) => `track ${Math.floor(i / 25)}`);
    expect(judged(naming(55), { kind: 'class', classes, labels, groups }).learned).toBe(false);
  });
});
