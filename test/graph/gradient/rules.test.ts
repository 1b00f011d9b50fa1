/**
 * Every operator that can be differentiated, in one row each, against central differences. An operator of the table of
 * rules without a row here fails; further variants (any stride, any axis, broadcasting ...) are in the files by family.
 */
import { describe, expect, test } from 'vitest';
import { differentiableOps } from '../../../src/graph/gradient/index.js';
import { float32, GraphBuilder, int64 } from '../../../src/graph/index.js';
import { expectGradient, type GradientCase } from '../../support/gradients.js';

type Row = Omit<GradientCase, 'write'> & { readonly write?: (b: GraphBuilder, xs: string[]) => string | string[] };

const dims = [[3, 4, 2]];
/** Values at least .05 from each of `points`, where the function has a kink. */
const away = (...points: number[]) => ({
  sample: (v: number) => points.reduce((x, p) => (Math.abs(x - p) < 0.05 ? p + (x < p ? -0.05 : 0.05) : x), v * 2),
});
const positive = { sample: (v: number) => Math.abs(v) + 0.3 };
const within = { sample: (v: number) => 0.8 * Math.tanh(v) };
const nonzero = { sample: (v: number) => (v < 0 ? v - 0.5 : v + 0.5) };
/** Values that are apart by more than the step of the differences, so that extrema stay where they are. */
const distinct = { sample: (v: number, _: number, i: number) => v * 0.01 + ((i * 17) % 101) * 0.3 };
/** For operators that the runtime has in single precision only. */
const single = { type: 'float32' } as const;
/** For those linear in each input: a large step has no error but rounding. */
const linear = { type: 'float32', step: 0.5, tolerance: 1e-4 } as const;
const smooth = { type: 'float32', step: 3e-2 } as const;

const recurrent = { ...smooth, step: 1e-2, sample: (v: number) => v * 0.5 };

const pair = { dims: [[3, 4], [4]] };
const image = [2, 3, 4, 4];
const window = { kernel_shape: [2, 2], strides: [1, 1], pads: [0, 1, 0, 1] };
const exp = (b: GraphBuilder, x: string) => b.unary('Exp', x);

/** By operator. Without `write`, it is the operator on the inputs, without attributes. */
const rows: Readonly<Record<string, Row>> = {
  Abs: { dims, ...away(0) },
  Acos: { dims, ...single, ...within },
  Acosh: { dims, ...single, sample: (v) => Math.abs(v) + 1.5 },
  Add: pair,
  Asin: { dims, ...single, ...within },
  Asinh: { dims, ...single },
  Atan: { dims, ...single },
  Atanh: { dims, ...single, ...within },
  Attention: {
    dims: [
      [2, 4, 3, 5],
      [2, 2, 6, 5],
      [2, 2, 6, 3],
      [4, 3, 6],
    ],
    ...smooth,
    step: 1e-2,
    write: (b, xs) => {
      b.domain('', 23);
      return b.op('Attention', xs, { scale: 0.7, softcap: 2 });
    },
  },
  AveragePool: { dims: [image], ...linear, write: (b, xs) => b.op('AveragePool', xs, window) },
  BatchNormalization: {
    dims: [[6, 3, 2], [3], [3]],
    ...smooth,
    write: (b, xs) => {
      const averages = [b.constant(float32([3], [0, 0.3, 0.6])), b.constant(float32([3], [0.7, 1, 1.5]))];
      return b.ops('BatchNormalization', [...xs, ...averages], 3, { training_mode: 1 })[0] as string;
    },
  },
  Cast: { dims, ...single, write: (b, [x = '']) => b.cast(x, 'float32') },
  CastLike: {
    dims,
    ...single,
    write: (b, [x = '']) => exp(b, b.op('CastLike', [x, b.constant(float32([1], [0]))])),
  },
  Celu: { dims, ...single, ...away(0), write: (b, xs) => b.op('Celu', xs, { alpha: 1.5 }) },
  Clip: { dims, ...single, ...away(-1, 1.5), write: (b, [x = '']) => b.op('Clip', [x, b.scalar(-1), b.scalar(1.5)]) },
  Concat: {
    dims: [
      [2, 3],
      [2, 4],
    ],
    write: (b, xs) => exp(b, b.concat(xs, -1)),
  },
  Conv: { dims: [image, [4, 3, 2, 2], [4]], ...linear, write: (b, xs) => b.op('Conv', xs, window) },
  ConvTranspose: { dims: [image, [3, 4, 2, 2], [4]], ...linear, write: (b, xs) => b.op('ConvTranspose', xs, window) },
  Cos: { dims },
  Cosh: { dims, ...single },
  CumSum: { dims, write: (b, [x = '']) => exp(b, b.op('CumSum', [x, b.constant(int64([1], []))], { exclusive: 1 })) },
  DepthToSpace: { dims: [[1, 8, 2, 2]], write: (b, xs) => exp(b, b.op('DepthToSpace', xs, { blocksize: 2 })) },
  Div: { ...pair, ...nonzero },
  Dropout: { dims, write: (b, xs) => exp(b, b.op('Dropout', xs)) },
  Einsum: {
    dims: [
      [2, 3, 4],
      [4, 3, 5],
    ],
    write: (b, xs) => b.op('Einsum', xs, { equation: 'bij,jik->kb' }),
  },
  Elu: { dims, ...single, ...away(0), write: (b, xs) => b.op('Elu', xs, { alpha: 1.5 }) },
  Erf: { dims, ...single },
  Exp: { dims },
  Expand: { dims: [[3, 1]], write: (b, [x = '']) => b.op('Expand', [x, b.ints([2, 3, 4])]) },
  Flatten: { dims, write: (b, xs) => exp(b, b.op('Flatten', xs, { axis: 2 })) },
  Gather: { dims: [[4, 3]], write: (b, [x = '']) => exp(b, b.gather(x, b.constant(int64([3, 3, 0])), 0)) },
  GRU: {
    dims: [
      [4, 2, 3],
      [2, 15, 3],
      [2, 15, 5],
      [2, 30],
      [2, 2, 5],
    ],
    ...recurrent,
    write: (b, [x = '', w = '', r = '', bias = '', h = '']) =>
      b.ops('GRU', [x, w, r, bias, '', h], 2, { hidden_size: 5, direction: 'bidirectional' }),
  },
  GatherElements: {
    dims: [[3, 4]],
    write: (b, [x = '']) =>
      exp(b, b.op('GatherElements', [x, b.constant(int64([0, 2, 2, 1, 1, -1], [2, 3]))], { axis: 0 })),
  },
  GatherND: {
    dims: [[3, 4]],
    write: (b, [x = '']) => exp(b, b.op('GatherND', [x, b.constant(int64([0, 1, 2, 3, 0, 1], [3, 2]))])),
  },
  Gelu: {
    dims,
    ...single,
    write: (b, xs) => {
      b.domain('', 20);
      return b.op('Gelu', xs);
    },
  },
  Gemm: { dims: [[4, 3], [4, 5], [5]], write: (b, xs) => b.op('Gemm', xs, { transA: 1, alpha: 0.5, beta: 2 }) },
  GlobalAveragePool: { dims: [image], ...linear },
  GlobalLpPool: { dims: [image], ...smooth, write: (b, xs) => b.op('GlobalLpPool', xs, { p: 3 }) },
  GlobalMaxPool: { dims: [image], ...single, ...distinct },
  // Places are apart from the pixels, where the slope along the grid jumps.
  GridSample: {
    dims: [
      [2, 3, 4, 5],
      [2, 3, 2, 2],
    ],
    ...single,
    sample: (v, input, i) => (input === 0 ? v : ([-0.55, 0.3, -0.05, 0.65, 0.23, -0.41][i % 6] as number)),
    write: (b, xs) => b.op('GridSample', xs, { mode: 'bilinear' }),
  },
  GroupNormalization: {
    dims: [[3, 6, 2, 4], [2], [2]],
    ...smooth,
    write: (b, xs) => b.op('GroupNormalization', xs, { num_groups: 2 }),
  },
  HardSigmoid: { dims, ...single, ...away(-2.5, 2.5) },
  HardSwish: { dims, ...single, ...away(-3, 3) },
  Identity: { dims },
  InstanceNormalization: { dims: [[3, 4, 2, 5], [4], [4]], ...smooth },
  LRN: { dims: [[2, 7, 3, 2]], ...smooth, write: (b, xs) => b.op('LRN', xs, { size: 3, alpha: 0.8, bias: 1.5 }) },
  LSTM: {
    dims: [
      [4, 2, 3],
      [2, 20, 3],
      [2, 20, 5],
      [2, 40],
      [2, 2, 5],
      [2, 2, 5],
      [2, 15],
    ],
    ...recurrent,
    write: (b, [x = '', w = '', r = '', bias = '', ...states]) =>
      b.ops('LSTM', [x, w, r, bias, '', ...states], 3, { hidden_size: 5, direction: 'bidirectional' }),
  },
  LayerNormalization: { dims: [[2, 5, 6], [6], [6]], ...smooth, step: 1e-2 },
  LeakyRelu: { dims, ...single, ...away(0), write: (b, xs) => b.op('LeakyRelu', xs, { alpha: 0.2 }) },
  Log: { dims, ...positive },
  LogSoftmax: { dims, write: (b, xs) => b.op('LogSoftmax', xs, { axis: 1 }) },
  LpNormalization: { dims, ...single, step: 1e-3, write: (b, xs) => b.op('LpNormalization', xs, { axis: 1 }) },
  LpPool: {
    dims: [image],
    ...smooth,
    write: (b, xs) => b.op('LpPool', xs, { kernel_shape: [3, 2], strides: [2, 1], pads: [1, 0, 0, 1], p: 2 }),
  },
  MatMul: {
    dims: [
      [2, 3, 4],
      [4, 5],
    ],
  },
  Max: { ...pair },
  MaxPool: { dims: [image], ...single, ...distinct, write: (b, xs) => b.op('MaxPool', xs, window) },
  Mean: { ...pair, ...single },
  Min: { ...pair },
  Mish: { dims, ...single },
  Mul: pair,
  Neg: { dims },
  PRelu: {
    dims: [
      [2, 3, 4],
      [3, 1],
    ],
    ...away(0),
  },
  Pad: { dims: [[2, 5]], write: (b, [x = '']) => exp(b, b.op('Pad', [x, b.ints([0, 2, 1, -1])])) },
  Pow: { dims: [[3, 5], [5]], sample: (v) => Math.abs(v) + 0.5 },
  Reciprocal: { dims, ...positive },
  RMSNormalization: {
    dims: [[2, 3, 4], [4]],
    ...smooth,
    step: 5e-3,
    write: (b, xs) => {
      b.domain('', 23);
      return b.op('RMSNormalization', xs);
    },
  },
  RNN: {
    dims: [
      [4, 2, 3],
      [1, 5, 3],
      [1, 5, 5],
      [1, 10],
    ],
    ...recurrent,
    write: (b, xs) => b.ops('RNN', xs, 2, { hidden_size: 5, direction: 'reverse' }),
  },
  ReduceL1: { dims, ...away(0), ...single, write: (b, [x = '']) => b.reduce('ReduceL1', x, [0]) },
  ReduceL2: { dims, ...single, write: (b, [x = '']) => b.reduce('ReduceL2', x, [1]) },
  ReduceLogSum: { dims, ...positive, ...single, write: (b, [x = '']) => b.reduce('ReduceLogSum', x, [1]) },
  ReduceLogSumExp: { dims, write: (b, [x = '']) => b.reduce('ReduceLogSumExp', x, [0, 1], true) },
  ReduceMax: { dims, ...distinct, write: (b, [x = '']) => b.reduce('ReduceMax', x, [1], true) },
  ReduceMean: { dims, write: (b, [x = '']) => exp(b, b.mean(x, [1])) },
  ReduceMin: { dims, ...distinct, write: (b, [x = '']) => b.reduce('ReduceMin', x, [0, 2]) },
  ReduceProd: { dims, ...single, write: (b, [x = '']) => b.reduce('ReduceProd', x, [1]) },
  ReduceSum: { dims, write: (b, [x = '']) => exp(b, b.sum(x, [0, 2])) },
  ReduceSumSquare: { dims, write: (b, [x = '']) => b.reduce('ReduceSumSquare', x, [2]) },
  Relu: { dims, ...away(0) },
  Reshape: { dims, write: (b, [x = '']) => exp(b, b.reshape(x, [6, -1])) },
  Resize: {
    dims: [[2, 3, 4, 5]],
    ...linear,
    write: (b, [x = '']) => b.op('Resize', [x, '', '', b.ints([2, 3, 7, 10])], { mode: 'linear' }),
  },
  RotaryEmbedding: {
    dims: [
      [2, 3, 12],
      [5, 2],
      [5, 2],
    ],
    ...linear,
    write: (b, xs) => {
      b.domain('', 23);
      const positions = b.constant(int64([0, 1, 2, 4, 3, 1], [2, 3]));
      return b.op('RotaryEmbedding', [...xs, positions], { num_heads: 2, rotary_embedding_dim: 4, interleaved: 1 });
    },
  },
  ScatterElements: {
    dims: [
      [4, 3],
      [2, 3],
    ],
    write: (b, [x = '', u = '']) => {
      const indices = b.constant(int64([0, 3, 2, 1, 1, 0], [2, 3]));
      return exp(b, b.op('ScatterElements', [x, indices, u], { axis: 0 }));
    },
  },
  ScatterND: {
    dims: [
      [4, 3],
      [2, 3],
    ],
    write: (b, [x = '', u = '']) => exp(b, b.op('ScatterND', [x, b.constant(int64([3, 1], [2, 1])), u])),
  },
  Selu: { dims, ...single, ...away(0) },
  Shrink: { dims, ...single, ...away(-0.7, 0.7), write: (b, xs) => b.op('Shrink', xs, { lambd: 0.7, bias: 0.2 }) },
  Sigmoid: { dims },
  Sin: { dims },
  Sinh: { dims, ...single },
  Slice: {
    dims: [[7, 3]],
    write: (b, [x = '']) => exp(b, b.op('Slice', [x, ...[[5], [0], [0], [-2]].map((v) => b.ints(v))])),
  },
  Softmax: { dims, write: (b, [x = '']) => b.softmax(x, 1) },
  Softplus: { dims, ...single },
  Softsign: { dims, ...single },
  SpaceToDepth: { dims: [[1, 2, 4, 4]], write: (b, xs) => exp(b, b.op('SpaceToDepth', xs, { blocksize: 2 })) },
  Split: {
    dims: [[2, 7]],
    write: (b, [x = '']) => b.ops('Split', [x, b.ints([1, 4, 2])], 3, { axis: 1 }).map((y) => exp(b, y)),
  },
  Sqrt: { dims, ...positive },
  Squeeze: { dims: [[2, 1, 6]], write: (b, [x = '']) => exp(b, b.op('Squeeze', [x, b.ints([1])])) },
  Sub: pair,
  Sum: { dims: [[3, 4], [4], [3, 1]] },
  Swish: {
    dims,
    ...single,
    write: (b, xs) => {
      b.domain('', 24);
      return b.op('Swish', xs, { alpha: 1.3 });
    },
  },
  Tan: { dims, ...single, ...within },
  Tanh: { dims },
  ThresholdedRelu: {
    dims,
    ...single,
    ...away(0.6),
    write: (b, xs) => exp(b, b.op('ThresholdedRelu', xs, { alpha: 0.6 })),
  },
  Tile: { dims: [[3, 1]], write: (b, [x = '']) => exp(b, b.op('Tile', [x, b.ints([2, 5])])) },
  TopK: {
    dims,
    ...distinct,
    write: (b, [x = '']) => exp(b, b.ops('TopK', [x, b.ints([2])], 2, { axis: 1 })[0] as string),
  },
  Transpose: { dims, write: (b, [x = '']) => exp(b, b.transpose(x, [2, 0, 1])) },
  Unsqueeze: { dims, write: (b, [x = '']) => exp(b, b.op('Unsqueeze', [x, b.ints([0, -1])])) },
  Where: {
    dims: [
      [2, 3],
      [4, 1, 3],
      [2, 1],
    ],
    fixed: [0],
    write: (b, [c = '', x = '', y = '']) => b.where(b.cast(b.relu(c), 'bool'), x, y),
  },
};

describe('every operator with a rule of differentiation', () => {
  test.each(differentiableOps)('%s', async (op) => {
    const row = rows[op];
    if (!row) throw new Error(`${op} has a rule and no row in this table`);
    const write = row.write ?? ((b: GraphBuilder, xs: string[]) => b.op<string>(op, xs));
    const b = new GraphBuilder();
    write(
      b,
      row.dims.map((_, i) => b.input(`x${i}`)),
    );
    expect(b.build().nodes.map((n) => n.op)).toContain(op);
    await expectGradient({ ...row, write });
  });

  test('and none that has no rule', () => {
    expect(Object.keys(rows).toSorted()).toEqual(differentiableOps);
  });
});
