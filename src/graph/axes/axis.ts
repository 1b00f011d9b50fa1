/**
 * What an axis of a value counts, as data: a number in mixed radix whose digits belong to the dimensions of the image and of
 * its channels. Splitting and merging axes (Reshape) then moves digits, permuting them (Transpose) moves axes, and nothing
 * has to be guessed from sizes: windows of an attention, heads, flattened patches and shuffled channels are all read back
 * exactly.
 */

/**
 * `token`: places of the image beside tokens that no patch made (CLS, registers). `mixed`: places recombined by learned
 * weights (token mixing), in no order that the image has.
 */
export type Dimension = 'batch' | 'channel' | 'row' | 'column' | 'token' | 'mixed' | 'unknown';

export interface Digit {
  readonly of: Dimension;
  /** Size of the whole dimension. */
  readonly extent: number;
  /** How far apart in the dimension two neighbours along the digit are. */
  readonly stride: number;
  readonly size: number;
  /** Of a token dimension: how many tokens stand before and after those that the digits of `places` count. */
  readonly tokens?: Tokens;
}

export interface Tokens {
  readonly before: number;
  readonly places: Axis;
  readonly after: number;
}

/** Most significant digit first. None: one element, which counts nothing. */
export type Axis = readonly Digit[];

/** A whole dimension. A batch of one example is still the batch; other dimensions of size 1 count nothing. */
export function axisOf(of: Dimension, extent: number): Axis {
  return extent === 1 && of !== 'batch' ? [] : [{ of, extent, stride: 1, size: extent }];
}

export function sizeOfAxis(axis: Axis): number {
  return axis.reduce((product, { size }) => product * size, 1);
}

/** The axis counts this dimension, all of it and nothing else. */
export function isWhole([digit, ...others]: Axis, of: Dimension): boolean {
  return digit !== undefined && others.length === 0 && digit.of === of && digit.size === digit.extent;
}

export function holds(axis: Axis, ...of: readonly Dimension[]): boolean {
  return axis.some((digit) => of.includes(digit.of));
}

/** All its digits are of these dimensions, and there is one at least. */
export function isOf(axis: Axis, ...of: readonly Dimension[]): boolean {
  return axis.length > 0 && axis.every((digit) => of.includes(digit.of));
}

/** Neighbours that are one digit cut in two become one. */
function merged(digits: Axis): Axis {
  const result: Digit[] = [];
  for (const low of digits) {
    const high = result.at(-1);
    if (high && high.of === low.of && high.extent === low.extent && high.stride === low.stride * low.size) {
      result[result.length - 1] = { ...low, size: high.size * low.size };
    } else result.push(low);
  }
  return result;
}

/** Where a batch of one example stands: examples first, or sequence first. */
export type PlaceOfOne = 'first' | 'last';

/**
 * The axes of a value reshaped to `dims`. The shortest stretches that hold equally many elements on both sides correspond,
 * and within one the digits are dealt out in order; where they do not divide, the stretch is unknown. A batch of one example
 * that would be counted with channels stands on an axis of size 1 before them, where there is one.
 * @param place of a batch of one example among new axes of size 1 beside each other: sizes do not tell
 */
export function reshaped(axes: readonly Axis[], dims: readonly number[], place: PlaceOfOne = 'first'): Axis[] {
  if (dims.includes(0)) return dims.map((d) => axisOf('unknown', d));
  const result: Axis[] = [];
  let [from, to] = [0, 0];
  while (to < dims.length) {
    const [first, start] = [from, to];
    let left = from < axes.length ? sizeOfAxis(axes[from++] as Axis) : 1;
    let right = dims[to++] as number;
    while (left !== right) {
      if (left < right && from < axes.length) left *= sizeOfAxis(axes[from++] as Axis);
      else if (to < dims.length) right *= dims[to++] as number;
      else return dims.map((d) => axisOf('unknown', d));
    }
    result.push(...dealt(axes.slice(first, from).flat(), dims.slice(start, to)));
  }
  for (let i = 1; i < result.length; i++) {
    const [first, ...others] = result[i] as Axis;
    if (first && isOneExample(first) && others.length > 0 && result[i - 1]?.length === 0) {
      result[i - 1] = [first];
      result[i] = others;
    }
  }
  if (place === 'last' && dims.length > axes.length) {
    for (let i = 1; i < result.length; i++) {
      if (!isExample(result[i - 1]) || dims[i] !== 1 || result[i]?.length !== 0) continue;
      [result[i - 1], result[i]] = [[], result[i - 1] as Axis];
    }
  }
  return result;
}

const isExample = (axis: Axis = []) => axis.length === 1 && isOneExample(axis[0] as Digit);

const isOneExample = ({ of, extent }: Digit) => of === 'batch' && extent === 1;

function dealt(digits: Axis, dims: readonly number[]): Axis[] {
  let rest = [...digits];
  const result: Axis[] = [];
  for (const dim of dims) {
    const taken: Digit[] = [];
    let wanted = dim;
    while (rest[0] && (wanted > 1 || (rest[0].size === 1 && taken.length === 0))) {
      const [next, ...others] = rest;
      if (wanted % next.size === 0) {
        taken.push(next);
        wanted /= next.size;
        rest = others;
      } else if (next.size % wanted === 0) {
        const low = next.size / wanted;
        taken.push({ ...next, stride: next.stride * low, size: wanted });
        rest = [{ ...next, size: low }, ...others];
        wanted = 1;
      } else return dims.map((d) => axisOf('unknown', d));
    }
    if (wanted !== 1) return dims.map((d) => axisOf('unknown', d));
    result.push(merged(taken));
  }
  return result;
}

/** `size` steps along an axis from `start`, each `step` long. */
export function sliced(axis: Axis, start: number, size: number, step: number): Axis {
  if (start === 0 && size === sizeOfAxis(axis) && step === 1) return axis;
  const [digit, ...others] = axis;
  if (!digit || others.length > 0) return axisOf(isOf(axis, 'channel') ? 'channel' : 'unknown', size);
  const { tokens } = digit;
  if (tokens && step === 1 && digit.size === digit.extent) {
    const inner = sizeOfAxis(tokens.places);
    const [end, last] = [start + size, tokens.before + inner];
    if (start <= tokens.before && end >= last) {
      return tokenAxis({ before: tokens.before - start, places: tokens.places, after: end - last });
    }
    const extra = end <= tokens.before || start >= last || tokens.places.length === 0;
    return extra ? tokenAxis({ before: size, places: [], after: 0 }) : axisOf('unknown', size);
  }
  // Rows that were cut off (what had been padded) leave those of a smaller image.
  if (step > 1 || isOf(axis, 'row', 'column')) return axisOf(digit.of, size);
  return size === 1 && digit.of !== 'batch' ? [] : [{ ...digit, size }];
}

/** An axis of places with tokens beside them. */
export function tokenAxis({ before, places, after }: Tokens): Axis {
  if (before + after === 0) return places;
  const extent = before + after + (places.length > 0 ? sizeOfAxis(places) : 0);
  return [{ of: 'token', extent, stride: 1, size: extent, tokens: { before, places, after } }];
}

/** The tokens that an axis counts, with places alone if there are no others; undefined where it counts something else. */
export function tokensOf(axis: Axis): Tokens | undefined {
  const [digit] = axis;
  if (digit?.tokens && isWhole(axis, 'token')) return digit.tokens;
  return isOf(axis, 'row', 'column', 'mixed') ? { before: 0, places: axis, after: 0 } : undefined;
}

/** Axes joined end to end; `undefined` is that of a constant. */
export function joined(parts: readonly { readonly axis: Axis | undefined; readonly size: number }[]): Axis {
  const total = parts.reduce((sum, { size }) => sum + size, 0);
  const known = parts.flatMap(({ axis }) => (axis ? [axis] : []));
  // More channels beside channels, rows beside rows: also a part of a dimension and the rest of it (a cyclic shift).
  for (const of of ['channel', 'row', 'column', 'batch', 'mixed'] as const) {
    const alike = known.every((axis) => isOf(axis, of) || axis.length === 0) && known.some((axis) => isOf(axis, of));
    if (alike) return axisOf(of, total);
  }
  const spread = parts.map(({ axis, size }): Tokens => {
    const tokens = axis && tokensOf(axis);
    return tokens ?? { before: size, places: [], after: 0 };
  });
  const strange = known.some((axis) => !tokensOf(axis) && axis.length > 0);
  const withPlaces = spread.filter(({ places }) => places.length > 0);
  if (strange || withPlaces.length > 1) return axisOf('unknown', total);
  const at = spread.findIndex(({ places }) => places.length > 0);
  if (at < 0) return tokenAxis({ before: total, places: [], after: 0 });
  const sum = (some: typeof parts) => some.reduce((n, { size }) => n + size, 0);
  const { before, places, after } = spread[at] as Tokens;
  return tokenAxis({ before: before + sum(parts.slice(0, at)), places, after: after + sum(parts.slice(at + 1)) });
}

const rank: Readonly<Record<Dimension, number>> = {
  batch: 6,
  token: 5,
  row: 4,
  column: 4,
  channel: 3,
  mixed: 2,
  unknown: 0,
};
const rankOf = (axis: Axis) => (axis.length === 0 ? 1 : Math.min(...axis.map(({ of }) => rank[of])));

/** Of the axes of values that are combined element by element, the one that says most. */
export function agreed(axes: readonly Axis[]): Axis | undefined {
  return axes.reduce<Axis | undefined>((best, axis) => (best && rankOf(best) >= rankOf(axis) ? best : axis), undefined);
}
