/** The layers of Keras 2: what each class is made of. */
import { float32, sizeOf, type Tensor } from '../../ir/index.js';
import type { ChannelsLast, Val, WindowOptions } from './channels-last.js';
import { entry, isList, isObject, type Json, type JsonObject, text } from './weights.js';

/** What a layer is made of. */
export interface Layer {
  readonly name: string;
  readonly config: JsonObject;
  readonly net: ChannelsLast;
  /** @throws UserError when the file has no such weight and it is asked for as one that must be there */
  weight(name: string): Tensor;
  optional(name: string): Tensor | undefined;
}
export type Write = (layer: Layer, inputs: readonly Val[]) => Val;

const number = (layer: Layer, key: string, fallback: number): number => {
  const value = entry(layer.config, key);
  if (value === undefined || value === null) return fallback;
  const only = isList(value) ? value[0] : value;
  return typeof only === 'number' && Number.isFinite(only)
    ? only
    : layer.net.fail(`layer '${layer.name}'`, `has ${key} ${JSON.stringify(value)}`);
};

function pair(layer: Layer, key: string, fallback: readonly [number, number]): readonly [number, number] {
  const value = entry(layer.config, key);
  if (value === undefined || value === null) return fallback;
  const two = isList(value) ? value.map(Number) : [Number(value), Number(value)];
  if (two.length !== 2 || two.some((v) => !Number.isInteger(v) || v < 0 || v > 1e6)) {
    layer.net.fail(
      `layer '${layer.name}'`,
      `has ${key} ${JSON.stringify(value).slice(0, 80)}; toehold reads layers over two axes`,
    );
  }
  return two as unknown as readonly [number, number];
}

function windowOf(layer: Layer, kernel: readonly [number, number], strides?: readonly [number, number]): WindowOptions {
  const padding = text(entry(layer.config, 'padding')) ?? 'valid';
  if (padding !== 'same' && padding !== 'valid') layer.net.fail(`layer '${layer.name}'`, `has padding '${padding}'`);
  if (entry(layer.config, 'data_format') === 'channels_first') {
    layer.net.fail(`layer '${layer.name}'`, "has data_format 'channels_first'; toehold reads channels_last");
  }
  return {
    kernel,
    strides: strides ?? pair(layer, 'strides', [1, 1]),
    dilations: pair(layer, 'dilation_rate', [1, 1]),
    padding: padding as 'same' | 'valid',
  };
}

const sides = (filter: Tensor) => [filter.dims[0] ?? 1, filter.dims[1] ?? 1] as const;
const only = (inputs: readonly Val[]) => inputs[0] as Val;

/** An activation by Keras's name; the layer's own name is that of what comes out. */
function activation(layer: Layer, x: Val, kind: string, name: string): Val {
  const { net } = layer;
  switch (kind) {
    case 'linear':
      return x;
    case 'relu':
      return net.unary('Relu', x, name);
    case 'relu6':
      return net.clip(x, 0, 6, name);
    case 'sigmoid':
      return net.unary('Sigmoid', x, name);
    case 'hard_sigmoid':
    case 'hardSigmoid':
      return net.unary('HardSigmoid', x, name, { alpha: 0.2, beta: 0.5 });
    case 'tanh':
      return net.unary('Tanh', x, name);
    case 'elu':
      return net.unary('Elu', x, name, { alpha: 1 });
    case 'selu':
      return net.unary('Selu', x, name, {});
    case 'softplus':
      return net.unary('Softplus', x, name);
    case 'softsign':
      return net.unary('Softsign', x, name);
    case 'softmax':
      return net.softmax(x, name);
    case 'swish':
    case 'silu': {
      const gate = net.unary('Sigmoid', x, `${name}/gate`);
      return net.binary('Mul', x, gate, name);
    }
    case 'mish': {
      const gate = net.unary('Tanh', net.unary('Softplus', x, `${name}/softplus`), `${name}/gate`);
      return net.binary('Mul', x, gate, name);
    }
    case 'gelu': {
      const half = net.b.scalar(0.5);
      const erf = net.b.unary('Erf', net.b.scale(x.name, Math.SQRT1_2));
      return { name: net.b.mul(net.b.mul(x.name, half), net.b.add(erf, net.b.scalar(1)), name), dims: x.dims };
    }
    default:
      return net.fail(`layer '${layer.name}'`, `has the activation '${kind}', which toehold does not know`);
  }
}

/** Writes under the layer's name what comes out of it: what it computes, or the activation behind that. */
function activated(layer: Layer, write: (name: string) => Val): Val {
  const given = entry(layer.config, 'activation');
  const kind =
    typeof given === 'string'
      ? given
      : isObject(given)
        ? (text(entry(given, 'class_name')) ?? 'linear').toLowerCase()
        : 'linear';
  if (kind === 'linear') return write(layer.name);
  return activation(layer, write(`${layer.name}/linear`), kind, layer.name);
}

const ones = (length: number, value: number) => float32([length], new Float32Array(length).fill(value));

function batchNorm(layer: Layer, inputs: readonly Val[]): Val {
  const x = only(inputs);
  const axis = number(layer, 'axis', -1);
  if (axis !== -1 && axis !== x.dims.length - 1)
    layer.net.fail(`layer '${layer.name}'`, 'normalises an axis that is not that of the channels');
  const [mean, variance] = [layer.weight('moving_mean'), layer.weight('moving_variance')];
  const length = sizeOf(mean.dims);
  const vectors = [
    layer.optional('gamma') ?? ones(length, 1),
    layer.optional('beta') ?? ones(length, 0),
    mean,
    variance,
  ] as const;
  return layer.net.norm(x, vectors, number(layer, 'epsilon', 1e-3), number(layer, 'momentum', 0.99), layer.name);
}

const merge =
  (op: string): Write =>
  (layer, inputs) => {
    const [first, ...rest] = inputs;
    if (!first || rest.length === 0) return layer.net.fail(`layer '${layer.name}'`, 'joins fewer than two values');
    return rest.reduce(
      (sum, x, i) => layer.net.binary(op, sum, x, i === rest.length - 1 ? layer.name : `${layer.name}/${i}`),
      first,
    );
  };

/** Layers that are there in training only. */
const idle: Write = (_, inputs) => only(inputs);

const pool =
  (kind: 'MaxPool' | 'AveragePool'): Write =>
  (layer, inputs) => {
    const size = pair(layer, 'pool_size', [2, 2]);
    return layer.net.pool(only(inputs), kind, windowOf(layer, size, pair(layer, 'strides', size)), layer.name);
  };

const globalPool =
  (kind: 'GlobalAveragePool' | 'GlobalMaxPool'): Write =>
  (layer, inputs) =>
    layer.net.globalPool(only(inputs), kind, entry(layer.config, 'keepdims') === true, layer.name);

const named =
  (kind: string): Write =>
  (layer, inputs) =>
    activation(layer, only(inputs), kind, layer.name);

/** By the class that the file names. */
export const layers: Readonly<Record<string, Write>> = {
  Conv2D: (layer, inputs) => {
    const kernel = layer.weight('kernel');
    const options = { ...windowOf(layer, sides(kernel)), bias: layer.optional('bias') };
    return activated(layer, (name) => layer.net.conv(only(inputs), kernel, options, name));
  },
  DepthwiseConv2D: (layer, inputs) => {
    const kernel = layer.weight('depthwise_kernel');
    const options = { ...windowOf(layer, sides(kernel)), bias: layer.optional('bias'), depthwise: true };
    return activated(layer, (name) => layer.net.conv(only(inputs), kernel, options, name));
  },
  SeparableConv2D: (layer, inputs) => {
    const [depthwise, pointwise] = [layer.weight('depthwise_kernel'), layer.weight('pointwise_kernel')];
    const options = { ...windowOf(layer, sides(depthwise)), depthwise: true };
    const middle = layer.net.conv(only(inputs), depthwise, options, `${layer.name}/depthwise`);
    const one = { kernel: [1, 1], strides: [1, 1], padding: 'valid', bias: layer.optional('bias') } as const;
    return activated(layer, (name) => layer.net.conv(middle, pointwise, one, name));
  },
  Dense: (layer, inputs) =>
    activated(layer, (name) => layer.net.dense(only(inputs), layer.weight('kernel'), layer.optional('bias'), name)),
  BatchNormalization: batchNorm,
  BatchNormalizationV1: batchNorm,
  SyncBatchNormalization: batchNorm,
  Activation: (layer, inputs) => activated(layer, () => only(inputs)),
  ReLU: (layer, inputs) => {
    const top = entry(layer.config, 'max_value');
    const slope = number(layer, 'negative_slope', 0);
    if (slope !== 0 || number(layer, 'threshold', 0) !== 0)
      return layer.net.fail(`layer '${layer.name}'`, 'has a slope or threshold; use LeakyReLU');
    if (typeof top !== 'number') return layer.net.unary('Relu', only(inputs), layer.name);
    return layer.net.clip(only(inputs), 0, top, layer.name);
  },
  LeakyReLU: (layer, inputs) => {
    const alpha = number(layer, 'alpha', number(layer, 'negative_slope', 0.3));
    return layer.net.unary('LeakyRelu', only(inputs), layer.name, { alpha });
  },
  ELU: (layer, inputs) => layer.net.unary('Elu', only(inputs), layer.name, { alpha: number(layer, 'alpha', 1) }),
  PReLU: (layer, inputs) => {
    const slope = { name: '', dims: layer.weight('alpha').dims, constant: layer.weight('alpha') };
    return layer.net.binary('PRelu', only(inputs), slope, layer.name);
  },
  Softmax: named('softmax'),
  MaxPooling2D: pool('MaxPool'),
  AveragePooling2D: pool('AveragePool'),
  GlobalAveragePooling2D: globalPool('GlobalAveragePool'),
  GlobalMaxPooling2D: globalPool('GlobalMaxPool'),
  ZeroPadding2D: (layer, inputs) => {
    const given = entry(layer.config, 'padding');
    const two = isList(given) && isList(given[0]) ? given.map((p) => (p as readonly Json[]).map(Number)) : undefined;
    const [rows, columns] = two ?? pair(layer, 'padding', [1, 1]).map((p) => [p, p]);
    const widths = [[0, 0], rows, columns, [0, 0]] as [number, number][];
    if (widths.flat().length !== 8 || widths.flat().some((p) => !Number.isInteger(p) || p < 0 || p > 1e5)) {
      layer.net.fail(`layer '${layer.name}'`, `has padding ${JSON.stringify(given).slice(0, 80)}`);
    }
    return layer.net.pad(only(inputs), widths, 0, layer.name);
  },
  UpSampling2D: (layer, inputs) =>
    layer.net.upsample(
      only(inputs),
      pair(layer, 'size', [2, 2]),
      entry(layer.config, 'interpolation') === 'bilinear' ? 'linear' : 'nearest',
      layer.name,
    ),
  Flatten: (layer, inputs) => {
    const x = only(inputs);
    const inner = x.dims.slice(1);
    const size = inner.some((d) => d === null) ? null : sizeOf(inner as number[]);
    return layer.net.reshape(x, [null, size], layer.name);
  },
  Reshape: (layer, inputs) => {
    const x = only(inputs);
    const shape = entry(layer.config, 'target_shape');
    if (!isList(shape)) return layer.net.fail(`layer '${layer.name}'`, 'has no target_shape');
    const wanted = shape.map((d) => (d === null ? -1 : Number(d)));
    const inner = x.dims.slice(1);
    const total = inner.some((d) => d === null) ? null : sizeOf(inner as number[]);
    const known = sizeOf(wanted.filter((d) => d > 0));
    const dims = wanted.map((d) => (d > 0 ? d : total === null ? null : total / known));
    return layer.net.reshape(x, [null, ...dims], layer.name);
  },
  Add: merge('Add'),
  Subtract: merge('Sub'),
  Multiply: merge('Mul'),
  Maximum: merge('Max'),
  Minimum: merge('Min'),
  Average: (layer, inputs) => {
    const named = { ...layer, name: `${layer.name}/sum` };
    const total = (layers.Add as Write)(named, inputs);
    return { name: layer.net.b.mul(total.name, layer.net.b.scalar(1 / inputs.length), layer.name), dims: total.dims };
  },
  Concatenate: (layer, inputs) => layer.net.concat(inputs, number(layer, 'axis', -1), layer.name),
  Rescaling: (layer, inputs) => {
    const { b } = layer.net;
    const x = only(inputs);
    const scaled = b.mul(x.name, b.scalar(number(layer, 'scale', 1)));
    return { name: b.add(scaled, b.scalar(number(layer, 'offset', 0)), layer.name), dims: x.dims };
  },
  ...Object.fromEntries(
    [
      'Dropout',
      'SpatialDropout2D',
      'AlphaDropout',
      'GaussianDropout',
      'GaussianNoise',
      'ActivityRegularization',
      'InputLayer',
    ].map((name) => [name, idle]),
  ),
};
