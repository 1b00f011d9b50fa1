import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { Random } from '../../../src/base/index.js';
import { buildLoss, gradient } from '../../../src/graph/gradient/index.js';
import {
  float32,
  type Graph,
  GraphBuilder,
  int64,
  learnedConstants,
  observe,
  sizeOf,
  type Tensor,
  trainingForm,
} from '../../../src/graph/index.js';
import { runOnce, testEngine } from '../../support/run.js';

let block = 0;
beforeAll(async () => {
  block = await (await testEngine()).blockWidth();
});

const random = new Random(1, 'blocked');
const noise = (dims: readonly number[], scale = 1) =>
  float32(
    dims,
    Array.from({ length: sizeOf(dims) }, () => random.normal() * scale),
  );

class Net {
  readonly b = new GraphBuilder();
  x: string;
  constructor(
    public channels: number,
    size: number,
  ) {
    this.x = this.b.input('input', 'float32', ['N', channels, size, size]);
  }
  weight(dims: number[]) {
    return this.b.constant(noise(dims, Math.sqrt(2 / sizeOf(dims.slice(1)))), 'w');
  }
  conv(
    to: number,
    kernel: number,
    { stride = 1, group = 1, bias = false, pads = Array<number>(4).fill((kernel - 1) / 2) } = {},
  ) {
    const inputs = [this.x, this.weight([to, this.channels / group, kernel, kernel])];
    if (bias) inputs.push(this.weight([to]));
    this.x = this.b.op('Conv', inputs, { kernel_shape: [kernel, kernel], strides: [stride, stride], pads, group });
    this.channels = to;
    return this;
  }
  norm() {
    const c = this.channels;
    const ones = () => this.b.constant(float32([c], new Float32Array(c).fill(1)), 'one');
    const inputs = [
      this.x,
      ones(),
      this.weight([c]),
      this.b.constant(float32([c], new Float32Array(c)), 'mean'),
      ones(),
    ];
    this.x = this.b.op('BatchNormalization', inputs);
    return this;
  }
  op(op: string, ...rest: string[]) {
    this.x = this.b.op(op, [this.x, ...rest]);
    return this;
  }
  add(value: string) {
    return this.op('Add', value);
  }
  finish(classes = 5): Graph {
    this.op('GlobalAveragePool').op('Flatten');
    this.x = this.b.op('Gemm', [this.x, this.weight([classes, this.channels]), this.weight([classes])], { transB: 1 });
    this.b.output(this.x, 'logits', 'float32', ['N', classes]);
    return this.b.build();
  }
}

/** Expects the blocked graph to compute what the standard one computes, to float32's rounding. */
async function expectSame(network: Graph, batch: number, image: number[]) {
  const engine = await testEngine();
  const { graph, running } = trainingForm(network);
  const loss = buildLoss(graph, { logits: 'logits', classes: 5 });
  const observed = await observe(loss, engine, { input: [batch, ...image], labels: [batch] });
  const wrt = learnedConstants(loss);
  const feeds: Record<string, Tensor> = {
    input: noise([batch, ...image]),
    labels: int64(Array.from({ length: batch }, (_, i) => i % 5)),
  };
  for (const w of wrt) feeds[w] = network.constants.get(w) as Tensor;
  for (const r of running) feeds[r.input] = r.initial;
  const plain = await runOnce(gradient(loss, { loss: 'loss', wrt, observed }), feeds);
  const graphs = gradient(loss, { loss: 'loss', wrt, observed, block });
  const fast = await runOnce(graphs, feeds);
  for (const [name, expected] of Object.entries(plain)) {
    const [p, f] = [expected.data as Float32Array, fast[name]?.data as Float32Array];
    expect(fast[name]?.dims, name).toEqual(expected.dims);
    const largest = p.reduce((m, v) => Math.max(m, Math.abs(v)), 1e-3);
    const off = p.reduce((m, v, i) => Math.max(m, Math.abs(v - (f[i] as number))), 0);
    expect(off / largest, name).toBeLessThan(2e-3);
  }
  return graphs;
}

describe('the blocked lowering computes the gradients of the standard one', () => {
  test('residual network with norms and strides', async () => {
    const net = new Net(3, 16).conv(16, 3).norm().op('Relu');
    const skip = net.x;
    net.conv(16, 3).norm().op('Relu').conv(16, 3).norm().add(skip).op('Relu');
    net.conv(32, 3, { stride: 2 }).norm().op('Relu').conv(32, 1, { stride: 2 });
    const graph = await expectSame(net.finish(), 32, [3, 16, 16]);
    if (block > 0) expect(graph.nodes.filter((n) => n.op === 'Conv' && n.domain === '').length).toBe(0);
  });

  test('inverted bottlenecks: depthwise, ReLU6, channels that do not fill blocks', async () => {
    const net = new Net(3, 16).conv(24, 3, { stride: 2 }).norm();
    const [low, high] = [net.b.scalar(0), net.b.scalar(6)];
    net.op('Clip', low, high);
    const skip = net.x;
    net.conv(72, 1).norm().op('Clip', low, high).conv(72, 3, { group: 72 }).norm().op('Clip', low, high);
    net.conv(24, 1).norm().add(skip);
    net.conv(48, 1).norm().op('Clip', low, high).conv(48, 3, { group: 48, stride: 2 }).norm().op('Clip', low, high);
    net.conv(20, 1, { bias: true });
    await expectSame(net.finish(), 16, [3, 16, 16]);
  });

  test('pools, biases, asymmetric padding, a batch that does not fill blocks', async () => {
    const net = new Net(4, 16).conv(20, 5, { bias: true }).op('Relu');
    net.x = net.b.op('MaxPool', [net.x], { kernel_shape: [3, 3], strides: [2, 2], pads: [0, 0, 1, 1] });
    net
      .conv(32, 3, { stride: 2, pads: [0, 0, 1, 1] })
      .op('LeakyRelu')
      .conv(32, 3, { group: 2 })
      .op('Sigmoid');
    await expectSame(net.finish(), 6, [4, 16, 16]);
  });

  test('pools whose windows tile the image', async () => {
    const net = new Net(3, 16).conv(24, 3, { bias: true });
    net.x = net.b.op('MaxPool', [net.x], { kernel_shape: [2, 2], strides: [2, 2] });
    net.op('Relu').conv(32, 3, { bias: true });
    net.x = net.b.op('MaxPool', [net.x], { kernel_shape: [2, 4], strides: [2, 4] });
    await expectSame(net.finish(), 16, [3, 16, 16]);
  });

  test('masks of activations, scalars and sums of them', async () => {
    const net = new Net(3, 16).conv(24, 3).norm().op('HardSigmoid').conv(32, 3);
    net
      .add(net.b.scalar(0))
      .op('PRelu', net.weight([32, 1, 1]))
      .conv(32, 3)
      .op('Add', net.b.scalar(0.5));
    net.op('Elu').conv(20, 3).op('HardSwish').op('Mul', net.b.scalar(2)).conv(16, 3).op('LeakyRelu');
    await expectSame(net.finish(), 8, [3, 16, 16]);
  });

  test('a gate, whose mask has one value per channel, and a mask that is compared outside of the layout', async () => {
    const net = new Net(3, 16).conv(32, 3).op('Relu');
    const map = net.x;
    net.op('GlobalAveragePool').conv(8, 1, { bias: true }).op('Relu').conv(32, 1, { bias: true }).op('HardSigmoid');
    net.op('Mul', map);
    const signs = net.b.binary('Greater', net.x, net.weight([1, 32, 16, 16]));
    const [gated, other] = [net.x, net.conv(32, 3).x];
    net.x = net.b.where(signs, gated, other);
    net.conv(32, 3).op('Relu');
    await expectSame(net.finish(), 8, [3, 16, 16]);
  });

  test('any kernel, stride and padding', () =>
    fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 5 }),
        fc.integer({ min: 1, max: 3 }),
        fc.array(fc.nat({ max: 2 }), { minLength: 4, maxLength: 4 }),
        fc.constantFrom(1, 2, 32),
        fc.constantFrom(16, 32),
        async (kernel, stride, pads, group, batch) => {
          const net = new Net(3, 12).conv(32, 3).op('Relu').conv(32, kernel, { stride, pads, group }).op('Relu');
          await expectSame(net.finish(), batch, [3, 12, 12]);
        },
      ),
      { numRuns: 25, seed: 9 },
    ));
});
