import { describe, expect, test } from 'vitest';
import { Random } from '../../src/base/index.js';
import {
  buildArchitecture,
  channelStatistics,
  detectFoldedNorms,
  float32,
  type Graph,
  GraphBuilder,
  learnedLayers,
  readModelFile,
  sizeOf,
  type Tensor,
  toNumbers,
  trainingForm,
  unfoldNorms,
  upgrade,
} from '../../src/graph/index.js';
import { assetsTest, backbonePath, goldenPath } from '../support/assets.js';
import { difference, runOnce, testEngine } from '../support/run.js';
import { readSafetensors } from '../support/safetensors.js';

const normal = (dims: readonly number[], key: string, scale = 1): Tensor => {
  const random = new Random(4, key);
  return float32(
    dims,
    Array.from({ length: sizeOf(dims) }, () => scale * random.normal()),
  );
};

/** Two convolutions with biases, a rectifier between them, a sum after them. */
function folded(): Graph {
  const b = new GraphBuilder();
  const x = b.input('x', 'float32', ['N', 3, 6, 6]);
  const conv = (from: string, channels: number, name: string) => {
    const weight = b.constant(normal([5, channels, 3, 3], name), `${name}.w`);
    return b.op(
      'Conv',
      [from, weight, b.constant(normal([5], `${name}.b`, 3))],
      { pads: [1, 1, 1, 1], kernel_shape: [3, 3] },
      name,
    );
  };
  const first = b.op('Relu', [conv(x, 3, 'one')]);
  b.output(b.op('Add', [conv(first, 5, 'two'), first]), 'y');
  return b.build();
}

const batches = [
  { x: normal([4, 3, 6, 6], 'a') },
  { x: normal([1, 3, 6, 6], 'b') },
  { x: normal([3, 3, 6, 6], 'c', 2) },
];

describe('detectFoldedNorms', () => {
  test('finds convolutions with biases before activations and sums', () => {
    expect(detectFoldedNorms(folded()).map((n) => n.outputs[0])).toEqual(['one', 'two']);
  });

  test('finds none where any normalisation lives, nor in convolutions without bias', () => {
    for (const name of ['resnet20', 'caffenet-32']) {
      expect(detectFoldedNorms(buildArchitecture(name))).toEqual([]);
    }
  });

  assetsTest('tells the backbones whose norms are folded', async () => {
    const counts: Record<string, number> = {};
    for (const name of ['mobilenetv2_tf', 'mobilenetv2_torch_nohead', 'mobilenetv2_gluon_bn_nohead', 'deit_tiny']) {
      counts[name] = detectFoldedNorms(await readModelFile(backbonePath(name))).length;
    }
    expect(counts).toEqual({
      mobilenetv2_tf: 52,
      mobilenetv2_torch_nohead: 52,
      mobilenetv2_gluon_bn_nohead: 0,
      deit_tiny: 0,
    });
  });
});

describe('channelStatistics', () => {
  test('are the mean and variance over all images and positions, batches of any size pooled', async () => {
    const graph = folded();
    const [one] = detectFoldedNorms(graph);
    const measured = (await channelStatistics(graph, one ? [one] : [], await testEngine(), batches)).get('one');
    const channel: number[][] = [[], [], [], [], []];
    for (const feeds of batches) {
      const { one: value } = await runOnce({ ...graph, outputs: [{ name: 'one' }] }, feeds);
      toNumbers(value as Tensor).forEach((v, i) => {
        channel[Math.floor(i / 36) % 5]?.push(v);
      });
    }
    channel.forEach((values, c) => {
      const mean = values.reduce((a, b) => a + b, 0) / values.length;
      const variance = values.reduce((a, b) => a + (b - mean) ** 2, 0) / values.length;
      expect(measured?.mean[c]).toBeCloseTo(mean, 5);
      expect((measured?.variance[c] ?? 0) / variance).toBeCloseTo(1, 5);
    });
  });

  test('of no images are an error', async () => {
    const graph = folded();
    await expect(channelStatistics(graph, detectFoldedNorms(graph), await testEngine(), [])).rejects.toThrow(
      /no images to calibrate/,
    );
  });
});

describe('unfoldNorms', () => {
  test('puts a norm after each convolution, in place of its bias, under the same value names', async () => {
    const graph = folded();
    const statistics = await channelStatistics(graph, detectFoldedNorms(graph), await testEngine(), batches);
    const unfolded = unfoldNorms(graph, statistics);
    expect(unfolded.nodes.map((n) => [n.op, n.outputs[0]]).slice(0, 2)).toEqual([
      ['Conv', 'one.raw'],
      ['BatchNormalization', 'one'],
    ]);
    expect(learnedLayers(unfolded).map((l) => l.parameters.map((p) => p.role))).toEqual(
      Array(2).fill(['weight', 'scale', 'shift', 'mean', 'variance']),
    );
    expect(detectFoldedNorms(unfolded)).toEqual([]);
    const feeds = { x: normal([2, 3, 6, 6], 'other') };
    expect(difference((await runOnce(graph, feeds)).y, (await runOnce(unfolded, feeds)).y)).toBeLessThan(1e-4);
  });

  test('statistics of something else are an error', () => {
    const wrong = { mean: new Float64Array(3), variance: new Float64Array(3) };
    expect(() => unfoldNorms(folded(), new Map([['y', wrong]]))).toThrow(/'y' is not the value of a convolution/);
    expect(() => unfoldNorms(folded(), new Map([['one', wrong]]))).toThrow(/5 channels, its statistics have 3/);
  });

  assetsTest('mobilenetv2_tf computes the same, and nearly so on the statistics of its calibration batch', async () => {
    const graph = upgrade(await readModelFile(backbonePath('mobilenetv2_tf')));
    const feeds = { input: goldenImages() };
    const norms = detectFoldedNorms(graph);
    const unfolded = unfoldNorms(graph, await channelStatistics(graph, norms, await testEngine(), [feeds]));
    expect(unfolded.nodes.filter((n) => n.op === 'BatchNormalization')).toHaveLength(52);
    const [before, after] = [await runOnce(graph, feeds), await runOnce(unfolded, feeds)];
    expect(difference(before.features, after.features)).toBeLessThan(1e-4);
    expect(difference(before.logits, after.logits)).toBeLessThan(1e-4);
    const form = trainingForm(unfolded);
    const running = Object.fromEntries(form.running.map((slot) => [slot.input, slot.initial]));
    const trained = await runOnce(form.graph, { ...feeds, ...running });
    expect(difference(before.features, trained.features)).toBeLessThan(1e-2);
  });
});

/** The four golden images as mobilenetv2_tf takes them: (4, 3, 224, 224), x / 127.5 - 1. */
function goldenImages(): Tensor {
  const pixels = toNumbers(readSafetensors(goldenPath).get('rgb_u8_nhwc') as Tensor);
  const area = 224 * 224;
  const data = new Float32Array(pixels.length);
  pixels.forEach((v, i) => {
    const [image, position, channel] = [Math.floor(i / (3 * area)), Math.floor(i / 3) % area, i % 3];
    data[(image * 3 + channel) * area + position] = v / 127.5 - 1;
  });
  return float32([4, 3, 224, 224], data);
}
