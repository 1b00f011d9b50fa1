/** Rankings, overlap, and the l2 probe that cross-validation compares with. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { Random } from '../../src/base/index.js';
import { encodeNpy } from '../../src/features/index.js';
import { sourceDefaults, taskFromArrays } from '../../src/probe/index.js';
import { encodeNpz, readNpz } from '../../src/probe/npz.js';
import { rankBy } from '../../src/probe/ranking.js';
import { countByTap, frequencies, jaccard, keepCount } from '../../src/probe/selection.js';
import { placeOf } from '../../src/probe/task.js';
import { chooserBy } from '../../src/probe/tuning/choice.js';
import { Designs, gramOf } from '../../src/probe/tuning/grams.js';
import { FoldProbes, fitL2 } from '../../src/probe/tuning/probes.js';
import { Tally } from '../../src/probe/tuning/tally.js';
import {
  centredKernel,
  FeatureMatrix,
  fitDesign,
  fitLogistic,
  KernelLogistic,
  predictLogits,
} from '../../src/solver/index.js';
import { testEngine } from '../support/run.js';

describe('rankings', () => {
  test('order by score, then by the second key, then by position', () => {
    expect(Array.from(rankBy(Float64Array.of(0, 2, 0, 5, 0), [1, 0, 3, 0, 1]))).toEqual([3, 1, 2, 0, 4]);
  });
  test('keep a fraction of the features, at least one', () => {
    expect([keepCount(0.0005, 100), keepCount(0.1, 100), keepCount(1, 100)]).toEqual([1, 10, 100]);
  });
  test('overlap by the Jaccard index', () => {
    expect(jaccard([1, 2, 3], [2, 3, 4])).toBe(0.5);
    expect(jaccard([], [])).toBe(1);
  });
  test('count how often a feature is selected', () => {
    expect(Array.from(frequencies([[0, 1], [1], [1, 2], [1]], 4))).toEqual([0.25, 1, 0.25, 0]);
  });
  test('count kept features per tap', () => {
    expect(Array.from(countByTap([0, 2, 3], [0, 2, 2, 4]))).toEqual([1, 0, 2]);
  });
});

test('the place of a feature: channel, then cell, piece after piece; a token apart has no row', () => {
  const tap = {
    alias: 't',
    name: 't',
    features: 14,
    pieces: [
      { channels: 2, prefix: 1, grid: [2, 2] as const, features: 10 },
      { channels: 4, prefix: 0, grid: [1, 1] as const, features: 4 },
    ],
  };
  expect(placeOf(tap, 0)).toEqual({ piece: 0, channel: 0, row: -1, column: 0 });
  expect(placeOf(tap, 8)).toEqual({ piece: 0, channel: 1, row: 1, column: 0 });
  expect(placeOf(tap, 12)).toEqual({ piece: 1, channel: 2, row: 0, column: 0 });
});

test('settings are chosen by the lowest log loss, or by accuracy, then log loss; of equals the first', () => {
  const row = (name: string, accuracy: number, logLoss: number) => ({
    name,
    accuracy,
    balanced: 1 - accuracy,
    logLoss,
    balancedLoss: 10 - logLoss,
  });
  const rows = [row('a', 0.5, 1.5), row('b', 0.6, 3), row('c', 0.6, 2), row('d', 0.6, 2), row('e', 0.4, 1.5)];
  const by = (choose: 'log-loss' | 'accuracy', classWeight: 'none' | 'balanced' = 'none') =>
    chooserBy({ choose, classWeight })(rows).name;
  expect([by('log-loss'), by('accuracy')]).toEqual(['a', 'c']);
  expect([by('log-loss', 'balanced'), by('accuracy', 'balanced')]).toEqual(['b', 'e']);
});

test('a tally weighs folds by their rows', () => {
  const tally = new Tally();
  tally.add(Float64Array.of(1, 0, 1, 0, 1, 0), [0, 0, 1], 2);
  tally.add(Float64Array.of(0, 1), [1], 2);
  expect(tally.row({})).toMatchObject({ accuracy: 0.75, folds: [2 / 3, 1], converged: true });
});

test('a fold that did not converge is not forgotten over those that did', () => {
  const tally = new Tally();
  tally.add(Float64Array.of(1, 0), [0], 2, false);
  tally.add(Float64Array.of(1, 0), [0], 2, true);
  expect(tally.row({}).converged).toBe(false);
});

describe('the l2 probe in the span of the examples', () => {
  const n = 60;
  const K = 3;
  const random = new Random(3, 'kernel');
  const labels = Array.from({ length: n }, (_, i) => i % K);
  const blocks = [40, 25].map((features, b) => ({
    name: `tap${b}`,
    features,
    data: Float32Array.from({ length: features * n }, (_, at) =>
      Math.max(0, 1 + random.normal() + (labels[at % n] === Math.floor(at / n) % K ? 0.8 : 0)),
    ),
  }));
  const matrix = new FeatureMatrix(blocks, n, { unitNorm: true });
  const rows = Array.from({ length: n }, (_, i) => i);

  test('reaches the objective of the exact solver, for every penalty', async () => {
    const engine = await testEngine();
    const design = await fitDesign(engine, matrix, { standardize: false });
    const kernel = centredKernel(await gramOf(engine, design, undefined), n, rows, []);
    const solver = new KernelLogistic(engine, kernel, { labels, classes: K }, { tolerance: 1e-3, maxIterations: 500 });
    for (const l2 of [1e-1, 1e-3, 1e-5]) {
      const { objective, converged } = await solver.fit(l2);
      const exact = await fitLogistic(engine, design, labels, { lambdas: [(n * l2) / 2], classes: K });
      expect(converged).toBe(true);
      expect(objective).toBeGreaterThanOrEqual((exact.points[0]?.objective as number) / n - 1e-9);
      expect(objective / ((exact.points[0]?.objective as number) / n)).toBeLessThan(1.001);
    }
  });

  test('says in its tally when it was stopped', async () => {
    const engine = await testEngine();
    const gram = await gramOf(engine, await fitDesign(engine, matrix, { standardize: false }), undefined);
    const fold = { train: rows.slice(0, 40), validation: rows.slice(40) };
    const designs = new Designs(engine, false);
    const problem = { designs, source: { gram }, fold, labels, classes: K };
    const [stopped, done] = [new Tally(), new Tally()];
    await new FoldProbes(problem, { maxIterations: 1 }).fit(1e-5, stopped);
    await new FoldProbes(problem).fit(1e-5, done);
    expect([stopped.row({}).converged, done.row({}).converged]).toEqual([false, true]);
  });

  test('Grams of nested selections add up, and predictions on other rows are those of the weights', async () => {
    const engine = await testEngine();
    const train = rows.filter((i) => i % 4 !== 0);
    const others = rows.filter((i) => i % 4 === 0);
    const design = await fitDesign(engine, matrix, { rows: train, standardize: true });
    const chosen = Int32Array.from({ length: 30 }, (_, j) => 2 * j);
    const gram = await gramOf(engine, design, chosen.slice(0, 10));
    await gramOf(engine, design, chosen.slice(10), gram);
    const kernel = centredKernel(gram, n, train, others);
    const pick = train.map((i) => labels[i] as number);
    const solver = new KernelLogistic(
      engine,
      kernel,
      { labels: pick, classes: K },
      { tolerance: 1e-4, maxIterations: 2000 },
    );
    const fit = await solver.fit(1e-2);
    const sub = await fitDesign(engine, matrix.select(chosen), { rows: train, standardize: true });
    const exact = await fitLogistic(engine, sub, labels, { lambdas: [(train.length * 1e-2) / 2], classes: K });
    const expected = await predictLogits(engine, await exact.model(0), sub.matrix, others);
    const found = await solver.predict(fit);
    // Logits are equal up to a shift of all classes.
    for (let i = 0; i < others.length; i++) {
      const difference = (z: Float64Array) => (z[i * K] as number) - (z[i * K + 1] as number);
      expect(difference(found)).toBeCloseTo(difference(expected), 2);
    }
  });

  test('a probe on selected features speaks of the whole matrix', async () => {
    const engine = await testEngine();
    const design = await fitDesign(engine, matrix, { standardize: false });
    const { model } = await fitL2({ engine, design, indices: Int32Array.of(3, 45, 64), labels, classes: K, l2: 1e-3 });
    expect(model.features).toBe(65);
    expect(Array.from(model.indices)).toEqual([3, 45, 64]);
    expect((await predictLogits(engine, model, matrix)).length).toBe(n * K);
  });
});

describe('files', () => {
  const inFolder = async (use: (folder: string) => Promise<void>) => {
    const folder = await mkdtemp(join(tmpdir(), 'toehold-probe-'));
    try {
      await use(folder);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  };

  test('an .npz archive is read back', () =>
    inFolder(async (folder) => {
      const path = join(folder, 'w.npz');
      const W = Float64Array.of(1, -2, 3.5, 0, 1e-9, 7);
      await writeFile(
        path,
        encodeNpz({ W: encodeNpy('<f8', [3, 2], W), features: encodeNpy('<i4', [3], Int32Array.of(4, 5, 9)) }),
      );
      expect(await readNpz(path)).toEqual({
        W: { shape: [3, 2], data: W },
        features: { shape: [3], data: Int32Array.of(4, 5, 9) },
      });
    }));

  test('arrays of either order and text labels make a task with a held-out test set', () =>
    inFolder(async (folder) => {
      const values = Float32Array.from({ length: 40 }, (_, i) => i);
      await writeFile(join(folder, 'X.npy'), encodeNpy('<f4', [20, 2], values));
      await writeFile(join(folder, 'y.txt'), Array.from({ length: 20 }, (_, i) => (i % 2 ? 'cat' : 'ant')).join('\n'));
      const files = { features: join(folder, 'X.npy'), labels: join(folder, 'y.txt') };
      const { task, targets, split } = await taskFromArrays(files, { ...sourceDefaults, normalisation: 'none' });
      expect(split).toBe("train 16 (tuned by folds inside it), test 4 (20 % of train, held out: no split 'test')");
      expect(task.classes).toEqual(['ant', 'cat']);
      expect([task.train.labels.length, task.test?.matrix.rows, targets?.labels.length]).toEqual([16, 4, 4]);
      const [first] = task.train.files;
      const row = Number(first?.split('#')[1]);
      const into = await task.train.matrix.gather([0, 1], new Float32Array(32));
      const { shift } = task.train.matrix;
      const value = (j: number) => (into[16 * j] as number) + (shift[j] as number);
      expect([value(0), value(1)]).toEqual([2 * row, 2 * row + 1]);
    }));

  test.each([
    ['labels that do not match', [3, 2], 4, '4 labels for the 3 rows'],
    ['no features', [3, 0], 3, 'p = 0'],
    ['one column only', [3], 3, '(examples, features)'],
  ])('%s', async (_, shape, count, message) =>
    inFolder(async (folder) => {
      await writeFile(
        join(folder, 'X.npy'),
        encodeNpy('<f4', shape, new Float32Array(shape.reduce((a, b) => a * b, 1))),
      );
      await writeFile(join(folder, 'y.npy'), encodeNpy('<i4', [count], new Int32Array(count)));
      const files = { features: join(folder, 'X.npy'), labels: join(folder, 'y.npy') };
      await expect(taskFromArrays(files, sourceDefaults)).rejects.toThrow(message);
    }),
  );
});
