/** Operators that look up and put down elements at places that are themselves values. */
import {
  arrayClass,
  intAttribute,
  type NumericArray,
  sizeOf,
  stringAttribute,
  type Tensor,
} from '../../../ir/index.js';
import { hostBinary, pick, places, stridesOf } from '../host.js';
import { Value } from '../value.js';
import { fail, made, type OpTable, positive, required, type Site } from './op.js';
import { gathered } from './pieces.js';

/** Indices counted from the front. */
function checked(indices: readonly number[], size: number): Int32Array {
  return Int32Array.from(indices, (i) => {
    if (i < -size || i >= size) fail(`there is no element ${i} among ${size}`);
    return i < 0 ? i + size : i;
  });
}

function gather({ device, node }: Site) {
  return (inputs: readonly (Value | undefined)[]): Value => {
    const [x, indices] = [required(inputs, 0), required(inputs, 1)];
    const axis = positive(intAttribute(node, 'axis', 0), x.dims.length);
    const size = x.dims[axis] as number;
    const dims = [...x.dims.slice(0, axis), ...indices.dims, ...x.dims.slice(axis + 1)];
    const at = checked(indices.numbers(), size);
    if (x.type === 'float32' && sizeOf(dims) > 0) {
      return made(device, device.reshape(gathered(device, x.tensor(), at, axis), dims), dims);
    }
    const inner = sizeOf(x.dims.slice(axis + 1));
    const from = new Int32Array(sizeOf(dims));
    let i = 0;
    for (let o = 0; o < sizeOf(x.dims.slice(0, axis)); o++) {
      for (const a of at) for (let k = 0; k < inner; k++) from[i++] = (o * size + a) * inner + k;
    }
    return Value.ofHost(device, pick(x.host(), dims, from));
  };
}

/** Flat places of elements whose index along `axis` is given and whose others are their own. */
function along(x: Value, indices: Value, axis: number): Int32Array {
  const strides = stridesOf(x.dims);
  const own = places(
    indices.dims,
    strides.map((s, i) => (i === axis ? 0 : s)),
  );
  const at = checked(indices.numbers(), x.dims[axis] as number);
  return own.map((place, i) => place + (at[i] as number) * (strides[axis] as number));
}

/** Flat places of the slices that the last axis of `indices` names, and how many elements each has. */
function named(x: Value, indices: Value, batch = 0): { first: Int32Array; size: number } {
  const strides = stridesOf(x.dims);
  const depth = indices.dims.at(-1) as number;
  const all = indices.numbers();
  const count = all.length / depth;
  const perBatch = count / Math.max(1, sizeOf(indices.dims.slice(0, batch)));
  const size = sizeOf(x.dims.slice(batch + depth));
  const first = Int32Array.from({ length: count }, (_, i) => {
    let place = batch > 0 ? Math.floor(i / perBatch) * (strides[batch - 1] as number) : 0;
    for (let d = 0; d < depth; d++) {
      const [at] = checked([all[i * depth + d] as number], x.dims[batch + d] as number);
      place += (at as number) * (strides[batch + d] as number);
    }
    return place;
  });
  return { first, size };
}

const spans = ({ first, size }: { first: Int32Array; size: number }) =>
  Int32Array.from({ length: first.length * size }, (_, i) => (first[Math.floor(i / size)] as number) + (i % size));

/** Elements at flat places: on the device where they are there. */
function taken(x: Value, from: Int32Array, dims: readonly number[]): Value {
  const { device } = x;
  if (x.type !== 'float32' || from.length === 0) return Value.ofHost(device, pick(x.host(), dims, from));
  const flat = device.reshape(x.tensor(), [x.size]);
  return made(device, device.reshape(gathered(device, flat, from, 0), dims), dims);
}

const reducers: Readonly<Record<string, string>> = { add: 'Add', mul: 'Mul', max: 'Max', min: 'Min' };

/** Updates at flat places. */
function put(x: Value, to: Int32Array, updates: Value, reduction: string): Value {
  const { device } = x;
  if (updates.type !== x.type) fail(`updates are of type ${updates.type}, not ${x.type}`);
  if (updates.size !== to.length) fail(`${updates.size} updates are given for ${to.length} places`);
  if (reduction === 'add' && x.type === 'float32' && to.length > 0) {
    const indices = device.upload(to, [to.length, 1], 'int32');
    const flat = device.reshape(updates.tensor(), [to.length]);
    const sums = device.call('ScatterNd', { indices, updates: flat }, { shape: [x.size] });
    return made(device, device.call('Add', { a: x.tensor(), b: device.reshape(sums, x.dims) }), x.dims);
  }
  const { type, dims, data: old } = x.host();
  const data = (old as NumericArray).slice() as NumericArray;
  const from = updates.host().data;
  const one = (v: unknown): Tensor => ({ type, dims: [], data: [v] as unknown as NumericArray });
  const op = reducers[reduction];
  to.forEach((place, i) => {
    const update = from[i];
    data[place] = (op ? hostBinary(op, one(data[place]), one(update))?.data[0] : update) as never;
  });
  return Value.ofHost(device, { type, dims, data });
}

export const indexing: OpTable = {
  Gather: gather,
  GatherElements:
    ({ node }) =>
    (inputs) => {
      const [x, indices] = [required(inputs, 0), required(inputs, 1)];
      const axis = positive(intAttribute(node, 'axis', 0), x.dims.length);
      return taken(x, along(x, indices, axis), indices.dims);
    },
  GatherND: ({ node }) => {
    const batch = intAttribute(node, 'batch_dims', 0);
    return (inputs) => {
      const [x, indices] = [required(inputs, 0), required(inputs, 1)];
      const dims = [...indices.dims.slice(0, -1), ...x.dims.slice(batch + (indices.dims.at(-1) as number))];
      return taken(x, spans(named(x, indices, batch)), dims);
    };
  },
  ScatterElements: ({ node }) => {
    const reduction = stringAttribute(node, 'reduction', 'none');
    return (inputs) => {
      const [x, indices, updates] = [required(inputs, 0), required(inputs, 1), required(inputs, 2)];
      const axis = positive(intAttribute(node, 'axis', 0), x.dims.length);
      return put(x, along(x, indices, axis), updates, reduction);
    };
  },
  ScatterND: ({ node }) => {
    const reduction = stringAttribute(node, 'reduction', 'none');
    return (inputs) => {
      const [x, indices, updates] = [required(inputs, 0), required(inputs, 1), required(inputs, 2)];
      return put(x, spans(named(x, indices)), updates, reduction);
    };
  },
  OneHot:
    ({ device, node }) =>
    (inputs) => {
      const [indices, depth, values] = [
        required(inputs, 0),
        required(inputs, 1).numbers()[0] as number,
        required(inputs, 2),
      ];
      const rank = indices.dims.length + 1;
      const axis = positive(intAttribute(node, 'axis', -1), rank);
      const dims = [...indices.dims.slice(0, axis), depth, ...indices.dims.slice(axis)];
      const { type, data } = values.host();
      const [off, on] = data as ArrayLike<number> as unknown as [number, number];
      const inner = sizeOf(indices.dims.slice(axis));
      const result = new (arrayClass(type))(sizeOf(dims)).fill(off as never);
      indices.numbers().forEach((index, i) => {
        const at = index < 0 ? index + depth : index;
        if (at < 0 || at >= depth) return;
        result[(Math.floor(i / inner) * depth + at) * inner + (i % inner)] = on as never;
      });
      return Value.ofHost(device, { type, dims, data: result });
    },
  NonZero:
    ({ device }) =>
    (inputs) => {
      const x = required(inputs, 0);
      const found = x.numbers().flatMap((v, i) => (v !== 0 ? [i] : []));
      const strides = stridesOf(x.dims);
      const rows = strides.map((s, axis) => found.map((i) => BigInt(Math.floor(i / s) % (x.dims[axis] as number))));
      return Value.ofHost(device, {
        type: 'int64',
        dims: [x.dims.length, found.length],
        data: BigInt64Array.from(rows.flat()),
      });
    },
  Trilu: ({ device, node }) => {
    const isUpper = intAttribute(node, 'upper', 1) === 1;
    return (inputs) => {
      const x = required(inputs, 0);
      const k = inputs[1]?.numbers()[0] ?? 0;
      const [rows = 1, columns = 1] = x.dims.slice(-2);
      const from = places(x.dims, stridesOf(x.dims)).map((place, i) => {
        const [r, c] = [Math.floor(i / columns) % rows, i % columns];
        return (isUpper ? c - r >= k : c - r <= k) ? place : -1;
      });
      return Value.ofHost(device, pick(x.host(), x.dims, from));
    };
  },
};
