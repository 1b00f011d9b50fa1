/** Resize is linear along each axis: y = M x with M known while building, so dx = M' dy. */
import {
  type Emitter,
  floatAttribute,
  intAttribute,
  intsAttribute,
  positiveAxis,
  sizeOf,
  stringAttribute,
} from '../../../ir/index.js';
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

/** What is linear along an axis, y = M x with M (to, from) row-major: the gradient M' dy. */
export function alongAxis(e: Emitter, dy: string, axis: number, from: number, matrix: Float64Array): string {
  const dims = e.dims(dy);
  const to = dims[axis] as number;
  if (axis === dims.length - 1) return e.matmul(dy, e.numbers([to, from], matrix));
  // Multiply from the left with everything behind the axis as columns.
  const columns = sizeOf(dims.slice(axis + 1));
  const transposed = Float64Array.from(
    { length: from * to },
    (_, i) => matrix[(i % to) * from + Math.floor(i / to)] as number,
  );
  const rows = e.reshape(dy, [sizeOf(dims.slice(0, axis)), to, columns]);
  return e.reshape(
    e.matmul(e.numbers([from, to], transposed), rows),
    dims.map((d, i) => (i === axis ? from : d)),
  );
}

const resize: Backward = (c) => {
  const { e, node } = c;
  if (intAttribute(node, 'antialias', 0)) c.unsupported('antialias');
  if (floatAttribute(node, 'extrapolation_value', 0)) c.unsupported('extrapolation');
  if (stringAttribute(node, 'keep_aspect_ratio_policy', 'stretch') !== 'stretch') {
    c.unsupported('keep_aspect_ratio_policy');
  }
  const rank = c.xDims().length;
  const axes = (intsAttribute(node, 'axes') ?? [...Array(rank).keys()]).map((a) => positiveAxis(a, rank));
  const given = c.numbers(2, 'scales') ?? [];
  let g = c.dy();
  for (const [axis, from] of c.xDims().entries()) {
    const to = c.yDims()[axis] as number;
    const scale = given[axes.indexOf(axis)];
    if (from === to && (scale ?? 1) === 1) continue;
    g = alongAxis(e, g, axis, from, weights(c, from, to, scale ?? to / from));
  }
  return [g];
};

export const resizing: RuleTable = { Resize: resize };
