/** TensorFlow.js computes what onnxruntime computes: operator by operator, on shapes that nobody chose. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Random } from '../../src/base/index.js';
import type { Engine } from '../../src/engine/index.js';
import { type Graph, GraphBuilder, int64, sizeOf, type Tensor } from '../../src/ir/index.js';
import { agree, check, outputs, sample, shape, tried } from './tfjs-agree.js';

const pair = shape().chain((dims) =>
  fc
    .tuple(
      fc.array(fc.boolean(), { minLength: dims.length, maxLength: dims.length }),
      fc.array(fc.boolean(), { minLength: dims.length, maxLength: dims.length }),
      fc.nat(dims.length),
    )
    .map(([left, right, cut]) => {
      const thin = (mask: boolean[]) => dims.map((d, i) => (mask[i] ? 1 : d));
      return [thin(left), thin(right).slice(cut)] as const;
    }),
);

const positive = (v: number) => Math.abs(v) + 0.1;
const within = (v: number) => 0.9 * Math.tanh(v);
const unaries: Readonly<Record<string, (v: number) => number>> = {
  Abs: Number,
  Acos: within,
  Acosh: (v) => Math.abs(v) + 1.1,
  Asin: within,
  Asinh: Number,
  Atan: Number,
  Atanh: within,
  Ceil: (v) => v * 5,
  Celu: Number,
  Cos: (v) => v * 3,
  Cosh: Number,
  Elu: Number,
  Erf: Number,
  Exp: Number,
  Floor: (v) => v * 5,
  Gelu: Number,
  HardSigmoid: (v) => v * 3,
  HardSwish: (v) => v * 3,
  LeakyRelu: Number,
  Log: positive,
  Mish: Number,
  Neg: Number,
  Reciprocal: positive,
  Relu: Number,
  Round: (v) => Math.round(v * 8) / 2,
  Selu: Number,
  Sigmoid: (v) => v * 4,
  Sign: Number,
  Sin: (v) => v * 3,
  Sinh: Number,
  Softplus: (v) => v * 10,
  Softsign: Number,
  Sqrt: positive,
  Tan: within,
  Tanh: Number,
  ThresholdedRelu: Number,
};

describe('element by element', () => {
  for (const [op, change] of Object.entries(unaries)) {
    test(op, () =>
      check(
        fc.asyncProperty(shape(0, 5), (dims) =>
          agree((b) => [b.op<string>(op, ['x'])], { x: sample(dims, op, change) }),
        ),
        6,
      ),
    );
  }

  const binaries = ['Add', 'Sub', 'Mul', 'Max', 'Min', 'Greater', 'GreaterOrEqual', 'Less', 'LessOrEqual', 'Equal'];
  for (const op of [...binaries, 'Div', 'Pow', 'PRelu']) {
    test(`${op} of shapes that broadcast`, () =>
      check(
        fc.asyncProperty(pair, ([left, right]) => {
          // Halves meet often enough to be equal.
          const coarse = (v: number) => Math.round(v * 2) / 2;
          const change = op === 'Pow' || op === 'Div' ? positive : coarse;
          const b = op === 'PRelu' ? right.map((d, i) => (left[left.length - right.length + i] === d ? d : 1)) : right;
          return agree((g) => [g.op<string>(op, ['a', 'b'])], {
            a: sample(left, 'a', change),
            b: sample(b, 'b', change),
          });
        }),
        16,
      ));
  }

  test('Booleans: And, Or, Xor, Not, Where', () =>
    check(
      fc.asyncProperty(pair, ([left, right]) =>
        agree(
          (b) => {
            const [p, q] = [b.binary('Greater', 'a', b.scalar(0)), b.binary('Less', 'b', b.scalar(0.5))];
            const all = ['And', 'Or', 'Xor'].map((op) => b.op<string>(op, [p, q]));
            return [...all, b.op('Not', [p]), b.where(p, 'a', 'b'), b.cast(q, 'float32')];
          },
          { a: sample(left, 'a'), b: sample(right, 'b') },
        ),
      ),
    ));

  test('Clip with both bounds, with one, and with infinite ones', () =>
    check(
      fc.asyncProperty(shape(0), (dims) =>
        agree(
          (b) => [
            b.op('Clip', ['x', b.scalar(-0.5), b.scalar(0.7)]),
            b.op('Clip', ['x', b.scalar(0)]),
            b.op('Clip', ['x', '', b.scalar(0.2)]),
            b.op('Clip', ['x', b.scalar(Number.NEGATIVE_INFINITY), b.scalar(0.3)]),
          ],
          { x: sample(dims, 'x') },
        ),
      ),
    ));

  test('integers of 64 bits beyond what a double or TensorFlow.js holds', async () => {
    const x: Tensor = { type: 'int64', dims: [3], data: BigInt64Array.of(2n ** 60n + 1n, -7n, 9n) };
    const y = int64([3, 2, -2]);
    const ops = ['Add', 'Sub', 'Mul', 'Div', 'Max', 'Min', 'Greater'];
    await agree((b) => [...ops.map((op) => b.op<string>(op, ['x', 'y'])), b.op<string>('Mod', ['x', 'y'])], { x, y });
    const { z } = await outputs(await (tried.wasm as Promise<Engine>), sum(), { x, y });
    expect(z?.data).toEqual(BigInt64Array.of(2n ** 60n + 4n, -5n, 7n));
  });
});

function sum(): Graph {
  const b = new GraphBuilder();
  b.input('x', 'int64', [3]);
  b.input('y', 'int64', [3]);
  b.output(b.op('Add', ['x', 'y']), 'z');
  return b.build();
}

/** Some axes of a shape. */
const withAxes = shape(1, 5).chain((dims) =>
  fc.tuple(fc.constant(dims), fc.subarray([...dims.keys()], { minLength: 1 }), fc.boolean()),
);

describe('along axes', () => {
  for (const op of ['Sum', 'Mean', 'Max', 'Min', 'Prod', 'L1', 'L2', 'SumSquare', 'LogSumExp', 'LogSum'] as const) {
    test(`Reduce${op}`, () =>
      check(
        fc.asyncProperty(withAxes, ([dims, axes, keep]) =>
          agree((b) => [b.reduce(`Reduce${op}`, 'x', axes, keep)], {
            x: sample(dims, op, op === 'LogSum' ? positive : Number),
          }),
        ),
      ));
  }

  test('Softmax, LogSoftmax, CumSum, ArgMax, TopK along any axis', () =>
    check(
      fc.asyncProperty(withAxes, ([dims, [axis = 0], flag]) =>
        agree(
          (b) => [
            b.softmax('x', axis),
            b.op('LogSoftmax', ['x'], { axis }),
            b.op('CumSum', ['x', b.constant(int64([axis], []))], { exclusive: flag ? 1 : 0, reverse: flag ? 0 : 1 }),
            b.op('ArgMax', ['x'], { axis, keepdims: flag ? 1 : 0 }),
            ...b.ops('TopK', ['x', b.ints([1])], 2, { axis, largest: flag ? 1 : 0 }),
          ],
          { x: sample(dims, 'x') },
        ),
      ),
    ));
});

describe('products', () => {
  test('MatMul of stacks that broadcast, and of vectors', () =>
    check(
      fc.asyncProperty(
        fc.tuple(pair, fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 9 })),
        ([[left, right], m, k, n]) => {
          const matrices = { a: sample([...left.slice(-2), m, k], 'a'), b: sample([...right.slice(-2), k, n], 'b') };
          const vectors = { v: sample([k], 'v') };
          return agree((g) => [g.matmul('a', 'b'), g.matmul('a', 'v'), g.matmul('v', 'b')], {
            ...matrices,
            ...vectors,
          });
        },
      ),
    ));

  test('Gemm with any transposition, factors and bias', () =>
    check(
      fc.asyncProperty(
        fc.tuple(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 9 }), fc.boolean(), fc.boolean(), fc.nat(3)),
        ([m, k, ta, tb, kind]) => {
          const bias = [[], [4], [m, 1], [m, 4]][kind] as number[];
          const feeds = {
            a: sample(ta ? [k, m] : [m, k], 'a'),
            b: sample(tb ? [4, k] : [k, 4], 'b'),
            c: sample(bias, 'c'),
          };
          const attributes = { transA: ta ? 1 : 0, transB: tb ? 1 : 0, alpha: 0.5, beta: kind === 0 ? 1 : 2 };
          return agree((g) => [g.op('Gemm', ['a', 'b', 'c'], attributes)], feeds);
        },
      ),
    ));

  for (const equation of ['ij,jk->ik', 'bij,jik->kb', 'bhid,bhjd->bhij', 'ij->ji', 'ij->i', 'i,j->ij', 'ij,ij']) {
    test(`Einsum ${equation}`, () => {
      const sizes: Record<string, number> = { b: 2, h: 3, i: 4, j: 5, k: 3, d: 2 };
      const terms = (equation.split('->')[0] as string).split(',');
      const feeds = Object.fromEntries(
        terms.map((t, i) => [
          `x${i}`,
          sample(
            [...t].map((l) => sizes[l] as number),
            t,
          ),
        ]),
      );
      return agree((b) => [b.op('Einsum', Object.keys(feeds), { equation })], feeds);
    });
  }
});

test('an image that lies channels-last goes through every kind of operator as if it lay as the graph says', () =>
  check(
    fc.asyncProperty(fc.tuple(fc.integer({ min: 2, max: 5 }), fc.integer({ min: 2, max: 5 })), ([h, w]) =>
      agree(
        (b) => {
          const c = b.op('Conv', ['x', b.constant(sample([6, 3, 1, 1], 'w'))]);
          const row = b.constant(sample([w], 'row'));
          const channels = b.constant(sample([6, 1, 1], 'channels'));
          return [
            b.add(c, row),
            b.mul(channels, c),
            b.add(c, b.constant(sample([1, 6, h, w], 'whole'))),
            b.reshape(c, [2, -1]),
            b.transpose(c, [0, 2, 3, 1]),
            b.transpose(c, [3, 1, 0, 2]),
            b.concat([c, 'x'], 1),
            b.concat([c, c], 2),
            b.op('Slice', [c, b.ints([1, 4]), b.ints([2, -9]), b.ints([2, 1]), b.ints([1, -2])]),
            b.op('Pad', [c, b.ints([0, 1, 2, 0, 0, 1, 0, 1])]),
            b.op('Pad', [c, b.ints([0, 0, 1, 1, 0, 0, 1, 1])], { mode: 'reflect' }),
            b.op('Pad', [c, b.ints([0, 0, 1, 2, 0, 0, 3, 1])], { mode: 'edge' }),
            b.softmax(c, 1),
            b.softmax(c, 2),
            b.sum(c, [1], true),
            b.sum(c, [2, 3]),
            b.sum(c, [2]),
            b.mean(c, [0, 2, 3]),
            ...b.ops('Split', [c, b.ints([2, 4])], 2, { axis: 1 }),
            b.op('DepthToSpace', [b.concat([c, c], 1)], { blocksize: 2 }),
            b.gather(c, b.constant(int64([2, 0, -1])), 1),
            b.op('InstanceNormalization', [c, b.constant(sample([6], 's')), b.constant(sample([6], 'b'))]),
            b.op('LRN', [c], { size: 3, alpha: 0.1, beta: 0.7, bias: 2 }),
            b.op('Tile', [c, b.ints([1, 2, 1, 3])]),
            b.op('Expand', [b.sum(c, [1], true), b.ints([2, 4, h, w])]),
          ];
        },
        { x: sample([2, 3, h, w], 'x') },
      ),
    ),
  ));

describe('norms', () => {
  test('BatchNormalization of any rank, with its averages and with the batch', () =>
    check(
      fc.asyncProperty(shape(2, 4), (dims) =>
        agree(
          (b) => {
            const c = dims[1] as number;
            const vector = (key: string, change?: (v: number) => number) => b.constant(sample([c], key, change));
            const inputs = ['x', vector('s'), vector('o'), vector('m'), vector('v', positive)];
            return [
              b.op('BatchNormalization', inputs, { epsilon: 1e-3 }),
              ...b.ops('BatchNormalization', inputs, 3, { training_mode: 1, momentum: 0.8, epsilon: 1e-2 }),
            ];
          },
          { x: sample([dims[0] as number, dims[1] as number, ...dims.slice(2)], 'x') },
        ),
      ),
    ));

  test('LayerNormalization from any axis, LpNormalization', () =>
    check(
      fc.asyncProperty(withAxes, ([dims, [axis = 0]]) =>
        agree(
          (b) => {
            const rest = dims.slice(axis);
            const [scale, shift] = ['s', 'b'].map((key) => b.constant(sample(rest, key)));
            return [
              b.op('LayerNormalization', ['x', scale as string, shift as string], { axis, epsilon: 1e-2 }),
              b.op('LpNormalization', ['x'], { axis, p: 1 }),
              b.op('LpNormalization', ['x'], { axis }),
            ];
          },
          { x: sample(dims, 'x') },
        ),
      ),
    ));
});

describe('places', () => {
  test('Gather, GatherElements, GatherND, ScatterElements, ScatterND', () =>
    check(
      fc.asyncProperty(withAxes, ([dims, [axis = 0]]) => {
        const n = dims[axis] as number;
        const random = new Random(5, dims.join());
        const index = (count: number) => Array.from({ length: count }, () => Math.floor(random.uniform() * 2 * n) - n);
        const one = dims.map((d, i) => (i === axis ? 1 : d));
        return agree(
          (b) => {
            const element = b.constant(int64(index(sizeOf(one)), one));
            const first = b.constant(int64([0, (dims[0] as number) - 1], [2, 1]));
            const updates = sample([2, ...dims.slice(1)], 'u');
            return [
              b.gather('x', b.constant(int64(index(4), [2, 2])), axis),
              b.op('GatherElements', ['x', element], { axis }),
              b.op('GatherND', ['x', first]),
              b.op('ScatterElements', ['x', element, b.constant(sample(one, 'u'))], { axis, reduction: 'add' }),
              b.op('ScatterElements', ['x', element, b.constant(sample(one, 'u'))], { axis }),
              b.op('ScatterND', ['x', first, b.constant(updates)], { reduction: 'add' }),
            ];
          },
          { x: sample(dims, 'x') },
        );
      }),
    ));
});

describe('Resize', () => {
  for (const mode of ['nearest', 'linear', 'cubic']) {
    for (const way of ['half_pixel', 'align_corners', 'asymmetric', 'pytorch_half_pixel']) {
      test(`${mode}, ${way}`, () =>
        check(
          fc.asyncProperty(
            fc.tuple(fc.integer({ min: 2, max: 7 }), fc.integer({ min: 2, max: 7 }), fc.integer({ min: 1, max: 12 })),
            ([h, w, target]) => {
              const attributes = { mode, coordinate_transformation_mode: way, nearest_mode: 'floor' };
              return agree((b) => [b.op('Resize', ['x', '', '', b.ints([1, 2, target, w])], attributes)], {
                x: sample([1, 2, h, w], 'x'),
              });
            },
          ),
          8,
        ));
    }
  }
});
