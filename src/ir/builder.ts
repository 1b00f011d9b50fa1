/**
 * Writes graphs: adds nodes and constants to an existing graph (or an empty one) under fresh, reproducible names.
 *
 * @example
 * const b = new GraphBuilder();
 * const x = b.input('x', 'float32', [null, 4]);
 * b.output(b.op('MatMul', [x, b.constant(float32([4, 2], weights))]), 'y');
 * const graph = b.build();
 */
import type { Attribute, DataType, Graph, Node, Tensor, ValueInfo } from './graph.js';
import { float32, int64 } from './graph.js';

/** The operator set that toehold writes; ops are used in forms valid from here to the current set. */
export const OPSET = 18;

type PlainAttribute = number | string | readonly number[] | readonly string[] | Tensor | Attribute;
export type PlainAttributes = Readonly<Record<string, PlainAttribute | undefined>>;

/** Attributes of the standard that are floats even when their value is whole. */
const floatNames = new Set(
  'alpha beta gamma bias epsilon momentum mean scale seed low high cubic_coeff_a extrapolation_value lambd ratio'.split(
    ' ',
  ),
);

function toAttribute(name: string, value: PlainAttribute): Attribute {
  if (typeof value === 'number') {
    return floatNames.has(name) || !Number.isInteger(value) ? { kind: 'float', value } : { kind: 'int', value };
  }
  if (typeof value === 'string') return { kind: 'string', value };
  if (Array.isArray(value)) {
    return typeof value[0] === 'string' ? { kind: 'strings', value } : { kind: 'ints', value };
  }
  if ('kind' in value) return value as Attribute;
  return { kind: 'tensor', value: value as Tensor };
}

export class GraphBuilder {
  readonly #inputs: ValueInfo[];
  readonly #outputs: ValueInfo[];
  readonly #nodes: Node[];
  readonly #constants: Map<string, Tensor>;
  readonly #opsets: Map<string, number>;
  readonly #metadata: Map<string, string>;
  readonly #taken = new Set<string>();
  readonly #shared = new Map<string, string>();
  readonly #name: string;

  constructor(
    base?: Graph,
    readonly prefix = 'th',
  ) {
    this.#name = base?.name ?? 'toehold';
    this.#inputs = [...(base?.inputs ?? [])];
    this.#outputs = [...(base?.outputs ?? [])];
    this.#nodes = [...(base?.nodes ?? [])];
    this.#constants = new Map(base?.constants);
    this.#opsets = new Map(base?.opsets ?? [['', OPSET]]);
    this.#metadata = new Map(base?.metadata);
    for (const v of this.#inputs) this.#taken.add(v.name);
    for (const name of this.#constants.keys()) this.#taken.add(name);
    for (const node of this.#nodes) for (const name of node.outputs) this.#taken.add(name);
  }

  /** Starts with everything of `graph` but its nodes, for passes that write it anew node by node: all names are taken. */
  static rewriting(graph: Graph, prefix?: string): GraphBuilder {
    const builder = new GraphBuilder({ ...graph, nodes: [] }, prefix);
    builder.#reserve(graph);
    return builder;
  }

  #reserve(graph: Graph): void {
    for (const name of graph.constants.keys()) this.#taken.add(name);
    for (const node of graph.nodes) {
      for (const name of node.outputs) this.#taken.add(name);
      for (const a of Object.values(node.attributes)) if (a.kind === 'graph') this.#reserve(a.value);
    }
  }

  /** A name that no value has yet: `hint` itself when free. */
  fresh(hint: string): string {
    let name = hint;
    for (let i = 1; this.#taken.has(name); i++) name = `${hint}.${i}`;
    this.#taken.add(name);
    return name;
  }

  input(name: string, type: DataType = 'float32', shape?: ValueInfo['shape']): string {
    if (this.#taken.has(name)) throw new Error(`value '${name}' exists already`);
    this.#taken.add(name);
    this.#inputs.push({ name, type, shape });
    return name;
  }

  /** Declares `value` as an output, through an Identity when it is to be called otherwise. */
  output(value: string, name = value, type?: DataType, shape?: ValueInfo['shape']): string {
    if (name !== value) this.node('Identity', [value], [name]);
    this.#outputs.push({ name, type, shape });
    return name;
  }

  constant(tensor: Tensor, hint = `${this.prefix}.const`): string {
    const name = this.fresh(hint);
    this.#constants.set(name, tensor);
    return name;
  }

  constantOf(name: string): Tensor | undefined {
    return this.#constants.get(name);
  }

  /** One-dimensional int64 constant (axes, shapes, starts ...); equal ones are shared. */
  ints(values: readonly number[]): string {
    return this.#share(`i${values.join(',')}`, () => int64(values));
  }

  /** Scalar float32 constant; equal ones are shared. */
  scalar(value: number): string {
    return this.#share(`f${value}`, () => float32([], [value]));
  }

  #share(key: string, make: () => Tensor): string {
    let name = this.#shared.get(key);
    if (name === undefined) {
      name = this.constant(make());
      this.#shared.set(key, name);
    }
    return name;
  }

  /** Adds a node with one output and returns that output's name. */
  op(op: string, inputs: readonly string[], attributes: PlainAttributes = {}, hint?: string): string {
    return this.ops(op, inputs, 1, attributes, hint)[0] as string;
  }

  /** `op` for an operator of another domain, which must be declared (see domain). */
  opIn(domain: string, op: string, inputs: readonly string[], attributes: PlainAttributes = {}): string {
    const output = this.fresh(`${this.prefix}.${op}`);
    this.node(op, inputs, [output], attributes, domain);
    return output;
  }

  /** Adds a node with `count` outputs and returns their names. */
  ops(op: string, inputs: readonly string[], count: number, attributes: PlainAttributes = {}, hint?: string): string[] {
    const base = hint ?? `${this.prefix}.${op}`;
    const outputs = Array.from({ length: count }, () => this.fresh(base));
    this.node(op, inputs, outputs, attributes);
    return outputs;
  }

  /** Adds a node whose output names are given ('' leaves an optional output out). */
  node(
    op: string,
    inputs: readonly string[],
    outputs: readonly string[],
    attributes: PlainAttributes = {},
    domain = '',
  ): void {
    const entries = Object.entries(attributes).filter((e): e is [string, PlainAttribute] => e[1] !== undefined);
    this.add({
      op,
      domain,
      name: '',
      inputs,
      outputs,
      attributes: Object.fromEntries(entries.map(([k, v]) => [k, toAttribute(k, v)])),
    });
  }

  add(node: Node): void {
    for (const name of node.outputs) if (name) this.#taken.add(name);
    this.#nodes.push(node);
  }

  metadata(key: string, value: string): void {
    this.#metadata.set(key, value);
  }

  /** Declares a non-standard operator domain. */
  domain(name: string, version: number): void {
    this.#opsets.set(name, version);
  }

  clearOutputs(): void {
    this.#outputs.length = 0;
  }

  build(): Graph {
    return {
      name: this.#name,
      inputs: [...this.#inputs],
      outputs: [...this.#outputs],
      nodes: [...this.#nodes],
      constants: new Map(this.#constants),
      opsets: new Map(this.#opsets),
      metadata: new Map(this.#metadata),
    };
  }
}
