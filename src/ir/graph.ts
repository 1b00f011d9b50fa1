/**
 * The intermediate representation: an ONNX graph as plain immutable data.
 *
 * Everything that toehold does to a network is a function from Graph to Graph; engines compile and run the result.
 * Nodes are in topological order. A value is known by its name; '' stands for an absent optional input or output.
 */

/** Element types that the engines move in and out. Others (int4, float8 ...) are kept as opaque bytes. */
export type DataType =
  | 'float32'
  | 'float64'
  | 'float16'
  | 'bfloat16'
  | 'int8'
  | 'uint8'
  | 'int16'
  | 'uint16'
  | 'int32'
  | 'uint32'
  | 'int64'
  | 'uint64'
  | 'bool'
  | 'string'
  | `opaque${number}`;

/** A typed array that holds a tensor's elements. */
export type NumericArray =
  | Float32Array
  | Float64Array
  | Int8Array
  | Uint8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array;

/** Row-major dense tensor. float16 and bfloat16 hold their bits in a Uint16Array, bool holds 0 or 1 in a Uint8Array. */
export interface Tensor {
  readonly type: DataType;
  readonly dims: readonly number[];
  readonly data: NumericArray | readonly string[];
  /** Of a file's constant that stands in its code (a Constant node), not among its initialisers. */
  readonly literal?: true;
}

/** A setting of a node, with its kind. */
export type Attribute =
  | { readonly kind: 'int'; readonly value: number }
  | { readonly kind: 'float'; readonly value: number }
  | { readonly kind: 'string'; readonly value: string }
  | { readonly kind: 'tensor'; readonly value: Tensor }
  | { readonly kind: 'graph'; readonly value: Graph }
  | { readonly kind: 'ints'; readonly value: readonly number[] }
  | { readonly kind: 'floats'; readonly value: readonly number[] }
  | { readonly kind: 'strings'; readonly value: readonly string[] };

/** One operation: values in, values out. */
export interface Node {
  readonly op: string;
  /** '' is the standard ONNX domain. */
  readonly domain: string;
  readonly name: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: Readonly<Record<string, Attribute>>;
}

/**
 * A declared graph input or output. A string dimension is symbolic, null is unknown; no shape at all is undefined.
 * An output without a type leaves it to the engine to infer.
 */
export interface ValueInfo {
  readonly name: string;
  readonly type?: DataType | undefined;
  readonly shape?: readonly (number | string | null)[] | undefined;
}

/** A network: inputs, constants, nodes in the order of computation, outputs. It is never changed in place. */
export interface Graph {
  readonly name: string;
  /** Inputs that must be fed; constants that also stand among the file's inputs are left out. */
  readonly inputs: readonly ValueInfo[];
  readonly outputs: readonly ValueInfo[];
  readonly nodes: readonly Node[];
  readonly constants: ReadonlyMap<string, Tensor>;
  /** Operator-set version per domain; '' is the standard domain. */
  readonly opsets: ReadonlyMap<string, number>;
  readonly metadata: ReadonlyMap<string, string>;
}

/** What is known of a value after the graph was run once (see observe). */
export interface ObservedValue {
  readonly type: DataType;
  readonly dims: readonly number[];
}

const arrayTypes = {
  float32: Float32Array,
  float64: Float64Array,
  float16: Uint16Array,
  bfloat16: Uint16Array,
  int8: Int8Array,
  uint8: Uint8Array,
  int16: Int16Array,
  uint16: Uint16Array,
  int32: Int32Array,
  uint32: Uint32Array,
  int64: BigInt64Array,
  uint64: BigUint64Array,
  bool: Uint8Array,
} as const;

/** An element type that has a typed array. */
export type NumericType = keyof typeof arrayTypes;

/** The typed-array class that holds elements of `type`; opaque types are bytes. */
export function arrayClass(type: DataType): (typeof arrayTypes)[NumericType] {
  return arrayTypes[type as NumericType] ?? Uint8Array;
}

/** Number of elements of a shape; a scalar has one. */
export function sizeOf(dims: readonly number[]): number {
  return dims.reduce((product, dim) => product * dim, 1);
}

/** Tensor of any numeric type from numbers; a Float32Array is taken as it is for float32. */
export function tensorOf(type: NumericType, dims: readonly number[], values: ArrayLike<number>): Tensor {
  if (type === 'float32') return float32(dims, values);
  const data = new (arrayClass(type))(values.length);
  const big = data instanceof BigInt64Array || data instanceof BigUint64Array;
  for (let i = 0; i < values.length; i++) data[i] = (big ? BigInt(values[i] as number) : values[i]) as never;
  return { type, dims, data };
}

/** float32 tensor from numbers. */
export function float32(dims: readonly number[], values: ArrayLike<number>): Tensor {
  return { type: 'float32', dims, data: values instanceof Float32Array ? values : Float32Array.from(values) };
}

/** int64 tensor from numbers; one-dimensional unless dims are given. */
export function int64(values: readonly number[], dims: readonly number[] = [values.length]): Tensor {
  return { type: 'int64', dims, data: BigInt64Array.from(values, BigInt) };
}

/** The elements of a numeric tensor as JavaScript numbers (int64 beyond 2^53 is rounded). */
export function toNumbers(tensor: Tensor): number[] {
  return Array.from(tensor.data as ArrayLike<number | bigint>, Number);
}

/** Attribute readers with the operator's default. */
export function intAttribute(node: Node, name: string, fallback: number): number {
  const a = node.attributes[name];
  return a?.kind === 'int' ? a.value : fallback;
}
/** A float attribute, or what it is where the node has none. */
export function floatAttribute(node: Node, name: string, fallback: number): number {
  const a = node.attributes[name];
  return a?.kind === 'float' || a?.kind === 'int' ? a.value : fallback;
}
/** A string attribute, or what it is where the node has none. */
export function stringAttribute(node: Node, name: string, fallback: string): string {
  const a = node.attributes[name];
  return a?.kind === 'string' ? a.value : fallback;
}
/** A list of integers, where the node has it. */
export function intsAttribute(node: Node, name: string): readonly number[] | undefined {
  const a = node.attributes[name];
  return a?.kind === 'ints' ? a.value : undefined;
}

/** How messages name a node: its operator, and its own name or its first output. */
export function nodeLabel(node: Node): string {
  return `${node.op} '${node.name || node.outputs[0]}'`;
}

/** Version of the standard operator set. */
export function opsetOf(graph: Graph): number {
  return graph.opsets.get('') ?? 1;
}
