/** A sum of linear models gives the sum of their logits. */
import { expect, test } from 'vitest';
import { Random } from '../../src/base/index.js';
import { FeatureMatrix, type LinearModel, predictLogits, sumOfModels } from '../../src/solver/index.js';
import { testEngine } from '../support/run.js';

const [n, p, K] = [9, 12, 3];
const random = new Random(5, 'sum of models');
const numbers = (count: number) => Float64Array.from({ length: count }, () => random.normal());

function modelOn(indices: number[], scale = numbers(indices.length)): LinearModel {
  return {
    features: p,
    classes: K,
    indices: Int32Array.from(indices),
    weights: numbers(indices.length * K),
    intercept: numbers(K),
    mean: numbers(indices.length),
    scale,
  };
}

test('whatever features they read, and however these are normalised', async () => {
  const engine = await testEngine();
  const matrix = new FeatureMatrix([{ name: 'x', features: p, data: Float32Array.from(numbers(n * p)) }], n);
  const models = [modelOn([0, 2, 5, 11]), modelOn([2, 3, 11]), modelOn([7])];
  const factors = [0.5, 2, 3];
  const sum = sumOfModels(models, factors);
  expect([...sum.indices]).toEqual([0, 2, 3, 5, 7, 11]);
  const parts = await Promise.all(models.map((m) => predictLogits(engine, m, matrix)));
  for (const [at, z] of (await predictLogits(engine, sum, matrix)).entries()) {
    const expected = parts.reduce((total, own, m) => total + (factors[m] as number) * (own[at] as number), 0);
    expect(z).toBeCloseTo(expected, 5);
  }
});

test('a feature that is constant for one of them keeps the weight that the other gives it', async () => {
  const engine = await testEngine();
  const matrix = new FeatureMatrix([{ name: 'x', features: p, data: Float32Array.from(numbers(n * p)) }], n);
  const models = [modelOn([4], new Float64Array([0])), modelOn([4])];
  const sum = sumOfModels(models, [1, 1]);
  const parts = await Promise.all(models.map((m) => predictLogits(engine, m, matrix)));
  for (const [at, z] of (await predictLogits(engine, sum, matrix)).entries())
    expect(z).toBeCloseTo(
      parts.reduce((total, own) => total + (own[at] as number), 0),
      5,
    );
});
