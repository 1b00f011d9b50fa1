/** Values of more precision than float32 keep their signal far from zero, and weights are on the values as given. */
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, test } from 'vitest';
import { createOnnxRuntime, type Engine } from '../../src/engine/index.js';
import { encodeNpy } from '../../src/features/index.js';
import { readNpz } from '../../src/probe/npz.js';
import {
  arrayBlock,
  FeatureMatrix,
  fitDesign,
  fitLogistic,
  fitRidge,
  foldNormalisation,
  nearestNeighbours,
  predictLogits,
  solvePath,
} from '../../src/solver/index.js';
import { commandLine } from '../support/cli.js';
import { draw, type Problem } from './degenerate.js';
import { largestDifference, matrixOf } from './support.js';

let engine: Engine;
beforeAll(async () => {
  engine = await createOnnxRuntime({ threads: 1 });
});

const drawn = draw({ sizes: [30, 30, 30], p: 6, seed: 4, kind: 'clean' });
const { n, p, y } = drawn;
/** The first feature tells the classes. */
const near: Problem = { ...drawn, x: drawn.x.map((v, at) => (at < n ? v + 3 * (y[at] as number) : v)) };
const far = (offset: number): Problem => ({ ...near, x: near.x.map((v) => v + offset) });

/** Row by row, (n, p). */
function byRow({ x }: Problem): Float64Array {
  return Float64Array.from({ length: n * p }, (_, at) => x[(at % p) * n + Math.floor(at / p)] as number);
}

function matrix(problem: Problem, unitNorm = false, shift?: Float64Array): FeatureMatrix {
  const array = { name: 'features', rows: n, features: p, values: byRow(problem), fortranOrder: false };
  return new FeatureMatrix([arrayBlock(array, { unitNorm, shift })], n, { unitNorm });
}

/** Every value of a matrix as it was given, feature by feature. */
async function valuesOf(m: FeatureMatrix): Promise<Float64Array> {
  const stored = await m.gather(
    Array.from({ length: m.features }, (_, j) => j),
    new Float32Array(m.features * m.rows),
  );
  const s = await m.rowScale(0);
  return Float64Array.from(
    stored,
    (v, at) => v * (s[at % m.rows] as number) + (m.shift[Math.floor(at / m.rows)] as number),
  );
}

describe('an array block', () => {
  const values = far(1e8);

  test.each([
    ['float64', (v: Float64Array) => v],
    ['int64', (v: Float64Array) => BigInt64Array.from(v, (x) => BigInt(Math.round(x)))],
    ['int32', (v: Float64Array) => Int32Array.from(v, Math.round)],
  ])('holds %s values in either order, far more precisely than float32', async (_, make) => {
    const rows = make(byRow(values));
    const columns = make(values.x);
    for (const [array, fortranOrder] of [
      [rows, false],
      [columns, true],
    ] as const) {
      const given = { name: 'x', rows: n, features: p, values: array, fortranOrder };
      const m = new FeatureMatrix([arrayBlock(given, { unitNorm: false, shift: undefined })], n);
      expect(largestDifference(await valuesOf(m), Float64Array.from(columns, Number))).toBeLessThan(1e-6);
    }
  });

  test('leaves what float32 holds as it is', async () => {
    const array = Int16Array.from(near.x, (v) => 1000 + Math.round(v));
    const given = { name: 'x', rows: n, features: p, values: array, fortranOrder: true };
    const block = arrayBlock(given, { unitNorm: false, shift: undefined });
    expect(block.shift).toBeUndefined();
    expect(Array.from(block.data as Float32Array)).toEqual(Array.from(array));
  });

  test('is scaled to unit norm before it is shifted', async () => {
    const x = byRow(values);
    const norms = Array.from({ length: n }, (_, i) => Math.hypot(...x.subarray(i * p, (i + 1) * p)));
    const unit = values.x.map((v, at) => v / (norms[at % n] as number));
    const found = await valuesOf(matrix(values, true));
    // The values differ from each other by 1e-8; float32 has steps of 3e-8 here.
    expect(largestDifference(found, unit)).toBeLessThan(1e-14);
  });

  test('takes the shift of the training rows, and hands it on to rows and features that are chosen', async () => {
    const train = matrix(values);
    const test = matrix({ ...values, x: values.x.map((v) => v + 3) }, false, train.shift);
    expect(test.shift).toEqual(train.shift);
    const rows = [5, 2, 77];
    const whole = await valuesOf(train);
    const some = await valuesOf(train.take(rows).select([1, 4]));
    expect(Array.from(some)).toEqual([1, 4].flatMap((j) => rows.map((i) => whole[j * n + i])));
  });
});

describe.each([1e4, 1e8])('features around %d', (offset) => {
  const moved = far(offset);
  const float32 = () => matrixOf({ ...near, x: Float32Array.from(near.x) });

  test('fit as they do around 0, in every solver', async () => {
    for (const standardize of [false, true]) {
      const here = await fitDesign(engine, float32(), { standardize });
      const there = await fitDesign(engine, matrix(moved), { standardize });
      const settings = { lambdas: [1, 1e-2] };
      const [a, b] = [await fitLogistic(engine, here, y, settings), await fitLogistic(engine, there, y, settings)];
      const [c, d] = [await solvePath(engine, here, y, { count: 5 }), await solvePath(engine, there, y, { count: 5 })];
      const [e, f] = [await fitRidge(engine, here, y, settings), await fitRidge(engine, there, y, settings)];
      for (const i of [0, 1]) {
        expect(b.points[i]?.objective).toBeCloseTo(a.points[i]?.objective as number, 5);
        expect(f.points[i]?.looError).toBeCloseTo(e.points[i]?.looError as number, 6);
      }
      expect(d.lambdaMax).toBeCloseTo(c.lambdaMax, 5);
      expect(d.points[4]?.objective).toBeCloseTo(c.points[4]?.objective as number, 5);
    }
  });

  test('have weights on the values as given, whatever matrix they are applied to', async () => {
    const train = matrix(moved);
    const design = await fitDesign(engine, train);
    const model = await (await fitLogistic(engine, design, y, { lambdas: [1e-2] })).model(0);
    const { weights, intercept } = foldNormalisation(model);
    const expected = new Float64Array(n * 3);
    for (let i = 0; i < n; i++) {
      for (let k = 0; k < 3; k++) {
        // The intercept is as large as the offset: the sum is kept exact by taking the offset out of both.
        let z = intercept[k] as number;
        for (let j = 0; j < p; j++) z += offset * (weights[j * 3 + k] as number);
        for (let j = 0; j < p; j++) z += (near.x[j * n + i] as number) * (weights[j * 3 + k] as number);
        expected[i * 3 + k] = z;
      }
    }
    const own = await predictLogits(engine, model, train);
    expect(largestDifference(own, expected)).toBeLessThan(1e-12 * offset + 1e-5);
    const otherwiseShifted = matrix(
      moved,
      false,
      train.shift.map((c) => c - 1),
    );
    expect(largestDifference(await predictLogits(engine, model, otherwiseShifted), own)).toBeLessThan(1e-5);
    const sparse = (await solvePath(engine, design, y, { count: 5 })).model();
    const sparseLogits = await predictLogits(engine, sparse, train);
    expect(largestDifference(await predictLogits(engine, sparse, otherwiseShifted), sparseLogits)).toBeLessThan(1e-5);
  });

  test('are neighbours by their own angle and distance', async () => {
    const m = matrix(moved);
    const rows = Array.from({ length: 60 }, (_, i) => i);
    const asked = Array.from({ length: 30 }, (_, i) => 60 + i);
    const design = await fitDesign(engine, m, { rows, standardize: false });
    const x = byRow(moved);
    const row = (i: number) => x.subarray(i * p, (i + 1) * p);
    // 1 - cosine = |a/|a| - b/|b||^2 / 2, which does not cancel.
    const distances = {
      cosine: (i: number, j: number) => {
        const [a, b] = [Math.hypot(...row(i)), Math.hypot(...row(j))];
        return row(i).reduce((s, v, f) => s + (v / a - (row(j)[f] as number) / b) ** 2, 0);
      },
      euclidean: (i: number, j: number) => row(i).reduce((s, v, f) => s + (v - (row(j)[f] as number)) ** 2, 0),
    };
    // At 1e8 the cosines of these rows differ by less than float64 can tell.
    for (const metric of offset > 1e6 ? (['euclidean'] as const) : (['cosine', 'euclidean'] as const)) {
      const votes = await nearestNeighbours(
        engine,
        { design, labels: y },
        { matrix: m, rows: asked },
        { k: 1, metric },
      );
      for (const [r, i] of asked.entries()) {
        const distance = (j: number) => distances[metric](i, j);
        const nearest = rows.reduce((best, j) => (distance(j) < distance(best) ? j : best));
        expect(votes[r * 3 + (y[nearest] as number)]).toBe(1);
      }
    }
  });
});

describe('toehold probe --features', () => {
  const run = promisify(execFile);

  async function probe(problem: Problem, normalise: string) {
    const folder = await mkdtemp(join(tmpdir(), 'toehold-far-'));
    try {
      const [X, labels, weights] = ['X.npy', 'y.npy', 'w.npz'].map((name) => join(folder, name)) as [
        string,
        string,
        string,
      ];
      await writeFile(X, encodeNpy('<f8', [n, p], byRow(problem)));
      await writeFile(labels, encodeNpy('<i4', [n], Int32Array.from(y)));
      const inputs = ['--features', X, '--labels', labels, '--normalise', normalise, '--threads', '1'];
      const asked = ['--method', 'knn,ridge,all-l21,linear', '--folds', '3', '--save-weights', weights];
      const command = [...commandLine, 'probe', ...inputs, ...asked, '--json', '--quiet'];
      const { stdout } = await run(process.execPath, command);
      const { methods } = JSON.parse(stdout) as {
        methods: { method: string; validation: { accuracy: number }; test: { accuracy: number } }[];
      };
      const { W, b } = await readNpz(weights);
      return {
        accuracies: Object.fromEntries(methods.map((m) => [m.method, [m.validation.accuracy, m.test.accuracy]])),
        W: W?.data as Float64Array,
        b: b?.data as Float64Array,
      };
    } finally {
      await rm(folder, { recursive: true });
    }
  }

  test.each(['standard', 'none'])('answers alike wherever the features are (%s)', async (normalise) => {
    const here = await probe(near, normalise);
    const there = await probe(far(1e8), normalise);
    const { knn: _, ...linear } = here.accuracies;
    expect(there.accuracies).toMatchObject(normalise === 'none' ? linear : here.accuracies);
    expect(here.accuracies.linear?.[1]).toBeGreaterThan(0.7);
    const size = Math.max(...here.W.map(Math.abs));
    expect(largestDifference(there.W, here.W)).toBeLessThan(1e-4 * size);
    // b takes back what W makes of the offset, up to the rounding of sums of 1e8.
    const moved = there.b.map((v, k) =>
      here.W.reduce((s, _, at) => s + (at % 3 === k ? 1e8 * (there.W[at] as number) : 0), v),
    );
    expect(largestDifference(moved, here.b)).toBeLessThan(1e-3 * (1 + size));
  });
});
