import { describe, expect, test } from 'vitest';
import { Random } from '../../src/base/index.js';
import {
  type Attribute,
  type AttributeKinds,
  type DataType,
  float32,
  type Graph,
  GraphBuilder,
  kindsOf,
  opsetOf,
  readModelFile,
  sizeOf,
  type Tensor,
  upgrade,
  withKinds,
} from '../../src/graph/index.js';
import { assetsTest, backbonePath } from '../support/assets.js';
import { difference, runOnce } from '../support/run.js';

const normal = (dims: readonly number[], key = 'x'): Tensor => {
  const random = new Random(7, key);
  return float32(
    dims,
    Array.from({ length: sizeOf(dims) }, () => random.normal()),
  );
};
const f = (value: number): Attribute => ({ kind: 'float', value });
const tensor = (type: DataType, dims: number[], values: number[]): Tensor => ({
  type,
  dims,
  data: type === 'int64' ? BigInt64Array.from(values, BigInt) : Float32Array.from(values),
});

interface Case {
  op: string;
  opset: number;
  dims?: number[];
  attributes?: Record<string, Attribute | number | string | readonly number[]>;
  /** Constant inputs after x; null leaves one out. */
  constants?: (Tensor | null)[];
  outputs?: number;
  /** Operators of the new form. */
  becomes?: string[];
  note?: string;
  /** Outputs to compare, all by default. */
  compared?: number;
}

/** Of attributes and operators that the current set has no more. */
const oldKinds: AttributeKinds = {
  axes: 'ints',
  axis: 'int',
  ends: 'ints',
  k: 'int',
  mode: 'string',
  output_height: 'int',
  output_width: 'int',
  pads: 'ints',
  ratio: 'float',
  sampling_ratio: 'int',
  spatial: 'int',
  split: 'ints',
  starts: 'ints',
};

function graphOf({ op, opset, dims = [2, 3, 4, 4], attributes = {}, constants = [], outputs = 1 }: Case): Graph {
  const b = new GraphBuilder();
  b.domain('', opset);
  const x = b.input('x', 'float32', dims);
  const inputs = [x, ...constants.map((t) => (t ? b.constant(t) : ''))];
  const typed = withKinds(attributes, { ...kindsOf(op, ''), ...oldKinds }, op);
  for (const name of b.ops(op, inputs, outputs, typed, 'y')) b.output(name, `out.${name}`, undefined);
  return b.build();
}

const reductions = ['Max', 'Mean', 'Min', 'Prod', 'SumSquare', 'L1', 'L2', 'LogSumExp'];
const cases: Case[] = [
  { op: 'Slice', opset: 9, attributes: { starts: [1, -3], ends: [2 ** 31, 3], axes: [1, 2] } },
  { op: 'Slice', opset: 9, attributes: { starts: [0, 1], ends: [1, 3] }, note: 'no axes' },
  { op: 'Clip', opset: 10, attributes: { min: f(0), max: f(0.5) } },
  { op: 'Clip', opset: 10, attributes: { max: f(0.5) }, note: 'no minimum' },
  { op: 'Clip', opset: 9, note: 'no bounds' },
  { op: 'Pad', opset: 9, attributes: { pads: [0, 0, 1, 2, 0, 0, 3, 0] } },
  { op: 'Pad', opset: 10, attributes: { pads: [0, 0, 1, 2, 0, 0, 0, 1], value: f(-2), mode: 'constant' } },
  { op: 'Pad', opset: 10, attributes: { pads: [0, 0, 1, 2, 0, 0, 0, 1], mode: 'reflect' } },
  { op: 'Squeeze', opset: 11, dims: [2, 1, 3, 1], attributes: { axes: [1] } },
  { op: 'Squeeze', opset: 9, dims: [2, 1, 3, 1], note: 'no axes' },
  { op: 'Unsqueeze', opset: 11, dims: [2, 3], attributes: { axes: [0, 3] } },
  { op: 'ReduceSum', opset: 11, attributes: { axes: [-1, 1], keepdims: 0 } },
  { op: 'ReduceSum', opset: 12, note: 'all axes' },
  ...reductions.map((name) => ({ op: `Reduce${name}`, opset: 13, attributes: { axes: [2, 3] } })),
  { op: 'ReduceMean', opset: 17, attributes: { keepdims: 0 }, note: 'all axes' },
  { op: 'Split', opset: 11, attributes: { axis: 2, split: [1, 3] }, outputs: 2 },
  { op: 'Split', opset: 12, attributes: { axis: 3 }, outputs: 2, note: 'equal parts' },
  { op: 'Split', opset: 13, attributes: { axis: 3 }, outputs: 2, note: 'equal parts' },
  { op: 'Split', opset: 13, attributes: { axis: 2 }, constants: [tensor('int64', [2], [3, 1])], outputs: 2 },
  ...['Softmax', 'LogSoftmax', 'Hardmax'].flatMap((op): Case[] => [
    { op, opset: 9, becomes: ['Shape', 'Flatten', op, 'Reshape'] },
    { op, opset: 11, attributes: { axis: 2 } },
    { op, opset: 11, attributes: { axis: -2 } },
    { op, opset: 12, attributes: { axis: -1 }, becomes: [op] },
    { op, opset: 13, attributes: { axis: 1 }, becomes: [op] },
  ]),
  { op: 'Dropout', opset: 7, attributes: { ratio: 0.3 } },
  // What the mask holds at inference was left open until set 12.
  { op: 'Dropout', opset: 10, attributes: { ratio: 0.3 }, outputs: 2, compared: 1, note: 'mask read' },
  {
    op: 'BatchNormalization',
    opset: 9,
    attributes: { epsilon: 1e-3 },
    constants: [normal([3], 's'), normal([3], 'b'), normal([3], 'm'), float32([3], [1, 2, 0.5])],
  },
  {
    op: 'BatchNormalization',
    opset: 7,
    dims: [2, 3, 2],
    attributes: { epsilon: 1e-3, spatial: 0 },
    constants: [normal([3, 2], 's'), normal([3, 2], 'b'), normal([3, 2], 'm'), float32([3, 2], [1, 2, 0.5, 1, 1, 3])],
  },
  { op: 'Upsample', opset: 7, attributes: { scales: { kind: 'floats', value: [1, 1, 2, 3] }, mode: 'nearest' } },
  { op: 'Upsample', opset: 9, attributes: { mode: 'nearest' }, constants: [float32([4], [1, 1, 1.5, 2])] },
  { op: 'Upsample', opset: 9, attributes: { mode: 'linear' }, constants: [float32([4], [1, 1, 2, 2.5])] },
  { op: 'Resize', opset: 10, attributes: { mode: 'nearest' }, constants: [float32([4], [1, 1, 2, 2])] },
  {
    op: 'Resize',
    opset: 10,
    dims: [1, 1, 5, 7],
    attributes: { mode: 'nearest' },
    constants: [float32([4], [1, 1, 0.5, 0.6])],
    note: 'shrinking',
  },
  { op: 'Resize', opset: 10, attributes: { mode: 'linear' }, constants: [float32([4], [1, 1, 0.6, 1.7])] },
  {
    op: 'Resize',
    opset: 11,
    attributes: { mode: 'linear', coordinate_transformation_mode: 'align_corners' },
    constants: [float32([0], []), float32([0], []), tensor('int64', [4], [2, 3, 7, 9])],
  },
  {
    op: 'Resize',
    opset: 13,
    attributes: { mode: 'nearest', nearest_mode: 'floor' },
    constants: [null, float32([4], [1, 1, 2, 2])],
  },
  { op: 'TopK', opset: 9, attributes: { axis: 3, k: 2 }, outputs: 2 },
  { op: 'TopK', opset: 10, attributes: { axis: 2 }, constants: [tensor('int64', [1], [3])], outputs: 2 },
  {
    op: 'Scatter',
    opset: 10,
    dims: [3, 3],
    attributes: { axis: 1 },
    constants: [tensor('int64', [2, 2], [0, 2, 1, 0]), normal([2, 2], 'u')],
  },
  {
    op: 'RoiAlign',
    opset: 10,
    attributes: { output_height: 2, output_width: 2, spatial_scale: f(1), sampling_ratio: 2 },
    constants: [float32([1, 4], [0, 0, 3, 3]), tensor('int64', [1], [1])],
  },
  {
    op: 'Gemm',
    opset: 10,
    dims: [2, 3],
    attributes: { transB: 1, alpha: 0.5, beta: 2 },
    constants: [normal([4, 3], 'w'), normal([4], 'c')],
  },
  { op: 'Cast', opset: 9, attributes: { to: 7 } },
  { op: 'Flatten', opset: 9, attributes: { axis: 2 } },
  { op: 'LRN', opset: 9, attributes: { size: 3, alpha: 0.1 } },
  { op: 'LeakyRelu', opset: 9, attributes: { alpha: 0.1 } },
  {
    op: 'MaxPool',
    opset: 9,
    attributes: { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] },
  },
  { op: 'AveragePool', opset: 9, attributes: { kernel_shape: [2, 2], strides: [2, 2] } },
];

describe('upgrade: every rule leaves the function as it is', () => {
  for (const c of cases) {
    const title = `${c.op} of set ${c.opset} ${JSON.stringify(c.attributes ?? {})}${c.note ? `, ${c.note}` : ''}`;
    test(title, async () => {
      const old = graphOf(c);
      const now = upgrade(old);
      expect(opsetOf(now)).toBe(18);
      if (c.becomes) {
        expect(
          now.nodes
            .filter((n) => n.op !== 'Identity')
            .map((n) => n.op)
            .sort(),
        ).toEqual([...c.becomes].sort());
      }
      const x = normal(c.dims ?? [2, 3, 4, 4]);
      const before = await runOnce(old, { x }, 'none');
      const after = await runOnce(now, { x }, 'none');
      expect(Object.keys(after)).toEqual(Object.keys(before));
      for (const name of Object.keys(before).slice(0, c.compared))
        expect(difference(before[name], after[name])).toBeLessThan(1e-5);
    });
  }
});

describe('upgrade: the graph around the nodes', () => {
  test('a graph of set 18 or above comes back as it is', () => {
    const graph = graphOf({ op: 'Relu', opset: 21 });
    expect(upgrade(graph)).toBe(graph);
  });

  test('a set older than 7 is an error that says what to do', () => {
    expect(() => upgrade(graphOf({ op: 'Relu', opset: 6 }))).toThrow(/operator set 6: export it with set 17/);
  });

  test('bounds take the type of a float16 value', () => {
    const b = new GraphBuilder();
    b.domain('', 10);
    b.input('x', 'float16', [2]);
    b.output(b.op('Clip', ['x'], { min: f(0) }, 'y'));
    expect(upgrade(b.build()).nodes.map((n) => n.op)).toEqual(['CastLike', 'Clip']);
  });

  test('bodies of If are upgraded, and may read constants around them', async () => {
    const branch = (op: string, attributes: Record<string, Attribute>) => {
      const b = new GraphBuilder();
      b.node(op, ['x'], ['r'], attributes);
      b.output('r');
      return { ...b.build(), opsets: new Map<string, number>() };
    };
    const b = new GraphBuilder();
    b.domain('', 9);
    b.input('x', 'float32', [2, 3]);
    b.input('which', 'bool', []);
    b.node('If', ['which'], ['y'], {
      then_branch: branch('Clip', { min: f(0), max: f(1) }),
      else_branch: branch('Softmax', { axis: { kind: 'int', value: 0 } }),
    });
    b.output('y');
    const old = b.build();
    const now = upgrade(old);
    for (const flag of [0, 1]) {
      const feeds = { x: normal([2, 3]), which: { type: 'bool', dims: [], data: Uint8Array.of(flag) } as Tensor };
      const [before, after] = [await runOnce(old, feeds), await runOnce(now, feeds)];
      expect(difference(before.y, after.y)).toBeLessThan(1e-6);
    }
  });

  test('saved statistics of a training batch normalisation are an error naming the node', () => {
    const graph = graphOf({
      op: 'BatchNormalization',
      opset: 9,
      constants: [normal([3]), normal([3]), normal([3]), float32([3], [1, 1, 1])],
      outputs: 5,
    });
    expect(() => upgrade(graph)).toThrow(/BatchNormalization 'y' gives out its saved statistics/);
  });

  assetsTest('deit_tiny (set 17) and cifar_resnet20 (set 13) keep their outputs', async () => {
    for (const [name, dims] of [
      ['deit_tiny', [1, 3, 224, 224]],
      ['cifar_resnet20', [2, 3, 32, 32]],
    ] as const) {
      const old = await readModelFile(backbonePath(name));
      const input = normal(dims);
      const [before, after] = [await runOnce(old, { input }), await runOnce(upgrade(old), { input })];
      expect(difference(before.logits, after.logits)).toBeLessThan(1e-4);
    }
  });
});
