import { describe, expect, test } from 'vitest';
import { Random } from '../../src/base/index.js';
import {
  dequantize,
  float32,
  fromBfloat16,
  fromFloat16,
  type Graph,
  GraphBuilder,
  int64,
  sizeOf,
  type Tensor,
  toFloat32,
  toNumbers,
} from '../../src/graph/index.js';
import { difference, runOnce } from '../support/run.js';

const random = new Random(3);
const draw = (n: number, f: () => number) => Array.from({ length: n }, f);
const integers = (dims: readonly number[], low: number, high: number) =>
  draw(sizeOf(dims), () => low + random.integer(high - low + 1));
const normal = (dims: readonly number[]) =>
  float32(
    dims,
    draw(sizeOf(dims), () => random.normal()),
  );
const tensor = (type: 'int8' | 'uint8' | 'int32' | 'float16', dims: readonly number[], values: number[]): Tensor => ({
  type,
  dims,
  data: new { int8: Int8Array, uint8: Uint8Array, int32: Int32Array, float16: Uint16Array }[type](values),
});

/** Bits of the float16 numbers with few digits that these tests use. */
function toFloat16(value: number): number {
  for (let bits = 0; bits < 0x10000; bits++) if (fromFloat16(bits) === value) return bits;
  throw new Error(`${value} is no float16 number`);
}

describe('16-bit floats', () => {
  test('numbers of the two formats', () => {
    // IEEE 754: one, the largest, the smallest subnormal, minus infinity; one third rounded.
    expect([0x3c00, 0x7bff, 1, 0xfc00, 0x3555].map(fromFloat16)).toEqual([
      1,
      65504,
      2 ** -24,
      Number.NEGATIVE_INFINITY,
      0.333251953125,
    ]);
    expect(fromFloat16(0x7e00)).toBeNaN();
    expect([0x3f80, 0xc000, 0x4049].map(fromBfloat16)).toEqual([1, -2, 3.140625]);
  });

  test('a float16 model computes the same in float32, its constants, casts and fills included', async () => {
    const values = [0.5, -1.25, 2, 0.75, -0.5, 1];
    const b = new GraphBuilder();
    b.input('x', 'float16', [2, 3]);
    const weight = b.constant(tensor('float16', [3, 2], values.map(toFloat16)));
    const shape = b.constant(int64([2, 2]));
    const two = tensor('float16', [1], [toFloat16(2)]);
    const fill = b.op('ConstantOfShape', [shape], { value: two });
    const product = b.op('Add', [b.op('MatMul', ['x', weight]), fill]);
    const half = b.cast(b.cast(product, 'float32'), 'float16');
    b.output(half, 'y', 'float16', [2, 2]);
    const old = b.build();
    const now = toFloat32(old);
    expect([...now.inputs, ...now.outputs].map((v) => v.type)).toEqual(['float32', 'float32']);
    const { y: before } = await runOnce(old, { x: tensor('float16', [2, 3], values.map(toFloat16)) });
    const { y: after } = await runOnce(now, { x: float32([2, 3], values) });
    expect(before?.type).toBe('float16');
    expect(after?.type).toBe('float32');
    const bits = toNumbers(before as Tensor).map(fromFloat16);
    expect(difference(float32([2, 2], bits), after)).toBeLessThan(2e-3);
  });
});

interface Weights {
  name: string;
  x: Tensor;
  scale: Tensor;
  zeroPoint?: Tensor;
  axis?: number;
}
const scales = (n: number) =>
  float32(
    [n],
    draw(n, () => 0.01 + 0.02 * random.uniform()),
  );
const weights: Weights[] = [
  { name: 'int8 per tensor', x: tensor('int8', [4, 3], integers([4, 3], -128, 127)), scale: float32([], [0.02]) },
  {
    name: 'uint8 per tensor with zero point',
    x: tensor('uint8', [4, 3], integers([4, 3], 0, 255)),
    scale: float32([], [0.02]),
    zeroPoint: tensor('uint8', [], [119]),
  },
  { name: 'int8 per axis 0', x: tensor('int8', [4, 3], integers([4, 3], -128, 127)), scale: scales(4), axis: 0 },
  {
    name: 'uint8 per axis -1 with zero points',
    x: tensor('uint8', [4, 3], integers([4, 3], 0, 255)),
    scale: scales(3),
    zeroPoint: tensor('uint8', [3], [100, 128, 140]),
    axis: -1,
  },
  { name: 'int8 per default axis', x: tensor('int8', [2, 3, 2], integers([2, 3, 2], -9, 9)), scale: scales(3) },
  { name: 'int32 bias', x: tensor('int32', [3], integers([3], -5000, 5000)), scale: scales(3), axis: 0 },
];

/** x (1, k) times or plus the dequantised constant. */
function weightGraph({ x, scale, zeroPoint, axis }: Weights): Graph {
  const b = new GraphBuilder();
  b.input('x', 'float32', [1]);
  const inputs = [x, scale, ...(zeroPoint ? [zeroPoint] : [])].map((t) => b.constant(t));
  const w = b.op('DequantizeLinear', inputs, { axis }, 'w');
  b.output(b.op('Add', [w, 'x'], {}, 'y'));
  return b.build();
}

describe('dequantize: weights', () => {
  for (const w of weights) {
    test(`${w.name} become the float32 constant that the engine computes`, async () => {
      const old = weightGraph(w);
      const now = dequantize(old);
      expect(now.nodes.map((n) => n.op)).toEqual(['Add']);
      expect([...now.constants.keys()]).toEqual(['w']);
      const x = float32([1], [0.25]);
      const [before, after] = [await runOnce(old, { x }, 'none'), await runOnce(now, { x }, 'none')];
      expect(difference(before.y, after.y)).toBe(0);
    });
  }

  test('a graph that is not quantised comes back as it is', () => {
    const b = new GraphBuilder();
    b.output(b.op('Relu', [b.input('x')]));
    const graph = b.build();
    expect(dequantize(graph)).toBe(graph);
  });
});

/** Convolution in QDQ form: quantised input, weights and output; the ReLU is folded into the output's range. */
function qdq({ relu = false } = {}): Graph {
  const b = new GraphBuilder();
  b.input('x', 'float32', [1, 2, 5, 5]);
  const pair = (x: string, scale: number, zeroPoint: number) => {
    const by = [b.scalar(scale), b.constant(tensor('uint8', [], [zeroPoint]))];
    return b.op('DequantizeLinear', [b.op('QuantizeLinear', [x, ...by]), ...by]);
  };
  const w = b.constant(tensor('int8', [3, 2, 3, 3], integers([3, 2, 3, 3], -127, 127)));
  const weight = b.op('DequantizeLinear', [w, b.constant(scales(3))], { axis: 0 });
  const y = b.op('Conv', [pair('x', 0.03, 128), weight], { kernel_shape: [3, 3], pads: [1, 1, 1, 1] }, 'conv');
  const activated = relu ? b.op('Relu', [y]) : y;
  b.output(pair(activated, 0.1, 0), 'y');
  return b.build();
}

describe('dequantize: activations', () => {
  test('are kept by default: the outputs stay as they are', async () => {
    const old = qdq();
    const now = dequantize(old);
    expect(now.nodes.filter((n) => n.op === 'QuantizeLinear')).toHaveLength(2);
    const x = normal([1, 2, 5, 5]);
    const [before, after] = [await runOnce(old, { x }, 'none'), await runOnce(now, { x }, 'none')];
    expect(difference(before.y, after.y)).toBeLessThan(1e-6);
  });

  test('when dropped, lose their rounding only: a range from zero becomes the Clip that it stands for', async () => {
    const old = qdq();
    const now = dequantize(old, { activations: 'drop' });
    expect(now.nodes.map((n) => n.op)).toEqual(['Conv', 'Clip', 'Identity']);
    const x = normal([1, 2, 5, 5]);
    const [before, after] = [await runOnce(old, { x }, 'none'), await runOnce(now, { x }, 'none')];
    // Half a step of the output and of 18 inputs times weights of up to 127 * .03.
    expect(difference(before.y, after.y)).toBeLessThan(0.5);
    expect(Math.min(...toNumbers(after.y as Tensor))).toBe(0);
  });

  test('when dropped behind an activation, leave no Clip', () => {
    const now = dequantize(qdq({ relu: true }), { activations: 'drop' });
    expect(now.nodes.map((n) => n.op)).toEqual(['Conv', 'Relu', 'Identity']);
  });
});

describe('dequantize: what it cannot read', () => {
  test('a model that computes on integers is an error that names the node and the way out', () => {
    const b = new GraphBuilder();
    b.input('x', 'uint8');
    b.output(b.op('QLinearConv', ['x'], {}, 'q1'));
    expect(() => dequantize(b.build())).toThrow(/QLinearConv 'q1'.*float32.*QDQ/);
  });

  test('scales that do not fit the axis are a damaged file', () => {
    const w = tensor('int8', [4, 3], integers([4, 3], -9, 9));
    expect(() => dequantize(weightGraph({ name: '', x: w, scale: scales(2), axis: 0 }))).toThrow(/2 scales for axis 0/);
  });
});
