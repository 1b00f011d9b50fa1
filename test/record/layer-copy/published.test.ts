/**
 * The published networks of Yosinski et al. (2014) through our means: published.csv holds the mean of the ten best validation
 * accuracies of each, recomputed from the training logs that its authors left with their code (half: bases, transfer: frozen,
 * transfer-ft: fine-tuned; 0A0B: from half A of split 0 to its half B; natman: natural and man-made classes).
 */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { type CopyRun, type Half, type LayerCopy, type LayerCopyRuns, withEffects } from '../../../src/record/index.js';

const lines = readFileSync(new URL('published.csv', import.meta.url), 'utf8')
  .trim()
  .split('\n')
  .slice(1);

function runOf(line: string): CopyRun {
  const [name = '', score] = line.split(',');
  const common = { seed: 0, status: 'done', score: Number(score) } as const;
  const base = /^half(\d|natman)([AB])$/.exec(name);
  if (base) return { ...common, split: base[1] as string, target: base[2] as Half, treatment: 'base' };
  const [, ft, first, from, to, n] = /^transfer(-ft)?(\d|natman)([AB])\d?([AB])_\d_(\d)$/.exec(name) ?? [];
  const treatment = `${from === to ? 'BnB' : 'AnB'}${ft ? '+' : ''}` as CopyRun['treatment'];
  return { ...common, split: first as string, target: to as Half, treatment, n: Number(n) };
}

const half = (name: string, classes: number) => ({
  name,
  classes: Array.from({ length: classes }, (_, i) => i),
  train: 1,
  test: 1,
});

const study = (aggregate: LayerCopyRuns['aggregate']): LayerCopy =>
  withEffects({
    network: 'caffenet',
    task: 'imagenet',
    layers: [1, 2, 3, 4, 5, 6, 7].map((n) => ({ n, name: String(n) })),
    classes: [],
    aggregate,
    splits: [
      ...['0', '1', '2', '3'].map((name) => ({ name, kind: 'random' as const, A: half('A', 500), B: half('B', 500) })),
      { name: 'natman', kind: 'given', A: half('natural', 449), B: half('man-made', 551) },
    ],
    runs: lines.map(runOf),
  });

const [pooled, paired] = [study('pooled'), study('paired')];
const level = (treatment: string) =>
  pooled.levels.filter((l) => l.group === 'random' && l.treatment === treatment).map((l) => l.mean);
const contrast = (of: LayerCopy, group: string, name: string) =>
  of.contrasts.filter((c) => c.group === group && c.contrast === name).map((c) => c.mean);

/** The four digits of the table that they are compared with. */
function expectAll(found: readonly number[], published: readonly number[]) {
  expect(found).toHaveLength(published.length);
  for (const [i, value] of found.entries()) expect(Math.abs(value - (published[i] as number))).toBeLessThan(6e-5);
}

describe('Figure 2', () => {
  test('means over networks, by layer', () => {
    expectAll(level('base'), [0.6251]);
    expectAll(level('BnB'), [0.6267, 0.6235, 0.6211, 0.6048, 0.5935, 0.6188, 0.6232]);
    expectAll(level('AnB'), [0.6282, 0.6239, 0.6189, 0.5998, 0.578, 0.5806, 0.5425]);
    expectAll(level('BnB+'), [0.6177, 0.6215, 0.6313, 0.6287, 0.6301, 0.6276, 0.6266]);
    expectAll(level('AnB+'), [0.6373, 0.6358, 0.6426, 0.6398, 0.6446, 0.646, 0.6465]);
  });
  test('how many networks are behind each', () => {
    const runs = (treatment: string) =>
      pooled.levels.filter((l) => l.group === 'random' && l.treatment === treatment).map((l) => l.runs);
    expect(runs('BnB')).toEqual([4, 4, 4, 4, 4, 4, 4]);
    expect(runs('AnB')).toEqual([8, 8, 8, 8, 8, 8, 8]);
    expect(runs('BnB+')).toEqual([1, 1, 2, 1, 2, 2, 1]);
  });
  test('differences from the base of the same target', () => {
    expectAll(contrast(paired, 'random', 'transfer'), [0.0031, -0.0012, -0.0062, -0.0253, -0.0471, -0.0445, -0.0826]);
    expectAll(contrast(paired, 'random', 'co-adaptation'), [-0.0035, -0.0003, 0.0021, 0.0185, 0.0297, 0.0045, 0]);
    expectAll(contrast(paired, 'random', 'specificity'), [-0.0015, 0.0001, 0.0014, 0.0062, 0.0168, 0.039, 0.0824]);
  });
});

describe('Figure 3', () => {
  test('relative accuracy of random and of natural and man-made halves', () => {
    expect(contrast(pooled, 'random', 'transfer').at(-1)).toBeCloseTo(-0.0826, 4);
    expectAll(contrast(pooled, 'natman', 'transfer'), [0.0029, -0.0093, -0.0324, -0.0733, -0.1295, -0.1657, -0.2501]);
  });
});

describe('Table 1', () => {
  const boosts = (of: LayerCopy) =>
    of.boosts
      .filter((b) => b.group === 'random')
      .map(({ from, overBase, overRetrained }) => [
        from,
        (100 * overBase).toFixed(1),
        (100 * (overRetrained ?? 0)).toFixed(1),
      ]);

  test('as published: all networks against all bases', () => {
    expect(boosts(pooled)).toEqual([
      [1, '1.6', '1.4'],
      [3, '1.8', '1.4'],
      [5, '2.1', '1.7'],
    ]);
  });
  test('each network against the base of its own target: a good half of the boost is gone', () => {
    expect(boosts(paired).map(([from, overBase]) => [from, overBase])).toEqual([
      [1, '1.0'],
      [3, '1.2'],
      [5, '1.2'],
    ]);
  });
});
