/** Operators that take axes together, and those that count or order along one. */
import { arrayClass, int64, intAttribute, intsAttribute, sizeOf, type Tensor } from '../../../ir/index.js';
import type { Device, Tf } from '../device.js';
import { places, stridesOf } from '../host.js';
import { type Maths, maths } from '../maths.js';
import { permuted, toLast, Value } from '../value.js';
import { fail, made, type Op, type OpTable, positive, required, type Site } from './op.js';

interface Reduction {
  /** On the device, over axes in the tensor's order. */
  readonly reduce: (x: Tf, axes: readonly number[], keep: boolean, m: Maths, device: Device) => Tf;
  /** In the caller's memory, of the elements that become one. */
  readonly host?: (values: readonly number[]) => number;
}

const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);

const reductions: Readonly<Record<string, Reduction>> = {
  ReduceSum: { reduce: (x, axes, keep, m) => m.sum(x, axes, keep), host: sum },
  ReduceMean: { reduce: (x, axes, keep, m) => m.mean(x, axes, keep), host: (v) => sum(v) / v.length },
  ReduceMax: { reduce: (x, axes, keep, m) => m.largest(x, axes, keep), host: (v) => Math.max(...v) },
  ReduceMin: {
    reduce: (x, axis, keepDims, _, device) => device.call('Min', { x }, { axis: [...axis], keepDims }),
    host: (v) => Math.min(...v),
  },
  ReduceProd: {
    reduce: (x, axis, keepDims, _, device) => device.call('Prod', { x }, { axis: [...axis], keepDims }),
    host: (v) => v.reduce((a, b) => a * b, 1),
  },
  ReduceL1: { reduce: (x, axes, keep, m) => m.sum(m.abs(x), axes, keep), host: (v) => sum(v.map(Math.abs)) },
  ReduceL2: {
    reduce: (x, axes, keep, m) => m.sqrt(m.sum(m.square(x), axes, keep)),
    host: (v) => Math.sqrt(sum(v.map((a) => a * a))),
  },
  ReduceSumSquare: {
    reduce: (x, axes, keep, m) => m.sum(m.square(x), axes, keep),
    host: (v) => sum(v.map((a) => a * a)),
  },
  ReduceLogSum: { reduce: (x, axes, keep, m) => m.log(m.sum(x, axes, keep)), host: (v) => Math.log(sum(v)) },
  ReduceLogSumExp: {
    reduce: (x, axes, keep, m) => {
      const top = m.largest(x, axes);
      const total = m.log(m.sum(m.exp(m.sub(x, top)), axes, keep));
      return m.add(total, keep ? top : m.largest(x, axes, false));
    },
    host: (v) => {
      const top = Math.max(...v);
      return top + Math.log(sum(v.map((a) => Math.exp(a - top))));
    },
  },
};

const reducing =
  ({ reduce, host }: Reduction): Op =>
  ({ device, node }) => {
    const m = maths(device);
    const keep = intAttribute(node, 'keepdims', 1) === 1;
    const stays = intAttribute(node, 'noop_with_empty_axes', 0) === 1;
    return (inputs) => {
      const x = required(inputs, 0);
      const rank = x.dims.length;
      const given = (inputs[1]?.numbers() ?? intsAttribute(node, 'axes') ?? []).map((a) => positive(a, rank));
      if (given.length === 0 && stays) return x;
      const axes = given.length === 0 ? [...x.dims.keys()] : given;
      const dims = keep ? x.dims.map((d, i) => (axes.includes(i) ? 1 : d)) : x.dims.filter((_, i) => !axes.includes(i));
      if (x.type !== 'float32' || x.size === 0) {
        if (!host) return fail(`TensorFlow.js does not compute it in ${x.type}`);
        return Value.ofHost(device, reduceHost(x.host(), axes, dims, host));
      }
      if (rank === 0) return made(device, reduce(device.reshape(x.tensor(), [1]), [0], false, m, device), []);
      const left = toLast.filter((axis) => !axes.includes(axis));
      const inOrder = left.every((axis, i) => i === 0 || axis > (left[i - 1] as number));
      if (x.prefersLast && (keep || inOrder)) {
        const last = axes.map((axis) => toLast.indexOf(axis as 0));
        return made(device, reduce(x.tensor('last'), last, keep, m, device), dims, keep ? 'last' : 'plain');
      }
      return made(device, reduce(x.tensor(), axes, keep, m, device), dims);
    };
  };

function reduceHost(x: Tensor, axes: readonly number[], dims: readonly number[], f: (v: number[]) => number): Tensor {
  const strides = stridesOf(x.dims);
  const rest = [...x.dims.keys()].filter((i) => !axes.includes(i));
  const starts = places(permuted(x.dims, rest), permuted(strides, rest));
  const within = places(permuted(x.dims, axes), permuted(strides, axes));
  const data = new (arrayClass(x.type))(starts.length);
  starts.forEach((start, i) => {
    const value = f(Array.from(within, (w) => Number(x.data[start + w])));
    data[i] = (data instanceof BigInt64Array || data instanceof BigUint64Array ? BigInt(value) : value) as never;
  });
  return { type: x.type, dims, data };
}

/** Vectors along one axis: where each begins, and the distance between its elements. */
function vectors(x: Value, axis: number) {
  const strides = stridesOf(x.dims);
  const rest = [...x.dims.keys()].filter((i) => i !== axis);
  return {
    starts: places(permuted(x.dims, rest), permuted(strides, rest)),
    step: strides[axis] as number,
    size: x.dims[axis] as number,
  };
}

const extreme =
  (better: (a: number, b: number) => boolean): Op =>
  ({ device, node }) => {
    const keep = intAttribute(node, 'keepdims', 1) === 1;
    const takesLast = intAttribute(node, 'select_last_index', 0) === 1;
    return (inputs) => {
      const x = required(inputs, 0);
      const axis = positive(intAttribute(node, 'axis', 0), x.dims.length);
      const { starts, step, size } = vectors(x, axis);
      const { data } = x.host();
      const found = Array.from(starts, (start) => {
        let best = 0;
        for (let i = 1; i < size; i++) {
          const [a, b] = [Number(data[start + i * step]), Number(data[start + best * step])];
          if (better(a, b) || (takesLast && a === b)) best = i;
        }
        return best;
      });
      const dims = keep ? x.dims.map((d, i) => (i === axis ? 1 : d)) : x.dims.filter((_, i) => i !== axis);
      return Value.ofHost(device, int64(found, dims));
    };
  };

function topK({ device, node }: Site) {
  const largest = intAttribute(node, 'largest', 1) === 1;
  return (inputs: readonly (Value | undefined)[]): Value[] => {
    const x = required(inputs, 0);
    const k = required(inputs, 1).numbers()[0] as number;
    const axis = positive(intAttribute(node, 'axis', -1), x.dims.length);
    const { starts, step, size } = vectors(x, axis);
    if (k > size) fail(`${k} of ${size} elements are asked for`);
    const host = x.host();
    const dims = x.dims.map((d, i) => (i === axis ? k : d));
    const outer = stridesOf(dims);
    const rest = [...dims.keys()].filter((i) => i !== axis);
    const to = places(permuted(dims, rest), permuted(outer, rest));
    const values = new (arrayClass(x.type))(sizeOf(dims));
    const indices = new BigInt64Array(sizeOf(dims));
    starts.forEach((start, v) => {
      const number = (i: number) => Number(host.data[start + i * step]);
      const order = Array.from({ length: size }, (_, i) => i);
      order.sort((a, b) => (largest ? number(b) - number(a) : number(a) - number(b)) || a - b);
      order.slice(0, k).forEach((from, i) => {
        const place = (to[v] as number) + i * (outer[axis] as number);
        values[place] = host.data[start + from * step] as never;
        indices[place] = BigInt(from);
      });
    });
    return [
      Value.ofHost(device, { type: x.type, dims, data: values }),
      Value.ofHost(device, { type: 'int64', dims, data: indices }),
    ];
  };
}

/** f of each vector along an axis. */
function eachVector(x: Value, axis: number, f: (vector: readonly number[]) => readonly number[]): Tensor {
  const { starts, step, size } = vectors(x, axis);
  const { type, dims, data } = x.host();
  const result = (data as Float64Array).slice();
  for (const start of starts) {
    const vector = Array.from({ length: size }, (_, i) => data[start + i * step] as number);
    f(vector).forEach((v, i) => {
      result[start + i * step] = v;
    });
  }
  return { type, dims, data: result };
}

function logSoftmax(vector: readonly number[]): number[] {
  const top = Math.max(...vector);
  const total = top + Math.log(sum(vector.map((v) => Math.exp(v - top))));
  return vector.map((v) => v - total);
}

/** f of the last axis, with the value turned so that the node's axis is last. */
const alongLast =
  (
    fallback: number,
    f: (x: Tf, m: Maths, device: Device) => Tf,
    /** In double precision, in the caller's memory. */
    host?: (vector: readonly number[]) => readonly number[],
  ): Op =>
  ({ device, node }) => {
    const m = maths(device);
    return (inputs) => {
      const x = required(inputs, 0);
      const rank = x.dims.length;
      const axis = positive(intAttribute(node, 'axis', fallback), rank);
      if (x.type !== 'float32') {
        if (!host || x.type !== 'float64') return fail(`TensorFlow.js does not compute it in ${x.type}`);
        return Value.ofHost(device, eachVector(x, axis, host));
      }
      // The channels of an image that lies channels-last are last already.
      if (x.prefersLast && axis === 1) return made(device, f(x.tensor('last'), m, device), x.dims, 'last');
      if (axis === rank - 1) return made(device, f(x.tensor(), m, device), x.dims);
      const perm = [...x.dims.keys()].map((i) => (i === axis ? rank - 1 : i === rank - 1 ? axis : i));
      return made(device, device.transpose(f(device.transpose(x.tensor(), perm), m, device), perm), x.dims);
    };
  };

export const reduction: OpTable = {
  ...Object.fromEntries(Object.entries(reductions).map(([name, r]) => [name, reducing(r)])),
  ArgMax: extreme((a, b) => a > b),
  ArgMin: extreme((a, b) => a < b),
  TopK: topK,
  Softmax: alongLast(
    -1,
    (logits, _, device) => device.call('Softmax', { logits }, { dim: logits.rank - 1 }),
    (v) => logSoftmax(v).map(Math.exp),
  ),
  LogSoftmax: alongLast(
    -1,
    (x, m) => {
      const axes = [x.rank - 1];
      const shifted = m.sub(x, m.largest(x, axes));
      return m.sub(shifted, m.log(m.sum(m.exp(shifted), axes)));
    },
    logSoftmax,
  ),
  LpNormalization: (site) => {
    const p = intAttribute(site.node, 'p', 2);
    return alongLast(-1, (x, m) => {
      const axes = [x.rank - 1];
      const norm = p === 1 ? m.sum(m.abs(x), axes) : m.sqrt(m.sum(m.square(x), axes));
      // Nothing stays nothing.
      return m.div(x, m.max(norm, 2 ** -126));
    })(site);
  },
  CumSum: ({ device, node }) => {
    const [exclusive, reverse] = ['exclusive', 'reverse'].map((name) => intAttribute(node, name, 0) === 1);
    return (inputs) => {
      const x = required(inputs, 0);
      const axis = positive(required(inputs, 1).numbers()[0] as number, x.dims.length);
      if (x.type !== 'float32') {
        const { starts, step, size } = vectors(x, axis);
        const { type, dims, data } = x.host();
        const result = (data as Float32Array).slice();
        for (const start of starts) {
          let total = (typeof data[0] === 'bigint' ? 0n : 0) as number;
          for (let i = 0; i < size; i++) {
            const at = start + (reverse ? size - 1 - i : i) * step;
            const before = total;
            total += data[at] as number;
            result[at] = exclusive ? before : total;
          }
        }
        return Value.ofHost(device, { type, dims, data: result });
      }
      return made(device, device.call('Cumsum', { x: x.tensor() }, { axis, exclusive, reverse }), x.dims);
    };
  },
};
