import { beforeAll, describe, expect, test } from 'vitest';
import type { Engine } from '../../src/engine/index.js';
import { float32 } from '../../src/graph/index.js';
import { type FeatureSelection, mergeOptions, type TrainResult, train } from '../../src/transfer/index.js';
import { difference, testEngine } from '../support/run.js';
import { request, testAccuracy } from './support.js';

let engine: Engine;
let base: TrainResult;
beforeAll(async () => {
  engine = await testEngine();
  base = await train(engine, request());
});

/** 3 x 3 cells of relu2 do not divide its 6 x 6 evenly at target 100: pooling is a product with a matrix. */
const selection: FeatureSelection = {
  pool: 'target:128',
  norm: 'unit',
  taps: [
    { tap: 'relu1', indices: [0, 5, 9, 31, 64] },
    { tap: 'relu2', indices: [3, 2, 70, 71] },
  ],
};
const tuned = { fresh: false, treatment: { name: 'finetune' } } as const;
const options = mergeOptions(undefined, { epochs: 10, batch: 16, learningRate: 0.5 });

describe('fine-tuning on selected features', () => {
  test('trains the layers below the taps and the head, and cuts off what lies above', async () => {
    const result = await train(engine, { ...request({ model: base.model, ...tuned, options }), selection });
    expect(result.failedToTrain).toBe(false);
    expect(testAccuracy(result)).toBeGreaterThan(0.6);
    expect(result.model.constants.get('head.weight')?.dims).toEqual([4, 9]);
    expect(result.model.constants.has('conv2.weight')).toBe(true);
    expect(result.model.constants.has('conv3.weight')).toBe(false);
    const first = 'conv1.weight';
    expect(difference(result.model.constants.get(first), base.model.constants.get(first))).toBeGreaterThan(0);
    // 4 x 9 and 4 in the head; weights, scales and shifts of two convolutions; matrices that pool do not count.
    expect(result.parameters.trained).toBe(40 + 3 * 8 * 9 + 16 + 8 * 8 * 9 + 16);
  });

  test("starts from a probe's head", async () => {
    const weight = Float32Array.from({ length: 36 }, (_, i) => i / 100);
    const head = { weight, bias: Float32Array.of(1, 2, 3, 4) };
    const still = mergeOptions(undefined, { epochs: 1, steps: 1, batch: 16, learningRate: 1e-20 });
    const cell = { ...request({ model: base.model, ...tuned, options: still }), selection: { ...selection, head } };
    const result = await train(engine, cell);
    expect(difference(result.model.constants.get('head.weight'), float32([4, 9], weight))).toBeLessThan(1e-9);
    expect(difference(result.model.constants.get('head.bias'), float32([4], head.bias))).toBeLessThan(1e-9);
  });

  test.each<[string, FeatureSelection, RegExp]>([
    ['nothing', { ...selection, taps: [{ tap: 'relu1', indices: [] }] }, /no feature is selected/],
    ['an unknown tap', { ...selection, taps: [{ tap: 'relu12', indices: [1] }] }, /no tap 'relu12'/],
    [
      'an index too large',
      { ...selection, taps: [{ tap: 'relu1', indices: [5000] }] },
      /feature 5000 of tap .* it has \d+/,
    ],
  ])('%s is refused', async (_, wrong, message) => {
    await expect(train(engine, { ...request({ model: base.model, ...tuned }), selection: wrong })).rejects.toThrow(
      message,
    );
  });
});
