/** What settings are chosen by: folds inside the training examples, or the validation split where the data has one. */
import { describe, expect, test } from 'vitest';
import { Random } from '../../src/base/index.js';
import type { ProbeTask } from '../../src/probe/index.js';
import { probeDefaults } from '../../src/probe/options.js';
import { tuningFolds } from '../../src/probe/tuning/folds.js';
import { Designs, gramOf } from '../../src/probe/tuning/grams.js';
import { FoldProbes } from '../../src/probe/tuning/probes.js';
import { Tally } from '../../src/probe/tuning/tally.js';
import { FeatureMatrix, fitDesign, fitLogistic, predictLogits } from '../../src/solver/index.js';
import { topClasses } from '../../src/stats/index.js';
import { testEngine } from '../support/run.js';
import { counts, K, makeTask, options, resultOf, runOf } from './support/synthetic.js';

/** Every fourth training example validates. */
const validation = Array.from({ length: counts.train }, (_, i) => i).filter((i) => i % 4 === 3);
const rest = Array.from({ length: counts.train }, (_, i) => i).filter((i) => i % 4 !== 3);
const fixed = (): ProbeTask => ({ ...makeTask(), validation });

/** An l2 probe on some features, fitted to some training rows by the exact solver. */
async function byHand(indices: Int32Array, rows: readonly number[], l2: number) {
  const engine = await testEngine();
  const { matrix, labels } = makeTask().train;
  const design = await fitDesign(engine, matrix.select(indices), { rows, standardize: false });
  const { model } = await fitLogistic(engine, design, labels, {
    lambdas: [(rows.length * l2) / 2],
    classes: K,
    tolerance: 1e-4,
  });
  const exact = await model(0);
  return { ...exact, features: matrix.features, indices };
}

const lastLayer = Int32Array.from({ length: 10 }, (_, j) => 50 + j);

describe('a validation split of the data', () => {
  test('is the single fold: settings are compared on it, fitted to the other training examples', async () => {
    const run = await runOf('linear,all-l21,head2toe,ridge,knn,centroid', fixed());
    expect(run.folds).toEqual([{ train: rest, validation }]);
    for (const { method, fit } of run.results) {
      expect([method.card.id, fit.validation?.folds]).toEqual([method.card.id, [fit.validation?.accuracy]]);
      for (const row of fit.grid) expect(row.folds).toHaveLength(1);
    }
    const engine = await testEngine();
    const { matrix, labels } = makeTask().train;
    for (const { settings, accuracy } of resultOf(run, 'linear').fit.grid) {
      const model = await byHand(lastLayer, rest, settings.l2 as number);
      const top = topClasses(await predictLogits(engine, model, matrix, validation), K);
      const right = validation.filter((row, i) => labels[row] === top[i]).length;
      // The solver that compares is less exact than the one that reports: a close call may fall the other way.
      expect(Math.abs(accuracy - right / validation.length)).toBeLessThanOrEqual(1 / validation.length + 1e-9);
    }
  });

  test('learns with the others in the final fit', async () => {
    const run = await runOf('linear', fixed());
    const { model, tuned } = resultOf(run, 'linear').fit;
    const all = Array.from({ length: counts.train }, (_, i) => i);
    const [whole, part] = await Promise.all([
      byHand(lastLayer, all, tuned.l2 as number),
      byHand(lastLayer, rest, tuned.l2 as number),
    ]);
    const engine = await testEngine();
    const { matrix } = makeTask().test;
    const logits = await Promise.all([model, whole, part].map((m) => m && predictLogits(engine, m, matrix)));
    const [own, ofAll, ofPart] = logits as [Float64Array, Float64Array, Float64Array];
    const apart = (a: Float64Array, b: Float64Array) => Math.max(...a.map((v, i) => Math.abs(v - (b[i] as number))));
    expect(apart(own, ofAll)).toBeLessThan(1e-2);
    expect(apart(own, ofPart)).toBeGreaterThan(0.1);
  });

  test('is counted in the record', async () => {
    const { probeRecord } = await import('../../src/probe/index.js');
    const record = probeRecord(
      await testEngine(),
      await runOf('linear', fixed()),
      { split: 'as given', warnings: [] },
      't',
    );
    expect(record.tasks[0]?.examples).toEqual({
      train: 90,
      validation: validation.length,
      test: 60,
      groups: 45,
      perClass: [30, 30, 30],
    });
  });

  test('that lacks a class is said to, and one that holds all of a class is refused', async () => {
    const { labels } = makeTask().train;
    const without = validation.filter((i) => labels[i] !== 2);
    const run = await runOf('linear', { ...makeTask(), validation: without });
    expect(run.warnings).toEqual(["1 class has no validation example and cannot be validated: 'c'"]);
    const every = Array.from(labels.keys()).filter((i) => labels[i] === 2);
    await expect(runOf('linear', { ...makeTask(), validation: every })).rejects.toThrow(
      "class 'c' stands in the validation split only: add training examples or drop the class",
    );
  });

  test.each([[[]], [Array.from({ length: counts.train }, (_, i) => i)]])(
    'may not be empty or everything',
    async (rows) => {
      await expect(runOf('linear', { ...makeTask(), validation: rows })).rejects.toThrow(
        `${rows.length} of 90 training rows are for validation: some must be left`,
      );
    },
  );
});

describe('the solver that compares penalties', () => {
  const l2 = [1e-2, 1e-8];
  const n = 120;
  const p = 8;

  /** Features of very different scales, classes that overlap: a weak penalty takes long. */
  function hard(): ProbeTask {
    const random = new Random(2, 'hard');
    const labels = Int32Array.from({ length: n }, (_, i) => i % K);
    const data = Float32Array.from({ length: n * p }, (_, at) => {
      const [j, i] = [Math.floor(at / n), at % n];
      return 0.5 ** j * (random.normal() + (labels[i] === j % K ? 0.7 : 0));
    });
    return {
      train: {
        matrix: new FeatureMatrix([{ name: 'features', features: p, data }], n),
        labels,
        files: [...labels].map(String),
      },
      classes: ['a', 'b', 'c'],
      taps: [{ alias: 'features', name: 'features', features: p }],
      source: { data: 'hard', description: 'hard' },
    };
  }

  test('gives up early, but not on the figure that is reported', async () => {
    const engine = await testEngine();
    const task = hard();
    const run = await runOf('linear', task, {
      l2,
      folds: 3,
      choose: 'accuracy',
      perTap: 'alone',
      normalisation: 'none',
    });
    const { matrix, labels } = task.train;
    const gram = await gramOf(engine, await fitDesign(engine, matrix, { standardize: false }), undefined);
    const [fold] = run.folds;
    const designs = new Designs(engine, false);
    const probes = fold && new FoldProbes({ designs, source: { gram }, fold, labels, classes: K });
    const converged = [];
    for (const penalty of l2) converged.push((await probes?.fit(penalty, new Tally()))?.converged);
    expect(converged).toEqual([true, false]);
    const { fit } = resultOf(run, 'linear');
    expect(fit.grid.map((row) => row.settings.l2)).toEqual(l2);
    expect([fit.tuned.l2, fit.validation?.converged, fit.converged]).toEqual([1e-8, true, true]);
    for (const { alone } of run.taps ?? []) expect([alone.validation.converged, alone.converged]).toEqual([true, true]);
  });
});

describe('folds', () => {
  test('validate every training example once, groups whole', () => {
    const task = makeTask();
    const folds = tuningFolds(task, { ...probeDefaults, ...options }, []);
    expect(folds).toHaveLength(3);
    expect(folds.flatMap((f) => f.validation).sort((a, b) => a - b)).toEqual(Array.from({ length: 90 }, (_, i) => i));
    for (const { train, validation } of folds) {
      const groups = new Set(train.map((i) => task.train.groups?.[i]));
      expect(validation.filter((i) => groups.has(task.train.groups?.[i]))).toEqual([]);
    }
  });

  test('leave a class of one group in every training part, and say so', () => {
    const task = makeTask();
    const groups = task.train.groups?.map((group, i) => (task.train.labels[i] === 1 ? 'one' : group));
    const warnings: string[] = [];
    const folds = tuningFolds(
      { ...task, train: { ...task.train, groups } },
      { ...probeDefaults, ...options },
      warnings,
    );
    expect(warnings).toEqual(["1 class has a single group and cannot be validated: 'b'"]);
    for (const { validation } of folds) expect(validation.some((i) => task.train.labels[i] === 1)).toBe(false);
  });
});
