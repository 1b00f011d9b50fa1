/** Pools. */
import { int64, intAttribute, intsAttribute, type Node, type Tensor } from '../../../ir/index.js';
import type { Device, Tf } from '../device.js';
import { maths } from '../maths.js';
import { type Origin, Value } from '../value.js';
import type { Window } from '../window.js';
import { asImage, asRows } from './convolution.js';
import { bordered } from './convolve.js';
import { fail, made, type OpTable, required, type Site } from './op.js';
import { stepped } from './pieces.js';
import { counts, windowOf } from './window.js';

const kernelOf = (node: Node) => intsAttribute(node, 'kernel_shape') ?? fail('kernel_shape is missing');

interface Pool {
  readonly x: Value;
  readonly image: Value;
  readonly window: Window;
  /** Gives the result its dims; the image's own are let go of. */
  readonly finish: (y: Tf) => Value;
}

function poolOf(device: Device, node: Node, x: Value): Pool {
  const { image, isLine } = asImage(device, x, 'pools');
  const window = asRows(windowOf(node, kernelOf(node), x.dims.slice(2)));
  const finish = (y: Tf) => {
    const [n, h, w, c] = y.shape as [number, number, number, number];
    if (image !== x) image.hold().release();
    if (!isLine) return made(device, y, [n, c, h, w], 'last');
    return made(device, device.transpose(device.reshape(y, [n, w, c]), [0, 2, 1]), [n, c, w]);
  };
  return { x, image, window, finish };
}

/** The windows' elements at each place of the window, taken together two by two: for windows that no kernel knows. */
function folded(device: Device, x: Tf, w: Window, combine: string): Tf {
  const [n, , , c] = x.shape as [number, number, number, number];
  const dims = [n, ...w.output, c];
  const step = [1, ...w.strides, 1];
  let result: Tf | undefined;
  for (let i = 0; i < (w.kernel[0] as number); i++) {
    for (let j = 0; j < (w.kernel[1] as number); j++) {
      const begin = [0, i * (w.dilations[0] as number), j * (w.dilations[1] as number), 0];
      const part = stepped(device, x, begin, dims, step);
      result = result ? device.call(combine, { a: result, b: part }) : part;
    }
  }
  return result as Tf;
}

const attributesOf = (w: Window, pad: unknown) => ({
  filterSize: [...w.kernel],
  strides: [...w.strides],
  pad,
  dimRoundingMode: 'floor',
});

const isPlain = (w: Window) => w.dilations.every((d) => d === 1) && w.kernel.some((k) => k > 1);

function maxPool({ device, node }: Site) {
  if (intAttribute(node, 'storage_order', 0) === 1) fail('TensorFlow.js engine gives no column-major indices');
  return (inputs: readonly (Value | undefined)[]): Value | Value[] => {
    const { x, image, window: w, finish } = poolOf(device, node, required(inputs, 0));
    const last = image.tensor('last');
    let y: Tf;
    if (isPlain(w)) {
      const { x: padded, pad } = bordered(device, last, w, Number.NEGATIVE_INFINITY);
      y = device.call('MaxPool', { x: padded }, attributesOf(w, pad));
    } else {
      const paddings = [[0, 0], ...w.before.map((b, i) => [b, w.after[i] as number]), [0, 0]];
      const isBordered = paddings.flat().some((p) => p > 0);
      const all = isBordered
        ? device.call('PadV2', { x: last }, { paddings, constantValue: Number.NEGATIVE_INFINITY })
        : last;
      y = folded(device, all, w, 'Maximum');
    }
    const pooled = finish(y);
    if (!node.outputs[1]) return pooled;
    const source = x.hold();
    const indices = Value.lazy(device, 'int64', pooled.dims, () => firstMaxima(source.host(), w, pooled.dims));
    indices.origin = { input: source, window: w };
    return [pooled, indices];
  };
}

/** Where in its image the first largest element of each window is. */
function firstMaxima(x: Tensor, w: Window, dims: readonly number[]): Tensor {
  const [n, c] = x.dims as [number, number];
  const [height, width] = x.dims.length === 4 ? (x.dims.slice(2) as [number, number]) : [1, x.dims[2] as number];
  const data = x.data as Float32Array;
  const found: number[] = [];
  for (let plane = 0; plane < n * c; plane++) {
    for (let oy = 0; oy < (w.output[0] as number); oy++) {
      for (let ox = 0; ox < (w.output[1] as number); ox++) {
        let best = -1;
        for (let i = 0; i < (w.kernel[0] as number); i++) {
          const y = oy * (w.strides[0] as number) - (w.before[0] as number) + i * (w.dilations[0] as number);
          if (y < 0 || y >= height) continue;
          for (let j = 0; j < (w.kernel[1] as number); j++) {
            const at = ox * (w.strides[1] as number) - (w.before[1] as number) + j * (w.dilations[1] as number);
            if (at < 0 || at >= width) continue;
            const place = (plane * height + y) * width + at;
            if (best < 0 || (data[place] as number) > (data[best] as number)) best = place;
          }
        }
        found.push(best);
      }
    }
  }
  return int64(found, dims);
}

const isDisjoint = (w: Window) =>
  w.kernel.every((k, i) => (k - 1) * (w.dilations[i] as number) < (w.strides[i] as number));

/**
 * Each element where its window's first maximum is, channels-last. In JavaScript: the kernel of the WebAssembly backend
 * gives zeros for windows that are no squares.
 */
function unpooled(device: Device, y: Value, { input, window: w }: Origin): Tf {
  const [n, c, height, width] = input.dims as [number, number, number, number];
  const x = input.tensor('last').dataSync() as Float32Array;
  const dy = y.tensor('last').dataSync() as Float32Array;
  const result = new Float32Array(x.length);
  const [rows, columns] = w.output as [number, number];
  const best = new Int32Array(c);
  for (let image = 0; image < n; image++) {
    for (let oy = 0; oy < rows; oy++) {
      for (let ox = 0; ox < columns; ox++) {
        best.fill(-1);
        for (let i = 0; i < (w.kernel[0] as number); i++) {
          const row = oy * (w.strides[0] as number) - (w.before[0] as number) + i * (w.dilations[0] as number);
          if (row < 0 || row >= height) continue;
          for (let j = 0; j < (w.kernel[1] as number); j++) {
            const column = ox * (w.strides[1] as number) - (w.before[1] as number) + j * (w.dilations[1] as number);
            if (column < 0 || column >= width) continue;
            const place = ((image * height + row) * width + column) * c;
            for (let k = 0; k < c; k++) {
              const at = best[k] as number;
              if (at < 0 || (x[place + k] as number) > (x[at] as number)) best[k] = place + k;
            }
          }
        }
        const from = ((image * rows + oy) * columns + ox) * c;
        for (let k = 0; k < c; k++) {
          const at = best[k] as number;
          if (at >= 0) result[at] = dy[from + k] as number;
        }
      }
    }
  }
  return device.upload(result, [n, height, width, c], 'float32');
}

/** Puts each element where its maximum was. */
function maxUnpool({ device, node }: Site) {
  return (inputs: readonly (Value | undefined)[]): Value => {
    const [y, indices] = [required(inputs, 0), required(inputs, 1)];
    const kernel = kernelOf(node);
    const strides = intsAttribute(node, 'strides') ?? kernel.map(() => 1);
    const pads = intsAttribute(node, 'pads') ?? [...kernel, ...kernel].map(() => 0);
    const guess = y.dims.slice(2).map((d, i) => {
      const border = (pads[i] as number) + (pads[i + kernel.length] as number);
      return (d - 1) * (strides[i] as number) + (kernel[i] as number) - border;
    });
    const dims = inputs[2]?.numbers() ?? [...y.dims.slice(0, 2), ...guess];
    const { origin } = indices;
    if (origin && y.dims.length === 4 && dims.join() === origin.input.dims.join() && isDisjoint(origin.window)) {
      return made(device, unpooled(device, y, origin), dims, 'last');
    }
    const data = new Float32Array(dims.reduce((a, b) => a * b, 1));
    const from = y.host().data as Float32Array;
    indices.numbers().forEach((place, i) => {
      data[place] = from[i] as number;
    });
    return Value.ofHost(device, { type: 'float32', dims, data });
  };
}

/** Means of windows: rows first and then columns, which is less work for large ones and loses less in rounding. */
function meanOf(device: Device, x: Tf, kernel: readonly number[], strides: readonly number[]): Tf {
  const pool = (t: Tf, filterSize: number[], steps: number[]) =>
    filterSize.every((k) => k === 1)
      ? t
      : device.call('AvgPool', { x: t }, { filterSize, strides: steps, pad: 'valid', dimRoundingMode: 'floor' });
  const [rows, columns] = kernel as [number, number];
  const [down, right] = strides as [number, number];
  if (rows * columns < 32 || rows === 1 || columns === 1) return pool(x, [rows, columns], [down, right]);
  return pool(pool(x, [rows, 1], [down, 1]), [1, columns], [1, right]);
}

/** Means of windows with the border in them, then corrected for what does not count. */
function averages(device: Device, x: Tf, w: Window, includesBorder: boolean): Tf {
  const [, height, width] = x.shape as [number, number, number];
  const paddings = [[0, 0], ...w.before.map((b, i) => [b, w.after[i] as number]), [0, 0]];
  const isBordered = paddings.flat().some((p) => p > 0);
  const padded = isBordered ? device.call('PadV2', { x }, { paddings, constantValue: 0 }) : x;
  const size = w.kernel.reduce((a, b) => a * b, 1);
  const mean = isPlain(w)
    ? meanOf(device, padded, w.kernel, w.strides)
    : maths(device).div(folded(device, padded, w, 'Add'), size);
  const [down, right] = [counts(w, 0, height, includesBorder), counts(w, 1, width, includesBorder)];
  const factors = Float32Array.from(down.flatMap((d) => right.map((r) => size / (d * r))));
  if (factors.every((f) => f === 1)) return mean;
  return maths(device).mul(mean, device.upload(factors, [1, down.length, right.length, 1], 'float32'));
}

const averagePool = ({ device, node }: Site) => {
  const includesBorder = intAttribute(node, 'count_include_pad', 0) === 1;
  return (inputs: readonly (Value | undefined)[]): Value => {
    const { image, window, finish } = poolOf(device, node, required(inputs, 0));
    return finish(averages(device, image.tensor('last'), window, includesBorder));
  };
};

/** Axes of space of a value's tensor, where it lies. */
function space(x: Value): { tensor: Tf; axes: number[]; layout: 'plain' | 'last' } {
  if (x.type !== 'float32') fail(`TensorFlow.js does not compute it in ${x.type}`);
  if (x.prefersLast) return { tensor: x.tensor('last'), axes: [1, 2], layout: 'last' };
  return { tensor: x.tensor(), axes: [...x.dims.keys()].slice(2), layout: 'plain' };
}

const reduced = (x: Value) => x.dims.map((d, i) => (i < 2 ? d : 1));

export const pooling: OpTable = {
  MaxPool: maxPool,
  MaxUnpool: maxUnpool,
  AveragePool: averagePool,
  GlobalAveragePool: ({ device }) => {
    const m = maths(device);
    return (inputs) => {
      const x = required(inputs, 0);
      const { tensor, axes, layout } = space(x);
      if (layout === 'last' && x.dims.slice(2).some((d) => d > 1)) {
        return made(device, meanOf(device, tensor, x.dims.slice(2), [1, 1]), reduced(x), layout);
      }
      return made(device, m.mean(tensor, axes), reduced(x), layout);
    };
  },
  GlobalMaxPool: ({ device }) => {
    const m = maths(device);
    return (inputs) => {
      const x = required(inputs, 0);
      const { tensor, axes, layout } = space(x);
      return made(device, m.largest(tensor, axes), reduced(x), layout);
    };
  },
  GlobalLpPool: ({ device, node }) => {
    const m = maths(device);
    const p = intAttribute(node, 'p', 2);
    return (inputs) => {
      const x = required(inputs, 0);
      const { tensor, axes, layout } = space(x);
      return made(device, m.pow(m.sum(m.pow(m.abs(tensor), p), axes), 1 / p), reduced(x), layout);
    };
  },
  LpPool: ({ device, node }) => {
    const m = maths(device);
    const p = intAttribute(node, 'p', 2);
    return (inputs) => {
      const { image, window, finish } = poolOf(device, node, required(inputs, 0));
      const powers = m.pow(m.abs(image.tensor('last')), p);
      const size = window.kernel.reduce((a, b) => a * b, 1);
      return finish(m.pow(m.mul(averages(device, powers, { ...window, declared: window.after }, true), size), 1 / p));
    };
  },
};
