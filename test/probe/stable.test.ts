/** What halves of the examples keep selecting, and the fewest features within a margin. */
import { expect, test } from 'vitest';
import { runProbes, selectMethods } from '../../src/probe/index.js';
import { mostPerHalf } from '../../src/probe/methods/stable.js';
import { score } from '../../src/record/index.js';
import { falseSelectionBound } from '../../src/stats/index.js';
import { testEngine } from '../support/run.js';
import { makeTask, targets } from './support/synthetic.js';

const engine = await testEngine();

test('a half may select as many features as keep the bound at one selected by chance, and no more', () => {
  const bound = (selected: number) => falseSelectionBound({ pairs: 5, selected, features: 20_000 }, 0.9);
  const most = mostPerHalf(5, 20_000);
  expect(bound(most)).toBeLessThanOrEqual(1);
  expect(bound(most + 1)).toBeGreaterThan(1);
});

test('the features that carry the signal are found, hardly any other, and they do', async () => {
  const { results } = await runProbes(engine, makeTask(), selectMethods('stable'), { folds: 3, lambdaCount: 8 });
  const [found] = results;
  const features = Array.from(found?.fit.selection?.features ?? []);
  // Six features of the middle tap and three of the last have signal: 20 to 25, and 50 to 52.
  const isSignal = (j: number) => (j >= 20 && j < 26) || (j >= 50 && j < 53);
  expect(features.filter(isSignal).length).toBeGreaterThanOrEqual(3);
  expect(features.filter((j) => !isSignal(j)).length).toBeLessThanOrEqual(1);
  expect(found?.fit.notes[0]).toMatch(/^\d features do it: selected by at least 90 % of 10 halves/);
  expect(found?.fit.validation).toBeUndefined();
  const predictions = found?.predictions;
  expect(predictions && score(predictions, targets).accuracy).toBeGreaterThan(0.8);
});

test('a wider margin keeps no more features, and what is kept is within it', async () => {
  const kept: number[] = [];
  for (const keepMargin of [0, 0.02, 0.3]) {
    const options = {
      folds: 3,
      lambdaCount: 8,
      fractions: [0.02, 0.05, 0.1, 0.2, 0.5],
      keepRule: 'margin',
      keepMargin,
    } as const;
    const { results } = await runProbes(engine, makeTask(), selectMethods('head2toe'), {
      ...options,
      repetitions: 0,
      leaveOut: 0,
    });
    const selection = results[0]?.fit.selection;
    const points = selection?.kept?.points ?? [];
    const share = (selection?.features.length ?? 0) / 60;
    const own = points.find(({ fraction }) => Math.round(fraction * 60) === Math.round(share * 60));
    expect(Math.max(...points.map((point) => point.score)) - (own?.score ?? 0)).toBeLessThanOrEqual(keepMargin + 1e-9);
    kept.push(selection?.features.length ?? 0);
  }
  expect(kept).toEqual([...kept].sort((a, b) => b - a));
  expect(kept[2]).toBeLessThan(kept[0] as number);
});
