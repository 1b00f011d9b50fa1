/**
 * A GraphBuilder that knows the shape of every value it writes, with the handful of operations that gradients are
 * made of. Shapes are static: a training graph has one batch size.
 */
import {
  arrayClass,
  type DataType,
  float32,
  type GraphBuilder,
  int64,
  type NumericArray,
  type NumericType,
  type PlainAttributes,
  sizeOf,
} from '../../ir/index.js';

export type Dims = readonly number[];

export class Emitter {
  readonly #shared = new Map<string, string>();

  constructor(
    readonly b: GraphBuilder,
    /** Shapes of all values known so far. */
    readonly shapes: Map<string, Dims>,
    /** Element type of the loss; scalars are written in it. */
    readonly type: DataType = 'float32',
  ) {}

  /** @throws Error when the value was neither observed nor emitted. */
  dims(value: string): Dims {
    const dims = this.shapes.get(value);
    if (!dims) throw new Error(`shape of value '${value}' is not known`);
    return dims;
  }

  /** The number that a constant of one element holds. */
  known(value: string): number | undefined {
    const tensor = this.b.constantOf(value);
    return tensor?.data.length === 1 ? Number(tensor.data[0]) : undefined;
  }

  rank(value: string): number {
    return this.dims(value).length;
  }

  op(op: string, inputs: readonly string[], dims: Dims, attributes: PlainAttributes = {}, domain = ''): string {
    return this.ops(op, inputs, [dims], attributes, domain)[0] as string;
  }

  ops(
    op: string,
    inputs: readonly string[],
    dims: readonly Dims[],
    attributes: PlainAttributes = {},
    domain = '',
  ): string[] {
    const outputs = dims.map((d) => {
      const name = this.b.fresh(`${this.b.prefix}.${op}`);
      this.shapes.set(name, d);
      return name;
    });
    this.b.node(op, inputs, outputs, attributes, domain);
    return outputs;
  }

  #share(key: string, dims: Dims, make: () => string): string {
    let name = this.#shared.get(key);
    if (name === undefined) {
      name = make();
      this.#shared.set(key, name);
      this.shapes.set(name, dims);
    }
    return name;
  }

  ints(values: readonly number[]): string {
    const name = this.b.ints(values);
    this.shapes.set(name, [values.length]);
    return name;
  }

  int(value: number): string {
    return this.#share(`int ${value}`, [], () => this.b.constant(int64([value], [])));
  }

  /** Constant of the loss's element type. */
  constant(dims: Dims, values: ArrayLike<number>): string {
    const data = (arrayClass(this.type) as typeof Float32Array).from(values) as NumericArray;
    const name = this.b.constant({ type: this.type as NumericType, dims, data });
    this.shapes.set(name, dims);
    return name;
  }

  scalar(value: number): string {
    return this.#share(`scalar ${value}`, [], () =>
      this.type === 'float32' ? this.b.constant(float32([], [value])) : this.constant([], [value]),
    );
  }

  /** Tensor filled with one value, stored as one element. */
  full(dims: Dims, value: number): string {
    if (dims.length === 0) return this.scalar(value);
    return this.#share(`full ${dims} ${value}`, dims, () =>
      this.op('Expand', [this.scalar(value), this.ints(dims)], dims),
    );
  }

  zeros(dims: Dims): string {
    return this.full(dims, 0);
  }

  unary(op: string, x: string, attributes: PlainAttributes = {}): string {
    return this.op(op, [x], this.dims(x), attributes);
  }

  binary(op: string, a: string, b: string): string {
    return this.op(op, [a, b], broadcast(this.dims(a), this.dims(b)));
  }

  add(a: string, b: string): string {
    return this.binary('Add', a, b);
  }
  sub(a: string, b: string): string {
    return this.binary('Sub', a, b);
  }
  mul(a: string, b: string): string {
    return this.binary('Mul', a, b);
  }
  div(a: string, b: string): string {
    return this.binary('Div', a, b);
  }
  scale(a: string, factor: number): string {
    return factor === 1 ? a : this.mul(a, this.scalar(factor));
  }
  where(condition: string, a: string, b: string): string {
    return this.op('Where', [condition, a, b], broadcast(this.dims(condition), broadcast(this.dims(a), this.dims(b))));
  }
  /** 1 where the boolean value holds, else 0. */
  toFloat(condition: string): string {
    return this.op('Cast', [condition], this.dims(condition), { to: this.type === 'float64' ? 11 : 1 });
  }

  reshape(x: string, dims: Dims): string {
    if (sameDims(this.dims(x), dims)) return x;
    return this.op('Reshape', [x, this.ints(dims)], dims);
  }

  transpose(x: string, perm: readonly number[]): string {
    if (perm.every((p, i) => p === i)) return x;
    const from = this.dims(x);
    return this.op(
      'Transpose',
      [x],
      perm.map((p) => from[p] as number),
      { perm },
    );
  }

  /** Swaps the last two axes. */
  transposeLast(x: string): string {
    const n = this.rank(x);
    return this.transpose(x, [...Array(n - 2).keys(), n - 1, n - 2]);
  }

  reduce(op: 'ReduceSum' | 'ReduceMean' | 'ReduceMax', x: string, axes: readonly number[], keep = false): string {
    const from = this.dims(x);
    if (axes.length === 0) return x;
    const dims = keep ? from.map((d, i) => (axes.includes(i) ? 1 : d)) : from.filter((_, i) => !axes.includes(i));
    return this.op(op, [x, this.ints(axes)], dims, { keepdims: keep ? 1 : 0 });
  }

  sum(x: string, axes: readonly number[], keep = false): string {
    return this.reduce('ReduceSum', x, axes, keep);
  }

  mean(x: string, axes: readonly number[], keep = false): string {
    return this.reduce('ReduceMean', x, axes, keep);
  }

  /** Sums over the axes along which `dims` was broadcast to the shape of `x`. */
  sumTo(x: string, dims: Dims): string {
    const from = this.dims(x);
    if (sameDims(from, dims)) return x;
    const lead = from.length - dims.length;
    const axes = from.flatMap((d, i) => (i < lead || (dims[i - lead] === 1 && d !== 1) ? [i] : []));
    return this.reshape(this.sum(x, axes), dims);
  }

  expand(x: string, dims: Dims): string {
    if (sameDims(this.dims(x), dims)) return x;
    return this.op('Expand', [x, this.ints(dims)], dims);
  }

  /** 2-D product op(a) op(b). */
  gemm(a: string, b: string, transA = false, transB = false): string {
    const [a0, a1] = this.dims(a) as [number, number];
    const [b0, b1] = this.dims(b) as [number, number];
    return this.op('Gemm', [a, b], [transA ? a1 : a0, transB ? b0 : b1], {
      transA: transA ? 1 : undefined,
      transB: transB ? 1 : undefined,
    });
  }

  matmul(a: string, b: string): string {
    const da = this.dims(a);
    const db = this.dims(b);
    const batch = broadcast(da.slice(0, -2), db.slice(0, -2));
    return this.op('MatMul', [a, b], [...batch, da.at(-2) as number, db.at(-1) as number]);
  }

  slice(x: string, axis: number, start: number, end: number, step = 1): string {
    const dims = this.dims(x).map((d, i) => (i === axis ? Math.ceil((end - start) / step) : d));
    if (start === 0 && step === 1 && end === this.dims(x)[axis]) return x;
    return this.op('Slice', [x, this.ints([start]), this.ints([end]), this.ints([axis]), this.ints([step])], dims);
  }

  concat(parts: readonly string[], axis: number): string {
    if (parts.length === 1) return parts[0] as string;
    const dims = [...this.dims(parts[0] as string)];
    dims[axis] = parts.reduce((sum, p) => sum + (this.dims(p)[axis] as number), 0);
    return this.op('Concat', parts, dims, { axis });
  }

  /** Zero padding; negative counts crop. */
  pad(x: string, begin: readonly number[], end: readonly number[]): string {
    if (begin.every((p) => p === 0) && end.every((p) => p === 0)) return x;
    const dims = this.dims(x).map((d, i) => d + (begin[i] as number) + (end[i] as number));
    return this.op('Pad', [x, this.ints([...begin, ...end])], dims);
  }
}

export function sameDims(a: Dims, b: Dims): boolean {
  return a.length === b.length && a.every((d, i) => d === b[i]);
}

/** Shape of an elementwise result under ONNX (numpy) broadcasting. */
export function broadcast(a: Dims, b: Dims): Dims {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i) => {
    const da = a[i - rank + a.length] ?? 1;
    const db = b[i - rank + b.length] ?? 1;
    return da === 1 ? db : da;
  });
}

export function positiveAxis(axis: number, rank: number): number {
  return axis < 0 ? axis + rank : axis;
}

export { sizeOf };
