import { describe, expect, test } from 'vitest';
import { Random, UserError } from '../../src/base/index.js';
import {
  architectures,
  buildArchitecture,
  copyLayers,
  costs,
  float32,
  type Initialisation,
  initialWeight,
  learnedConstants,
  learnedLayers,
  readModelFile,
  specialise,
  type Tensor,
  toNumbers,
} from '../../src/graph/index.js';
import { assetsTest, backbonePath } from '../support/assets.js';
import { difference, runOnce, testEngine } from '../support/run.js';

/** Parameters, multiply-adds at the published size, learned layers on the longest path. */
const published: Record<string, [params: number, macs: number, depth: number]> = {
  caffenet: [60_965_224, 724.4e6, 8],
  resnet20: [269_722, 40.6e6, 20],
  resnet32: [464_154, 68.9e6, 32],
  resnet44: [658_586, 97.2e6, 44],
  resnet56: [853_018, 125.5e6, 56],
  resnet50: [25_557_032, 4.09e9, 50],
  mobilenetv2: [3_504_872, 300.8e6, 53],
  'vit-tiny': [5_717_416, 1.254e9, 50],
};

const noise = (dims: number[]): Tensor => {
  const random = new Random(11);
  const size = dims.reduce((a, b) => a * b, 1);
  return float32(
    dims,
    Array.from({ length: size }, () => random.normal()),
  );
};

describe('architectures', () => {
  for (const [name, [params, macs, depth]] of Object.entries(published)) {
    test(`${name} has the published parameters, multiply-adds and depth, and runs`, async () => {
      // Uniform numbers are the quickest to draw.
      const graph = buildArchitecture(name, { init: 'glorot' });
      const size = architectures[name]?.defaults.size ?? 0;
      const keep = learnedConstants(graph);
      const network = await specialise(graph, await testEngine(), [1, 3, size, size], { keep });
      const cost = costs(network, ['logits']).get('logits');
      expect(cost?.params).toBe(params);
      expect((cost?.macs ?? 0) / macs).toBeCloseTo(1, 2);
      expect(cost?.depth).toBe(depth);
      expect(network.dims('logits')).toEqual([1, architectures[name]?.defaults.classes]);
      expect(network.dims('features')).toHaveLength(2);
    });
  }

  test('caffenet and caffenet-32 have eight learned layers, pooled before normalised', () => {
    const layers = learnedLayers(buildArchitecture('caffenet-32'));
    expect(layers.map((l) => l.nodes.map((n) => n.op).join(' '))).toEqual([
      'Conv Relu MaxPool LRN',
      'Conv Relu MaxPool LRN',
      'Conv Relu',
      'Conv Relu',
      'Conv Relu MaxPool Flatten',
      'Gemm Relu Dropout',
      'Gemm Relu Dropout',
      'Gemm',
    ]);
  });

  test("caffenet's gaussian start: deviations .01 and .005, biases of one in layers 2, 4, 5, 6 and 7", () => {
    const { constants } = buildArchitecture('caffenet-32', { init: 'gaussian' });
    const first = (name: string) => toNumbers(constants.get(name) as Tensor)[0];
    const biases = ['conv1', 'conv2', 'conv3', 'conv4', 'conv5', 'fc6', 'features', 'logits'];
    const names = learnedLayers(buildArchitecture('caffenet-32')).map((l) => l.parameters[1]?.name as string);
    expect(names).toHaveLength(biases.length);
    expect(names.map(first)).toEqual([0, 1, 0, 1, 1, 1, 1, 0]);
    const deviation = (name: string) => {
      const values = toNumbers(constants.get(name) as Tensor);
      return Math.sqrt(values.reduce((sum, v) => sum + v * v, 0) / values.length);
    };
    expect(deviation('conv3.weight')).toBeCloseTo(0.01, 4);
    expect(deviation('fc6.weight')).toBeCloseTo(0.005, 4);
  });

  test('take other sizes, classes and batches', async () => {
    for (const [name, size] of [
      ['mobilenetv2', 96],
      ['vit-tiny', 64],
      ['resnet20', 48],
      ['caffenet-32', 40],
    ] as const) {
      const graph = buildArchitecture(name, { size, classes: 7 });
      const { logits } = await runOnce(graph, { input: noise([3, 3, size, size]) });
      expect(logits?.dims).toEqual([3, 7]);
      expect(toNumbers(logits as Tensor).every(Number.isFinite)).toBe(true);
    }
  });

  test('same seed, same weights; another seed, others; and layers draw independently of each other', () => {
    const weights = (seed: number, classes = 10) => buildArchitecture('resnet20', { seed, classes }).constants;
    const [first, last] = ['conv1.weight', 'layer1.2.conv2.weight'] as const;
    for (const name of [first, last]) {
      expect(weights(1).get(name)).toEqual(weights(1).get(name));
      expect(weights(1, 5).get(name)).toEqual(weights(1).get(name));
      expect(weights(1).get(name)).not.toEqual(weights(2).get(name));
    }
  });

  test('wrong requests are errors that say what to do', () => {
    expect(() => buildArchitecture('resnet21')).toThrow(/no architecture 'resnet21'; did you mean resnet20\?/);
    expect(() => buildArchitecture('toString')).toThrow(/choose one of caffenet, /);
    expect(() => buildArchitecture('vit-tiny', { size: 100 })).toThrow(/multiple of 16 pixels, not 100/);
    expect(() => buildArchitecture('caffenet', { size: 64 })).toThrow(/67 pixels or more, not 64/);
    expect(() => buildArchitecture('resnet20', { classes: 0 })).toThrow(/classes must be a whole number above 0/);
    expect(() => buildArchitecture('resnet20', { init: 'zero' as Initialisation })).toThrow(UserError);
  });

  assetsTest.for([
    ['cifar_resnet20', 'resnet20', 10, 20],
    ['cifar_resnet56', 'resnet56', 10, 56],
    ['deit_tiny', 'vit-tiny', 1000, 50],
  ] as const)('%s is the same function as %s with its weights', async ([asset, name, classes, layers]) => {
    const published = await readModelFile(backbonePath(asset));
    const ours = copyLayers(published, buildArchitecture(name, { classes }), layers);
    const size = architectures[name]?.defaults.size ?? 0;
    const input = noise([1, 3, size, size]);
    const [theirs, mine] = [await runOnce(published, { input }), await runOnce(ours, { input })];
    expect(difference(theirs.logits, mine.logits)).toBeLessThan(1e-4);
  });
});

describe('initialWeight', () => {
  const moments = (t: Tensor) => {
    const values = toNumbers(t);
    const mean = values.reduce((a, b) => a + b, 0) / values.length;
    const variance = values.reduce((a, b) => a + (b - mean) ** 2, 0) / values.length;
    return { mean, std: Math.sqrt(variance), most: Math.max(...values.map(Math.abs)) };
  };
  const dims = [64, 32, 3, 3];
  const draw = (init: Initialisation, d = dims, layout = {}) => initialWeight(init, d, new Random(1, init), layout);

  test('has the moments of its definition', () => {
    expect(moments(draw('he')).std).toBeCloseTo(Math.sqrt(2 / (32 * 9)), 2);
    expect(moments(draw('gaussian', dims, { deviation: 0.03 })).std).toBeCloseTo(0.03, 3);
    const bound = Math.sqrt(6 / (32 * 9 + 64 * 9));
    expect(moments(draw('glorot')).most).toBeLessThanOrEqual(bound);
    expect(moments(draw('glorot')).std).toBeCloseTo(bound / Math.sqrt(3), 2);
    expect(moments(draw('truncated')).most).toBeLessThanOrEqual(0.04);
    for (const init of ['he', 'glorot', 'gaussian', 'truncated'] as const) {
      expect(Math.abs(moments(draw(init)).mean)).toBeLessThan(0.002);
    }
  });

  test('counts inputs by layout: outputs last, and groups', () => {
    expect(moments(draw('he', [50, 400], { outAxis: 1 })).std).toBeCloseTo(Math.sqrt(2 / 50), 2);
    // A depthwise convolution reads and writes 9 numbers per weight.
    const depthwise = moments(draw('glorot', [256, 1, 3, 3], { groups: 256 }));
    expect(depthwise.most).toBeLessThanOrEqual(Math.sqrt(6 / 18));
    expect(depthwise.most).toBeGreaterThan(0.9 * Math.sqrt(6 / 18));
  });

  test('orthogonal: rows or columns at right angles, of squared length 2', () => {
    for (const [d, outAxis] of [
      [[8, 4, 3, 3], 0],
      [[40, 4, 3, 3], 0],
      [[12, 30], 1],
      [[30, 12], 1],
    ] as const) {
      const values = toNumbers(draw('orthogonal', [...d], { outAxis }));
      const rows = outAxis === 0 ? d[0] : d[0];
      const columns = values.length / rows;
      const [count, length, at] =
        rows <= columns
          ? [rows, columns, (i: number, j: number) => values[i * columns + j] as number]
          : [columns, rows, (i: number, j: number) => values[j * columns + i] as number];
      for (let a = 0; a < count; a++) {
        for (let b = 0; b <= a; b++) {
          let product = 0;
          for (let j = 0; j < length; j++) product += at(a, j) * at(b, j);
          expect(product).toBeCloseTo(a === b ? 2 : 0, 5);
        }
      }
    }
  });
});
