/** Resize is linear along each axis: y = M x with M known while building, so dx = M' dy. */
import { floatAttribute, intAttribute, intsAttribute, stringAttribute } from '../../../ir/index.js';
import type { Backward, RuleContext, RuleTable } from './rule.js';

/** Coordinate in the input of output position `o`, by the operator's coordinate_transformation_mode. */
function coordinate(c: RuleContext, o: number, from: number, to: number, scale: number): number {
  const mode = stringAttribute(c.node, 'coordinate_transformation_mode', 'half_pixel');
  switch (mode) {
    case 'half_pixel':
      return (o + 0.5) / scale - 0.5;
    case 'pytorch_half_pixel':
      return to > 1 ? (o + 0.5) / scale - 0.5 : 0;
    case 'asymmetric':
      return o / scale;
    case 'align_corners':
      return to === 1 ? 0 : (o * (from - 1)) / (to - 1);
    default:
      return c.unsupported(`coordinate_transformation_mode '${mode}'`);
  }
}

function nearest(c: RuleContext, x: number): number {
  switch (stringAttribute(c.node, 'nearest_mode', 'round_prefer_floor')) {
    case 'floor':
      return Math.floor(x);
    case 'ceil':
      return Math.ceil(x);
    case 'round_prefer_ceil':
      return Math.floor(x + 0.5);
    default:
      return Math.ceil(x - 0.5);
  }
}

/** Row-major (to, from) weights of one axis. */
function weights(c: RuleContext, from: number, to: number, scale: number): Float64Array {
  const mode = stringAttribute(c.node, 'mode', 'nearest');
  if (mode !== 'nearest' && mode !== 'linear') c.unsupported(`mode '${mode}'`);
  const matrix = new Float64Array(to * from);
  const put = (o: number, i: number, w: number) => {
    const at = o * from + Math.min(Math.max(i, 0), from - 1);
    matrix[at] = (matrix[at] as number) + w;
  };
  for (let o = 0; o < to; o++) {
    const x = coordinate(c, o, from, to, scale);
    if (mode === 'nearest') put(o, nearest(c, x), 1);
    else {
      const inside = Math.min(Math.max(x, 0), from - 1);
      const low = Math.floor(inside);
      put(o, low, 1 - (inside - low));
      put(o, low + 1, inside - low);
    }
  }
  return matrix;
}

const resize: Backward = (c) => {
  const { e, node } = c;
  if (intAttribute(node, 'antialias', 0)) c.unsupported('antialias');
  if (floatAttribute(node, 'extrapolation_value', 0)) c.unsupported('extrapolation');
  if (intsAttribute(node, 'axes')) c.unsupported('a list of axes');
  const scales = c.numbers(2, 'scales') ?? [];
  let g = c.dy();
  const rank = c.xDims().length;
  c.xDims().forEach((from, axis) => {
    const to = c.yDims()[axis] as number;
    if (from === to && (scales[axis] ?? 1) === 1) return;
    const matrix = weights(c, from, to, scales[axis] ?? to / from);
    if (axis === rank - 1) {
      g = e.matmul(g, e.numbers([to, from], matrix));
      return;
    }
    // Multiply from the left with everything behind the axis as columns.
    const dims = e.dims(g);
    const columns = dims.slice(axis + 1).reduce((a, d) => a * d, 1);
    const transposed = Float64Array.from(
      { length: from * to },
      (_, i) => matrix[(i % to) * from + Math.floor(i / to)] as number,
    );
    const product = e.matmul(
      e.numbers([from, to], transposed),
      e.reshape(g, [dims.slice(0, axis).reduce((a, d) => a * d, 1), to, columns]),
    );
    g = e.reshape(
      product,
      dims.map((d, i) => (i === axis ? from : d)),
    );
  });
  return [g];
};

export const resizing: RuleTable = { Resize: resize };
