/** A GraphModel: operations of TensorFlow as TensorFlow.js's converter leaves them. */
import { UserError } from '../../base/index.js';
import { type Graph, sizeOf, type Tensor, toNumbers } from '../../ir/index.js';
import { ChannelsLast, type Val, type WindowOptions } from './channels-last.js';
import { entry, isList, type Json, type JsonObject, text } from './weights.js';

/** An operation as it is written. */
interface Operation {
  readonly name: string;
  readonly op: string;
  readonly node: Json;
  readonly net: ChannelsLast;
  /** The numbers of an input that must be known. */
  known(at: number): number[];
  tensor(at: number): Tensor;
}
type Write = (operation: Operation, inputs: readonly Val[]) => Val;

const attribute = (o: Operation, key: string, kind: string) => entry(entry(entry(o.node, 'attr'), key), kind);
const string = (o: Operation, key: string, fallback: string): string => {
  const value = text(attribute(o, key, 's'));
  return value === undefined ? fallback : decode(value);
};
/** Strings lie in base64. */
const decode = (value: string) => Buffer.from(value, 'base64').toString('utf8');
const number = (o: Operation, key: string, fallback: number) => Number(attribute(o, key, 'f') ?? fallback);
const list = (o: Operation, key: string, kind: string): Json[] => {
  const value = entry(attribute(o, key, 'list'), kind);
  return isList(value) ? [...value] : [];
};
const numbers = (o: Operation, key: string) => list(o, key, 'i').map(Number);

/** Rows and columns of four numbers in the order of the data. */
function two(o: Operation, key: string): readonly [number, number] {
  const values = numbers(o, key);
  if (string(o, 'data_format', 'NHWC') !== 'NHWC')
    o.net.fail(`operation '${o.name}'`, 'has its channels first; toehold reads NHWC');
  const [, rows = 1, columns = 1] = values.length === 4 ? values : [1, 1, 1, 1];
  return [rows, columns];
}

function windowOf(o: Operation, kernel: readonly [number, number]): WindowOptions {
  const padding = string(o, 'padding', 'VALID');
  const explicit = numbers(o, 'explicit_paddings');
  const [, , top = 0, bottom = 0, left = 0, right = 0] = explicit;
  const border = [
    [top, bottom],
    [left, right],
  ] as const;
  return {
    kernel,
    strides: two(o, 'strides'),
    dilations: two(o, 'dilations'),
    padding: padding === 'EXPLICIT' ? border : padding === 'SAME' ? 'same' : 'valid',
  };
}

const sides = (filter: Tensor) => [filter.dims[0] ?? 1, filter.dims[1] ?? 1] as const;
const first = (inputs: readonly Val[]) => inputs[0] as Val;

function activation(o: Operation, x: Val, kind: string, name: string): Val {
  const simple: Record<string, string> = {
    Relu: 'Relu',
    Elu: 'Elu',
    Sigmoid: 'Sigmoid',
    Tanh: 'Tanh',
    LeakyRelu: 'LeakyRelu',
  };
  if (kind === 'Relu6') return o.net.clip(x, 0, 6, name);
  const op = simple[kind];
  if (!op) return o.net.fail(`operation '${o.name}'`, `ends with ${kind}, which toehold does not know`);
  return o.net.unary(
    op,
    x,
    name,
    kind === 'LeakyRelu' ? { alpha: number(o, 'leakyrelu_alpha', number(o, 'alpha', 0.2)) } : {},
  );
}

/** A convolution with what was joined to it: BiasAdd, then an activation. */
const convolution =
  (depthwise: boolean): Write =>
  (o, inputs) => {
    const fused = list(o, 'fused_ops', 's').map((s) => decode(String(s)));
    const kernel = o.tensor(1);
    const bias = fused[0] === 'BiasAdd' ? o.tensor(2) : undefined;
    const after = fused.filter((f) => f !== 'BiasAdd');
    if (after.length > 1) o.net.fail(`operation '${o.name}'`, `joins ${fused.join(', ')}`);
    const options = { ...windowOf(o, sides(kernel)), bias, depthwise };
    const [kind] = after;
    const result = o.net.conv(first(inputs), kernel, options, kind ? `${o.name}/linear` : o.name);
    return kind ? activation(o, result, kind, o.name) : result;
  };

const matmul: Write = (o, inputs) => {
  const fused = list(o, 'fused_ops', 's').map((s) => decode(String(s)));
  if (attribute(o, 'transpose_a', 'b') === true) o.net.fail(`operation '${o.name}'`, 'transposes its first input');
  const weight = o.tensor(1);
  const kernel = attribute(o, 'transpose_b', 'b') === true ? turned(weight) : weight;
  const after = fused.filter((f) => f !== 'BiasAdd');
  const [kind] = after;
  const bias = fused[0] === 'BiasAdd' ? o.tensor(2) : undefined;
  const result = o.net.dense(first(inputs), kernel, bias, kind ? `${o.name}/linear` : o.name);
  return kind ? activation(o, result, kind, o.name) : result;
};

function turned({ type, dims: [rows = 0, columns = 0], data }: Tensor): Tensor {
  const result = new Float32Array(rows * columns);
  for (let i = 0; i < rows; i++)
    for (let j = 0; j < columns; j++) result[j * rows + i] = data[i * columns + j] as number;
  return { type, dims: [columns, rows], data: result };
}

const unary =
  (op: string): Write =>
  (o, inputs) =>
    o.net.unary(op, first(inputs), o.name);
const binary =
  (op: string): Write =>
  (o, inputs) =>
    o.net.binary(op, first(inputs), inputs[1] as Val, o.name);
const pool =
  (kind: 'MaxPool' | 'AveragePool'): Write =>
  (o, inputs) =>
    o.net.pool(first(inputs), kind, windowOf(o, two(o, 'ksize')), o.name);

/** Over rows and columns of an image. */
const spatial =
  (kind: 'GlobalAveragePool' | 'GlobalMaxPool'): Write =>
  (o, inputs) => {
    const x = first(inputs);
    const axes = o.known(1).map((a) => (a < 0 ? a + x.dims.length : a));
    if (x.dims.length !== 4 || axes.sort().join() !== '1,2')
      o.net.fail(
        `operation '${o.name}'`,
        `takes axes ${axes.join(', ')} together; toehold reads rows and columns of images`,
      );
    return o.net.globalPool(x, kind, attribute(o, 'keep_dims', 'b') === true, o.name);
  };

const norm: Write = (o, inputs) => {
  const [scale, shift, mean, variance] = [1, 2, 3, 4].map((i) => o.tensor(i)) as [Tensor, Tensor, Tensor, Tensor];
  return o.net.norm(first(inputs), [scale, shift, mean, variance], number(o, 'epsilon', 1e-3), 0.99, o.name);
};

/** An end beyond every axis. */
const whole = 2 ** 31 - 1;

const idle: Write = (_, inputs) => first(inputs);

const operations: Readonly<Record<string, Write>> = {
  Conv2D: convolution(false),
  _FusedConv2D: convolution(false),
  DepthwiseConv2dNative: convolution(true),
  FusedDepthwiseConv2dNative: convolution(true),
  MatMul: matmul,
  _FusedMatMul: matmul,
  BiasAdd: binary('Add'),
  Add: binary('Add'),
  AddV2: binary('Add'),
  Sub: binary('Sub'),
  Mul: binary('Mul'),
  RealDiv: binary('Div'),
  Maximum: binary('Max'),
  Minimum: binary('Min'),
  FusedBatchNorm: norm,
  FusedBatchNormV2: norm,
  FusedBatchNormV3: norm,
  Relu: unary('Relu'),
  Relu6: (o, inputs) => o.net.clip(first(inputs), 0, 6, o.name),
  LeakyRelu: (o, inputs) => o.net.unary('LeakyRelu', first(inputs), o.name, { alpha: number(o, 'alpha', 0.2) }),
  Elu: unary('Elu'),
  Selu: unary('Selu'),
  Sigmoid: unary('Sigmoid'),
  Tanh: unary('Tanh'),
  Softplus: unary('Softplus'),
  Erf: unary('Erf'),
  Exp: unary('Exp'),
  Sqrt: unary('Sqrt'),
  Abs: unary('Abs'),
  Neg: unary('Neg'),
  Softmax: (o, inputs) => o.net.softmax(first(inputs), o.name),
  MaxPool: pool('MaxPool'),
  AvgPool: pool('AveragePool'),
  Mean: spatial('GlobalAveragePool'),
  Max: spatial('GlobalMaxPool'),
  Pad: (o, inputs) => padded(o, inputs, 0),
  PadV2: (o, inputs) => padded(o, inputs, o.known(2)[0] ?? 0),
  ConcatV2: (o, inputs) => o.net.concat(inputs.slice(0, -1), o.known(inputs.length - 1)[0] ?? -1, o.name),
  Reshape: (o, inputs) => {
    const x = first(inputs);
    const [, ...wanted] = o.known(1);
    const inner = x.dims.slice(1);
    const total = inner.some((d) => d === null) ? null : sizeOf(inner as number[]);
    const known = sizeOf(wanted.filter((d) => d > 0));
    return o.net.reshape(x, [null, ...wanted.map((d) => (d > 0 ? d : total === null ? null : total / known))], o.name);
  },
  Squeeze: (o, inputs) => {
    const x = first(inputs);
    const axes = numbers(o, 'squeeze_dims').map((a) => (a < 0 ? a + x.dims.length : a));
    return o.net.reshape(
      x,
      x.dims.filter((d, i) => (axes.length > 0 ? !axes.includes(i) : i === 0 || d !== 1)),
      o.name,
    );
  },
  Slice: (o, inputs) => {
    const [begin, size] = [o.known(1), o.known(2)];
    const ranges = begin.map((from, i) => {
      const length = size[i] ?? -1;
      return i === 0 || (from === 0 && length === -1) ? null : ([from, length < 0 ? whole : from + length, 1] as const);
    });
    return o.net.slice(first(inputs), ranges, o.name);
  },
  StridedSlice: (o, inputs) => {
    const mask = (key: string) => Number(attribute(o, key, 'i') ?? 0);
    if (mask('ellipsis_mask') || mask('new_axis_mask') || mask('shrink_axis_mask'))
      o.net.fail(`operation '${o.name}'`, 'adds or takes away axes');
    const [begin, end, steps] = [o.known(1), o.known(2), o.known(3)];
    if (steps.some((step) => step < 1)) o.net.fail(`operation '${o.name}'`, 'runs backwards');
    const ranges = begin.map((from, i) => {
      const at = (mask('begin_mask') >> i) & 1 ? 0 : from;
      const to = (mask('end_mask') >> i) & 1 ? whole : (end[i] as number);
      return i === 0 ? null : ([at, to, steps[i] as number] as const);
    });
    return o.net.slice(first(inputs), ranges, o.name);
  },
  Identity: idle,
  StopGradient: idle,
};

function padded(o: Operation, inputs: readonly Val[], value: number): Val {
  const x = first(inputs);
  const flat = o.known(1);
  const widths = x.dims.map((_, i) => [flat[2 * i] ?? 0, flat[2 * i + 1] ?? 0] as const);
  return o.net.pad(x, widths, value, o.name);
}

/** @throws UserError for an operation or form of one that toehold does not know, naming it */
export function importGraph(
  topology: Json,
  weights: ReadonlyMap<string, Tensor>,
  model: JsonObject,
  path: string,
): Graph {
  const nodes = entry(topology, 'node');
  const net = new ChannelsLast(path);
  const made = new Map<string, Val>();
  const read = new Set<string>();
  for (const node of isList(nodes) ? nodes : []) {
    const [name, op] = [text(entry(node, 'name')), text(entry(node, 'op'))];
    const given = entry(node, 'input');
    if (name === undefined || op === undefined) throw new UserError(`${path}: an operation has no name`);
    const inputs = (isList(given) ? given : []).map(String).filter((i) => !i.startsWith('^'));
    if (op === 'Placeholder') {
      made.set(name, net.input(name, placeholderDims(node)));
      continue;
    }
    if (op === 'Const') {
      const constant = weights.get(name) ?? net.fail(`constant '${name}'`, 'has no weights in the file');
      made.set(name, { name, dims: constant.dims, constant });
      continue;
    }
    const values = inputs.map((input) => {
      const [from = '', output = '0'] = input.split(':');
      if (output !== '0')
        net.fail(`operation '${name}'`, `reads output ${output} of '${from}'; toehold reads first outputs`);
      read.add(from);
      return made.get(from) ?? net.fail(`operation '${name}'`, `reads '${from}', which is not before it`);
    });
    const write = Object.hasOwn(operations, op) ? operations[op] : undefined;
    if (!write) net.fail(`operation '${name}'`, `is ${op.slice(0, 80)}, which toehold does not read`);
    const tensor = (at: number) =>
      values[at]?.constant ?? net.fail(`operation '${name}'`, `has an input ${at} that is no constant`);
    const operation = { name, op, node, net, tensor, known: (at: number) => toNumbers(tensor(at)) };
    made.set(name, (write as Write)(operation, values));
  }
  const outputs = outputsOf(model, made, read);
  if (outputs.length === 0) throw new UserError(`${path} has no output`);
  for (const { name, dims } of outputs)
    net.b.output(name, name, 'float32', ['N', ...Array(dims.length - 1).fill(null)]);
  return net.b.build();
}

function placeholderDims(node: Json): (number | null)[] {
  const dims = entry(entry(entry(entry(node, 'attr'), 'shape'), 'shape'), 'dim');
  return (isList(dims) ? dims : []).map((d) => {
    const size = Number(entry(d, 'size') ?? -1);
    return Number.isSafeInteger(size) && size > 0 && size < 2 ** 24 ? size : null;
  });
}

/** What the signature names, or what nothing reads. */
function outputsOf(model: JsonObject, made: ReadonlyMap<string, Val>, read: ReadonlySet<string>): Val[] {
  const signature = entry(
    entry(model, 'signature') ?? entry(entry(model, 'userDefinedMetadata'), 'signature'),
    'outputs',
  );
  const named = Object.values((signature as JsonObject | undefined) ?? {}).flatMap((o) => {
    const value = made.get((text(entry(o, 'name')) ?? '').split(':')[0] as string);
    return value && !value.constant ? [value] : [];
  });
  if (named.length > 0) return named;
  return [...made].filter(([name, v]) => !read.has(name) && !v.constant).map(([, v]) => v);
}
