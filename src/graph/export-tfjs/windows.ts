/** Convolutions and pools over rows and columns. */
import { float32, intAttribute, type Node, permutedTensor, sizeOf } from '../../ir/index.js';
import { isDepthwise, type Window, windowOf } from '../gradient/window.js';
import { attr, type GraphModelWriter } from './graph-model-writer.js';

/** Sizes of a window in the order of an image that lies channels-last. */
const ofImage = ([rows = 1, columns = 1]: readonly number[]) => attr.ints([1, rows, columns, 1]);

function windowOn(w: GraphModelWriter, node: Node, kernel: readonly number[]): Window {
  const [x = ''] = node.inputs;
  if (kernel.length !== 2) w.fail(node, `has windows of ${kernel.length} axes`);
  return windowOf(node, kernel, w.dims(x).slice(2), w.dims(node.outputs[0] as string).slice(2));
}

/** The image with a border, or as it is where the windows need none. */
function bordered(w: GraphModelWriter, x: string, { begin, end }: Window, value: number): string {
  if ([...begin, ...end].every((width) => width === 0)) return x;
  const widths = [0, 0, begin[0], end[0], begin[1], end[1], 0, 0] as number[];
  return w.op('PadV2', [x, w.ints(widths, [4, 2]), w.scalar(value)], {}, `${x}/border`);
}

export function convolution(w: GraphModelWriter, node: Node): void {
  const [x = '', , bias] = node.inputs;
  const output = node.outputs[0] as string;
  const shape = w.dims(node.inputs[1] as string);
  const kernel = float32(shape, w.parameter(node, 1));
  const window = windowOn(w, node, shape.slice(2));
  if (window.strides.some((s) => s > 1) && window.dilations.some((d) => d > 1)) {
    w.fail(node, 'has both strides and dilations');
  }
  const image = bordered(w, w.in('last', node, x), window, 0);
  const attributes = {
    strides: ofImage(window.strides),
    dilations: ofImage(window.dilations),
    padding: attr.text('VALID'),
    data_format: attr.text('NHWC'),
  };
  const name = bias ? `${output}/convolution` : output;
  const { group } = window;
  let made: string;
  if (isDepthwise(group, shape) && w.dims(x)[1] === group) {
    // (M, 1, kH, kW) with M = C x multiplier, channel by channel.
    const [M = 0, , ...k] = shape;
    const split = float32([group, M / group, ...k], kernel.data as Float32Array);
    const weight = w.weight(permutedTensor(split, [2, 3, 0, 1]), `${output}/weight`);
    made = w.op('DepthwiseConv2dNative', [image, weight], attributes, name);
  } else if (group === 1) {
    made = w.op(
      'Conv2D',
      [image, w.weight(permutedTensor(kernel, [2, 3, 1, 0]), `${output}/weight`)],
      attributes,
      name,
    );
  } else {
    made = groups(w, { image, output, group, name, attributes }, { shape, data: kernel.data as Float32Array });
  }
  if (bias) {
    const values = w.parameter(node, 2);
    made = w.op('BiasAdd', [made, w.weight({ dims: [values.length], data: values }, `${output}/bias`)], {}, output);
  }
  w.place(output, made, 'last');
}

interface Grouped {
  readonly image: string;
  readonly output: string;
  readonly group: number;
  readonly name: string;
  readonly attributes: Parameters<GraphModelWriter['op']>[2];
}

/** Groups of channels: one convolution each. */
function groups(
  w: GraphModelWriter,
  { image, output, group, name, attributes }: Grouped,
  { shape, data }: { readonly shape: readonly number[]; readonly data: Float32Array },
): string {
  const [M = 0, C = 0, ...k] = shape;
  const size = (M / group) * C * sizeOf(k);
  const parts = Array.from({ length: group }, (_, g) => {
    const of = w.op('Slice', [image, w.ints([0, 0, 0, g * C]), w.ints([-1, -1, -1, C])], {}, `${output}/group${g}`);
    const kernel = float32([M / group, C, ...k], data.subarray(g * size, (g + 1) * size));
    const weight = w.weight(permutedTensor(kernel, [2, 3, 1, 0]), `${output}/weight${g}`);
    return w.op('Conv2D', [of, weight], attributes, `${output}/convolution${g}`);
  });
  return w.op('ConcatV2', [...parts, w.ints([3], [])], { N: { i: String(group) } }, name);
}

function pool(w: GraphModelWriter, node: Node, op: 'MaxPool' | 'AvgPool', border: number) {
  const kernel = node.attributes.kernel_shape?.kind === 'ints' ? node.attributes.kernel_shape.value : [];
  const window = windowOn(w, node, kernel);
  if (window.dilations.some((d) => d > 1)) w.fail(node, 'has dilations');
  const attributes = {
    ksize: ofImage(kernel),
    strides: ofImage(window.strides),
    padding: attr.text('VALID'),
    data_format: attr.text('NHWC'),
  };
  const image = bordered(w, w.in('last', node, node.inputs[0] as string), window, border);
  return { window, make: (name: string) => w.op(op, [image], attributes, name) };
}

export function maxPool(w: GraphModelWriter, node: Node): void {
  if (node.outputs[1]) w.fail(node, 'gives the places of its largest elements');
  const output = node.outputs[0] as string;
  // The smallest number that single precision writes: no backend's pad takes minus infinity well.
  w.place(output, pool(w, node, 'MaxPool', -3.4028234663852886e38).make(output), 'last');
}

/** Where the border does not count, sums over the window are divided by what of it lies on the image. */
export function averagePool(w: GraphModelWriter, node: Node): void {
  const output = node.outputs[0] as string;
  const { window, make } = pool(w, node, 'AvgPool', 0);
  const includes = intAttribute(node, 'count_include_pad', 0) === 1;
  const input = w.dims(node.inputs[0] as string).slice(2);
  const out = w.dims(output).slice(2);
  const given = node.attributes.pads?.kind === 'ints' ? node.attributes.pads.value : [0, 0, 0, 0];
  const shares = out.map((length, axis) => {
    const [k, stride, begin] = [window.kernel[axis], window.strides[axis], window.begin[axis]] as [
      number,
      number,
      number,
    ];
    const [low, high] = includes
      ? [-begin, (input[axis] as number) + (given[axis + 2] as number)]
      : [0, input[axis] as number];
    return Array.from({ length }, (_, o) => {
      const from = o * stride - begin;
      return k / (Math.min(from + k, high) - Math.max(from, low));
    });
  });
  if (shares.flat().every((share) => share === 1)) {
    w.place(output, make(output), 'last');
    return;
  }
  const [rows = [], columns = []] = shares;
  const data = Float32Array.from(rows.flatMap((r) => columns.map((c) => r * c)));
  const factor = w.weight({ dims: [1, rows.length, columns.length, 1], data }, `${output}/shares`);
  w.place(output, w.op('Mul', [make(`${output}/sums`), factor], {}, output), 'last');
}
