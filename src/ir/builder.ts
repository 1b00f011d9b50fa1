/**
 * Writes graphs: adds nodes and constants to an existing graph (or an empty one) under fresh, reproducible names. Every
 * method that adds a value returns its name. The one vocabulary for it: rooms above may add words of their own to it
 * (the gradient's Emitter adds shapes, the architectures' builder layers), not write beside it.
 *
 * @example
 * const b = new GraphBuilder();
 * const x = b.input('x', 'float32', [null, 4]);
 * b.output(b.relu(b.matmul(x, b.constant(float32([4, 2], weights)))), 'y');
 * const graph = b.build();
 */
import { type AnyAttributes, type AttributesOf, kindsOf, withKinds } from './attributes.js';
import { numberOfType } from './element-type.js';
import type { DataType, Graph, Node, NumericType, Tensor, ValueInfo } from './graph.js';
import { int64, tensorOf } from './graph.js';

/** The operator set that toehold writes; ops are used in forms valid from here to the current set. */
export const OPSET = 18;

/** Operators of one tensor, element by element. */
export type UnaryOp =
  | 'Abs'
  | 'Cos'
  | 'Erf'
  | 'Exp'
  | 'Log'
  | 'Neg'
  | 'Reciprocal'
  | 'Relu'
  | 'Sigmoid'
  | 'Sign'
  | 'Sin'
  | 'Softplus'
  | 'Sqrt'
  | 'Tanh'
  | 'HardSigmoid';
/** Operators of two tensors, element by element, with broadcasting. */
export type BinaryOp = 'Add' | 'Sub' | 'Mul' | 'Div' | 'Pow' | 'Max' | 'Min' | 'Equal' | 'Greater' | 'Less' | 'And';
/** Operators that reduce axes. */
export type Reduction =
  | 'ReduceSum'
  | 'ReduceMean'
  | 'ReduceMax'
  | 'ReduceMin'
  | 'ReduceProd'
  | 'ReduceL1'
  | 'ReduceL2'
  | 'ReduceLogSum'
  | 'ReduceLogSumExp'
  | 'ReduceSumSquare';

/** Builds a graph node by node; every method returns the name of the value that it adds. */
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
    /** Of the names of what is added. */
    readonly prefix = 'th',
    /** Element type of inputs and scalars that do not say theirs. */
    readonly type: NumericType = 'float32',
  ) {
    this.#name = base?.name ?? 'toehold';
    this.#inputs = [...(base?.inputs ?? [])];
    this.#outputs = [...(base?.outputs ?? [])];
    this.#nodes = [...(base?.nodes ?? [])];
    this.#constants = new Map(base?.constants);
    this.#opsets = new Map(base?.opsets ?? [['', OPSET]]);
    this.#metadata = new Map(base?.metadata);
    for (const v of this.#inputs) this.#taken.add(v.name);
    if (base) this.reserve(base);
  }

  /** An empty graph whose inputs and scalars are of `type`. */
  static of(type: NumericType): GraphBuilder {
    return new GraphBuilder(undefined, undefined, type);
  }

  /** Starts with everything of `graph` but its nodes, for passes that write it anew node by node: all names are taken. */
  static rewriting(graph: Graph, prefix?: string): GraphBuilder {
    const builder = new GraphBuilder({ ...graph, nodes: [] }, prefix);
    builder.reserve(graph);
    return builder;
  }

  /**
   * Takes the names of what `graph` computes and holds, whether its nodes are written or still to be written. Those of
   * bodies too: a name means the same value in a body and around it.
   */
  reserve(graph: Graph): void {
    for (const name of graph.constants.keys()) this.#taken.add(name);
    for (const node of graph.nodes) this.#reserveNode(node);
  }

  #reserveNode(node: Node): void {
    for (const name of node.outputs) if (name) this.#taken.add(name);
    for (const a of Object.values(node.attributes)) {
      if (a.kind !== 'graph') continue;
      for (const { name } of a.value.inputs) this.#taken.add(name);
      this.reserve(a.value);
    }
  }

  /** A name that no value has yet: `hint` itself when free. */
  fresh(hint: string): string {
    let name = hint;
    for (let i = 1; this.#taken.has(name); i++) name = `${hint}.${i}`;
    this.#taken.add(name);
    return name;
  }

  // Inputs, outputs, constants.

  /** Adds an input. @throws when the name is taken */
  input(name: string, type: DataType = this.type, shape?: ValueInfo['shape']): string {
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

  /** Adds a constant under a fresh name. */
  constant(tensor: Tensor, hint = `${this.prefix}.const`): string {
    const name = this.fresh(hint);
    this.#constants.set(name, tensor);
    return name;
  }

  /** The constant of that name, where there is one. */
  constantOf(name: string): Tensor | undefined {
    return this.#constants.get(name);
  }

  /** One-dimensional int64 constant (axes, shapes, starts ...); equal ones are shared. */
  ints(values: readonly number[]): string {
    return this.#share(`ints ${values.join(',')}`, () => int64(values));
  }

  /** Scalar constant; equal ones are shared. */
  scalar(value: number, type: NumericType = this.type): string {
    return this.#share(`${type} ${value}`, () => tensorOf(type, [], [value]));
  }

  #share(key: string, make: () => Tensor): string {
    let name = this.#shared.get(key);
    if (name === undefined) {
      name = this.constant(make());
      this.#shared.set(key, name);
    }
    return name;
  }

  // Nodes of any operator.

  /** Adds a node with one output and returns that output's name. */
  op<Op extends string>(op: Op, inputs: readonly string[], attributes?: AttributesOf<Op>, hint?: string): string {
    return this.ops(op, inputs, 1, attributes, hint)[0] as string;
  }

  /** `op` for an operator of another domain, which must be declared (see domain). */
  opIn<Op extends string, Domain extends string>(
    domain: Domain,
    op: Op,
    inputs: readonly string[],
    attributes?: AttributesOf<Op, Domain>,
  ): string {
    const output = this.fresh(`${this.prefix}.${op}`);
    this.node(op, inputs, [output], attributes, domain);
    return output;
  }

  /** Adds a node with `count` outputs and returns their names. */
  ops<Op extends string>(
    op: Op,
    inputs: readonly string[],
    count: number,
    attributes?: AttributesOf<Op>,
    hint?: string,
  ): string[] {
    const base = hint ?? `${this.prefix}.${op}`;
    const outputs = Array.from({ length: count }, () => this.fresh(base));
    this.node(op, inputs, outputs, attributes);
    return outputs;
  }

  /** Adds a node whose output names are given ('' leaves an optional output out). */
  node<Op extends string, Domain extends string = ''>(
    op: Op,
    inputs: readonly string[],
    outputs: readonly string[],
    attributes?: AttributesOf<Op, Domain>,
    domain?: Domain,
  ): void {
    const given: AnyAttributes = attributes ?? {};
    const kinds = kindsOf(op, domain ?? '');
    this.append({ op, domain: domain ?? '', name: '', inputs, outputs, attributes: withKinds(given, kinds, op) });
  }

  /** Adds a node as it stands. */
  append(node: Node): void {
    this.#reserveNode(node);
    this.#nodes.push(node);
  }

  // The vocabulary: the operators that graphs are mostly made of.

  /** An operator of one tensor. */
  unary<Op extends UnaryOp>(op: Op, x: string, attributes?: AttributesOf<Op>, hint?: string): string {
    return this.op(op, [x], attributes, hint);
  }

  /** Elementwise, under numpy's broadcasting. */
  binary(op: BinaryOp, a: string, b: string, hint?: string): string {
    return this.op<string>(op, [a, b], {}, hint);
  }

  /** a + b, broadcast. */
  add(a: string, b: string, hint?: string): string {
    return this.binary('Add', a, b, hint);
  }
  /** a - b, broadcast. */
  sub(a: string, b: string, hint?: string): string {
    return this.binary('Sub', a, b, hint);
  }
  /** a * b, broadcast. */
  mul(a: string, b: string, hint?: string): string {
    return this.binary('Mul', a, b, hint);
  }
  /** a / b, broadcast. */
  div(a: string, b: string, hint?: string): string {
    return this.binary('Div', a, b, hint);
  }
  /** a times a number. */
  scale(a: string, factor: number): string {
    return factor === 1 ? a : this.mul(a, this.scalar(factor));
  }
  /** The square root of every element. */
  sqrt(x: string): string {
    return this.unary('Sqrt', x);
  }
  /** max(x, 0). */
  relu(x: string, hint?: string): string {
    return this.unary('Relu', x, {}, hint);
  }

  /** a where the condition holds, else b; broadcast. */
  where(condition: string, a: string, b: string): string {
    return this.op('Where', [condition, a, b]);
  }

  /** The elements as another type. */
  cast(x: string, type: DataType): string {
    return this.op('Cast', [x], { to: numberOfType(type) });
  }

  /** The matrix product over the last two axes. */
  matmul(a: string, b: string, hint?: string): string {
    return this.op('MatMul', [a, b], {}, hint);
  }

  /** op(a) op(b) (+ bias) of matrices. */
  gemm(a: string, b: string, { transA = false, transB = false, bias = '' } = {}): string {
    return this.op('Gemm', bias ? [a, b, bias] : [a, b], {
      transA: transA ? 1 : undefined,
      transB: transB ? 1 : undefined,
    });
  }

  /** A reduction of axes. @param keep leaves them with length 1 */
  reduce(op: Reduction, x: string, axes: readonly number[], keep = false): string {
    return this.op(op, [x, this.ints(axes)], { keepdims: keep ? 1 : 0 });
  }
  /** The sum over axes. @param keep leaves them with length 1 */
  sum(x: string, axes: readonly number[], keep = false): string {
    return this.reduce('ReduceSum', x, axes, keep);
  }
  /** The mean over axes. @param keep leaves them with length 1 */
  mean(x: string, axes: readonly number[], keep = false): string {
    return this.reduce('ReduceMean', x, axes, keep);
  }

  /** The same elements with other dimensions; -1 is what is left. */
  reshape(x: string, dims: readonly number[], hint?: string): string {
    return this.op('Reshape', [x, this.ints(dims)], {}, hint);
  }

  /** The axes in another order. */
  transpose(x: string, perm: readonly number[], hint?: string): string {
    return this.op('Transpose', [x], { perm }, hint);
  }

  /** Tensors one after the other along an axis. */
  concat(parts: readonly string[], axis: number): string {
    return this.op('Concat', parts, { axis });
  }

  /** The rows, columns ... of `x` that `indices` names. */
  gather(x: string, indices: string, axis: number, hint?: string): string {
    return this.op('Gather', [x, indices], { axis }, hint);
  }

  /** Exponentials along an axis, divided by their sum. */
  softmax(x: string, axis: number, hint?: string): string {
    return this.op('Softmax', [x], { axis }, hint);
  }

  // The graph as a whole.

  /** Adds an entry to the file's metadata. */
  metadata(key: string, value: string): void {
    this.#metadata.set(key, value);
  }

  /** Declares a non-standard operator domain. */
  domain(name: string, version: number): void {
    this.#opsets.set(name, version);
  }

  /** Takes back which values are outputs. */
  clearOutputs(): void {
    this.#outputs.length = 0;
  }

  /** The graph of what was added so far. */
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
