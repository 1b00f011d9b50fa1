/** Gradients of our graphs against those of TensorFlow.js's own automatic differentiation, operator by operator. */
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-core/dist/register_all_gradients.js';
import { describe, expect, test } from 'vitest';
import { Random } from '../../../src/base/index.js';
import { createEngine } from '../../../src/engine/index.js';
import { gradient } from '../../../src/graph/gradient/index.js';
import { float32, GraphBuilder, observe, sizeOf, type Tensor } from '../../../src/graph/index.js';

type Tf = tf.Tensor;
interface Case {
  readonly dims: readonly (readonly number[])[];
  /** Of onnx operators, on values named x0, x1 ... */
  readonly graph: (b: GraphBuilder, xs: string[]) => string;
  /** Of TensorFlow.js; images are (N, H, W, C) there. */
  readonly library: (xs: Tf[]) => Tf;
  readonly change?: (v: number) => number;
  /** Which inputs are images or filters, to be turned on their way. */
  readonly turned?: Readonly<Record<number, readonly number[]>>;
  /** The result is an image. */
  readonly image?: boolean;
}
const last = [0, 2, 3, 1];
const filter = [2, 3, 1, 0];
const image = [2, 3, 6, 5];
const away = (v: number) => (Math.abs(v) < 0.05 ? v + 0.1 : v);
const positive = (v: number) => Math.abs(v) + 0.3;

const unary = (op: string, library: (x: Tf) => Tf, change: (v: number) => number = away): Case => ({
  dims: [[3, 4]],
  graph: (b, [x = '']) => b.op<string>(op, [x]),
  library: ([x]) => library(x as Tf),
  change,
});
const binary = (op: string, library: (a: Tf, b: Tf) => Tf): Case => ({
  dims: [[3, 4], [4]],
  graph: (b, xs) => b.op<string>(op, xs),
  library: ([x, y]) => library(x as Tf, y as Tf),
  change: positive,
});
const convolution = (stride: number, pads: readonly number[]): Case => ({
  dims: [image, [4, 3, 3, 2]],
  turned: { 0: last, 1: filter },
  image: true,
  graph: (b, xs) => b.op('Conv', xs, { kernel_shape: [3, 2], strides: [stride, stride], pads }),
  library: ([x, w]) => {
    const [top = 0, left = 0, bottom = 0, right = 0] = pads;
    const padded = tf.pad(x as tf.Tensor4D, [
      [0, 0],
      [top, bottom],
      [left, right],
      [0, 0],
    ]);
    return tf.conv2d(padded, w as tf.Tensor4D, stride, 'valid');
  },
});

const cases: Readonly<Record<string, Case>> = {
  Relu: unary('Relu', tf.relu),
  Sigmoid: unary('Sigmoid', tf.sigmoid),
  Tanh: unary('Tanh', tf.tanh),
  Exp: unary('Exp', tf.exp),
  Log: unary('Log', tf.log, positive),
  Sqrt: unary('Sqrt', tf.sqrt, positive),
  Reciprocal: unary('Reciprocal', tf.reciprocal, positive),
  Softplus: unary('Softplus', tf.softplus),
  Elu: unary('Elu', tf.elu),
  Erf: unary('Erf', tf.erf),
  Abs: unary('Abs', tf.abs),
  Sin: unary('Sin', tf.sin),
  Cos: unary('Cos', tf.cos),
  Neg: unary('Neg', tf.neg),
  Softmax: unary('Softmax', tf.softmax),
  LogSoftmax: unary('LogSoftmax', tf.logSoftmax),
  Add: binary('Add', tf.add),
  Sub: binary('Sub', tf.sub),
  Mul: binary('Mul', tf.mul),
  Div: binary('Div', tf.div),
  Pow: binary('Pow', tf.pow),
  // Of shapes that broadcast, the library has no gradient of its own.
  Max: {
    ...binary('Max', tf.maximum),
    dims: [
      [3, 4],
      [3, 4],
    ],
  },
  Min: {
    ...binary('Min', tf.minimum),
    dims: [
      [3, 4],
      [3, 4],
    ],
  },
  MatMul: {
    dims: [
      [2, 3, 4],
      [2, 4, 5],
    ],
    graph: (b, [x = '', y = '']) => b.matmul(x, y),
    library: ([x, y]) => tf.matMul(x as Tf, y as Tf),
  },
  ReduceSum: { dims: [[3, 4, 2]], graph: (b, [x = '']) => b.sum(x, [0, 2]), library: ([x]) => tf.sum(x as Tf, [0, 2]) },
  ReduceMean: { dims: [[3, 4, 2]], graph: (b, [x = '']) => b.mean(x, [1]), library: ([x]) => tf.mean(x as Tf, [1]) },
  ReduceMax: {
    dims: [[3, 4, 2]],
    graph: (b, [x = '']) => b.reduce('ReduceMax', x, [1]),
    library: ([x]) => tf.max(x as Tf, [1]),
  },
  Transpose: {
    dims: [[3, 4, 2]],
    graph: (b, [x = '']) => b.transpose(x, [2, 0, 1]),
    library: ([x]) => tf.transpose(x as Tf, [2, 0, 1]),
  },
  Concat: {
    dims: [
      [3, 2],
      [3, 4],
    ],
    graph: (b, xs) => b.concat(xs, 1),
    library: (xs) => tf.concat(xs, 1),
  },
  Slice: {
    dims: [[5, 4]],
    graph: (b, [x = '']) => b.op('Slice', [x, b.ints([1]), b.ints([4]), b.ints([0])]),
    library: ([x]) => tf.slice(x as Tf, [1, 0], [3, 4]),
  },
  Pad: {
    dims: [[3, 2]],
    graph: (b, [x = '']) => b.op('Pad', [x, b.ints([1, 0, 0, 2])]),
    library: ([x]) =>
      tf.pad(x as Tf, [
        [1, 0],
        [0, 2],
      ]),
  },
  Expand: {
    dims: [[3, 1]],
    graph: (b, [x = '']) => b.op('Expand', [x, b.ints([2, 3, 4])]),
    library: ([x]) => tf.broadcastTo(x as Tf, [2, 3, 4]),
  },
  Conv: convolution(1, [1, 0, 1, 1]),
  'Conv with strides': convolution(2, [0, 1, 1, 0]),
  'Conv of single channels': {
    dims: [image, [3, 1, 3, 3]],
    turned: { 0: last, 1: [2, 3, 0, 1] },
    image: true,
    graph: (b, xs) => b.op('Conv', xs, { kernel_shape: [3, 3], pads: [1, 1, 1, 1], strides: [1, 1], group: 3 }),
    library: ([x, w]) => tf.depthwiseConv2d(x as tf.Tensor4D, w as tf.Tensor4D, 1, 'same'),
  },
  MaxPool: {
    dims: [[2, 3, 6, 4]],
    turned: { 0: last },
    image: true,
    graph: (b, xs) => b.op('MaxPool', xs, { kernel_shape: [2, 2], strides: [2, 2] }),
    library: ([x]) => tf.maxPool(x as tf.Tensor4D, 2, 2, 'valid'),
  },
  AveragePool: {
    dims: [[2, 3, 6, 4]],
    turned: { 0: last },
    image: true,
    graph: (b, xs) => b.op('AveragePool', xs, { kernel_shape: [3, 2], strides: [1, 1] }),
    library: ([x]) => tf.avgPool(x as tf.Tensor4D, [3, 2], 1, 'valid'),
  },
  'BatchNormalization with the batch': {
    dims: [[4, 3, 3, 2], [3], [3]],
    turned: { 0: last },
    image: true,
    graph: (b, xs) => {
      const averages = [b.constant(float32([3], [0, 0, 0])), b.constant(float32([3], [1, 1, 1]))];
      return b.ops('BatchNormalization', [...xs, ...averages], 3, { training_mode: 1, epsilon: 1e-3 })[0] as string;
    },
    library: ([x, scale, shift]) => {
      const { mean, variance } = tf.moments(x as Tf, [0, 1, 2]);
      return tf.batchNorm(
        x as tf.Tensor4D,
        mean as tf.Tensor1D,
        variance as tf.Tensor1D,
        shift as tf.Tensor1D,
        scale as tf.Tensor1D,
        1e-3,
      );
    },
  },
  'BatchNormalization that is frozen': {
    dims: [[4, 3, 3, 2], [3], [3]],
    turned: { 0: last },
    image: true,
    graph: (b, xs) => {
      const averages = [b.constant(float32([3], [0.1, 0, -0.3])), b.constant(float32([3], [1, 0.5, 2]))];
      return b.op('BatchNormalization', [...xs, ...averages], { epsilon: 1e-3 });
    },
    library: ([x, scale, shift]) =>
      tf.batchNorm(
        x as tf.Tensor4D,
        tf.tensor1d([0.1, 0, -0.3]),
        tf.tensor1d([1, 0.5, 2]),
        shift as tf.Tensor1D,
        scale as tf.Tensor1D,
        1e-3,
      ),
  },
};

const random = (dims: readonly number[], key: string, change: (v: number) => number) => {
  const source = new Random(6, key);
  return Float32Array.from({ length: sizeOf(dims) }, () => change(source.normal()));
};

describe.each(['onnxruntime', 'tfjs'] as const)('run by %s', (name) => {
  for (const [title, { dims, graph, library, change = away, turned = {}, image: isImage = false }] of Object.entries(
    cases,
  )) {
    test(title, async () => {
      const engine = await createEngine({ engine: name, device: name === 'tfjs' ? 'wasm' : 'cpu', threads: 1 });
      const b = new GraphBuilder();
      const xs = dims.map((d, i) => b.input(`x${i}`, 'float32', [...d]));
      const y = graph(b, xs);
      b.output(y, 'y');
      const { y: shape } = Object.fromEntries([...(await observe(b.build(), engine))].map(([k, v]) => [k, v.dims]));
      // Every element of the result counts differently.
      const factor = random(shape as number[], 'factor', (v) => v);
      b.clearOutputs();
      b.node('ReduceSum', [b.mul(y, b.constant(float32(shape as number[], factor)))], ['loss'], { keepdims: 0 });
      b.output('loss', 'loss', 'float32', []);
      const observed = await observe(b.build(), engine);
      const program = await engine.compile(gradient(b.build(), { loss: 'loss', wrt: xs, observed }));
      const values = dims.map((d, i) => random(d, `${title} ${i}`, change));
      const results = await program.run(
        Object.fromEntries(xs.map((x, i) => [x, float32(dims[i] as number[], values[i] as Float32Array)])),
      );
      await program.dispose();
      // The engine's backend is that of the process; in plain JavaScript every kernel has its gradient.
      await tf.setBackend('cpu');
      const oracle = tf.grads((...inputs: Tf[]) => {
        const given = inputs.map((x, i) => (turned[i] ? tf.transpose(x, [...turned[i]]) : x));
        const result = library(given);
        const plain = isImage ? tf.transpose(result, [0, 3, 1, 2]) : result;
        return tf.sum(tf.mul(plain, tf.tensor(factor, shape as number[])));
      })(values.map((v, i) => tf.tensor(v, dims[i] as number[])));
      oracle.forEach((expected, i) => {
        const [found, wanted] = [(results[`gradient/x${i}`] as Tensor).data as Float32Array, expected.dataSync()];
        const scale = Math.max(1, ...wanted.map(Math.abs));
        expect(Math.max(...wanted.map((v, k) => Math.abs(v - (found[k] as number)))) / scale).toBeLessThan(1e-4);
      });
    });
  }
});
