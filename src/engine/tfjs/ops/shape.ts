/** Operators that move elements and change shapes. */
import { int64, intAttribute, intsAttribute, sizeOf, stringAttribute, type Tensor } from '../../../ir/index.js';
import type { Device, Tf } from '../device.js';
import { broadcastPlaces, pick, places, stridesOf } from '../host.js';
import { permuted, toLast, toPlain, Value } from '../value.js';
import { broadcast, expanded, fail, made, type OpTable, positive, required, type Site, show } from './op.js';
import { gathered, stepped } from './pieces.js';

/** The same elements under other dims. */
export function reshaped(device: Device, x: Value, dims: readonly number[]): Value {
  if (sizeOf(dims) !== x.size) fail(`${show(x.dims)} has ${x.size} elements, ${show(dims)} ${sizeOf(dims)}`);
  if (!x.onDevice || x.hasHost) return Value.ofHost(device, { ...x.host(), dims });
  return made(device, device.reshape(x.tensor(), dims), dims);
}

const same = (a: readonly number[], b: readonly number[]) => a.length === b.length && a.every((v, i) => v === b[i]);

function transpose({ device, node }: Site) {
  const given = intsAttribute(node, 'perm');
  return (inputs: readonly (Value | undefined)[]): Value => {
    const x = required(inputs, 0);
    const perm = given ?? x.dims.map((_, i) => x.dims.length - 1 - i);
    const dims = permuted(x.dims, perm);
    if (perm.every((axis, i) => axis === i)) return x;
    if (!x.onDevice) {
      return Value.ofHost(device, pick(x.host(), dims, places(dims, permuted(stridesOf(x.dims), perm))));
    }
    // What only changes how the order in memory is called costs nothing.
    if (same(perm, toLast) && x.hasLast) return made(device, device.reshape(x.tensor('last'), dims), dims);
    if (same(perm, toPlain) && !x.prefersLast) return made(device, device.reshape(x.tensor(), x.dims), dims, 'last');
    if (sizeOf(dims) === 0) return made(device, device.reshape(x.tensor(), dims), dims);
    return made(device, device.transpose(x.tensor(), perm), dims);
  };
}

/** Begin, end and step along each axis, as Slice says them. */
function slice({ device, node }: Site) {
  return (inputs: readonly (Value | undefined)[]): Value => {
    const x = required(inputs, 0);
    const ints = (at: number, name: string) => inputs[at]?.numbers() ?? intsAttribute(node, name);
    const starts = ints(1, 'starts') ?? fail('starts are missing');
    const ends = ints(2, 'ends') ?? fail('ends are missing');
    const axes = (ints(3, 'axes') ?? [...starts.keys()]).map((axis) => positive(axis, x.dims.length));
    const steps = inputs[4]?.numbers() ?? starts.map(() => 1);
    const begin = x.dims.map(() => 0);
    const step = x.dims.map(() => 1);
    const dims = [...x.dims];
    axes.forEach((axis, i) => {
      const size = x.dims[axis] as number;
      const by = steps[i] as number;
      if (by === 0) fail('a step is 0');
      const clamp = (v: number, low: number, high: number) => Math.min(Math.max(v < 0 ? v + size : v, low), high);
      const [low, high] = by > 0 ? [0, size] : [-1, size - 1];
      const from = clamp(starts[i] as number, by > 0 ? 0 : 0, high);
      const to = clamp(ends[i] as number, low, high);
      begin[axis] = from;
      step[axis] = by;
      dims[axis] = Math.max(0, Math.ceil((to - from) / by));
    });
    return sliced(device, x, begin, dims, step);
  };
}

export function sliced(
  device: Device,
  x: Value,
  begin: readonly number[],
  dims: readonly number[],
  step: readonly number[] = begin.map(() => 1),
): Value {
  if (same(dims, x.dims) && step.every((s) => s === 1)) return x;
  if (!x.onDevice || sizeOf(dims) === 0) {
    const strides = stridesOf(x.dims);
    const offset = begin.reduce((sum, b, i) => sum + b * (strides[i] as number), 0);
    const each = strides.map((s, i) => s * (step[i] as number));
    return Value.ofHost(device, pick(x.host(), dims, places(dims, each, offset)));
  }
  const layout = x.prefersLast ? 'last' : 'plain';
  const order = (of: readonly number[]) => (layout === 'last' ? permuted(of, toLast) : [...of]);
  const t = x.tensor(layout);
  if (step.every((s) => s === 1) && device.backend === 'tensorflow') {
    return made(device, device.call('Slice', { x: t }, { begin: order(begin), size: order(dims) }), dims, layout);
  }
  const result = stepped(device, t, order(begin), order(dims), order(step));
  return made(device, result, dims, layout);
}

function concat({ device, node }: Site) {
  return (inputs: readonly (Value | undefined)[]): Value => {
    const values = inputs.map((_, i) => required(inputs, i));
    const [first] = values as [Value];
    const rank = first.dims.length;
    const axis = positive(intAttribute(node, 'axis', 0), rank);
    for (const v of values) {
      if (v.dims.length !== rank || v.dims.some((d, i) => i !== axis && d !== first.dims[i])) {
        fail(`${show(first.dims)} and ${show(v.dims)} do not join along axis ${axis}`);
      }
      if (v.type !== first.type) fail(`its inputs are of types ${first.type} and ${v.type}`);
    }
    if (values.length === 1) return first;
    const dims = first.dims.map((d, i) =>
      i === axis ? values.reduce((sum, v) => sum + (v.dims[axis] as number), 0) : d,
    );
    if (!first.onDevice) return Value.ofHost(device, joined(values, dims, axis));
    const layout = values.some((v) => v.prefersLast) ? 'last' : 'plain';
    const parts = values.filter((v) => v.size > 0);
    if (parts.length === 0) return Value.ofHost(device, { type: first.type, dims, data: new Float32Array(0) });
    const inOrder = layout === 'last' ? toLast.indexOf(axis as 0) : axis;
    const tensors = parts.map((v) => v.tensor(layout));
    if (tensors.length === 1)
      return made(device, device.reshape(tensors[0] as Tf, (tensors[0] as Tf).shape), dims, layout);
    const inputsOf = Object.fromEntries(tensors.map((t, i) => [i, t]));
    return made(
      device,
      device.call('Concat', Object.assign(tensors, inputsOf) as never, { axis: inOrder }),
      dims,
      layout,
    );
  };
}

function joined(values: readonly Value[], dims: readonly number[], axis: number): Tensor {
  const parts = values.map((v) => v.host());
  const [first] = parts as [Tensor];
  const outer = sizeOf(dims.slice(0, axis));
  const data: (string | number | bigint)[] = [];
  for (let o = 0; o < outer; o++) {
    for (const part of parts) {
      const chunk = part.data.length / Math.max(outer, 1);
      for (let i = 0; i < chunk; i++) data.push(part.data[o * chunk + i] as number);
    }
  }
  if (first.type === 'string') return { type: 'string', dims, data: data as string[] };
  const Class = first.data.constructor as new (n: number) => Float32Array;
  const result = new Class(data.length);
  for (let i = 0; i < data.length; i++) result[i] = data[i] as number;
  return { type: first.type, dims, data: result };
}

function expand({ device }: Site) {
  return (inputs: readonly (Value | undefined)[]): Value => {
    const x = required(inputs, 0);
    const dims = broadcast(x.dims, required(inputs, 1).numbers());
    return repeated(device, x, dims);
  };
}

function repeated(device: Device, x: Value, dims: readonly number[]): Value {
  if (same(dims, x.dims)) return x;
  if (!x.onDevice || sizeOf(dims) === 0)
    return Value.ofHost(device, pick(x.host(), dims, broadcastPlaces(x.dims, dims)));
  return made(device, expanded(device, x.tensor(), dims), dims);
}

function tile({ device }: Site) {
  return (inputs: readonly (Value | undefined)[]): Value => {
    const x = required(inputs, 0);
    const reps = required(inputs, 1).numbers();
    const dims = x.dims.map((d, i) => d * (reps[i] as number));
    if (x.onDevice && x.size > 0 && sizeOf(dims) > 0) {
      return made(device, device.call('Tile', { x: x.tensor() }, { reps }), dims);
    }
    // An axis of repetitions before each axis.
    const strides = stridesOf(x.dims);
    const wide = x.dims.flatMap((d, i) => [reps[i] as number, d]);
    const from = places(
      wide,
      strides.flatMap((s) => [0, s]),
    );
    return Value.ofHost(device, pick(x.host(), dims, from));
  };
}

function pad({ device, node }: Site) {
  const mode = stringAttribute(node, 'mode', 'constant');
  return (inputs: readonly (Value | undefined)[]): Value => {
    const x = required(inputs, 0);
    const rank = x.dims.length;
    const given = required(inputs, 1).numbers();
    const axes = (inputs[3]?.numbers() ?? [...x.dims.keys()]).map((axis) => positive(axis, rank));
    const [before, after] = [x.dims.map(() => 0), x.dims.map(() => 0)];
    axes.forEach((axis, i) => {
      before[axis] = given[i] as number;
      after[axis] = given[i + axes.length] as number;
    });
    const dims = x.dims.map((d, i) => d + (before[i] as number) + (after[i] as number));
    const isConstant = mode === 'constant';
    if (isConstant && x.type === 'float32' && x.size > 0 && [...before, ...after].every((p) => p >= 0)) {
      const layout = x.prefersLast ? 'last' : 'plain';
      const widths = before.map((b, i) => [b, after[i] as number]);
      const paddings = layout === 'last' ? toLast.map((axis) => widths[axis]) : widths;
      const constantValue = inputs[2]?.numbers()[0] ?? 0;
      return made(device, device.call('PadV2', { x: x.tensor(layout) }, { paddings, constantValue }), dims, layout);
    }
    const along = x.dims.map((d, i) => source(mode, d, before[i] as number, dims[i] as number));
    if (x.type === 'float32' && !isConstant) {
      let t = x.tensor();
      along.forEach((index, axis) => {
        if (before[axis] || after[axis]) t = gathered(device, t, Int32Array.from(index), axis);
      });
      return made(device, t, dims);
    }
    const strides = stridesOf(x.dims);
    const from = places(dims, stridesOf(dims)).map((_, flat) => {
      let place = 0;
      let rest = flat;
      for (let i = rank - 1; i >= 0; i--) {
        const at = along[i]?.[rest % (dims[i] as number)] as number;
        rest = Math.floor(rest / (dims[i] as number));
        if (at < 0) return -1;
        place += at * (strides[i] as number);
      }
      return place;
    });
    return Value.ofHost(device, pick(x.host(), dims, from, inputs[2]?.host()));
  };
}

/** Where each element along a padded axis comes from; -1 is the constant. */
function source(mode: string, size: number, before: number, total: number): number[] {
  return Array.from({ length: total }, (_, i) => {
    const at = i - before;
    if (at >= 0 && at < size) return at;
    if (mode === 'edge') return at < 0 ? 0 : size - 1;
    if (mode === 'wrap') return ((at % size) + size) % size;
    if (mode !== 'reflect') return -1;
    const period = Math.max(1, 2 * (size - 1));
    const folded = ((at % period) + period) % period;
    return folded < size ? folded : period - folded;
  });
}

function split({ device, node }: Site) {
  return (inputs: readonly (Value | undefined)[]): Value[] => {
    const x = required(inputs, 0);
    const axis = positive(intAttribute(node, 'axis', 0), x.dims.length);
    const size = x.dims[axis] as number;
    const count = node.outputs.length;
    const each = Math.ceil(size / count);
    const equal = Array.from({ length: count }, (_, i) => Math.min(each, size - i * each));
    const sizes = inputs[1]?.numbers() ?? intsAttribute(node, 'split') ?? equal;
    let from = 0;
    return sizes.map((part) => {
      const begin = x.dims.map((_, i) => (i === axis ? from : 0));
      from += part;
      return sliced(
        device,
        x,
        begin,
        x.dims.map((d, i) => (i === axis ? part : d)),
      );
    });
  };
}

function depth({ device, node }: Site) {
  const block = intAttribute(node, 'blocksize', 1);
  const isCrd = stringAttribute(node, 'mode', 'DCR') === 'CRD';
  return (inputs: readonly (Value | undefined)[]): Value => {
    const x = required(inputs, 0);
    const [n, c, h, w] = x.dims as [number, number, number, number];
    let split: number[];
    let perm: number[];
    let dims: number[];
    if (node.op === 'DepthToSpace') {
      const rest = c / block ** 2;
      split = isCrd ? [n, rest, block, block, h, w] : [n, block, block, rest, h, w];
      perm = isCrd ? [0, 1, 4, 2, 5, 3] : [0, 3, 4, 1, 5, 2];
      dims = [n, rest, h * block, w * block];
    } else {
      split = [n, c, h / block, block, w / block, block];
      perm = [0, 3, 5, 1, 2, 4];
      dims = [n, c * block ** 2, h / block, w / block];
    }
    if (!split.every(Number.isInteger)) fail(`${show(x.dims)} does not divide into blocks of ${block}`);
    if (!x.onDevice) {
      const from = places(permuted(split, perm), permuted(stridesOf(split), perm));
      return Value.ofHost(device, pick(x.host(), dims, from));
    }
    return made(device, device.reshape(device.transpose(device.reshape(x.tensor(), split), perm), dims), dims);
  };
}

/** The input under another name or shape. */
const idle = () => (inputs: readonly (Value | undefined)[]) => required(inputs, 0);

const ints = (device: Device, values: readonly number[], dims?: readonly number[]) =>
  Value.ofHost(device, int64(values, dims));

export const shape: OpTable = {
  Identity: idle,
  Dropout:
    ({ device }) =>
    (inputs) => {
      const x = required(inputs, 0);
      if (inputs[2]?.numbers()[0]) fail('TensorFlow.js runs no dropout in training mode');
      const kept = { type: 'bool' as const, dims: x.dims, data: new Uint8Array(x.size).fill(1) };
      return [x, Value.ofHost(device, kept)];
    },
  Reshape: ({ device, node }) => {
    const keepsZero = intAttribute(node, 'allowzero', 0) === 1;
    return (inputs) => {
      const x = required(inputs, 0);
      const wanted = required(inputs, 1)
        .numbers()
        .map((d, i) => (d === 0 && !keepsZero ? (x.dims[i] ?? fail(`there is no axis ${i}`)) : d));
      const known = wanted.reduce((product, d) => (d < 0 ? product : product * d), 1);
      return reshaped(
        device,
        x,
        wanted.map((d) => (d < 0 ? x.size / Math.max(known, 1) : d)),
      );
    };
  },
  Flatten: ({ device, node }) => {
    const axis = intAttribute(node, 'axis', 1);
    return (inputs) => {
      const x = required(inputs, 0);
      const at = axis < 0 ? axis + x.dims.length : axis;
      return reshaped(device, x, [sizeOf(x.dims.slice(0, at)), sizeOf(x.dims.slice(at))]);
    };
  },
  Squeeze:
    ({ device, node }) =>
    (inputs) => {
      const x = required(inputs, 0);
      const axes = (inputs[1]?.numbers() ?? intsAttribute(node, 'axes'))?.map((a) => positive(a, x.dims.length));
      return reshaped(
        device,
        x,
        x.dims.filter((d, i) => (axes ? !axes.includes(i) : d !== 1)),
      );
    },
  Unsqueeze:
    ({ device, node }) =>
    (inputs) => {
      const x = required(inputs, 0);
      const given = inputs[1]?.numbers() ?? intsAttribute(node, 'axes') ?? fail('axes are missing');
      const rank = x.dims.length + given.length;
      const axes = given.map((a) => positive(a, rank));
      const rest = [...x.dims];
      return reshaped(
        device,
        x,
        Array.from({ length: rank }, (_, i) => (axes.includes(i) ? 1 : (rest.shift() ?? 1))),
      );
    },
  Transpose: transpose,
  Slice: slice,
  Concat: concat,
  Expand: expand,
  Tile: tile,
  Pad: pad,
  Split: split,
  DepthToSpace: depth,
  SpaceToDepth: depth,
  Shape:
    ({ device, node }) =>
    (inputs) => {
      const { dims } = required(inputs, 0);
      return ints(device, dims.slice(intAttribute(node, 'start', 0), intAttribute(node, 'end', dims.length)));
    },
  Size:
    ({ device }) =>
    (inputs) =>
      ints(device, [required(inputs, 0).size], []),
  Constant:
    ({ device, node }) =>
    () => {
      const value = node.attributes.value;
      if (value?.kind !== 'tensor') return fail('it holds no tensor');
      return Value.ofHost(device, value.value);
    },
  ConstantOfShape: ({ device, node }) => {
    const value = node.attributes.value;
    const fill =
      value?.kind === 'tensor' ? value.value : { type: 'float32' as const, dims: [1], data: Float32Array.of(0) };
    return (inputs) => {
      const dims = required(inputs, 0).numbers();
      return Value.ofHost(device, pick({ ...fill, dims: [] }, dims, new Int32Array(sizeOf(dims))));
    };
  },
  Range:
    ({ device }) =>
    (inputs) => {
      const [start, limit, delta] = [0, 1, 2].map((i) => required(inputs, i).numbers()[0] as number) as [
        number,
        number,
        number,
      ];
      const first = required(inputs, 0).host();
      const count = Math.max(0, Math.ceil((limit - start) / delta));
      const values = Array.from({ length: count }, (_, i) => start + i * delta);
      if (first.type === 'int64') return ints(device, values);
      const Class = first.data.constructor as new (v: readonly number[]) => Float32Array;
      return Value.ofHost(device, { type: first.type, dims: [count], data: new Class(values) });
    },
};
