/**
 * A GraphModel of TensorFlow.js while it is written: operations, weights, and where each value of the network lies.
 * Images lie channels-last (N, H, W, C) from the first convolution on, as TensorFlow.js wants them; a value is turned when an
 * operator needs the other order, once.
 */
import { UserError } from '../../base/index.js';
import { float32, type Node, nodeLabel, permutedTensor, sizeOf, type Tensor, toNumbers } from '../../ir/index.js';
import type { StaticGraph } from '../specialise.js';

export type Layout = 'plain' | 'last';

/** From (N, C, H, W) to (N, H, W, C), and back. */
export const toLast = [0, 2, 3, 1];
export const toPlain = [0, 3, 1, 2];

/** An attribute as TensorFlow's messages write it. */
type Attr =
  | { readonly s: string }
  | { readonly f: number }
  | { readonly b: boolean }
  | { readonly type: 'DT_FLOAT' | 'DT_INT32' }
  | { readonly i: string }
  | { readonly list: { readonly i: readonly string[] } }
  | { readonly shape: Shape };
interface Shape {
  readonly dim: readonly { readonly size: string }[];
}
export interface Operation {
  readonly name: string;
  readonly op: string;
  readonly input: readonly string[];
  readonly attr: Readonly<Record<string, Attr>>;
}
export interface Weight {
  readonly name: string;
  readonly dims: readonly number[];
  readonly data: Tensor['data'];
}

/** Strings are written in base64, whole numbers as text. */
export const attr = {
  text: (value: string): Attr => ({ s: Buffer.from(value).toString('base64') }),
  real: (value: number): Attr => ({ f: value }),
  flag: (value: boolean): Attr => ({ b: value }),
  ints: (values: readonly number[]): Attr => ({ list: { i: values.map(String) } }),
};

const shapeOf = (dims: readonly number[]): Shape => ({ dim: dims.map((d) => ({ size: String(d) })) });
const isFloat = (type: string | undefined) => type === 'float32' || type === 'float64';

export class GraphModelWriter {
  readonly operations: Operation[] = [];
  readonly weights: Weight[] = [];
  readonly #places = new Map<string, Map<Layout, string>>();
  readonly #taken = new Set<string>();
  readonly #shared = new Map<string, string>();

  constructor(readonly network: StaticGraph) {}

  /** @throws UserError that names the node and what cannot be written */
  fail(node: Node, what: string): never {
    throw new UserError(`${nodeLabel(node)} ${what}: TensorFlow.js has no form of it that toehold writes`);
  }

  dims(value: string): readonly number[] {
    return this.network.dims(value) ?? [];
  }

  constant(value: string | undefined): Tensor | undefined {
    return value === undefined ? undefined : this.network.graph.constants.get(value);
  }

  /** The numbers of an input that must be known. */
  known(node: Node, at: number): number[] | undefined {
    const name = node.inputs[at];
    if (!name) return undefined;
    return toNumbers(this.constant(name) ?? this.fail(node, `computes its input ${at} from the image`));
  }

  /** A float constant of the network, as single precision. */
  parameter(node: Node, at: number): Float32Array {
    return Float32Array.from(this.known(node, at) ?? this.fail(node, `has no input ${at}`));
  }

  /** The image: a value of four dims is read as the page gives it, (N, H, W, C). */
  placeholder(value: string): { readonly name: string; readonly shape: readonly number[] } {
    const dims = this.dims(value);
    const layout = dims.length === 4 && dims[1] === 3 && dims[3] !== 3 ? 'last' : 'plain';
    const given = layout === 'last' ? toLast.map((i) => dims[i] as number) : dims;
    const name = this.#fresh(value);
    const attrs: Record<string, Attr> = { dtype: { type: 'DT_FLOAT' }, shape: { shape: shapeOf(given) } };
    this.operations.push({ name, op: 'Placeholder', input: [], attr: attrs });
    this.place(value, name, layout);
    return { name, shape: given };
  }

  /** Adds an operation. @param hint of its name, which is the value's where it makes one */
  op(op: string, input: readonly string[], attrs: Readonly<Record<string, Attr>> = {}, hint = op): string {
    const name = this.#fresh(hint);
    this.operations.push({ name, op, input, attr: { T: { type: 'DT_FLOAT' }, ...attrs } });
    return name;
  }

  /** Says that an operation's output is a value of the network. */
  place(value: string, operation: string, layout: Layout = 'plain'): void {
    const places = this.#places.get(value) ?? new Map<Layout, string>();
    this.#places.set(value, places.set(layout, operation));
  }

  /** Where a value lies already. */
  placed(value: string, layout: Layout): string | undefined {
    return this.#places.get(value)?.get(layout);
  }

  /** Images that an operation made channels-last. */
  prefersLast(value: string): boolean {
    return this.dims(value).length === 4 && this.placed(value, 'last') !== undefined;
  }

  /** The operation that gives a value, in the layout asked for; values of less than four dims broadcast to an image. */
  in(layout: Layout, node: Node, value: string): string {
    const at = this.placed(value, layout);
    if (at !== undefined) return at;
    const constant = this.constant(value);
    const dims = this.dims(value);
    let made: string;
    if (constant) {
      if (!isFloat(constant.type)) this.fail(node, `reads numbers of type ${constant.type}`);
      const padded = layout === 'last' ? [...Array<number>(4 - dims.length).fill(1), ...dims] : [...dims];
      const data = Float32Array.from(toNumbers(constant));
      made =
        layout === 'last' && sizeOf(dims) > 1
          ? this.weight(permutedTensor(float32(padded, data), toLast), value)
          : this.weight({ dims: layout === 'last' && sizeOf(dims) === 1 ? [] : padded, data }, value);
    } else if (layout === 'last') {
      const padded = [...Array<number>(4 - dims.length).fill(1), ...dims];
      const wide =
        dims.length < 4 ? this.reshape(this.in('plain', node, value), padded) : this.in('plain', node, value);
      made = this.transpose(wide, toLast);
    } else {
      made = this.transpose(
        this.placed(value, 'last') ?? this.fail(node, `reads '${value}', which nothing makes`),
        toPlain,
      );
    }
    this.place(value, made, layout);
    return made;
  }

  reshape(from: string, dims: readonly number[], hint?: string): string {
    return this.op('Reshape', [from, this.ints(dims)], {}, hint ?? `${from}/reshape`);
  }
  transpose(from: string, perm: readonly number[], hint?: string): string {
    return this.op('Transpose', [from, this.ints(perm)], { Tperm: { type: 'DT_INT32' } }, hint ?? `${from}/transpose`);
  }

  weight({ dims, data }: { dims: readonly number[]; data: Tensor['data'] }, hint: string): string {
    const name = this.#fresh(hint);
    const type = { type: data instanceof Int32Array ? 'DT_INT32' : 'DT_FLOAT' } as const;
    this.operations.push({ name, op: 'Const', input: [], attr: { dtype: type } });
    this.weights.push({ name, dims, data });
    return name;
  }
  scalar(value: number): string {
    return this.#once(`scalar/${value}`, (hint) => this.weight({ dims: [], data: Float32Array.of(value) }, hint));
  }
  ints(values: readonly number[], dims: readonly number[] = [values.length]): string {
    const key = `ints/${values.join('_') || 'none'}${dims.length === 0 ? '/one' : ''}`;
    return this.#once(key, (hint) => this.weight({ dims, data: Int32Array.from(values) }, hint));
  }

  #once(key: string, make: (hint: string) => string): string {
    const name = this.#shared.get(key) ?? make(key);
    this.#shared.set(key, name);
    return name;
  }

  /** TensorFlow's names hold letters, digits and _ . / - only; a colon would mean an operation's second output. */
  #fresh(hint: string): string {
    const plain = hint.replace(/[^A-Za-z0-9_./-]/g, '_').replace(/^[^A-Za-z0-9.]/, 'v$&');
    let name = plain;
    for (let i = 1; this.#taken.has(name); i++) name = `${plain}_${i}`;
    this.#taken.add(name);
    return name;
  }
}

/** Writes a node; its inputs are placed. */
export type Write = (w: GraphModelWriter, node: Node) => void;

export const first = (node: Node) => node.inputs[0] as string;
export const result = (node: Node) => node.outputs[0] as string;
export const positive = (axis: number, rank: number) => (axis < 0 ? axis + rank : axis);
