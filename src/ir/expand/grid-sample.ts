/** GridSample (Jaderberg et al. 2015): a value at any place of a map, as a sum over its neighbours. */

import type { Emitter } from '../emitter.js';
import { intAttribute, sizeOf, stringAttribute } from '../graph.js';
import type { Expansion } from './expansion.js';

/** What lies at whole positions beyond the map. */
type Padding = 'zeros' | 'border' | 'reflection';

/** A neighbour along one axis, for each place: its whole position, and its weight ('' for 1). */
interface Neighbour {
  readonly position: string;
  readonly weight: string;
}

/** x (N, C, d1 ... dr) at grid (N, o1 ... or, r), whose last axis holds places from the innermost axis outwards. */
export const gridSample: Expansion = (c) => {
  const { e, node } = c;
  const [n, channels, ...sizes] = c.dims() as [number, number, ...number[]];
  const out = c.dims(1).slice(1, -1);
  const places = sizeOf(out);
  const rank = sizes.length;
  const mode = stringAttribute(node, 'mode', 'linear');
  const padding = stringAttribute(node, 'padding_mode', 'zeros') as Padding;
  const isAligned = intAttribute(node, 'align_corners', 0) === 1;

  const axes = sizes.map((size, axis): Neighbour[] => {
    const at = rank - 1 - axis;
    const grid = e.reshape(e.slice(c.x(1), rank + 1, at, at + 1), [n, places]);
    // From -1 ... 1 to 0 ... size - 1; the ends are centres of pixels or their outer edges.
    const place = isAligned
      ? e.scale(e.add(grid, e.scalar(1)), (size - 1) / 2)
      : e.add(e.scale(e.add(grid, e.scalar(1)), size / 2), e.scalar(-0.5));
    const pad = (x: string) => padded(e, x, size, padding, isAligned);
    if (mode === 'nearest') return [{ position: e.emit('Round', [pad(place)], [n, places]), weight: '' }];
    if (mode === 'linear' || mode === 'bilinear') return linear(e, pad(place));
    if (mode === 'cubic' || mode === 'bicubic') {
      return cubic(e, place).map(({ position, weight }) => ({ position: pad(position), weight }));
    }
    return c.unsupported(`mode '${mode}'`);
  });

  const flat = e.reshape(c.x(), [n, channels, sizeOf(sizes)]);
  const terms = combinations(axes).map((neighbours) => {
    const indices: string[] = [];
    const weights = neighbours.map(({ weight }) => weight).filter(Boolean);
    for (const [axis, { position }] of neighbours.entries()) {
      const size = sizes[axis] as number;
      const last = e.scalar(size - 1);
      const inside = e.emit('Clip', [position, e.scalar(0), last], [n, places]);
      indices.push(e.scale(inside, sizeOf(sizes.slice(axis + 1))));
      if (padding === 'zeros') {
        const isInside = [
          e.binary('Greater', position, e.scalar(-0.5)),
          e.binary('Less', position, e.scalar(size - 0.5)),
        ];
        weights.push(e.toFloat(e.binary('And', isInside[0] as string, isInside[1] as string)));
      }
    }
    const whole = e.cast(
      indices.reduce((a, b) => e.add(a, b)),
      'int64',
    );
    const index = e.expand(e.reshape(whole, [n, 1, places]), [n, channels, places]);
    const value = e.emit('GatherElements', [flat, index], [n, channels, places], { axis: 2 });
    if (weights.length === 0) return value;
    const weight = weights.reduce((a, b) => e.mul(a, b));
    return e.mul(value, e.reshape(weight, [n, 1, places]));
  });
  const sum = terms.reduce((a, b) => e.add(a, b));
  c.put(0, e.reshape(sum, [n, channels, ...out]));
};

function linear(e: Emitter, place: string): Neighbour[] {
  const low = e.emit('Floor', [place], e.dims(place));
  const above = e.sub(place, low);
  const one = e.scalar(1);
  return [
    { position: low, weight: e.sub(one, above) },
    { position: e.add(low, one), weight: above },
  ];
}

/** Keys' (1981) cubic convolution with a = -3/4. */
function cubic(e: Emitter, place: string): Neighbour[] {
  const a = -0.75;
  const low = e.emit('Floor', [place], e.dims(place));
  const t = e.sub(place, low);
  const polynomial = (x: string, [c3, c2, c1, c0]: readonly [number, number, number, number]) => {
    const inner = e.add(e.mul(e.add(e.scale(x, c3), e.scalar(c2)), x), e.scalar(c1));
    return e.add(e.mul(inner, x), e.scalar(c0));
  };
  const near = [a + 2, -(a + 3), 0, 1] as const;
  const far = [a, -5 * a, 8 * a, -4 * a] as const;
  const distance = (offset: number) => (offset <= 0 ? e.add(t, e.scalar(-offset)) : e.sub(e.scalar(offset), t));
  return [-1, 0, 1, 2].map((offset) => ({
    position: e.add(low, e.scalar(offset)),
    weight: polynomial(distance(offset), offset === 0 || offset === 1 ? near : far),
  }));
}

/** Places beyond the map brought back to it, where the padding does so. */
function padded(e: Emitter, place: string, size: number, padding: Padding, isAligned: boolean): string {
  if (padding === 'zeros') return place;
  const inside = (x: string) => e.emit('Clip', [x, e.scalar(0), e.scalar(size - 1)], e.dims(x));
  if (padding === 'border') return inside(place);
  const [low, span] = isAligned ? [0, size - 1] : [-0.5, size];
  if (span === 0) return e.scale(place, 0);
  const apart = e.unary('Abs', e.add(place, e.scalar(-low)));
  const turns = e.emit('Floor', [e.scale(apart, 1 / span)], e.dims(place));
  const extra = e.sub(apart, e.scale(turns, span));
  const half = e.scale(turns, 0.5);
  const isEven = e.binary('Equal', half, e.emit('Floor', [half], e.dims(place)));
  const back = e.where(isEven, extra, e.sub(e.scalar(span), extra));
  return inside(e.add(back, e.scalar(low)));
}

/** One neighbour of each axis, in every combination. */
function combinations(axes: readonly (readonly Neighbour[])[]): Neighbour[][] {
  return axes.reduce<Neighbour[][]>((rows, axis) => rows.flatMap((row) => axis.map((one) => [...row, one])), [[]]);
}
