/**
 * A GraphBuilder that knows the shape of every value it writes, with the further operations that gradients are made of.
 * Shapes are static: a training graph has one batch size. What would change nothing (a reshape to the same shape, a
 * sum over no axis) is not written.
 */
import type { AttributesOf } from './attributes.js';
import { type BinaryOp, GraphBuilder, type Reduction, type UnaryOp } from './builder.js';
import { type DataType, type Graph, type NumericType, type Tensor, tensorOf } from './graph.js';

/** Lengths of the axes of a tensor. */
export type Dims = readonly number[];

/** A builder that knows the dimensions of every value, so that expansions and gradients can be written shape by shape. */
export class Emitter extends GraphBuilder {
  readonly #full = new Map<string, string>();

  /** @param type element type of the loss, in which scalars are written */
  constructor(
    base: Graph,
    prefix: string,
    /** Shapes of all values known so far. */
    readonly shapes: Map<string, Dims>,
    type: NumericType = 'float32',
  ) {
    super(base, prefix, type);
  }

  /** @throws Error when the value was neither observed nor emitted. */
  dims(value: string): Dims {
    const dims = this.shapes.get(value);
    if (!dims) throw new Error(`shape of value '${value}' is not known`);
    return dims;
  }

  /** The number of axes of a value. */
  rank(value: string): number {
    return this.dims(value).length;
  }

  /** The number that a constant of one element holds. */
  known(value: string): number | undefined {
    const tensor = this.constantOf(value);
    return tensor?.data.length === 1 ? Number(tensor.data[0]) : undefined;
  }

  #shaped(name: string, dims: Dims): string {
    this.shapes.set(name, dims);
    return name;
  }

  /** A fresh value of a known shape, for a node that is added by hand. */
  value(hint: string, dims: Dims): string {
    return this.#shaped(this.fresh(`${this.prefix}.${hint}`), dims);
  }

  /** Adds a node of any operator whose one output has the shape `dims`. */
  emit<Op extends string, Domain extends string = ''>(
    op: Op,
    inputs: readonly string[],
    dims: Dims,
    attributes?: AttributesOf<Op, Domain>,
    domain?: Domain,
  ): string {
    const output = this.value(op, dims);
    this.node(op, inputs, [output], attributes, domain);
    return output;
  }

  override constant(tensor: Tensor, hint?: string): string {
    return this.#shaped(super.constant(tensor, hint), tensor.dims);
  }

  /** Constant of the loss's element type. */
  numbers(dims: Dims, values: ArrayLike<number>): string {
    return this.constant(tensorOf(this.type, dims, values));
  }

  /** Tensor filled with one value, stored as one element. */
  full(dims: Dims, value: number): string {
    if (dims.length === 0) return this.scalar(value);
    const key = `${dims} ${value}`;
    const name = this.#full.get(key) ?? this.emit('Expand', [this.scalar(value), this.ints(dims)], dims);
    this.#full.set(key, name);
    return name;
  }

  /** A tensor of zeros. */
  zeros(dims: Dims): string {
    return this.full(dims, 0);
  }

  override unary<Op extends UnaryOp>(op: Op, x: string, attributes?: AttributesOf<Op>, hint?: string): string {
    return this.#shaped(super.unary(op, x, attributes, hint), this.dims(x));
  }

  override binary(op: BinaryOp, a: string, b: string, hint?: string): string {
    return this.#shaped(super.binary(op, a, b, hint), broadcast(this.dims(a), this.dims(b)));
  }

  override where(condition: string, a: string, b: string): string {
    const dims = broadcast(this.dims(condition), broadcast(this.dims(a), this.dims(b)));
    return this.#shaped(super.where(condition, a, b), dims);
  }

  override cast(x: string, type: DataType): string {
    return this.#shaped(super.cast(x, type), this.dims(x));
  }

  /** 1 where the boolean value holds, else 0. */
  toFloat(condition: string): string {
    return this.cast(condition, this.type);
  }

  override reshape(x: string, dims: Dims, hint?: string): string {
    return sameDims(this.dims(x), dims) ? x : this.#shaped(super.reshape(x, dims, hint), dims);
  }

  override transpose(x: string, perm: readonly number[], hint?: string): string {
    if (perm.every((p, i) => p === i)) return x;
    const from = this.dims(x);
    const dims = perm.map((p) => from[p] as number);
    return this.#shaped(super.transpose(x, perm, hint), dims);
  }

  /** Swaps the last two axes. */
  transposeLast(x: string): string {
    const n = this.rank(x);
    return this.transpose(x, [...Array(n - 2).keys(), n - 1, n - 2]);
  }

  override reduce(op: Reduction, x: string, axes: readonly number[], keep = false): string {
    if (axes.length === 0) return x;
    const from = this.dims(x);
    const dims = keep ? from.map((d, i) => (axes.includes(i) ? 1 : d)) : from.filter((_, i) => !axes.includes(i));
    return this.#shaped(super.reduce(op, x, axes, keep), dims);
  }

  /** Sums over the axes along which `dims` was broadcast to the shape of `x`. */
  sumTo(x: string, dims: Dims): string {
    const from = this.dims(x);
    if (sameDims(from, dims)) return x;
    const lead = from.length - dims.length;
    const axes = from.flatMap((d, i) => (i < lead || (dims[i - lead] === 1 && d !== 1) ? [i] : []));
    return this.reshape(this.sum(x, axes), dims);
  }

  /** A value broadcast to these dimensions. */
  expand(x: string, dims: Dims): string {
    return sameDims(this.dims(x), dims) ? x : this.emit('Expand', [x, this.ints(dims)], dims);
  }

  override gemm(a: string, b: string, options: { transA?: boolean; transB?: boolean; bias?: string } = {}): string {
    const [a0, a1] = this.dims(a) as [number, number];
    const [b0, b1] = this.dims(b) as [number, number];
    return this.#shaped(super.gemm(a, b, options), [options.transA ? a1 : a0, options.transB ? b0 : b1]);
  }

  override matmul(a: string, b: string, hint?: string): string {
    const [da, db] = [this.dims(a), this.dims(b)];
    const batch = broadcast(da.slice(0, -2), db.slice(0, -2));
    return this.#shaped(super.matmul(a, b, hint), [...batch, da.at(-2) as number, db.at(-1) as number]);
  }

  override gather(x: string, indices: string, axis: number, hint?: string): string {
    const dims = this.dims(x);
    const found = [...dims.slice(0, axis), ...this.dims(indices), ...dims.slice(axis + 1)];
    return this.#shaped(super.gather(x, indices, axis, hint), found);
  }

  override softmax(x: string, axis: number, hint?: string): string {
    return this.#shaped(super.softmax(x, axis, hint), this.dims(x));
  }

  /** A range of an axis. @param end is left out */
  slice(x: string, axis: number, start: number, end: number, step = 1): string {
    if (start === 0 && step === 1 && end === this.dims(x)[axis]) return x;
    const dims = this.dims(x).map((d, i) => (i === axis ? Math.ceil((end - start) / step) : d));
    return this.emit('Slice', [x, this.ints([start]), this.ints([end]), this.ints([axis]), this.ints([step])], dims);
  }

  override concat(parts: readonly string[], axis: number): string {
    if (parts.length === 1) return parts[0] as string;
    const dims = [...this.dims(parts[0] as string)];
    dims[axis] = parts.reduce((sum, p) => sum + (this.dims(p)[axis] as number), 0);
    return this.#shaped(super.concat(parts, axis), dims);
  }

  /** Zero padding; negative counts crop. */
  pad(x: string, begin: readonly number[], end: readonly number[]): string {
    if (begin.every((p) => p === 0) && end.every((p) => p === 0)) return x;
    const dims = this.dims(x).map((d, i) => d + (begin[i] as number) + (end[i] as number));
    return this.emit('Pad', [x, this.ints([...begin, ...end])], dims);
  }
}

/** Whether two tensors have the same dimensions. */
export function sameDims(a: Dims, b: Dims): boolean {
  return a.length === b.length && a.every((d, i) => d === b[i]);
}

/** Shape of an elementwise result under ONNX (numpy) broadcasting. */
function broadcast(a: Dims, b: Dims): Dims {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i) => {
    const da = a[i - rank + a.length] ?? 1;
    const db = b[i - rank + b.length] ?? 1;
    return da === 1 ? db : da;
  });
}

/** An axis counted from the front; negative ones count from the back. */
export function positiveAxis(axis: number, rank: number): number {
  return axis < 0 ? axis + rank : axis;
}
