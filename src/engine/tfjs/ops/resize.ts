/** Resize, as products with matrices of weights, one for each axis that changes. */
import { floatAttribute, intAttribute, intsAttribute, type Node, stringAttribute } from '../../../ir/index.js';
import type { Value } from '../value.js';
import { fail, made, type OpTable, positive, required, type Site } from './op.js';
import { gathered } from './pieces.js';
import { product } from './product.js';

type Coordinate = (to: number, scale: number, from: number, size: number) => number;

/** Where in the source an element of the result is, by the name of the convention. */
const coordinates: Readonly<Record<string, Coordinate>> = {
  half_pixel: (x, scale) => (x + 0.5) / scale - 0.5,
  half_pixel_symmetric: (x, scale, from, size) => {
    const adjustment = size / (scale * from);
    return (from / 2) * (1 - adjustment) + (x + 0.5) / scale - 0.5;
  },
  pytorch_half_pixel: (x, scale, _, size) => (size > 1 ? (x + 0.5) / scale - 0.5 : 0),
  align_corners: (x, _, from, size) => (size === 1 ? 0 : (x * (from - 1)) / (size - 1)),
  asymmetric: (x, scale) => x / scale,
};

const nearest: Readonly<Record<string, (x: number) => number>> = {
  round_prefer_floor: (x) => Math.ceil(x - 0.5),
  round_prefer_ceil: (x) => Math.floor(x + 0.5),
  floor: Math.floor,
  ceil: Math.ceil,
};

const triangle = (x: number) => Math.max(0, 1 - Math.abs(x));
const cubic = (a: number) => (distance: number) => {
  const x = Math.abs(distance);
  if (x <= 1) return (a + 2) * x ** 3 - (a + 3) * x ** 2 + 1;
  return x < 2 ? a * x ** 3 - 5 * a * x ** 2 + 8 * a * x - 4 * a : 0;
};

/** Rows of the result in terms of the source's, (from, size). */
function weights(node: Node, from: number, size: number, scale: number): Float32Array {
  const mode = stringAttribute(node, 'mode', 'nearest');
  const at = coordinate(node);
  const excludes = intAttribute(node, 'exclude_outside', 0) === 1;
  const spread = intAttribute(node, 'antialias', 0) === 1 ? Math.max(1, 1 / scale) : 1;
  const kernel = mode === 'linear' ? triangle : cubic(floatAttribute(node, 'cubic_coeff_a', -0.75));
  const reach = (mode === 'linear' ? 1 : 2) * spread;
  const matrix = new Float32Array(from * size);
  for (let to = 0; to < size; to++) {
    let x = at(to, scale, from, size);
    // Beyond the border the nearest element counts, as onnxruntime's linear mode has it.
    if (mode === 'linear' && spread === 1) x = Math.min(Math.max(x, 0), from - 1);
    const row = new Map<number, number>();
    for (let i = Math.floor(x - reach); i <= Math.ceil(x + reach); i++) {
      const weight = kernel((i - x) / spread);
      const isOutside = i < 0 || i >= from;
      if (weight === 0 || (isOutside && (excludes || spread > 1))) continue;
      const place = Math.min(Math.max(i, 0), from - 1);
      row.set(place, (row.get(place) ?? 0) + weight);
    }
    const total = excludes || spread > 1 ? [...row.values()].reduce((a, b) => a + b, 0) : 1;
    for (const [i, weight] of row) matrix[i * size + to] = weight / total;
  }
  return matrix;
}

function coordinate(node: Node): Coordinate {
  const name = stringAttribute(node, 'coordinate_transformation_mode', 'half_pixel');
  return coordinates[name] ?? fail(`TensorFlow.js engine has no coordinates '${name}'`);
}

function resize({ device, node }: Site) {
  const mode = stringAttribute(node, 'mode', 'nearest');
  return (inputs: readonly (Value | undefined)[]): Value => {
    const x = required(inputs, 0);
    if (x.type !== 'float32') fail(`TensorFlow.js does not compute it in ${x.type}`);
    if (stringAttribute(node, 'keep_aspect_ratio_policy', 'stretch') !== 'stretch') fail('only stretching is known');
    const axes = (intsAttribute(node, 'axes') ?? [...x.dims.keys()]).map((a) => positive(a, x.dims.length));
    const given = inputs[3]?.numbers() ?? [];
    const scales = inputs[2]?.numbers() ?? [];
    const dims = [...x.dims];
    let result = x.tensor();
    axes.forEach((axis, i) => {
      const from = x.dims[axis] as number;
      const size = given.length > 0 ? (given[i] as number) : Math.floor(from * (scales[i] as number));
      const scale = given.length > 0 ? size / from : (scales[i] as number);
      if (size === from && scale === 1) return;
      dims[axis] = size;
      if (mode === 'nearest') {
        const round =
          nearest[stringAttribute(node, 'nearest_mode', 'round_prefer_floor')] ?? fail('nearest_mode is not known');
        const at = coordinate(node);
        const index = Int32Array.from({ length: size }, (_, to) => {
          const place = round(at(to, scale, from, size));
          return Math.min(Math.max(place, 0), from - 1);
        });
        result = gathered(device, result, index, axis);
        return;
      }
      const matrix = device.upload(weights(node, from, size, scale), [from, size], 'float32');
      const swap = x.dims.map((_, k) => (k === axis ? x.dims.length - 1 : k === x.dims.length - 1 ? axis : k));
      const isLast = axis === x.dims.length - 1;
      const turned = isLast ? result : device.transpose(result, swap);
      const wide = product(device, turned, matrix);
      result = isLast ? wide : device.transpose(wide, swap);
    });
    return result === x.tensor() ? x : made(device, result, dims);
  };
}

export const resizing: OpTable = {
  Resize: resize,
};
