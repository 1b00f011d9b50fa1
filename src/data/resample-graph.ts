/**
 * Pillow's resizing as nodes: the same bytes as resample.ts, for images of any size. Each pass is a product with a matrix of
 * fixed-point weights that is computed from the image's shape; in float32 it is exact.
 */
import { type Graph, GraphBuilder, type NumericType } from '../graph/index.js';
import type { Preprocess } from './preprocess.js';

/** One axis of an image to resample, all of it int64 scalars but `length`. */
interface Side {
  /** Pixels that there are. */
  readonly source: string;
  /** Pixels of the whole resized image, of which `length` from `start` on are wanted. */
  readonly full: string;
  readonly start: string;
  readonly length: number;
}

/**
 * Adds nodes that resize one image and cut a window from it.
 * @param image uint8 (H, W, 3)
 * @param sizes int64 (2) each, rows and columns: of the image, of the whole resized image, and where the window starts
 * @returns uint8 (h, w, 3)
 */
export function resample(
  b: GraphBuilder,
  image: string,
  { dims, full, starts }: { readonly dims: string; readonly full: string; readonly starts: string },
  { size, interpolation }: Preprocess,
): string {
  const of = (sizes: string, axis: number) => b.gather(sizes, b.scalar(axis, 'int64'), 0);
  const side = (axis: 0 | 1): Side => ({
    source: of(dims, axis),
    full: of(full, axis),
    start: of(starts, axis),
    length: size[axis],
  });
  const [rows, columns] = [weights(b, side(0), interpolation), weights(b, side(1), interpolation)];
  // Pillow's order: along a row first, unless the height loses more than twice as much as the width.
  const loss = b.sub(dims, full);
  const twice = b.mul(of(loss, 1), b.scalar(2, 'int64'));
  const columnsFirst = b.binary('Greater', of(loss, 0), b.binary('Max', twice, b.scalar(0, 'int64')));
  const [h, w] = size;
  const branch = (name: string, write: (inner: GraphBuilder) => string): Graph => {
    const inner = new GraphBuilder(undefined, `${b.fresh(b.prefix)}.${name}`);
    inner.output(write(inner));
    return inner.build();
  };
  const turned = (inner: GraphBuilder, value: string) => inner.transpose(value, [1, 0, 2]);
  return b.op('If', [columnsFirst], {
    then_branch: branch('columns', (inner) => {
      const high = alongFirst(inner, image, rows, h);
      return turned(inner, alongFirst(inner, turned(inner, high), columns, w));
    }),
    else_branch: branch('rows', (inner) => {
      const narrow = alongFirst(inner, turned(inner, image), columns, w);
      return alongFirst(inner, turned(inner, narrow), rows, h);
    }),
  });
}

/** Weights are whole numbers below 2^22; they are stored as `radix` * high + low, so that their products are exact. */
const [precision, radix] = [22, 128];

/**
 * Weights of one axis in units of 2^-22, Pillow's precompute_coeffs in its own order of operations.
 * @returns float32 (2 * length, source): the high parts of the weights, then the low ones. Sums over an image's bytes stay
 *   below 2^24 for up to 1028 source pixels in one target pixel.
 */
function weights(
  b: GraphBuilder,
  { source, full, start, length }: Side,
  interpolation: Preprocess['interpolation'],
): string {
  const type: NumericType = 'float64';
  const number = (value: number) => b.scalar(value, type);
  const double = (value: string) => b.cast(value, type);
  const floor = (value: string) => b.op('Floor', [value]);
  const size = double(source);
  const scale = b.div(size, double(full));
  const stretch = b.binary('Max', scale, number(1));
  const support = b.mul(stretch, number(interpolation === 'bicubic' ? 2 : 1));
  const targets = b.constant({ type, dims: [length, 1], data: Float64Array.from({ length }, (_, i) => i) });
  const centre = b.mul(b.add(b.add(double(start), targets), number(0.5)), scale);
  const first = b.binary('Max', floor(b.add(b.sub(centre, support), number(0.5))), number(0));
  const end = b.binary('Min', floor(b.add(b.add(centre, support), number(0.5))), size);
  const pixels = b.op('Range', [number(0), size, number(1)]);
  const distance = b.unary('Abs', b.div(b.add(b.sub(pixels, centre), number(0.5)), stretch));
  const inside = b.binary('And', b.op('Not', [b.binary('Less', pixels, first)]), b.binary('Less', pixels, end));
  const raw = b.where(inside, filters[interpolation](b, distance), number(0));
  // One after the other, as they are added up there.
  const sums = b.op('CumSum', [raw, b.scalar(1, 'int64')]);
  const share = b.div(raw, b.op('Slice', [sums, b.ints([-1]), b.ints([Number.MAX_SAFE_INTEGER]), b.ints([1])]));
  const half = b.where(b.binary('Less', share, number(0)), number(-0.5), number(0.5));
  // A cast cuts off towards zero.
  const fixed = double(b.cast(b.add(b.mul(share, number(2 ** precision)), half), 'int32'));
  const high = floor(b.div(b.add(fixed, number(radix / 2)), number(radix)));
  const low = b.sub(fixed, b.mul(high, number(radix)));
  return b.cast(b.concat([high, low], 0), 'float32');
}

/** Weights at distances from a target pixel's centre: bilinear, and Keys' cubic (1981) with a = -1/2. */
const filters: Readonly<Record<Preprocess['interpolation'], (b: GraphBuilder, x: string) => string>> = {
  bilinear: (b, x) => b.binary('Max', b.sub(b.scalar(1, 'float64'), x), b.scalar(0, 'float64')),
  bicubic: (b, x) => {
    const number = (value: number) => b.scalar(value, 'float64');
    const near = b.add(b.mul(b.mul(b.sub(b.mul(x, number(1.5)), number(2.5)), x), x), number(1));
    const cubic = b.sub(b.mul(b.add(b.mul(b.sub(x, number(5)), x), number(8)), x), number(4));
    const far = b.where(b.binary('Less', x, number(2)), b.mul(cubic, number(-0.5)), number(0));
    return b.where(b.binary('Less', x, number(1)), near, far);
  },
};

/**
 * One pass along the first axis, rounded to bytes.
 * @param image uint8 (source, m, 3)
 * @param table of `weights`
 * @returns uint8 (length, m, 3)
 */
function alongFirst(b: GraphBuilder, image: string, table: string, length: number): string {
  const int = (value: number) => b.scalar(value, 'int32');
  const lines = b.op('Flatten', [b.cast(image, 'float32')], { axis: 1 });
  const parts = b.cast(b.reshape(b.matmul(table, lines), [2, length, -1, 3]), 'int32');
  const part = (i: number) => b.gather(parts, b.scalar(i, 'int64'), 0);
  const sum = b.add(b.add(b.mul(part(0), int(radix)), part(1)), int(2 ** (precision - 1)));
  const level = b.div(b.binary('Max', sum, int(0)), int(2 ** precision));
  return b.cast(b.binary('Min', level, int(255)), 'uint8');
}
