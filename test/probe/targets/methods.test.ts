/** What holds of every probe of real values and of several labels, and of those that select features. */
import { beforeAll, describe, expect, test } from 'vitest';
import { Random } from '../../../src/base/index.js';
import { createOnnxRuntime, type Engine } from '../../../src/engine/index.js';
import { probeDefaults, runValued, selectValued, usualValued, valuedMethods } from '../../../src/probe/index.js';
import { FeatureMatrix, foldNormalisation } from '../../../src/solver/index.js';

let engine: Engine;
beforeAll(async () => {
  engine = await createOnnxRuntime({ threads: 1 });
});

type Kind = 'regression' | 'multilabel';
const kinds: readonly Kind[] = ['regression', 'multilabel'];
const [n, perTap] = [90, 40];
/** Of both: the features that matter, one in each of two taps. */
const informative = [3, perTap + 7];

/** Three taps, a column far from zero and one that does not vary among them; two outputs, by two features. */
function problem(kind: Kind, seed = 1) {
  const random = new Random(seed, 'valued methods');
  const p = 3 * perTap;
  const x = Float32Array.from({ length: p * n }, () => random.normal());
  x.subarray(5 * n, 6 * n).forEach((v, i, column) => {
    column[i] = v + 50;
  });
  x.fill(2, 9 * n, 10 * n);
  const at = (j: number, i: number) => x[j * n + i] as number;
  const [a, b] = informative as [number, number];
  const rows = Array.from({ length: n }, (_, i) => {
    const values = [at(a, i) + 0.5 * at(b, i), 100 * (at(b, i) - at(a, i)) + 7];
    const noisy = values.map((v, k) => v + 0.1 * (k === 1 ? 100 : 1) * random.normal());
    return Float64Array.from(kind === 'regression' ? noisy : noisy.map((v) => (v > 0 ? 1 : 0)));
  });
  const blocks = ['block1', 'block2', 'features'].map((name, t) => ({
    name,
    features: perTap,
    data: x.subarray(t * perTap * n, (t + 1) * perTap * n),
  }));
  const matrix = new FeatureMatrix(blocks, n);
  const taps = blocks.map(({ name }) => ({ name, alias: name, features: perTap }));
  return { x, rows, matrix, taps };
}

async function fitted(method: string, kind: Kind, given = problem(kind), groups?: string[]) {
  const { rows, matrix, taps } = given;
  const labels = Int32Array.from(rows.keys());
  const files = rows.map((_, i) => `${i}.png`);
  const train = { matrix, labels, files, ...(groups && { groups }) };
  const task = { train, classes: [], taps: taps as never, source: { data: 'drawn', description: 'drawn' } };
  const run = await runValued(
    engine,
    { task, split: '', warnings: [] },
    { kind, outputs: ['one', 'two'], rows },
    selectValued([method], kind),
    { ...probeDefaults, folds: 3, standardize: false, lambdaRatio: 0.01, progress: () => undefined },
  );
  const [result] = run.results as [(typeof run.results)[number]];
  return result;
}

const head = (score: object) => ('r2' in score ? (score.r2 as number) : ((score as { mAP: number }).mAP as number));

describe.each(valuedMethods.map(({ id }) => id))('%s', (id) => {
  test.each(kinds)('of %s answers every training example once without having seen it', async (kind) => {
    const { fit, validation } = await fitted(id, kind);
    expect([...fit.left.rows].sort((a, b) => a - b)).toEqual(Array.from({ length: n }, (_, i) => i));
    expect(fit.left.scores).toHaveLength(2 * n);
    expect(fit.left.scores.every(Number.isFinite)).toBe(true);
    expect(fit.converged).toBe(true);
    expect(fit.shares.reduce((sum, v) => sum + v, 0)).toBeCloseTo(1, 10);
    // The last tap alone knows nothing of them.
    if (id === 'linear') expect(head(validation)).toBeLessThan(kind === 'regression' ? 0.3 : 0.8);
    else expect(head(validation)).toBeGreaterThan(kind === 'regression' ? 0.2 : 0.7);
  });

  test('takes a label that is true of one example, and one of all', async () => {
    const given = problem('multilabel');
    const rows = given.rows.map((row, i) => Float64Array.from([i === 4 ? 1 : 0, row[1] as number]));
    const { fit } = await fitted(id, 'multilabel', { ...given, rows });
    expect(fit.model.intercept.every(Number.isFinite)).toBe(true);
    const all = given.rows.map((row) => Float64Array.from([1, row[1] as number]));
    expect((await fitted(id, 'multilabel', { ...given, rows: all })).fit.left.scores.every(Number.isFinite)).toBe(true);
  });

  test('is the same twice, and keeps groups together', async () => {
    const groups = Array.from({ length: n }, (_, i) => `track ${Math.floor(i / 5)}`);
    const [first, second] = [
      await fitted(id, 'regression', problem('regression'), groups),
      await fitted(id, 'regression', problem('regression'), groups),
    ];
    expect(Array.from(second.fit.model.weights)).toEqual(Array.from(first.fit.model.weights));
    expect(second.fit.left).toEqual(first.fit.left);
  });
});

describe.each(['all-l21', 'head2toe'])('%s, of few features that matter among many', (id) => {
  test.each(kinds)('finds them (%s)', async (kind) => {
    const { fit, validation } = await fitted(id, kind);
    for (const j of informative) expect(fit.model.indices).toContain(j);
    expect(fit.model.indices.length).toBeLessThan(0.4 * 3 * perTap);
    expect(head(validation)).toBeGreaterThan(kind === 'regression' ? 0.9 : 0.9);
    const ridge = await fitted('all-ridge', kind);
    expect(head(validation)).toBeGreaterThan(head(ridge.validation));
  });
});

test('values in other units select the same features, and predict the same in them', async () => {
  const given = problem('regression');
  const scaled = {
    ...given,
    rows: given.rows.map((row) => Float64Array.from([1000 * (row[0] as number), row[1] as number])),
  };
  for (const id of ['all-l21', 'head2toe']) {
    const [own, other] = [await fitted(id, 'regression', given), await fitted(id, 'regression', scaled)];
    expect(Array.from(other.fit.model.indices)).toEqual(Array.from(own.fit.model.indices));
    const [w, v] = [foldNormalisation(own.fit.model).weights, foldNormalisation(other.fit.model).weights];
    for (let e = 0; e < w.length; e += 2) expect((v[e] as number) / 1000).toBeCloseTo(w[e] as number, 3);
  }
});

/** Residuals or label errors of a model on its training examples times their features, (p, 2). */
function gradient(given: ReturnType<typeof problem>, model: Parameters<typeof foldNormalisation>[0], kind: Kind) {
  const { weights, intercept } = foldNormalisation(model);
  const result = new Float64Array(model.indices.length * 2);
  const means = Array.from(model.indices, (j) => {
    const column = given.x.subarray(j * n, (j + 1) * n);
    return column.reduce((sum, v) => sum + v / n, 0);
  });
  for (let i = 0; i < n; i++) {
    for (let k = 0; k < 2; k++) {
      let z = intercept[k] as number;
      for (const [a, j] of model.indices.entries())
        z += (weights[a * 2 + k] as number) * (given.x[j * n + i] as number);
      const p = kind === 'regression' ? z : 1 / (1 + Math.exp(-z));
      const error = (given.rows[i]?.[k] as number) - p;
      for (const [a, j] of model.indices.entries()) {
        const centred = (given.x[j * n + i] as number) - (means[a] as number);
        result[a * 2 + k] = (result[a * 2 + k] as number) + centred * error;
      }
    }
  }
  return { gradient: result, weights };
}

describe('all-l2 is optimal', () => {
  test('as ridge regression of values: X (y - f) = c W, one c for all', async () => {
    const given = problem('regression');
    const { fit } = await fitted('all-l2', 'regression', given);
    const { gradient: g, weights } = gradient(given, fit.model, 'regression');
    const ratios = Array.from(g, (v, e) => v / (weights[e] as number)).filter(
      (_, e) => Math.abs(weights[e] as number) > 0.05,
    );
    expect(ratios.length).toBeGreaterThan(20);
    for (const ratio of ratios) expect(ratio / (ratios[0] as number)).toBeCloseTo(1, 3);
  });
  test('as logistic regression of each label: X (y - p) / n = l2 W', async () => {
    const given = problem('multilabel');
    const { fit } = await fitted('all-l2', 'multilabel', given);
    const { gradient: g, weights } = gradient(given, fit.model, 'multilabel');
    const { l2 } = fit.tuned as { l2: number };
    const norm = Math.hypot(...weights);
    const rest = Math.hypot(...g.map((v, e) => v / n - l2 * (weights[e] as number)));
    expect(rest / (l2 * norm)).toBeLessThan(1e-2);
  });
});

test('where no method is named, those of every layer and of the last are fitted, and one that selects', () => {
  expect(usualValued).toEqual(['linear', 'all-ridge', 'tap-ridge', 'head2toe']);
});
