/** Means and differences of a layer-copy study over networks that answered single images. */
import { describe, expect, test } from 'vitest';
import { Random } from '../../../src/base/index.js';
import {
  bitsOf,
  type CopyRun,
  hexOf,
  type LayerCopyRuns,
  layerCopyAnswer,
  withEffects,
} from '../../../src/record/index.js';

const classes = 10;
const perClass = 40;
const testLabels = Array.from({ length: classes * perClass }, (_, i) => i % classes);
const splits: LayerCopyRuns['splits'] = [
  {
    name: 'random 0',
    kind: 'random',
    seed: 0,
    A: { name: 'A', classes: [0, 1, 2, 3, 4], train: 100, test: 200 },
    B: { name: 'B', classes: [5, 6, 7, 8, 9], train: 100, test: 200 },
  },
  {
    name: 'animals / vehicles',
    kind: 'given',
    A: { name: 'animals', classes: [0, 1, 2, 3, 4, 5], train: 120, test: 240 },
    B: { name: 'vehicles', classes: [6, 7, 8, 9], train: 80, test: 160 },
  },
];

/** A network that is right on this share of its half's images. */
function network(what: Omit<CopyRun, 'status' | 'score' | 'correct'>, skill: number): CopyRun {
  const half = splits.find((s) => s.name === what.split)?.[what.target];
  const own = testLabels.filter((label) => half?.classes.includes(label));
  const random = new Random(JSON.stringify(what));
  const right = own.map(() => random.uniform() < skill);
  return { ...what, status: 'done', score: right.filter(Boolean).length / own.length, correct: hexOf(right) };
}

const skills = { base: 0.8, BnB: 0.75, AnB: 0.6, 'BnB+': 0.82, 'AnB+': 0.84, random: 0.4 } as const;
const runs = splits.flatMap(({ name: split }) =>
  [0, 1].flatMap((seed) =>
    (['A', 'B'] as const).flatMap((target) =>
      (Object.keys(skills) as (keyof typeof skills)[]).flatMap((treatment) =>
        (treatment === 'base' ? [undefined] : [1, 2]).map((n) =>
          network(
            { split, target, treatment, ...(n === undefined ? {} : { n }), seed },
            // The deeper cut costs the other half's layers more.
            skills[treatment] - (treatment === 'AnB' && n === 2 ? 0.2 : 0),
          ),
        ),
      ),
    ),
  ),
);
const study: LayerCopyRuns = {
  network: 'small',
  task: 'ten',
  layers: [
    { n: 1, name: 'conv1' },
    { n: 2, name: 'conv2' },
  ],
  classes: Array.from({ length: classes }, (_, i) => `class ${i}`),
  testLabels,
  aggregate: 'paired',
  splits,
  runs,
};
const found = withEffects(study);
const scoreOf = (split: string, seed: number, target: string, treatment: string, n?: number) =>
  runs.find(
    (r) => r.split === split && r.seed === seed && r.target === target && r.treatment === treatment && r.n === n,
  )?.score ?? Number.NaN;
const meanOver = (value: (seed: number, target: string) => number) =>
  [0, 1].flatMap((seed) => ['A', 'B'].map((target) => value(seed, target))).reduce((a, b) => a + b, 0) / 4;

describe('paired by target', () => {
  test.each(splits.map((s) => s.name))(
    'means on %s are those of the accuracies, though halves differ in size',
    (split) => {
      const group = split === 'random 0' ? 'random' : split;
      const contrast = (name: string, n: number) =>
        found.contrasts.find((c) => c.group === group && c.contrast === name && c.n === n);
      const specificity = meanOver((s, t) => scoreOf(split, s, t, 'BnB', 2) - scoreOf(split, s, t, 'AnB', 2));
      expect(contrast('specificity', 2)?.mean).toBeCloseTo(specificity, 10);
      const boost = meanOver((s, t) => scoreOf(split, s, t, 'AnB+', 1) - scoreOf(split, s, t, 'base'));
      expect(contrast('boost', 1)?.mean).toBeCloseTo(boost, 10);
      expect(contrast('boost', 1)).toMatchObject({ repetitions: 2, runs: 4 });
      const level = found.levels.find((l) => l.group === group && l.treatment === 'base');
      expect(level?.mean).toBeCloseTo(
        meanOver((s, t) => scoreOf(split, s, t, 'base')),
        10,
      );
    },
  );
  test('intervals hold the truth they were drawn from, and exclude what is far from it', () => {
    const truths = { specificity: { 1: 0.15, 2: 0.35 }, 'co-adaptation': { 1: 0.05, 2: 0.05 } } as const;
    for (const [name, at] of Object.entries(truths)) {
      for (const [n, truth] of Object.entries(at)) {
        for (const c of found.contrasts.filter((c) => c.contrast === name && c.n === Number(n))) {
          expect(c.interval?.[0]).toBeLessThan(truth);
          expect(c.interval?.[1]).toBeGreaterThan(truth);
          expect((c.interval?.[1] ?? 1) - (c.interval?.[0] ?? 0)).toBeLessThan(0.3);
        }
      }
    }
  });
  test('a network that failed to train is marked, left out, and takes no other with it', () => {
    const bad = (r: CopyRun) => r.treatment === 'AnB' && r.n === 2 && r.target === 'A' && r.seed === 0;
    const withFailure = withEffects({
      ...study,
      runs: runs.map((r) => (bad(r) ? { ...r, score: 0.1, failedToTrain: true } : r)),
    });
    const c = withFailure.contrasts.find((x) => x.contrast === 'specificity' && x.n === 2 && x.group === 'random');
    expect(c).toMatchObject({ runs: 3, failed: 1 });
    expect(c?.mean).toBeGreaterThan(0.2);
    const answer = layerCopyAnswer(withFailure, 0.01);
    expect(answer.missing.join(' ')).toMatch(/Failed to train.*A2B of random 0 on half A, seed 0/);
  });
  test('the answer names where layers stop serving the other half', () => {
    const { headline, deck } = layerCopyAnswer(found, 0.01);
    expect(headline).toMatch(
      /^On random halves of the classes, frozen layers serve the other half worse from 1 copied/,
    );
    expect(deck.join(' ')).toContain('animals / vehicles');
  });
});

describe('likeness of layers against what copies lose', () => {
  const probes = splits.flatMap(({ name: split }) =>
    (['A', 'B'] as const).flatMap((target) =>
      [0, 1].flatMap((seed) =>
        [1, 2].map((n) => ({ split, target, seed, n, own: 0.7, other: 0.7, cka: n === 1 ? 0.9 : 0.5 })),
      ),
    ),
  );
  test('a likeness that falls where copies fail goes with it; a probe that says nothing is left out', () => {
    const { predictors } = withEffects({ ...study, probes });
    expect(predictors.map((p) => p.predictor)).toEqual(['cka', 'depth']);
    expect(predictors[0]?.r).toBeGreaterThan(0.8);
    expect(predictors[0]?.interval?.[0]).toBeGreaterThan(0.5);
    expect(predictors[0]?.families).toBe(8);
  });
});

test('bits go to hexadecimal and back', () => {
  const random = new Random(0, 'bits');
  for (const length of [1, 3, 4, 5, 17, 100]) {
    const bits = Array.from({ length }, () => random.integer(2));
    expect([...bitsOf(hexOf(bits), length)]).toEqual(bits);
  }
  expect(hexOf([1, 0, 0, 0, 1])).toBe('88');
});
