import { describe, expect, test } from 'vitest';
import { Random } from '../../../src/base/index.js';
import { appendOptimiser, buildLoss, gradient, gradientName, sgd } from '../../../src/graph/gradient/index.js';
import {
  dropoutMask,
  float32,
  type Graph,
  GraphBuilder,
  int64,
  learnedConstants,
  observe,
  type Tensor,
  toNumbers,
  trainingForm,
} from '../../../src/graph/index.js';
import { runOnce, testEngine } from '../../support/run.js';

/** Two dense layers on (4, 3) inputs, 5 classes. */
function twoLayers(): Graph {
  const b = new GraphBuilder();
  b.input('x', 'float32', [4, 3]);
  const random = new Random(2);
  const weight = (name: string, dims: number[]) =>
    b.constant(
      float32(dims, Array.from({ length: 15 }, () => random.normal()).slice(0, (dims[0] ?? 1) * (dims[1] ?? 1))),
      name,
    );
  const hidden = b.op('Tanh', [b.op('MatMul', ['x', weight('low', [3, 3])])]);
  b.output(b.op('MatMul', [hidden, weight('high', [3, 5])]), 'logits', 'float32', [4, 5]);
  return b.build();
}
const observed = async (graph: Graph) => observe(graph, await testEngine(), { labels: [4], example_weights: [4] });
const x = float32([4, 3], [1, 2, 3, -1, 0, 1, 0.5, 0.2, -0.3, 2, -2, 1]);
const labels = int64([0, 4, 2, 2]);

describe('gradient', () => {
  test('has trained weights as inputs, frozen ones as constants, and no more nodes than these need', async () => {
    const graph = buildLoss(twoLayers(), { logits: 'logits', classes: 5 });
    const shapes = await observed(graph);
    const all = gradient(graph, { loss: 'loss', wrt: ['low', 'high'], observed: shapes });
    const top = gradient(graph, { loss: 'loss', wrt: ['high'], observed: shapes, keep: [] });
    expect(all.inputs.map((i) => i.name)).toEqual(['x', 'labels', 'low', 'high']);
    expect(all.outputs.map((o) => o.name)).toEqual(['loss', 'logits', gradientName('low'), gradientName('high')]);
    expect(top.inputs.map((i) => i.name)).toEqual(['x', 'labels', 'high']);
    expect([...top.constants.keys()]).toContain('low');
    expect(top.outputs.map((o) => o.name)).toEqual(['loss', gradientName('high')]);
    expect(top.nodes.length).toBeLessThan(all.nodes.length);
    const feeds = { x, labels, low: graph.constants.get('low') as Tensor, high: graph.constants.get('high') as Tensor };
    const { low: _, ...rest } = feeds;
    const [a, t] = [await runOnce(all, feeds), await runOnce(top, rest)];
    expect(t[gradientName('high')]?.data).toEqual(a[gradientName('high')]?.data);
  });

  test('refuses what it cannot do before anything runs, naming it', async () => {
    const b = new GraphBuilder();
    b.input('x', 'float32', [2, 3]);
    b.input('w', 'float32', [2, 3]);
    b.node('Add', ['x', 'w'], ['sum']);
    b.node('Hardmax', ['sum'], ['odd']);
    b.node('ReduceSum', ['odd'], ['loss'], { keepdims: 0 });
    b.output('loss');
    const graph = b.build();
    const shapes = await observed(graph);
    const of = (loss: string, wrt: string[]) => () => gradient(graph, { loss, wrt, observed: shapes });
    expect(of('loss', ['w'])).toThrow(/Hardmax.*'odd'.*cannot be differentiated/);
    expect(of('odd', ['w'])).toThrow(/not a scalar.*\[2,3\]/);
    expect(of('nothing', ['w'])).toThrow(/no value 'nothing'/);
    expect(of('loss', ['sum'])).toThrow(/'sum' is neither a constant nor an input/);
    expect(() => appendOptimiser(graph, [{ name: 'w', dims: [2, 3] }], sgd())).toThrow(/'w' has no gradient/);
    expect(() => buildLoss(graph, { logits: 'logit', classes: 5 })).toThrow(/no value 'logit'/);
  });

  test('refuses a weight that the loss does not depend on', async () => {
    const graph = buildLoss(twoLayers(), { logits: 'logits', classes: 5 });
    const extra = { ...graph, constants: new Map([...graph.constants, ['idle', float32([2], [1, 2])]]) } as Graph;
    const shapes = await observed(graph);
    expect(() => gradient(extra, { loss: 'loss', wrt: ['idle'], observed: shapes })).toThrow(
      /does not depend on 'idle'/,
    );
  });
});

describe('softmax cross-entropy', () => {
  const logits = [
    [1, 2, 3, 4, 1000],
    [0, 0, 0, 0, 0],
    [-1000, 0, 1, 2, 3],
    [1, 1, 2, 1, 1],
  ];
  const classes = [4, 1, 3, 2];
  function lossGraph(options: object) {
    const b = new GraphBuilder();
    b.input('logits', 'float32', [4, 5]);
    return buildLoss(b.build(), { logits: 'logits', classes: 5, ...options });
  }
  const logSoftmax = (row: number[]) => {
    const most = Math.max(...row);
    const total = Math.log(row.reduce((s, v) => s + Math.exp(v - most), 0)) + most;
    return row.map((v) => v - total);
  };

  for (const labelSmoothing of [0, 0.1]) {
    for (const weights of [undefined, [1, 0, 2, 0.5]]) {
      test(`smoothing ${labelSmoothing}, ${weights ? 'weighted' : 'plain'}: value and (softmax - target) / n`, async () => {
        const graph = lossGraph({ labelSmoothing, exampleWeights: weights !== undefined, labelType: 'int32' });
        const differentiated = gradient(graph, { loss: 'loss', wrt: ['logits'], observed: await observed(graph) });
        const feeds: Record<string, Tensor> = {
          logits: float32([4, 5], logits.flat()),
          labels: { type: 'int32', dims: [4], data: Int32Array.from(classes) },
        };
        if (weights) feeds.example_weights = float32([4], weights);
        const results = await runOnce(differentiated, feeds);
        const share = weights ? weights.map((w) => w / 3.5) : logits.map(() => 1 / 4);
        const target = (i: number, k: number) => labelSmoothing / 5 + (classes[i] === k ? 1 - labelSmoothing : 0);
        const loss = logits.reduce(
          (sum, row, i) => sum - (share[i] as number) * logSoftmax(row).reduce((s, l, k) => s + l * target(i, k), 0),
          0,
        );
        expect(results.loss?.data[0]).toBeCloseTo(loss, 4);
        const g = toNumbers(results[gradientName('logits')] as Tensor);
        logits.forEach((row, i) => {
          logSoftmax(row).forEach((l, k) => {
            expect(g[i * 5 + k]).toBeCloseTo((share[i] as number) * (Math.exp(l) - target(i, k)), 5);
          });
        });
      });
    }
  }
});

describe('trainingForm', () => {
  function network(): Graph {
    const b = new GraphBuilder();
    b.input('x', 'float32', ['N', 2, 3, 3]);
    const vector = (name: string, values: number[]) => b.constant(float32([2], values), name);
    for (const [i, from] of ['x', 'bn0'].entries()) {
      const inputs = [from, vector(`scale${i}`, [1, 2]), vector(`shift${i}`, [0, 1]), vector(`mean${i}`, [0.5, -0.5])];
      b.node('BatchNormalization', [...inputs, vector(`var${i}`, [2, 3])], [`bn${i}`]);
    }
    b.node('Dropout', ['bn1', b.scalar(0.25)], ['dropped']);
    b.output(b.op('Flatten', ['dropped']), 'logits', 'float32');
    return b.build();
  }

  test('norms that are not frozen carry their running averages from step to step; frozen ones keep them', () => {
    const { graph, running } = trainingForm(network(), { frozen: (n) => n.outputs[0] === 'bn0', momentum: 0.75 });
    expect(running.map((r) => [r.input, r.output])).toEqual([
      ['mean1', 'next/mean1'],
      ['var1', 'next/var1'],
    ]);
    expect(graph.outputs.map((o) => o.name)).toEqual(['logits', 'next/mean1', 'next/var1']);
    expect([...graph.constants.keys()]).toContain('mean0');
    expect(learnedConstants(graph)).toEqual(['scale0', 'shift0', 'scale1', 'shift1']);
  });

  test('a norm that no image reaches is part of the weights; averages that two norms share are refused', () => {
    const b = new GraphBuilder();
    const vector = (name: string) => b.constant(float32([2], [1, 2]), name);
    const norm = (x: string) => b.op('BatchNormalization', [x, vector('s'), vector('t'), 'mean', 'variance']);
    for (const name of ['mean', 'variance']) vector(name);
    const x = b.input('x', 'float32', ['N', 3, 4, 4]);
    const weight = norm(b.constant(float32([2, 3, 1, 1], [1, 2, 3, 4, 5, 6]), 'w'));
    const y = b.op('Conv', [x, weight], { kernel_shape: [1, 1] });
    b.output(b.op('Flatten', [y]), 'logits', 'float32');
    expect(trainingForm(b.build()).running).toEqual([]);
    b.output(norm(norm(y)), 'twice', 'float32');
    expect(() => trainingForm(b.build())).toThrow(/shares its running average 'mean' with another/);
  });

  test('dropout multiplies by a mask that is fed, and scales what stays', async () => {
    const { graph, masks, running } = trainingForm(network(), { frozen: (n) => n.op === 'BatchNormalization' });
    expect(running).toEqual([]);
    const shapes = await observe(graph, await testEngine(), { x: [2, 2, 3, 3] }, masks);
    expect(masks).toEqual([{ input: 'dropout_mask/dropped', value: 'dropped', ratio: 0.25 }]);
    expect(shapes.get('dropout_mask/dropped')).toEqual({ type: 'uint8', dims: [2, 2, 3, 3] });
    const mask = dropoutMask(new Random(7, 'dropout', 3), [2, 2, 3, 3], 0.25);
    expect(dropoutMask(new Random(7, 'dropout', 3), [2, 2, 3, 3], 0.25)).toEqual(mask);
    const image = float32(
      [2, 2, 3, 3],
      Float32Array.from({ length: 36 }, (_, i) => i),
    );
    const dropped = await runOnce(graph, { x: image, 'dropout_mask/dropped': mask });
    const plain = await runOnce(network(), { x: image });
    toNumbers(plain.logits as Tensor).forEach((v, i) => {
      expect(dropped.logits?.data[i]).toBeCloseTo(mask.data[i] ? v / 0.75 : 0, 4);
    });
  });

  test('drops as often as the ratio says', () => {
    const kept = toNumbers(dropoutMask(new Random(1), [10000], 0.3)).reduce((a, b) => a + b, 0);
    expect(kept / 10000).toBeCloseTo(0.7, 1);
  });
});
