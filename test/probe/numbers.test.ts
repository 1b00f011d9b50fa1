/** What a probe's figures mean: estimates after a choice, shares of layers, weights, temperature, edges of grids, costs. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { Random } from '../../src/base/index.js';
import { attributionOf } from '../../src/probe/attribution.js';
import type { MethodContext } from '../../src/probe/context.js';
import type { Fit, ProbeTask, RunOptions } from '../../src/probe/index.js';
import { probeTable } from '../../src/probe/index.js';
import type { Kept } from '../../src/probe/selection.js';
import { FeatureMatrix, type LinearModel, macsOf, predictLogits } from '../../src/solver/index.js';
import { mean } from '../../src/stats/index.js';
import { testEngine } from '../support/run.js';
import { makeTask, resultOf, runOf, scored } from './support/synthetic.js';

const fixture = JSON.parse(readFileSync(new URL('../fixtures/probe/numbers.json', import.meta.url), 'utf8'));

/** One tap of features by the classes of its rows. */
function table(labels: readonly number[], p: number, value: (row: number, j: number) => number): ProbeTask {
  const n = labels.length;
  const data = Float32Array.from({ length: n * p }, (_, at) => value(at % n, Math.floor(at / n)));
  return {
    train: {
      matrix: new FeatureMatrix([{ name: 'features', features: p, data }], n),
      labels: Int32Array.from(labels),
      files: labels.map((_, i) => `row ${i}`),
    },
    classes: ['a', 'b', 'c'].slice(0, new Set(labels).size),
    taps: [{ alias: 'features', name: 'features', features: p }],
    source: { data: 'table', description: 'table' },
  };
}

describe('a validation score', () => {
  test('of features that say nothing is at chance, while the best of the grid is well above it', async () => {
    const found = [];
    for (let seed = 0; seed < 6; seed++) {
      const random = new Random(seed, 'nothing');
      const labels = Array.from({ length: 60 }, (_, i) => i % 3);
      const task = table(labels, 50, () => random.normal());
      const grid = {
        lambdaCount: 6,
        fractions: [0.02, 0.06, 0.2, 0.6],
        choose: 'accuracy',
        keepRule: 'max',
      } as const;
      const run = await runOf('head2toe', task, { ...grid, seed, repetitions: 0, normalisation: 'none' });
      const { fit } = resultOf(run, 'head2toe');
      found.push({ raw: fit.validation?.accuracy as number, estimate: fit.estimate?.accuracy as number });
    }
    expect(mean(found.map((f) => f.raw)) - 1 / 3).toBeGreaterThan(0.05);
    expect(Math.abs(mean(found.map((f) => f.estimate)) - 1 / 3)).toBeLessThan(0.04);
  });

  test('is the estimate in the record, beside what was measured, and lies in its interval', async () => {
    const { cell } = scored(await runOf('head2toe'), 'head2toe');
    const { validation = 0, validationBest = 0, validationInterval: [low, high] = [1, 0] } = cell;
    expect(validation).toBeLessThanOrEqual(validationBest);
    expect(low < validation && validation <= high).toBe(true);
    expect(cell.grid?.map((row) => row.accuracy)).toContain(validationBest);
  });
});

describe('penalties', () => {
  /** Separable but for rows that are labelled wrongly; features share noise, which weak penalties let a probe subtract. */
  const noisy = () => {
    const random = new Random(4, 'noisy');
    const labels = Array.from({ length: 120 }, (_, i) => i % 3);
    const flipped = labels.map((c, i) => (i % 8 === 0 ? (c + 1) % 3 : c));
    const shared = labels.map(() => 3 * random.normal());
    return table(flipped, 30, (i, j) => random.normal() + (shared[i] as number) + (j < 3 && labels[i] === j ? 3 : 0));
  };
  const tuned = async (more: RunOptions) =>
    resultOf(
      await runOf('linear', noisy(), { normalisation: 'none', l2: [1, 0.1, 1e-2, 1e-4, 1e-6], ...more }),
      'linear',
    );

  test('are chosen by log loss, or by accuracy where that is asked for', async () => {
    for (const choose of ['log-loss', 'accuracy'] as const) {
      const { fit } = await tuned({ choose });
      const best =
        choose === 'log-loss'
          ? Math.min(...fit.grid.map((row) => row.logLoss))
          : Math.max(...fit.grid.map((row) => row.accuracy));
      expect(choose === 'log-loss' ? fit.validation?.logLoss : fit.validation?.accuracy).toBe(best);
    }
  });

  test('the temperature from validation makes a probe that is too sure less so', async () => {
    const { fit } = await tuned({ l2: [1e-6] });
    expect(fit.temperature).toBeGreaterThan(1.5);
    const { fit: mild } = await tuned({});
    expect(Math.abs(Math.log(mild.temperature ?? 0))).toBeLessThan(Math.log(fit.temperature ?? 0));
  });

  test('at the edge of the grid: says whether one beyond may do better', async () => {
    const notes = async (l2: number[]) => (await tuned({ l2 })).fit.notes;
    expect(await notes([1e-4, 1e-6])).toEqual([
      expect.stringMatching(
        /^the largest l2 penalty tried \(0.0001\) was chosen \(log loss [\d.]+ against [\d.]+ at 0.000001\): a larger one may do better; add some with --l2$/,
      ),
    ]);
    expect(await notes([10, 0.1, 1e-4])).toEqual([]);
    const [flat] = await notes([0.1, 0.0999]);
    expect(flat).toMatch(/no better than the next within one standard error .*should make little difference$/);
  });
});

describe('the share of features kept', () => {
  /** Every feature says a little, later ones less. */
  const graded = () => {
    const random = new Random(12, 'graded');
    const labels = Array.from({ length: 60 }, (_, i) => i % 3);
    return table(labels, 50, (i, j) => random.normal() + (labels[i] === j % 3 ? 1.5 * 0.85 ** j : 0));
  };
  const kept = async (keepRule: 'one-se' | 'max') => {
    const fractions = [0.02, 0.05, 0.1, 0.2, 0.5, 1];
    const { fit } = resultOf(
      await runOf('head2toe', graded(), { fractions, keepRule, repetitions: 0, normalisation: 'none' }),
      'head2toe',
    );
    return { fit, chosen: fit.tuned.keepFraction as number, kept: fit.selection?.kept as Kept };
  };

  test('is the smallest within one standard error of the best on the same rows; the best is named', async () => {
    const { fit, chosen, kept: said } = await kept('one-se');
    const scores = said.points.map((p) => p.score);
    const best = Math.max(...scores);
    expect(said.points.map((p) => p.fraction)).toEqual([0.02, 0.05, 0.1, 0.2, 0.5, 1]);
    expect(said.points.find((p) => p.fraction === said.best)?.score).toBe(best);
    const swept = fit.grid.filter((row) => row.settings.l2 === 1e-4);
    const rowsOf = said.points.map(({ fraction, score }) =>
      swept
        .filter((row) => row.settings.keepFraction === fraction && row.accuracy === score)
        .reduce((a, b) => (b.logLoss < a.logLoss ? b : a)),
    );
    const top = rowsOf.find((row) => row.settings.keepFraction === said.best);
    const errors = rowsOf.map(({ answers }) => {
      const d = Array.from(answers.right, (v, i) => v - (top?.answers.right[i] as number));
      const mean = d.reduce((sum, v) => sum + v / d.length, 0);
      return Math.sqrt(d.reduce((sum, v) => sum + (v - mean) ** 2, 0) / (d.length - 1) / d.length);
    });
    const place = rowsOf.findIndex((row, i) => best - row.accuracy <= (errors[i] as number) + 1e-12);
    expect(chosen).toBe(said.points[place]?.fraction);
    expect(said.standardError).toBeCloseTo(errors[place] as number, 12);
    expect(chosen).toBeLessThan(said.best);
  });

  test('or the best, where that is asked for', async () => {
    const { chosen, kept: said } = await kept('max');
    expect(chosen).toBe(said.best);
    expect((await kept('one-se')).kept.points).toEqual(said.points);
  });
});

describe('what a probe owes to each layer', () => {
  test('is the covariance of its part of the logits with the whole, as numpy has it; shares add up to one', async () => {
    const { x, labels } = fixture.weighted;
    const n = labels.length;
    const column = (j: number) => Array.from({ length: n }, (_, i) => x[4 * i + j] as number);
    const block = (name: string, columns: readonly number[]) => ({
      name,
      features: columns.length,
      data: Float32Array.from(columns.flatMap(column)),
    });
    const matrix = new FeatureMatrix([block('a', [0]), block('b', [1, 2, 3])], n);
    const model: LinearModel = {
      classes: 3,
      features: 4,
      indices: Int32Array.of(0, 1, 2, 3),
      weights: Float64Array.from(fixture.shares.w),
      intercept: Float64Array.of(0.3, 0, 1),
      mean: new Float64Array(4),
      scale: new Float64Array(4).fill(1),
    };
    const context = { engine: await testEngine(), train: { matrix }, taps: [{ alias: 'a' }, { alias: 'b' }] };
    const parts = await attributionOf(context as unknown as MethodContext, { model } as unknown as Fit, 8);
    expect(parts?.map((p) => [p.tap, p.features])).toEqual([
      ['a', 1],
      ['b', 3],
    ]);
    for (const [i, part] of (parts ?? []).entries()) expect(part.variance).toBeCloseTo(fixture.shares.shares[i], 5);
  });

  test('and what is lost without it is what a probe that never had it loses', async () => {
    const l2 = [1e-3];
    const task = makeTask();
    const run = await runOf('all-l2', task, { l2, leaveOut: 3 });
    const { fit, attribution } = resultOf(run, 'all-l2');
    expect(attribution?.reduce((sum, p) => sum + p.variance, 0)).toBeCloseTo(1, 10);
    const [, middle] = attribution ?? [];
    expect(middle?.variance).toBe(Math.max(...(attribution ?? []).map((p) => p.variance)));
    for (const [b, part] of (attribution ?? []).entries()) {
      const blocks = task.train.matrix.blocks.filter((_, i) => i !== b);
      const matrix = new FeatureMatrix(blocks, task.train.matrix.rows, { unitNorm: true });
      const { test: _, ...rest } = task;
      const taps = task.taps.filter((_, i) => i !== b);
      const without = { ...rest, train: { ...task.train, matrix }, taps };
      const { fit: refitted } = resultOf(await runOf('all-l2', without, { l2, leaveOut: 0 }), 'all-l2');
      const lost = (refitted.validation?.logLoss ?? 0) - (fit.validation?.logLoss ?? 0);
      expect(Math.abs((part.leftOut?.logLoss ?? 9) - lost)).toBeLessThan(0.01);
      expect(
        Math.abs((part.leftOut?.score ?? 9) - (refitted.validation?.accuracy ?? 0) + (fit.validation?.accuracy ?? 0)),
      ).toBeLessThan(0.025);
    }
    expect(middle?.leftOut?.logLoss).toBeGreaterThan(0.2);
  });

  test('names the order in which layers enter the path; as many are left out as asked for', async () => {
    const { attribution } = resultOf(
      await runOf('head2toe', makeTask(), { fractions: [0.5], leaveOut: 1 }),
      'head2toe',
    );
    expect(attribution?.find((p) => p.entry === 1)?.tap).toBe('s1.b1.act1');
    expect(attribution?.filter((p) => p.leftOut).map((p) => p.tap)).toEqual(['s1.b1.act1']);
  });
});

describe('classes of unequal size', () => {
  test('weighed alike give scikit-learn’s class_weight="balanced"', async () => {
    const { x, labels, l2, logits } = fixture.weighted;
    const task = table(labels, 4, (i, j) => x[4 * i + j]);
    const run = await runOf('linear', task, { l2: [l2], classWeight: 'balanced', normalisation: 'none' });
    const { model } = resultOf(run, 'linear').fit;
    const found = await predictLogits(await testEngine(), model as LinearModel, task.train.matrix);
    for (let i = 0; i < labels.length; i++) {
      const own = found.subarray(3 * i, 3 * i + 3);
      const centre = mean(Array.from(own));
      for (let k = 0; k < 3; k++) expect(Math.abs((own[k] as number) - centre - logits[3 * i + k])).toBeLessThan(5e-3);
    }
  });

  test('settings are chosen by the balanced figure, and the small class is found more often', async () => {
    const random = new Random(3, 'rare');
    const labels = Array.from({ length: 150 }, (_, i) => (i % 10 === 0 ? 1 : 0));
    const task = table(labels, 12, (i, j) => random.normal() + (labels[i] === 1 && j < 4 ? 0.6 : 0));
    const weighted = async (classWeight: 'none' | 'balanced') =>
      resultOf(await runOf('linear', task, { classWeight, normalisation: 'none' }), 'linear').fit;
    const [plain, balanced] = [await weighted('none'), await weighted('balanced')];
    expect(balanced.estimate?.balanced).toBeGreaterThan((plain.estimate?.balanced ?? 1) + 0.05);
    expect(plain.estimate?.accuracy).toBeGreaterThan(balanced.estimate?.accuracy ?? 1);
  });
});

describe('multiply-adds', () => {
  test('of a product are counted to the last one', async () => {
    const engine = await testEngine();
    const { matrix } = makeTask().train;
    const model: LinearModel = {
      classes: 3,
      features: 60,
      indices: Int32Array.from({ length: 60 }, (_, j) => j),
      weights: new Float64Array(180).fill(1),
      intercept: new Float64Array(3),
      mean: new Float64Array(60),
      scale: new Float64Array(60).fill(1),
    };
    const before = macsOf(engine).done;
    await predictLogits(engine, model, matrix);
    expect(macsOf(engine).done - before).toBe(90 * 60 * 3);
  });

  test('of a method grow with every fold and every setting that is tried, and say what analysis took', async () => {
    const macs = async (more: RunOptions) => {
      const { cost } = scored(await runOf('head2toe', makeTask(), { fractions: [0.1], ...more }), 'head2toe').cell;
      return { all: cost?.trainMacs ?? 0, analysis: cost?.analysisMacs ?? 0 };
    };
    const least = await macs({ l2: [1e-3], folds: 2, repetitions: 0, leaveOut: 0 });
    // A Gram matrix of 6 features in every fold, twice, and the path on 60.
    expect(least.all).toBeGreaterThan(2 * 2 * 90 * 90 * 6);
    expect((await macs({ l2: [1e-3], folds: 3, repetitions: 0, leaveOut: 0 })).all).toBeGreaterThan(1.2 * least.all);
    expect((await macs({ l2: [1e-1, 1e-3], folds: 2, repetitions: 0, leaveOut: 0 })).all).toBeGreaterThan(least.all);
    const analysed = await macs({ l2: [1e-3], folds: 2, repetitions: 1, leaveOut: 2, rankWindows: true });
    expect(analysed.all - analysed.analysis).toBe(least.all - least.analysis);
    expect(analysed.analysis).toBeGreaterThan(least.analysis);
  });
});

test('a terminal shows the rule, the overlap with its chance, the bound, and layers by their shares', async () => {
  const { probeRecord } = await import('../../src/probe/index.js');
  const run = await runOf('head2toe', makeTask(), { fractions: [0.5, 1], repetitions: 2 });
  const text = probeTable(probeRecord(await testEngine(), run, { split: 'given', warnings: [] }, 'x'));
  expect(text).toMatch(
    / {2}keeps [\d.]+ \(\d+ features, [\d.]+ %\): the (smallest within one standard error of the highest|highest)/,
  );
  expect(text).toMatch(/stability: Jaccard index \d\.\d\d, chance \d\.\d\d\./);
  expect(text).toMatch(/\d+ features are selected in all 4 halves; on average at most [\d.]+ of such features/);
  expect(text).toContain('layers by their share of the logits’ variance');
  expect(text).not.toMatch(/share of score|cv %/);
});
