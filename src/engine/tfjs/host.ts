/** Arithmetic and moves on tensors in the caller's memory, for types that TensorFlow.js does not compute in. */
import {
  arrayClass,
  type DataType,
  fromBfloat16,
  fromFloat16,
  type NumericArray,
  sizeOf,
  type Tensor,
} from '../../ir/index.js';
import { broadcast, fail } from './ops/op.js';

const big = (type: DataType) => type === 'int64' || type === 'uint64';

/** Row-major distances between neighbours along each axis. */
export function stridesOf(dims: readonly number[]): number[] {
  const strides = Array<number>(dims.length).fill(1);
  for (let i = dims.length - 2; i >= 0; i--) strides[i] = (strides[i + 1] as number) * (dims[i + 1] as number);
  return strides;
}

/** Flat places: for each element of `dims`, `offset` plus its index along each axis times that axis's `strides`. */
export function places(dims: readonly number[], strides: readonly number[], offset = 0): Int32Array {
  const result = new Int32Array(sizeOf(dims));
  const at = Array<number>(dims.length).fill(0);
  let place = offset;
  for (let i = 0; i < result.length; i++) {
    result[i] = place;
    for (let axis = dims.length - 1; axis >= 0; axis--) {
      place += strides[axis] as number;
      at[axis] = (at[axis] as number) + 1;
      if ((at[axis] as number) < (dims[axis] as number)) break;
      place -= (strides[axis] as number) * (dims[axis] as number);
      at[axis] = 0;
    }
  }
  return result;
}

/** Elements by their flat places; those at -1 are `fill`, or zero. */
export function pick(tensor: Tensor, dims: readonly number[], from: Int32Array, fill?: Tensor): Tensor {
  const { type } = tensor;
  if (type === 'string') {
    const data = tensor.data as readonly string[];
    return { type, dims, data: Array.from(from, (i) => data[i] ?? '') };
  }
  const source = tensor.data as NumericArray;
  const data = new (arrayClass(type))(from.length);
  const other = fill?.data[0] ?? (big(type) ? 0n : 0);
  for (let i = 0; i < from.length; i++) {
    const place = from[i] as number;
    data[i] = (place < 0 ? other : source[place]) as never;
  }
  return { type, dims, data };
}

/** How a tensor of `from` is read to stand for one of `dims`: no step along what is repeated. */
export function broadcastPlaces(from: readonly number[], dims: readonly number[]): Int32Array {
  const own = stridesOf(from);
  const shift = dims.length - from.length;
  return places(
    dims,
    dims.map((_, i) => (i < shift || from[i - shift] === 1 ? 0 : (own[i - shift] as number))),
  );
}

const truth = (v: boolean) => (v ? 1 : 0);

type Numeric = number | bigint;
/** What the operators mean for numbers; of integers, division and remainder are those of C. */
const arithmetic: Readonly<Record<string, (a: never, b: never) => Numeric>> = {
  Add: (a: number, b: number) => a + b,
  Sub: (a: number, b: number) => a - b,
  Mul: (a: number, b: number) => a * b,
  Max: (a: number, b: number) => (a > b || Number.isNaN(a) ? a : b),
  Min: (a: number, b: number) => (a < b || Number.isNaN(a) ? a : b),
};
const bigMax = (a: bigint, b: bigint) => (a > b ? a : b);
const bigMin = (a: bigint, b: bigint) => (a < b ? a : b);

const compare: Readonly<Record<string, (a: Numeric, b: Numeric) => boolean>> = {
  Equal: (a, b) => a === b,
  Greater: (a, b) => a > b,
  GreaterOrEqual: (a, b) => a >= b,
  Less: (a, b) => a < b,
  LessOrEqual: (a, b) => a <= b,
  And: (a, b) => Boolean(a) && Boolean(b),
  Or: (a, b) => Boolean(a) || Boolean(b),
  Xor: (a, b) => Boolean(a) !== Boolean(b),
};

function binaryOf(op: string, type: DataType, fmod: boolean): ((a: never, b: never) => Numeric) | undefined {
  const integer = type !== 'float64' && type !== 'float32';
  if (big(type)) {
    const table: Record<string, (a: bigint, b: bigint) => bigint> = {
      Max: bigMax,
      Min: bigMin,
      Div: (a, b) => (b === 0n ? fail('an integer is divided by zero') : a / b),
      Mod: (a, b) => (b === 0n ? fail('an integer is divided by zero') : fmod ? a % b : ((a % b) + b) % b),
      Pow: (a, b) => (b < 0n ? fail('an integer has a negative exponent') : a ** b),
    };
    return (table[op] as (a: never, b: never) => Numeric) ?? arithmetic[op];
  }
  const table: Record<string, (a: number, b: number) => number> = {
    Div: (a, b) => (integer ? (b === 0 ? fail('an integer is divided by zero') : Math.trunc(a / b)) : a / b),
    Mod: (a, b) => (fmod ? a % b : a - b * Math.floor(a / b)),
    Pow: (a, b) => a ** b,
    // In 32 bits the product of two numbers may need more than a double holds.
    ...(integer && { Mul: Math.imul }),
  };
  return (table[op] as (a: never, b: never) => Numeric) ?? arithmetic[op];
}

/** Two tensors element by element. @returns undefined when the operator is not one of these */
export function hostBinary(op: string, a: Tensor, b: Tensor, fmod = false): Tensor | undefined {
  const test = compare[op];
  const combine = test ?? binaryOf(op, a.type, fmod);
  if (!combine || a.type === 'float16' || a.type === 'bfloat16') return undefined;
  if (a.type !== b.type && op !== 'Pow') fail(`its inputs are of types ${a.type} and ${b.type}`);
  const dims = broadcast(a.dims, b.dims);
  const [pa, pb] = [broadcastPlaces(a.dims, dims), broadcastPlaces(b.dims, dims)];
  const [x, y] = [a.data, b.data];
  if (test) {
    const data = Uint8Array.from(pa, (p, i) => truth(test(x[p] as number, y[pb[i] as number] as number)));
    return { type: 'bool', dims, data };
  }
  const data = new (arrayClass(a.type))(pa.length);
  const exponent = big(a.type) ? BigInt : Number;
  for (let i = 0; i < data.length; i++) {
    const right = y[pb[i] as number];
    data[i] = combine(
      x[pa[i] as number] as never,
      (op === 'Pow' ? exponent(right as number) : right) as never,
    ) as never;
  }
  return { type: a.type, dims, data };
}

const unary: Readonly<Record<string, (v: number) => number>> = {
  Abs: Math.abs,
  Neg: (v) => -v,
  Sign: Math.sign,
  Relu: (v) => Math.max(v, 0),
  Exp: Math.exp,
  Log: Math.log,
  Sqrt: Math.sqrt,
  Reciprocal: (v) => 1 / v,
  Floor: Math.floor,
  Ceil: Math.ceil,
  Sin: Math.sin,
  Cos: Math.cos,
  Tanh: Math.tanh,
  Sigmoid: (v) => 1 / (1 + Math.exp(-v)),
};
const bigUnary: Readonly<Record<string, (v: bigint) => bigint>> = {
  Abs: (v) => (v < 0n ? -v : v),
  Neg: (v) => -v,
  Sign: (v) => (v > 0n ? 1n : v < 0n ? -1n : 0n),
};

/** A tensor element by element. @returns undefined when the operator is not one of these */
export function hostUnary(op: string, { type, dims, data }: Tensor): Tensor | undefined {
  if (op === 'Not') return { type, dims, data: Uint8Array.from(data as Uint8Array, (v) => truth(v === 0)) };
  const f = big(type) ? bigUnary[op] : type === 'float16' || type === 'bfloat16' ? undefined : unary[op];
  if (!f) return undefined;
  const result = new (arrayClass(type))(data.length);
  for (let i = 0; i < data.length; i++) result[i] = (f as (v: never) => Numeric)(data[i] as never) as never;
  return { type, dims, data: result };
}

/** The elements as another type, as C converts them. @returns undefined when that type is not made here */
export function hostCast({ type, dims, data }: Tensor, to: DataType): Tensor | undefined {
  if (type === to) return { type, dims, data };
  if ([type, to].some((t) => t === 'string' || t.startsWith('opaque')) || to === 'float16' || to === 'bfloat16') {
    return undefined;
  }
  const decode = type === 'float16' ? fromFloat16 : type === 'bfloat16' ? fromBfloat16 : undefined;
  const result = new (arrayClass(to))(data.length);
  const whole = to !== 'float32' && to !== 'float64';
  for (let i = 0; i < data.length; i++) {
    const raw = data[i] as number | bigint;
    const value = decode ? decode(Number(raw)) : raw;
    if (to === 'bool') result[i] = truth(Number(value) !== 0) as never;
    else if (big(to)) result[i] = (typeof value === 'bigint' ? value : toBig(value)) as never;
    else if (typeof value === 'bigint') result[i] = (whole ? Number(BigInt.asIntN(32, value)) : Number(value)) as never;
    else result[i] = (whole ? Math.trunc(value) : value) as never;
  }
  return { type: to, dims, data: result };
}

const toBig = (v: number) => (Number.isFinite(v) ? BigInt(Math.trunc(v)) : -(2n ** 63n));
