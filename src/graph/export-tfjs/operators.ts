/**
 * The operators that a GraphModel can say. To add one: its line in the table, and a row in
 * test/graph/export-tfjs.test.ts. What the network's graph says of its axes is of (N, C, H, W).
 */
import { floatAttribute, intAttribute, intsAttribute, type Node, sizeOf, stringAttribute } from '../../ir/index.js';
import {
  attr,
  first,
  type GraphModelWriter,
  type Layout,
  positive,
  result,
  toLast,
  toPlain,
  type Write,
} from './graph-model-writer.js';
import { batchNormalization, instanceNormalization, layerNormalization } from './normalisations.js';
import { averagePool, convolution, maxPool } from './windows.js';

/** Element by element on one value, in the layout that it has. `make` gets the operand, and the name to give. */
const each =
  (make: (w: GraphModelWriter, x: string, name: string, node: Node) => string): Write =>
  (w, node) => {
    const layout = w.prefersLast(first(node)) ? 'last' : 'plain';
    w.place(result(node), make(w, w.in(layout, node, first(node)), result(node), node), layout);
  };
const unary = (op: string) => each((w, x, name) => w.op(op, [x], {}, name));

const clip = (w: GraphModelWriter, x: string, low: number, high: number, name: string) => {
  if (low === 0 && high === 6) return w.op('Relu6', [x], {}, name);
  const raised = low === Number.NEGATIVE_INFINITY ? x : w.op('Maximum', [x, w.scalar(low)], {}, `${name}/low`);
  return high === Number.POSITIVE_INFINITY ? raised : w.op('Minimum', [raised, w.scalar(high)], {}, name);
};
const hardSigmoid = (w: GraphModelWriter, x: string, [slope, shift]: readonly [number, number], name: string) =>
  clip(w, w.op('AddV2', [w.op('Mul', [x, w.scalar(slope)]), w.scalar(shift)]), 0, 1, name);
/** x times the normal distribution's share below it, or the tanh form of that. */
const gelu = (w: GraphModelWriter, x: string, name: string, node: Node) => {
  const half = w.op('Mul', [x, w.scalar(0.5)]);
  const cubed = () => w.op('Mul', [w.op('Mul', [x, x]), x]);
  const inner =
    stringAttribute(node, 'approximate', 'none') === 'tanh'
      ? w.op('Tanh', [
          w.op('Mul', [
            w.op('AddV2', [x, w.op('Mul', [cubed(), w.scalar(0.044715)])]),
            w.scalar(Math.sqrt(2 / Math.PI)),
          ]),
        ])
      : w.op('Erf', [w.op('Mul', [x, w.scalar(Math.SQRT1_2)])]);
  return w.op('Mul', [half, w.op('AddV2', [inner, w.scalar(1)])], {}, name);
};

/** Element by element on several values that broadcast. */
const broadcast =
  (op: string): Write =>
  (w, node) => {
    const isImage = w.dims(result(node)).length === 4 && node.inputs.some((name) => w.prefersLast(name));
    const layout: Layout = isImage ? 'last' : 'plain';
    const values = node.inputs.map((name) => w.in(layout, node, name));
    const made = values.slice(1).reduce((sum, value) => w.op(op, [sum, value], {}, result(node)), values[0] as string);
    w.place(result(node), made, layout);
  };

/** Sums, means and extremes along axes. */
const reduction =
  (op: string, before?: string, after?: string): Write =>
  (w, node) => {
    const dims = w.dims(first(node));
    const keep = intAttribute(node, 'keepdims', 1) === 1;
    const given = w.known(node, 1) ?? intsAttribute(node, 'axes') ?? dims.map((_, i) => i);
    const axes = given.map((axis) => positive(axis, dims.length));
    const wasLast = w.prefersLast(first(node));
    // Without its rows and columns an image is a plain table, whichever way it lay.
    const layout: Layout = wasLast && (keep || axes.toSorted().join() === '2,3') ? 'last' : 'plain';
    const at = layout === 'last' ? axes.map((axis) => toLast.indexOf(axis)) : axes;
    const x = w.in(layout, node, first(node));
    const ready = before ? w.op(before, [x]) : x;
    const made = w.op(op, [ready, w.ints(at)], { keep_dims: attr.flag(keep) }, result(node));
    w.place(result(node), after ? w.op(after, [made], {}, result(node)) : made, keep ? layout : 'plain');
  };

const globalPool =
  (op: string): Write =>
  (w, node) => {
    if (w.dims(first(node)).length !== 4) w.fail(node, 'is over no image of rows and columns');
    const x = w.in('last', node, first(node));
    w.place(result(node), w.op(op, [x, w.ints([1, 2])], { keep_dims: attr.flag(true) }, result(node)), 'last');
  };

const reshaped: Write = (w, node) => {
  const [from, to] = [w.dims(first(node)), w.dims(result(node))];
  const isPixel = w.prefersLast(first(node)) && from[2] === 1 && from[3] === 1;
  // An image of one pixel is its channels, in either layout.
  const source = isPixel ? (w.placed(first(node), 'last') as string) : w.in('plain', node, first(node));
  w.place(result(node), w.reshape(source, to, result(node)));
};

const transposed: Write = (w, node) => {
  const perm = intsAttribute(node, 'perm') ?? w.dims(first(node)).map((_, i, all) => all.length - 1 - i);
  const plain = w.placed(first(node), 'plain');
  const last = w.placed(first(node), 'last');
  if (perm.join() === toPlain.join() && plain !== undefined) w.place(result(node), plain, 'last');
  else if (perm.join() === toLast.join() && last !== undefined) w.place(result(node), last, 'plain');
  else w.place(result(node), w.transpose(w.in('plain', node, first(node)), perm, result(node)));
};

const concat: Write = (w, node) => {
  const axis = positive(intAttribute(node, 'axis', 0), w.dims(result(node)).length);
  const layout: Layout = node.inputs.some((name) => w.prefersLast(name)) ? 'last' : 'plain';
  const values = node.inputs.map((name) => w.in(layout, node, name));
  const at = w.ints([layout === 'last' ? toLast.indexOf(axis) : axis], []);
  const n = { N: { i: String(values.length) }, Tidx: { type: 'DT_INT32' as const } };
  w.place(result(node), w.op('ConcatV2', [...values, at], n, result(node)), layout);
};

/** A part of a value along some axes: first elements, ends and steps of all its axes, as (N, C, H, W). */
function part(w: GraphModelWriter, node: Node, value: string, ranges: readonly (readonly [number, number, number])[]) {
  const layout: Layout = w.prefersLast(first(node)) ? 'last' : 'plain';
  const x = w.in(layout, node, first(node));
  const all = layout === 'last' ? toLast.map((i) => ranges[i] as (typeof ranges)[number]) : ranges;
  const begin = w.ints(all.map(([from]) => from));
  const made = all.every(([, , step]) => step === 1)
    ? w.op('Slice', [x, begin, w.ints(all.map(([from, to]) => to - from))], {}, value)
    : w.op('StridedSlice', [x, begin, w.ints(all.map(([, to]) => to)), w.ints(all.map(([, , s]) => s))], {}, value);
  w.place(value, made, layout);
}
const whole = (dims: readonly number[]) => dims.map((d) => [0, d, 1] as const);

const slice: Write = (w, node) => {
  const dims = w.dims(first(node));
  const [starts = [], ends = []] = [w.known(node, 1), w.known(node, 2)];
  const axes = w.known(node, 3) ?? starts.map((_, i) => i);
  const steps = w.known(node, 4) ?? starts.map(() => 1);
  const ranges: (readonly [number, number, number])[] = whole(dims);
  axes.forEach((given, i) => {
    const axis = positive(given, dims.length);
    const size = dims[axis] as number;
    const step = steps[i] as number;
    if (step < 1) w.fail(node, 'runs backwards');
    const within = (at: number) => Math.min(size, Math.max(0, at < 0 ? at + size : at));
    ranges[axis] = [within(starts[i] as number), within(ends[i] as number), step];
  });
  part(w, node, result(node), ranges);
};

const split: Write = (w, node) => {
  const dims = w.dims(first(node));
  const axis = positive(intAttribute(node, 'axis', 0), dims.length);
  let from = 0;
  for (const output of node.outputs) {
    const to = from + (w.dims(output)[axis] ?? 0);
    const ranges: (readonly [number, number, number])[] = whole(dims);
    ranges[axis] = [from, to, 1];
    if (output) part(w, node, output, ranges);
    from = to;
  }
};

/** One element along an axis, or some in an order that is known. */
const gather: Write = (w, node) => {
  const dims = w.dims(first(node));
  const axis = positive(intAttribute(node, 'axis', 0), dims.length);
  const size = dims[axis] as number;
  const indices = (w.known(node, 1) ?? []).map((i) => positive(i, size));
  const shape = w.dims(node.inputs[1] as string);
  const layout: Layout = shape.length === 1 && w.prefersLast(first(node)) ? 'last' : 'plain';
  const at = layout === 'last' ? toLast.indexOf(axis) : axis;
  const inputs = [w.in(layout, node, first(node)), w.ints(indices), w.ints([at], [])];
  const picked = w.op('GatherV2', inputs, { batch_dims: { i: '0' } }, result(node));
  w.place(result(node), shape.length === 1 ? picked : w.reshape(picked, w.dims(result(node))), layout);
};

const pad: Write = (w, node) => {
  const mode = stringAttribute(node, 'mode', 'constant');
  if (mode !== 'constant' && mode !== 'reflect') w.fail(node, `pads by mode ${mode}`);
  const dims = w.dims(first(node));
  const pads = w.known(node, 1) ?? [];
  const axes = w.known(node, 3)?.map((a) => positive(a, dims.length)) ?? dims.map((_, i) => i);
  const widths = dims.map((_, axis) => {
    const at = axes.indexOf(axis);
    return at < 0 ? [0, 0] : [pads[at] ?? 0, pads[at + axes.length] ?? 0];
  });
  if (widths.flat().some((width) => width < 0)) w.fail(node, 'cuts the border off');
  const layout: Layout = w.prefersLast(first(node)) ? 'last' : 'plain';
  const all = layout === 'last' ? toLast.map((i) => widths[i] as number[]) : widths;
  const inputs = [w.in(layout, node, first(node)), w.ints(all.flat(), [dims.length, 2])];
  const made =
    mode === 'reflect'
      ? w.op('MirrorPad', inputs, { mode: attr.text('reflect') }, result(node))
      : w.op('PadV2', [...inputs, w.scalar(w.known(node, 2)?.[0] ?? 0)], {}, result(node));
  w.place(result(node), made, layout);
};

const expand: Write = (w, node) => {
  const [from, to] = [w.dims(first(node)), w.dims(result(node))];
  const padded = [...Array<number>(to.length - from.length).fill(1), ...from];
  const x = w.in('plain', node, first(node));
  const wide = padded.length > from.length ? w.reshape(x, padded) : x;
  const times = to.map((d, i) => (padded[i] === d ? 1 : d));
  w.place(result(node), w.op('Tile', [wide, w.ints(times)], {}, result(node)));
};

const softmax =
  (op: string): Write =>
  (w, node) => {
    const rank = w.dims(first(node)).length;
    const axis = positive(intAttribute(node, 'axis', -1), rank);
    const isLast = w.prefersLast(first(node)) && axis === 1;
    const x = w.in(isLast ? 'last' : 'plain', node, first(node));
    if (isLast || axis === rank - 1) {
      w.place(result(node), w.op(op, [x], {}, result(node)), isLast ? 'last' : 'plain');
      return;
    }
    const perm = Array.from({ length: rank }, (_, i) => i);
    [perm[axis], perm[rank - 1]] = [rank - 1, axis];
    w.place(result(node), w.transpose(w.op(op, [w.transpose(x, perm)]), perm, result(node)));
  };

const matmul: Write = (w, node) => {
  const [a = '', b = ''] = node.inputs;
  const [left, right] = [w.dims(a), w.dims(b)];
  if (left.length < 2 || right.length < 2) w.fail(node, 'multiplies by a vector');
  const [x, y] = [w.in('plain', node, a), w.in('plain', node, b)];
  const to = w.dims(result(node));
  const turns = { transpose_a: attr.flag(false), transpose_b: attr.flag(false) };
  if (right.length === 2) {
    // A batch of rows on one matrix is one product.
    const rows = left.length === 2 ? x : w.reshape(x, [sizeOf(left.slice(0, -1)), left.at(-1) as number]);
    const flat = w.op('MatMul', [rows, y], turns, left.length === 2 ? result(node) : `${result(node)}/rows`);
    w.place(result(node), left.length === 2 ? flat : w.reshape(flat, to, result(node)));
    return;
  }
  const same = { adj_x: attr.flag(false), adj_y: attr.flag(false) };
  w.place(result(node), w.op('BatchMatMulV2', [x, y], same, result(node)));
};

/** A product with factors and turns, and a bias. */
const gemm: Write = (w, node) => {
  const [a = '', b = '', c] = node.inputs;
  const turns = {
    transpose_a: attr.flag(intAttribute(node, 'transA', 0) === 1),
    transpose_b: attr.flag(intAttribute(node, 'transB', 0) === 1),
  };
  const scaled = (x: string, name: 'alpha' | 'beta') => {
    const factor = floatAttribute(node, name, 1);
    return factor === 1 ? x : w.op('Mul', [x, w.scalar(factor)]);
  };
  const inputs = [w.in('plain', node, a), w.in('plain', node, b)];
  const product = scaled(w.op('MatMul', inputs, turns, c ? `${result(node)}/product` : result(node)), 'alpha');
  const biased = c ? w.op('AddV2', [product, scaled(w.in('plain', node, c), 'beta')], {}, result(node)) : product;
  w.place(result(node), biased);
};

/** Slopes of a PRelu, in whatever layout. */
const prelu: Write = (w, node) => {
  const [x = '', slope = ''] = node.inputs;
  const layout: Layout = w.prefersLast(x) ? 'last' : 'plain';
  const value = w.in(layout, node, x);
  const below = w.op('Mul', [w.op('Minimum', [value, w.scalar(0)]), w.in(layout, node, slope)]);
  w.place(result(node), w.op('AddV2', [w.op('Relu', [value]), below], {}, result(node)), layout);
};

const sameValue: Write = (w, node) => {
  for (const layout of ['plain', 'last'] as const) {
    const at = w.placed(first(node), layout);
    if (at !== undefined) w.place(result(node), at, layout);
  }
  if (w.constant(first(node))) w.place(result(node), w.in('plain', node, first(node)));
};

/** Between floats, and from the image's bytes: TensorFlow.js computes in single precision. */
const cast: Write = (w, node) => {
  const to = w.network.values.get(result(node))?.type;
  if (to !== 'float32' && to !== 'float64') w.fail(node, `makes numbers of type ${to}`);
  sameValue(w, node);
};

const numbers = (node: Node, names: readonly (readonly [string, number])[]) =>
  names.map(([name, fallback]) => floatAttribute(node, name, fallback)) as [number, number];

export const operators: Readonly<Record<string, Write>> = {
  Abs: unary('Abs'),
  Add: broadcast('AddV2'),
  AveragePool: averagePool,
  BatchNormalization: batchNormalization,
  Cast: cast,
  Ceil: unary('Ceil'),
  Clip: (w, node) => {
    const low = w.known(node, 1)?.[0] ?? floatAttribute(node, 'min', Number.NEGATIVE_INFINITY);
    const high = w.known(node, 2)?.[0] ?? floatAttribute(node, 'max', Number.POSITIVE_INFINITY);
    each((_, x, name) => clip(w, x, low, high, name))(w, node);
  },
  Concat: concat,
  Conv: convolution,
  Cos: unary('Cos'),
  Div: broadcast('RealDiv'),
  Dropout: sameValue,
  Elu: each((w, x, name, node) => {
    if (floatAttribute(node, 'alpha', 1) !== 1) w.fail(node, 'has an alpha other than 1');
    return w.op('Elu', [x], {}, name);
  }),
  Erf: unary('Erf'),
  Exp: unary('Exp'),
  Expand: expand,
  Flatten: reshaped,
  Floor: unary('Floor'),
  Gather: gather,
  Gelu: each(gelu),
  Gemm: gemm,
  GlobalAveragePool: globalPool('Mean'),
  GlobalMaxPool: globalPool('Max'),
  HardSigmoid: each((w, x, name, node) =>
    hardSigmoid(
      w,
      x,
      numbers(node, [
        ['alpha', 0.2],
        ['beta', 0.5],
      ]),
      name,
    ),
  ),
  HardSwish: each((w, x, name) => w.op('Mul', [x, hardSigmoid(w, x, [1 / 6, 0.5], `${name}/gate`)], {}, name)),
  Identity: sameValue,
  InstanceNormalization: instanceNormalization,
  LayerNormalization: layerNormalization,
  LeakyRelu: each((w, x, name, node) =>
    w.op('LeakyRelu', [x], { alpha: attr.real(floatAttribute(node, 'alpha', 0.01)) }, name),
  ),
  Log: unary('Log'),
  LogSoftmax: softmax('LogSoftmax'),
  MatMul: matmul,
  Max: broadcast('Maximum'),
  MaxPool: maxPool,
  Min: broadcast('Minimum'),
  Mish: each((w, x, name) => w.op('Mul', [x, w.op('Tanh', [w.op('Softplus', [x])])], {}, name)),
  Mul: broadcast('Mul'),
  Neg: unary('Neg'),
  PRelu: prelu,
  Pad: pad,
  Pow: broadcast('Pow'),
  Reciprocal: each((w, x, name) => w.op('RealDiv', [w.scalar(1), x], {}, name)),
  ReduceL1: reduction('Sum', 'Abs'),
  ReduceL2: reduction('Sum', 'Square', 'Sqrt'),
  ReduceMax: reduction('Max'),
  ReduceMean: reduction('Mean'),
  ReduceMin: reduction('Min'),
  ReduceProd: reduction('Prod'),
  ReduceSum: reduction('Sum'),
  ReduceSumSquare: reduction('Sum', 'Square'),
  Relu: unary('Relu'),
  Reshape: reshaped,
  Selu: each((w, x, name, node) => {
    const [alpha, gamma] = numbers(node, [
      ['alpha', 1.6732632],
      ['gamma', 1.050701],
    ]);
    if (Math.abs(alpha - 1.6732632) + Math.abs(gamma - 1.050701) > 1e-5) w.fail(node, 'has factors of its own');
    return w.op('Selu', [x], {}, name);
  }),
  Sigmoid: unary('Sigmoid'),
  Sign: unary('Sign'),
  Sin: unary('Sin'),
  Slice: slice,
  Softmax: softmax('Softmax'),
  Softplus: unary('Softplus'),
  Softsign: each((w, x, name) => w.op('RealDiv', [x, w.op('AddV2', [w.op('Abs', [x]), w.scalar(1)])], {}, name)),
  Split: split,
  Sqrt: unary('Sqrt'),
  Squeeze: reshaped,
  Sub: broadcast('Sub'),
  Sum: broadcast('AddV2'),
  Tanh: unary('Tanh'),
  Transpose: transposed,
  Unsqueeze: reshaped,
};
