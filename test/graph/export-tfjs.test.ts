/** Networks that toehold writes for TensorFlow.js compute the same there. */
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { Random, UserError } from '../../src/base/index.js';
import { loadBackbone, specialiseBackbone } from '../../src/features/index.js';
import { operators } from '../../src/graph/export-tfjs/operators.js';
import {
  float32,
  type Graph,
  GraphBuilder,
  type InputShape,
  readNetwork,
  type StaticGraph,
  sizeOf,
  specialise,
  type Tensor,
  tfjsModel,
  writeTfjs,
} from '../../src/graph/index.js';
import { assetsTest, backbonePath } from '../support/assets.js';
import { predictByTfjs } from '../support/graph-model.js';
import { difference, runOnce, testEngine } from '../support/run.js';
import { temporaryFolder } from '../support/tiny.js';

const folder = temporaryFolder('tfjs-');

function sample(dims: readonly number[], key: string): Float32Array {
  const random = new Random(4, key);
  return Float32Array.from({ length: sizeOf(dims) }, () => random.normal());
}

/** (N, C, H, W) and the same image channels-last. */
function turned({ dims: [n = 1, c = 1, h = 1, w = 1], data }: Tensor): { dims: number[]; data: Float32Array } {
  const result = new Float32Array(data.length);
  for (let i = 0; i < n; i++)
    for (let k = 0; k < c; k++)
      for (let p = 0; p < h * w; p++) result[(i * h * w + p) * c + k] = data[(i * c + k) * h * w + p] as number;
  return { dims: [n, h, w, c], data: result };
}

/** Largest difference of all outputs, relative to the largest element of each. */
async function apart(network: StaticGraph, name: string): Promise<number> {
  const path = join(folder, name, 'model.json');
  const model = tfjsModel(network);
  await writeTfjs(path, model);
  const image = float32(network.shape, sample(network.shape, 'image'));
  const isTurned = model.input.shape.join() !== network.shape.join();
  const { dims, data } = isTurned ? turned(image) : { dims: network.shape, data: image.data as Float32Array };
  expect(model.input.shape).toEqual(dims);
  const expected = await runOnce(network.graph, { [network.input]: image });
  const found = await predictByTfjs(path, dims, data);
  expect(Object.keys(found)).toEqual(network.graph.outputs.map((o) => o.name));
  return Object.entries(expected).reduce((most, [output, tensor]) => {
    const scale = (tensor.data as Float32Array).reduce((top, v) => Math.max(top, Math.abs(v)), 1e-3);
    return Math.max(most, difference(tensor, found[output]) / scale);
  }, 0);
}

const constant = (b: GraphBuilder, dims: readonly number[], key: string, change = (v: number) => v) =>
  b.constant(float32(dims, sample(dims, key).map(change)));
const positive = (v: number) => Math.abs(v) + 0.2;

/** Values of an image x (1, 6, 7, 9); its absolute values are `p`, and `flat` is (1, 6, 63). */
type Row = (b: GraphBuilder, x: string, p: string, flat: string) => string | readonly string[];
const plain: (op: string) => Row = (op) => (b, x, p, flat) =>
  [x, flat].map((v) => b.op(op, [op === 'Log' || op === 'Sqrt' || op === 'Reciprocal' ? p : v]));
const two: (op: string) => Row = (op) => (b, x, p, flat) => [
  b.op(op, [x, constant(b, [6, 1, 1], 'c', positive)]),
  b.op(op, [p, x]),
  b.op(op, [flat, constant(b, [63], 'r', positive)]),
  b.op(op, [constant(b, [1], 'one', positive), p]),
];
const reduced: (op: string) => Row = (op) => (b, x, _, flat) => [
  b.op(op, [x, b.ints([2, 3])], { keepdims: 0 }),
  b.op(op, [x, b.ints([1])], { keepdims: 1 }),
  b.op(op, [x, b.ints([1])], { keepdims: 0 }),
  b.op(op, [flat, b.ints([-1])], { keepdims: 1 }),
];
const pooled: (op: string) => Row = (op) => (b, x) => [
  b.op(op, [x], { kernel_shape: [3, 2], strides: [2, 2], pads: [1, 0, 1, 1] }),
  b.op(op, [x], { kernel_shape: [2, 3], strides: [2, 2], ceil_mode: 1 }),
  b.op(op, [x], { kernel_shape: [3, 3], strides: [2, 1], auto_pad: 'SAME_UPPER' }),
];
const shaped: (op: string) => Row = (op) => (b, x, _, flat) => [b.op(op, [x]), b.op(op, [flat])];

const rows: Readonly<Record<keyof typeof operators, Row>> = {
  ...Object.fromEntries(
    'Abs Ceil Cos Elu Erf Exp Floor Gelu HardSigmoid HardSwish LeakyRelu Log Mish Neg Reciprocal Relu Selu Sigmoid Sign Sin Softplus Softsign Sqrt Tanh'
      .split(' ')
      .map((op) => [op, plain(op)]),
  ),
  ...Object.fromEntries('Add Div Max Min Mul Pow Sub Sum'.split(' ').map((op) => [op, two(op)])),
  Pow: (b, _, p) => b.op('Pow', [p, b.scalar(1.5)]),
  ...Object.fromEntries(
    'ReduceL1 ReduceL2 ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare'
      .split(' ')
      .map((op) => [op, reduced(op)]),
  ),
  AveragePool: (b, x, p, flat) => [
    ...(pooled('AveragePool')(b, x, p, flat) as string[]),
    b.op('AveragePool', [x], { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1], count_include_pad: 1 }),
  ],
  BatchNormalization: (b, x, _, flat) => {
    const [s, t, m, v] = ['s', 't', 'm', 'v'].map((key) => constant(b, [6], key, positive)) as [
      string,
      string,
      string,
      string,
    ];
    return [b.op('BatchNormalization', [x, s, t, m, v]), b.op('BatchNormalization', [flat, s, t, m, v])];
  },
  Cast: (b, x) => b.cast(b.cast(x, 'float64'), 'float32'),
  Clip: (b, x) => [
    b.op('Clip', [x, b.scalar(0), b.scalar(6)]),
    b.op('Clip', [x, b.scalar(-0.5)]),
    b.op('Clip', [x, '', b.scalar(0.5)]),
  ],
  Concat: (b, x, p, flat) => [b.concat([x, p], 1), b.concat([x, p], 3), b.concat([flat, flat], 2)],
  Conv: (b, x) => [
    b.op('Conv', [x, constant(b, [4, 6, 3, 3], 'w'), constant(b, [4], 'b')], { pads: [1, 0, 1, 2], strides: [2, 1] }),
    b.op('Conv', [x, constant(b, [6, 1, 3, 2], 'd')], { group: 6, strides: [2, 2], auto_pad: 'SAME_UPPER' }),
    b.op('Conv', [x, constant(b, [12, 1, 3, 3], 'm')], { group: 6, dilations: [2, 2] }),
    b.op('Conv', [x, constant(b, [8, 3, 3, 3], 'g'), constant(b, [8], 'b')], { group: 2 }),
  ],
  Dropout: (b, x) => b.op('Dropout', [x]),
  Expand: (b, x, _, flat) => [
    b.op('Expand', [b.op('ReduceMean', [x, b.ints([2])], { keepdims: 1 }), b.ints([1, 6, 5, 9])]),
    b.op('Expand', [flat, b.ints([2, 6, 63])]),
  ],
  Flatten: shaped('Flatten'),
  Gather: (b, x, _, flat) => [
    b.gather(x, b.ints([3, -1, 0]), 1),
    b.gather(x, b.ints([6, 2]), 2),
    b.op('Gather', [flat, b.constant({ type: 'int64', dims: [], data: BigInt64Array.of(-2n) })], { axis: 1 }),
  ],
  Gemm: (b, _, __, flat) => {
    const row = b.reshape(flat, [6, 63]);
    return [
      b.op('Gemm', [row, constant(b, [5, 63], 'w'), constant(b, [5], 'c')], { transB: 1, alpha: 0.5, beta: 2 }),
      b.op('Gemm', [row, constant(b, [6, 4], 'v')], { transA: 1 }),
    ];
  },
  GlobalAveragePool: (b, x) => b.op('Flatten', [b.op('GlobalAveragePool', [x])]),
  GlobalMaxPool: (b, x) => b.op('GlobalMaxPool', [x]),
  Identity: (b, x) => b.op('Identity', [b.op('Relu', [x])]),
  InstanceNormalization: (b, x) =>
    b.op('InstanceNormalization', [x, constant(b, [6], 's'), constant(b, [6], 't')], { epsilon: 1e-3 }),
  LayerNormalization: (b, _, __, flat) => [
    b.op('LayerNormalization', [flat, constant(b, [63], 's'), constant(b, [63], 't')]),
    b.op('LayerNormalization', [flat, constant(b, [6, 63], 'u')], { axis: 1, epsilon: 1e-2 }),
  ],
  LogSoftmax: (b, x, _, flat) => [b.op('LogSoftmax', [x], { axis: 1 }), b.op('LogSoftmax', [flat], { axis: 1 })],
  MatMul: (b, _, p, flat) => [
    b.matmul(flat, constant(b, [63, 5], 'w')),
    b.matmul(flat, b.transpose(flat, [0, 2, 1])),
    b.matmul(p, constant(b, [6, 9, 4], 'v')),
  ],
  MaxPool: pooled('MaxPool'),
  PRelu: (b, x, _, flat) => [
    b.op('PRelu', [x, constant(b, [6, 1, 1], 'a')]),
    b.op('PRelu', [flat, constant(b, [1], 'b')]),
  ],
  Pad: (b, x, _, flat) => [
    b.op('Pad', [x, b.ints([0, 0, 1, 2, 0, 1, 0, 3]), b.scalar(0.5)]),
    b.op('Pad', [x, b.ints([1, 2, 2, 1]), '', b.ints([2, 3])], { mode: 'reflect' }),
    b.op('Pad', [flat, b.ints([0, 1, 0, 0, 0, 2])]),
  ],
  Reshape: (b, x, _, flat) => [b.reshape(x, [2, 3, 63]), b.reshape(flat, [1, 6, 9, 7])],
  Slice: (b, x, _, flat) => [
    b.op('Slice', [x, b.ints([1, -8]), b.ints([5, 100]), b.ints([1, 3])]),
    b.op('Slice', [x, b.ints([0]), b.ints([7]), b.ints([2]), b.ints([2])]),
    b.op('Slice', [flat, b.ints([2]), b.ints([60]), b.ints([2]), b.ints([7])]),
  ],
  Softmax: (b, x, _, flat) => [b.softmax(x, 1), b.softmax(x, 3), b.softmax(flat, -1), b.softmax(flat, 1)],
  Split: (b, x, _, flat) => [
    ...b.ops('Split', [x, b.ints([2, 4])], 2, { axis: 1 }),
    ...b.ops('Split', [flat, b.ints([60, 3])], 2, { axis: 2 }),
  ],
  Squeeze: (b, x, _, flat) => [b.op('Squeeze', [x, b.ints([0])]), b.op('Squeeze', [flat, b.ints([0])])],
  Transpose: (b, x, _, flat) => [
    b.transpose(x, [0, 2, 3, 1]),
    b.transpose(x, [0, 3, 1, 2]),
    b.transpose(flat, [0, 2, 1]),
    b.transpose(x, [3, 0, 2, 1]),
  ],
  Unsqueeze: (b, x, _, flat) => [b.op('Unsqueeze', [flat, b.ints([1])]), b.op('Unsqueeze', [x, b.ints([0])])],
};

async function network(graph: Graph, shape: InputShape): Promise<StaticGraph> {
  return specialise(graph, await testEngine(), shape);
}

describe('every operator, after a convolution and on tokens', () => {
  test('has a row', () => expect(Object.keys(rows).sort()).toEqual(Object.keys(operators).sort()));

  for (const op of Object.keys(operators)) {
    test(op, async () => {
      const b = new GraphBuilder();
      b.domain('', 20);
      const image = b.input('image', 'float32', [1, 3, 7, 9]);
      const x = b.op('Conv', [image, constant(b, [6, 3, 1, 1], 'stem')]);
      const p = b.add(b.op('Abs', [x]), b.scalar(0.2));
      const written = [(rows[op] as Row)(b, x, p, b.reshape(x, [1, 6, 63]))].flat();
      for (const [i, value] of written.entries()) b.output(value, `out${i}`);
      expect(await apart(await network(b.build(), [1, 3, 7, 9]), op)).toBeLessThan(2e-5);
    });
  }
});

for (const name of ['mobilenetv2_tf', 'squeezenet1.1', 'cifar_resnet20', 'deit_tiny']) {
  assetsTest(
    `${name}, written for TensorFlow.js, gives onnxruntime's outputs, and is read again as it was`,
    async () => {
      const engine = await testEngine();
      const size = name.startsWith('cifar') ? 32 : name === 'deit_tiny' ? 224 : 64;
      const overrides = { size: [size, size] as [number, number] };
      const backbone = await loadBackbone(backbonePath(name), engine, { preprocess: 'imagenet', overrides });
      const specialised = await specialiseBackbone(backbone, engine, 1);
      expect(await apart(specialised, name)).toBeLessThan(1e-4);
      if (name === 'deit_tiny') return;
      const again = await network(await readNetwork(join(folder, name, 'model.json'), engine), specialised.shape);
      const image = float32(specialised.shape, sample(specialised.shape, 'image'));
      const [before, after] = [
        await runOnce(specialised.graph, { [specialised.input]: image }),
        await runOnce(again.graph, { [again.input]: image }),
      ];
      const output = Object.keys(before)[0] as string;
      expect(difference(before[output], Object.values(after)[0])).toBeLessThan(1e-3);
    },
    120_000,
  );
}

test('what TensorFlow.js has no form of is named, with its node', async () => {
  const b = new GraphBuilder();
  const x = b.input('x', 'float32', [1, 3, 4, 4]);
  b.output(b.op('DepthToSpace', [b.op('Conv', [x, constant(b, [4, 3, 1, 1], 'w')])], { blocksize: 2 }, 'shuffle'));
  const graph = await network(b.build(), [1, 3, 4, 4]);
  expect(() => tfjsModel(graph)).toThrow(UserError);
  expect(() => tfjsModel(graph)).toThrow(/DepthToSpace.*shuffle/);
});
