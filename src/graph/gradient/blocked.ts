/**
 * Lowering to onnxruntime's blocked layout on CPUs.
 *
 * The runtime's fast convolutions work on channels in blocks of the vector width, (N, C/b, H, W, b), and it uses them
 * only where weights are constants, which trained weights are not. Its operators of that layout can be written into a
 * graph directly (domain com.microsoft.nchwc: what its offline optimiser saves), with weights brought into blocked
 * order by a small Transpose in each step. The whole network then trains in that layout:
 * - convolutions and their input gradients are blocked convolutions, strided ones by phases of the stride;
 * - a weight gradient is one blocked convolution in which the batch plays the channels and dy the kernel;
 * - a per-channel sum of products (norms, depthwise weights) is a depthwise convolution with dy as its kernel;
 * - a per-channel affine map is a depthwise 1 x 1 convolution that adds a residual and rectifies in the same pass.
 * What has no blocked form falls back to the standard expansion, with reorders in between.
 */
import { floatAttribute, type Graph, GraphBuilder, type Node, sizeOf, toNumbers } from '../../ir/index.js';
import { composites, standard } from './blocked-rules.js';
import { expansionOf } from './composites.js';
import { type Dims, Emitter, sameDims } from './emitter.js';
import { blockedDomain, compositeDomain } from './names.js';
import type { Differentiated } from './reverse.js';
import { type Window, windowAttributes } from './window.js';

/** A blocked convolution that is not written yet: an addition or an activation that follows may join it. */
interface Pending {
  inputs: readonly [string, string, string];
  attributes: Record<string, number | number[]>;
  dims: Dims;
  sum?: string;
}

interface Activation {
  activation: string;
  activation_params?: { kind: 'floats'; value: number[] };
}

export function lowerBlocked({ graph, shapes }: Differentiated, block: number): Graph {
  return new BlockedLowering(graph, shapes, block).run();
}

/** Operators that work on any layout as long as all operands share it, and keep the zeros of padded channels finite. */
const pointwise = new Set(
  'Add Sub Mul Neg Abs Relu LeakyRelu Sigmoid HardSigmoid HardSwish Tanh Clip Sign Softplus Identity Greater Less And Where'.split(
    ' ',
  ),
);

class BlockedLowering {
  readonly e: Emitter;
  readonly #blocked = new Map<string, string>();
  readonly #pending = new Map<string, Pending>();
  /** Values that exist in plain layout, by the name that holds them. */
  readonly #plain = new Map<string, string>();
  readonly #uses = new Map<string, number>();
  readonly #derived = new Map<string, string>();
  /** Indices of pools whose windows tile the image; such pools have no indices in this layout. */
  readonly tiledPools = new Set<string>();

  constructor(
    readonly graph: Graph,
    readonly shapes: Map<string, Dims>,
    readonly block: number,
  ) {
    const b = GraphBuilder.rewriting(graph, 'blk');
    b.domain(blockedDomain, 1);
    this.e = new Emitter(b, shapes);
    for (const { name } of graph.inputs) this.#plain.set(name, name);
    for (const name of graph.constants.keys()) this.#plain.set(name, name);
    for (const node of graph.nodes) for (const i of node.inputs) this.#uses.set(i, (this.#uses.get(i) ?? 0) + 1);
    for (const { name } of graph.outputs) this.#uses.set(name, (this.#uses.get(name) ?? 0) + 2);
  }

  run(): Graph {
    for (const node of this.graph.nodes) if (!this.#lower(node)) this.#fallback(node);
    for (const { name } of this.graph.outputs) {
      const value = this.plain(name);
      if (value !== name) this.e.b.node('Identity', [value], [name]);
    }
    return this.e.b.build();
  }

  #fallback(node: Node): void {
    const inputs = node.inputs.map((i) => (i ? this.plain(i) : i));
    if (node.domain !== compositeDomain) {
      this.e.b.add({ ...node, inputs });
      for (const o of node.outputs) this.#plain.set(o, o);
      return;
    }
    const results = expansionOf(node)(this.e, { ...node, inputs });
    (typeof results === 'string' ? [results] : results).forEach((value, i) => {
      this.#plain.set(node.outputs[i] as string, value);
    });
  }

  dims(value: string): Dims {
    return this.e.dims(value);
  }

  /** Whether nothing but the gradient of its pool reads a pool's indices. */
  onlyForGradient(indices: string): boolean {
    return this.graph.nodes.every((n) => n.op === 'MaxPoolGradient' || !n.inputs.includes(indices));
  }

  channels(value: string): number {
    return Math.ceil((this.dims(value)[1] as number) / this.block) * this.block;
  }

  /** The value's shape with channels rounded up to whole blocks. */
  padded(dims: Dims): Dims {
    return dims.map((d, i) => (i === 1 ? Math.ceil(d / this.block) * this.block : d));
  }

  isBlocked(value: string): boolean {
    return this.#blocked.has(value) || this.#pending.has(value);
  }

  plain(value: string): string {
    const known = this.#plain.get(value);
    if (known !== undefined) return known;
    const dims = this.dims(value);
    const blocked = this.blocked(value);
    const channels = dims[1] as number;
    let name: string;
    if (sizeOf(dims.slice(2)) === 1 && channels % this.block === 0) name = this.e.reshape(blocked, dims);
    else name = this.e.op('ReorderOutput', [blocked], dims, { channels }, blockedDomain);
    this.#plain.set(value, name);
    return name;
  }

  blocked(value: string): string {
    const known = this.#blocked.get(value);
    if (known !== undefined) return known;
    const pending = this.#pending.get(value);
    if (pending) return this.#write(value, pending);
    const plain = this.plain(value);
    const dims = this.dims(value);
    const channels = dims[1] as number;
    // The reorder takes multiples of four.
    const even =
      channels % 4 === 0 ? plain : this.e.pad(plain, [0, 0, 0, 0], [0, this.block - (channels % this.block), 0, 0]);
    const name = this.e.op('ReorderInput', [even], this.padded(dims), {}, blockedDomain);
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

  convolve(inputs: readonly [string, string, string], window: Window, dims: Dims): string {
    return this.e.op('Conv', [...inputs].slice(0, inputs[2] ? 3 : 2), dims, windowAttributes(window), blockedDomain);
  }

  postpone(value: string, inputs: readonly [string, string, string], window: Window): void {
    this.#pending.set(value, { inputs, attributes: windowAttributes(window), dims: this.padded(this.dims(value)) });
  }

  #write(value: string, p: Pending, act: Activation | undefined = undefined): string {
    this.#pending.delete(value);
    const inputs = p.sum ? [...p.inputs, p.sum] : p.inputs[2] ? p.inputs : p.inputs.slice(0, 2);
    const name = this.e.op('Conv', inputs, p.dims, { ...p.attributes, ...act }, blockedDomain);
    this.#blocked.set(value, name);
    return name;
  }

  #lower(node: Node): boolean {
    const handler =
      node.domain === compositeDomain ? composites[node.op] : node.domain === '' ? standard[node.op] : undefined;
    if (handler?.(this, node)) return true;
    return node.domain === '' && pointwise.has(node.op) && this.#pointwise(node);
  }

  /** Elementwise operators stay in the layout of their operands. */
  #pointwise(node: Node): boolean {
    const y = node.outputs[0] as string;
    const dims = this.dims(y);
    if (dims.length !== 4 || !node.inputs.some((i) => i && this.isBlocked(i))) return false;
    const scalar = (i: string) => i === '' || sizeOf(this.dims(i)) === 1;
    if (!node.inputs.every((i) => scalar(i) || sameDims(this.dims(i), dims))) return false;
    if (this.#join(node)) return true;
    const inputs = node.inputs.map((i) => (scalar(i) ? (i ? this.plain(i) : i) : this.blocked(i)));
    const name = this.e.b.fresh(`blk.${node.op}`);
    this.e.b.add({ ...node, inputs, outputs: [name] });
    this.shapes.set(name, this.padded(dims));
    this.#blocked.set(y, name);
    return true;
  }

  /** Lets an addition or activation join the convolution that is its only operand's source. */
  #join(node: Node): boolean {
    const y = node.outputs[0] as string;
    const only = (v: string) => this.#pending.get(v) && this.#uses.get(v) === 1;
    if (node.op === 'Add') {
      const i = node.inputs.findIndex((v) => only(v) && !this.#pending.get(v)?.sum);
      if (i < 0 || node.inputs[0] === node.inputs[1]) return false;
      const from = node.inputs[i] as string;
      const pending = this.#pending.get(from) as Pending;
      const sum = this.blocked(node.inputs[1 - i] as string);
      this.#pending.delete(from);
      this.#pending.set(y, { ...pending, sum });
      return true;
    }
    const act = this.#activation(node);
    const from = node.inputs[0] as string;
    if (!act || !only(from)) return false;
    const name = this.#write(from, this.#pending.get(from) as Pending, act);
    this.#blocked.delete(from);
    this.#blocked.set(y, name);
    return true;
  }

  #activation(node: Node): Activation | undefined {
    if (node.op === 'Relu') return { activation: 'Relu' };
    if (node.op === 'LeakyRelu') {
      return {
        activation: 'LeakyRelu',
        activation_params: { kind: 'floats', value: [floatAttribute(node, 'alpha', 0.01)] },
      };
    }
    if (node.op !== 'Clip') return undefined;
    const bounds = [1, 2].map((i) => this.graph.constants.get(node.inputs[i] ?? ''));
    if (!bounds[0] || !bounds[1]) return undefined;
    return {
      activation: 'Clip',
      activation_params: { kind: 'floats', value: bounds.map((t) => toNumbers(t as never)[0] as number) },
    };
  }

  /** Per-channel vector (C) as blocked weights of a depthwise 1 x 1 convolution, zero in padded channels. */
  vector(value: string, dims: Dims): string {
    const plain = this.plain(value);
    const [c] = this.dims(value) as [number];
    const full = Math.ceil(c / this.block) * this.block;
    const even = this.e.pad(plain, [0], [full - c]);
    return this.e.reshape(even, dims.length === 1 ? [full] : [full, 1, 1, 1]);
  }

  /** Sums a blocked (N, C, 1, 1)-sized value over N to the C true channels. */
  overBatch(value: string, channels: number): string {
    const e = this.e;
    const full = Math.ceil(channels / this.block) * this.block;
    const n = sizeOf(e.dims(value)) / full;
    const sum = e.sum(e.reshape(value, [n, full]), [0]);
    return e.slice(sum, 0, 0, channels);
  }
}

export type Lowering = BlockedLowering;
