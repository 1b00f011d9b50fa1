/** Scores without training are the papers' formulas, as NumPy, SciPy and scikit-learn compute them. */
import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, test } from 'vitest';
import { alignments, centredKernels } from '../../../src/probe/scores/alignment.js';
import { scoresOfTap } from '../../../src/probe/scores/catalogue.js';
import { centred, coordinatesOf } from '../../../src/probe/scores/coordinates.js';
import { fitMixture } from '../../../src/probe/scores/mixture.js';
import { principalComponents } from '../../../src/probe/scores/principal.js';
import { FeatureMatrix, type Matrix, type Multiply, products } from '../../../src/solver/index.js';
import { leep, negativeConditionalEntropy, weightedKendall } from '../../../src/stats/index.js';
import { testEngine } from '../../support/run.js';

interface Case {
  features: number[][];
  labels: number[];
  source: number[][];
  start: number[];
  batches: number[][];
  floor: number;
  scores: Record<string, number>;
  leep: number;
  components: number;
  nleep: number;
  cka: number;
}
const { cases, weightedTau } = JSON.parse(
  readFileSync(new URL('../../fixtures/probe/scores.json', import.meta.url), 'utf8'),
) as { cases: Case[]; weightedTau: { x: number[]; y: number[]; tau: number }[] };

const engine = await testEngine();
let multiply: Multiply;
beforeAll(async () => {
  multiply = await products(engine);
});

/** One block, feature-major. */
function matrixOf(rows: readonly (readonly number[])[]): FeatureMatrix {
  const [n, p] = [rows.length, rows[0]?.length ?? 0];
  const data = Float32Array.from({ length: n * p }, (_, e) => rows[e % n]?.[Math.floor(e / n)] ?? 0);
  return new FeatureMatrix([{ name: 'tap', features: p, data }], n);
}
const wholeMatrix = (rows: readonly (readonly number[])[]): Matrix => ({
  rows: rows.length,
  columns: rows[0]?.length ?? 0,
  data: Float64Array.from(rows.flat()),
});

describe.each([
  ['more examples than features', cases[0] as Case],
  ['more features than examples', cases[1] as Case],
])('%s', (_, own) => {
  const features = matrixOf(own.features);
  test.each(Object.entries(own.scores))('%s', async (id, value) => {
    const found = await scoresOfTap(engine, features, 0, { labels: own.labels, scores: [id], seed: 0 });
    expect(found[id]).toBeCloseTo(value, 4);
  });
  test('components of a mixture are scikit-learn’s, and NLEEP is LEEP of them', async () => {
    const { z } = await coordinatesOf(engine, features, 0);
    const x = await principalComponents(multiply, centred(z), 0.8);
    expect(x.columns).toBe(own.components);
    const start = new Float64Array(own.start.length * 5);
    for (const [i, c] of own.start.entries()) start[i * 5 + c] = 1;
    const options = { tolerance: 1e-3, steps: 100, floor: own.floor };
    const shares = await fitMixture(multiply, x, { rows: own.start.length, columns: 5, data: start }, options);
    expect(leep(shares.data, 5, own.labels)).toBeCloseTo(own.nleep, 4);
  });
  test('LEEP', () => {
    expect(leep(own.source.flat(), 6, own.labels)).toBeCloseTo(own.leep, 10);
  });
  test('alignment over minibatches', async () => {
    const kernels = [own.features, own.source].map((rows) => centredKernels(multiply, wholeMatrix(rows), own.batches));
    const [[self, other] = []] = alignments(await Promise.all(kernels));
    expect(self).toBe(1);
    expect(other).toBeCloseTo(own.cka, 5);
  });
});

test('NCE is 0 where the source class tells the label, and the entropy of the labels where it tells nothing', () => {
  expect(negativeConditionalEntropy([4, 4, 1, 1], [0, 0, 1, 1])).toBeCloseTo(0, 12);
  expect(negativeConditionalEntropy([2, 2, 2, 2], [0, 0, 1, 1])).toBeCloseTo(-Math.log(2), 12);
});

test.each(weightedTau)('weighted Kendall tau is SciPy’s: $tau', ({ x, y, tau }) => {
  expect(weightedKendall(x, y)).toBeCloseTo(tau, 10);
});

test('features that are all equal have no score, and none is made up', async () => {
  const constant = matrixOf(Array.from({ length: 12 }, () => [1, 2, 3]));
  const found = await scoresOfTap(engine, constant, 0, {
    labels: Array.from({ length: 12 }, (_, i) => i % 3),
    seed: 0,
  });
  expect(Object.entries(found).filter(([id, v]) => id !== 'logme' && v !== undefined && v !== 0 && v !== -6)).toEqual(
    [],
  );
});

test('principal components beyond the size of a whole spectrum are those of the whole one', async () => {
  const [n, r] = [400, 300];
  const data = Float64Array.from({ length: n * r }, (_, e) => Math.sin(e * 12.9898) * (1 / (1 + (e % r))));
  const z = centred({ rows: n, columns: r, data });
  const scatter = await multiply(z, z, true);
  const x = await principalComponents(multiply, z, 0.9);
  const total = scatter.reduce((sum, v, e) => sum + (e % (r + 1) === 0 ? v : 0), 0);
  const held = x.data.reduce((sum, v) => sum + v * v, 0);
  expect(held / total).toBeGreaterThanOrEqual(0.9);
  expect(x.columns).toBeLessThan(20);
});
