/**
 * The blocked layout while a graph is written in it: which values exist in which layout, and the steps between them.
 * See blocked.ts for what it is and why.
 */
import {
  type Dims,
  Emitter,
  type Graph,
  intAttribute,
  type Node,
  numberOfType,
  sameDims,
  sizeOf,
} from '../../../ir/index.js';
import { blockedDomain } from '../names.js';
import { unitWindow, type Window, type WindowAttributes, windowAttributes } from '../window.js';

/** A blocked convolution that is not written yet: an addition or an activation that follows may join it. */
interface Pending {
  readonly inputs: readonly [string, string, string];
  readonly attributes: WindowAttributes;
  readonly dims: Dims;
  readonly sum?: string;
}

/** An activation that a blocked convolution applies to its results. */
export interface Activation {
  readonly activation: string;
  readonly activation_params?: readonly number[];
}

export class BlockedLayout {
  readonly e: Emitter;
  readonly #blocked = new Map<string, string>();
  readonly #pending = new Map<string, Pending>();
  /** Values that exist in plain layout, by the name that holds them. */
  readonly #plain = new Map<string, string>();
  readonly #uses = new Map<string, number>();
  readonly #derived = new Map<string, string>();
  /** Boolean values: the layout's reorders take floats only. */
  readonly #boolean: ReadonlySet<string>;
  /** Indices of pools whose windows tile the image; such pools have no indices in this layout. */
  readonly tiledPools = new Set<string>();

  constructor(
    readonly graph: Graph,
    shapes: Map<string, Dims>,
    /** Channels per block. */
    readonly block: number,
  ) {
    this.e = new Emitter({ ...graph, nodes: [] }, 'blk', shapes);
    this.e.reserve(graph);
    this.e.domain(blockedDomain, 1);
    this.#boolean = booleans(graph);
    for (const { name } of graph.inputs) this.#plain.set(name, name);
    for (const name of graph.constants.keys()) this.#plain.set(name, name);
    for (const node of graph.nodes) for (const i of node.inputs) this.#uses.set(i, (this.#uses.get(i) ?? 0) + 1);
    for (const { name } of graph.outputs) this.#uses.set(name, (this.#uses.get(name) ?? 0) + 2);
  }

  dims(value: string): Dims {
    return this.e.dims(value);
  }

  is4d(value: string): boolean {
    return this.dims(value).length === 4;
  }

  /** Channels of a value in whole blocks. */
  channels(value: string): number {
    return Math.ceil((this.dims(value)[1] as number) / this.block) * this.block;
  }

  /** The shape with channels rounded up to whole blocks. */
  padded(dims: Dims): Dims {
    return dims.map((d, i) => (i === 1 ? Math.ceil(d / this.block) * this.block : d));
  }

  /** (N, C, H, W) as (N C / b, 1, H, W, b), in which whole blocks move along the image's axes. */
  asRows(dims: Dims): Dims {
    const [n, c, h, w] = dims as [number, number, number, number];
    return [(n * c) / this.block, 1, h, w, this.block];
  }

  isBoolean(value: string): boolean {
    return this.#boolean.has(value);
  }

  isBlocked(value: string): boolean {
    return this.#blocked.has(value) || this.#pending.has(value);
  }

  /** The value in plain layout. */
  plain(value: string): string {
    const known = this.#plain.get(value);
    if (known !== undefined) return known;
    const dims = this.dims(value);
    const blocked = this.blocked(value);
    const channels = dims[1] as number;
    let name: string;
    if (sizeOf(dims.slice(2)) === 1 && channels % this.block === 0) name = this.e.reshape(blocked, dims);
    else {
      name = this.#reordered(value, blocked, (v) =>
        this.e.emit('ReorderOutput', [v], dims, { channels }, blockedDomain),
      );
    }
    this.#plain.set(value, name);
    return name;
  }

  /** What a reorder makes of a value in either layout. */
  #reordered(value: string, from: string, reorder: (from: string) => string): string {
    if (!this.isBoolean(value)) return reorder(from);
    return this.e.cast(reorder(this.e.toFloat(from)), 'bool');
  }

  /** The value in blocked layout. */
  blocked(value: string): string {
    const known = this.#blocked.get(value);
    if (known !== undefined) return known;
    const pending = this.#pending.get(value);
    if (pending) return this.#write(value, pending);
    const plain = this.plain(value);
    const dims = this.dims(value);
    const channels = dims[1] as number;
    const name = this.#reordered(value, plain, (v) => {
      // The reorder takes multiples of four.
      const even =
        channels % 4 === 0 ? v : this.e.pad(v, [0, 0, 0, 0], [0, this.block - (channels % this.block), 0, 0]);
      return this.e.emit('ReorderInput', [even], this.padded(dims), {}, blockedDomain);
    });
    this.#blocked.set(value, name);
    return name;
  }

  setBlocked(value: string, name: string): void {
    this.#blocked.set(value, name);
  }

  setPlain(value: string, name: string): void {
    this.#plain.set(value, name);
  }

  /** Something computed from a value once, however often it is asked for. */
  once(key: string, make: () => string): string {
    let name = this.#derived.get(key);
    if (name === undefined) {
      name = make();
      this.#derived.set(key, name);
    }
    return name;
  }

  /** A blocked convolution of image, kernel and, unless '', bias. */
  convolve(inputs: readonly [string, string, string], window: Window, dims: Dims): string {
    const given = inputs.slice(0, inputs[2] ? 3 : 2);
    return this.e.emit('Conv', given, dims, windowAttributes(window), blockedDomain);
  }

  /** Lets `value` be a blocked convolution that is written when it is first read. */
  postpone(value: string, inputs: readonly [string, string, string], window: Window): void {
    this.#pending.set(value, { inputs, attributes: windowAttributes(window), dims: this.padded(this.dims(value)) });
  }

  #write(value: string, p: Pending, activation?: Activation): string {
    this.#pending.delete(value);
    const inputs = p.sum ? [...p.inputs, p.sum] : p.inputs[2] ? p.inputs : p.inputs.slice(0, 2);
    const name = this.e.emit('Conv', inputs, p.dims, { ...p.attributes, ...activation }, blockedDomain);
    this.#blocked.set(value, name);
    return name;
  }

  /** The convolution that is still to be written for `value` when nothing else reads it. */
  #joinable(value: string): Pending | undefined {
    return this.#uses.get(value) === 1 ? this.#pending.get(value) : undefined;
  }

  /** Lets an addition join the convolution of one of its operands; false where none can be joined. */
  joinSum(node: Node): boolean {
    const i = node.inputs.findIndex((v) => {
      const pending = this.#joinable(v);
      return pending !== undefined && pending.sum === undefined;
    });
    if (i < 0 || node.inputs[0] === node.inputs[1]) return false;
    const from = node.inputs[i] as string;
    const other = node.inputs[1 - i] as string;
    // A single number is no map.
    if (!sameDims(this.dims(other), this.dims(from))) return false;
    const pending = this.#pending.get(from) as Pending;
    const sum = this.blocked(other);
    this.#pending.delete(from);
    this.#pending.set(node.outputs[0] as string, { ...pending, sum });
    return true;
  }

  /** Lets an activation join the convolution of its operand; false where it cannot be joined. */
  joinActivation(node: Node, activation: Activation): boolean {
    const from = node.inputs[0] as string;
    const pending = this.#joinable(from);
    if (!pending) return false;
    const name = this.#write(from, pending, activation);
    this.#blocked.delete(from);
    this.#blocked.set(node.outputs[0] as string, name);
    return true;
  }

  /** Writes an elementwise node on blocked operands; false where no operand is blocked or shapes differ. */
  pointwise(node: Node): boolean {
    const y = node.outputs[0] as string;
    const inputs = node.inputs.map((i) => (this.#isScalar(i) ? i && this.plain(i) : this.blocked(i)));
    const name = this.e.value(node.op, this.padded(this.dims(y)));
    this.e.append({ ...node, inputs, outputs: [name] });
    this.#blocked.set(y, name);
    return true;
  }

  /** Whether an elementwise node has blocked operands, all of the result's shape but for single numbers. */
  isPointwise(node: Node): boolean {
    const dims = this.dims(node.outputs[0] as string);
    if (dims.length !== 4 || !node.inputs.some((i) => i && this.isBlocked(i))) return false;
    return node.inputs.every((i) => this.#isScalar(i) || sameDims(this.dims(i), dims));
  }

  #isScalar(value: string): boolean {
    return value === '' || sizeOf(this.dims(value)) === 1;
  }

  /** Per-channel vector (C) as blocked weights of a depthwise 1 x 1 convolution, zero in padded channels. */
  vector(value: string, dims: Dims): string {
    const plain = this.plain(value);
    const [c] = this.dims(value) as [number];
    const full = Math.ceil(c / this.block) * this.block;
    const even = this.e.pad(plain, [0], [full - c]);
    return this.e.reshape(even, dims.length === 1 ? [full] : [full, 1, 1, 1]);
  }

  /** Sum over examples and positions of x y, (C): a depthwise convolution whose kernel is as large as its input. */
  dots(x: string, y: string): string {
    const [n, , h, w] = this.dims(x) as [number, number, number, number];
    const groups = n * this.channels(x);
    const image = this.e.reshape(this.blocked(x), [1, groups, h, w]);
    const kernel = this.e.reshape(this.blocked(y), [groups, 1, h, w]);
    const window = { ...unitWindow(groups), kernel: [h, w] };
    return this.#overBatch(this.convolve([image, kernel, ''], window, [1, groups, 1, 1]), this.dims(x)[1] as number);
  }

  /** Sum over examples and positions, (C). */
  sums(x: string): string {
    const [n, , h, w] = this.dims(x) as [number, number, number, number];
    const rows = this.e.reshape(this.blocked(x), [(n * this.channels(x)) / this.block, h * w, this.block]);
    return this.#overBatch(this.e.sum(rows, [1]), this.dims(x)[1] as number);
  }

  /** Sums a blocked (N, C, 1, 1)-sized value over N to the C true channels. */
  #overBatch(value: string, channels: number): string {
    const full = Math.ceil(channels / this.block) * this.block;
    const n = sizeOf(this.dims(value)) / full;
    const sum = this.e.sum(this.e.reshape(value, [n, full]), [0]);
    return this.e.slice(sum, 0, 0, channels);
  }
}

const comparisons = new Set([
  'Equal',
  'Greater',
  'GreaterOrEqual',
  'Less',
  'LessOrEqual',
  'And',
  'Or',
  'Xor',
  'Not',
  'IsInf',
  'IsNaN',
]);
const moves = new Set(['Identity', 'Reshape', 'Transpose', 'Slice', 'Expand', 'Squeeze', 'Unsqueeze', 'Flatten']);

function booleans(graph: Graph): Set<string> {
  const found = new Set(graph.inputs.filter((v) => v.type === 'bool').map((v) => v.name));
  for (const [name, { type }] of graph.constants) if (type === 'bool') found.add(name);
  for (const node of graph.nodes) {
    const isMoved = moves.has(node.op) && found.has(node.inputs[0] ?? '');
    const isCast = node.op === 'Cast' && intAttribute(node, 'to', 0) === numberOfType('bool');
    if (comparisons.has(node.op) || isMoved || isCast) for (const name of node.outputs) found.add(name);
  }
  return found;
}
