/** The parameters of a node: its learned constants, and what each is for. */
import { type Graph, intAttribute, type Node, sizeOf } from '../../ir/index.js';

/** `mean` and `variance` are the running statistics of a batch normalisation; `token` is an embedding. */
export type ParameterRole = 'weight' | 'bias' | 'scale' | 'shift' | 'mean' | 'variance' | 'slope' | 'token';

export interface Parameter {
  /** Name of the constant. */
  readonly name: string;
  readonly role: ParameterRole;
  readonly dims: readonly number[];
}

const roles: Readonly<Record<string, readonly (ParameterRole | undefined)[]>> = {
  Conv: [undefined, 'weight', 'bias'],
  ConvTranspose: [undefined, 'weight', 'bias'],
  Gemm: ['weight', 'weight', 'bias'],
  MatMul: ['weight', 'weight'],
  BatchNormalization: [undefined, 'scale', 'shift', 'mean', 'variance'],
  LayerNormalization: [undefined, 'scale', 'shift'],
  GroupNormalization: [undefined, 'scale', 'shift'],
  InstanceNormalization: [undefined, 'scale', 'shift'],
  PRelu: [undefined, 'slope'],
};
/** Elementwise with a constant: biases, positions, layer scales. Single numbers are part of a formula, not learned. */
const elementwise: Readonly<Record<string, ParameterRole>> = {
  Add: 'shift',
  Sub: 'shift',
  Mul: 'scale',
  Div: 'scale',
  Concat: 'token',
};

const learnedOps = new Set(['Conv', 'ConvTranspose', 'Gemm', 'MatMul']);

export interface Scope {
  readonly graph: Graph;
  readonly producer: ReadonlyMap<string, Node>;
  /** Values that depend on the image. */
  readonly dependent: ReadonlySet<string>;
}

/** Float constants that `name`, which does not depend on the image, is computed from. */
function sources(scope: Scope, name: string): string[] {
  const { graph, producer, dependent } = scope;
  const tensor = graph.constants.get(name);
  if (tensor) return tensor.type === 'float32' ? [name] : [];
  if (dependent.has(name)) return []; // Its shape is read, not its numbers.
  return producer.get(name)?.inputs.flatMap((input) => sources(scope, input)) ?? [];
}

/** Parameters that a node reads, directly or through nodes that rearrange them. */
export function parametersOf(scope: Scope, node: Node): Parameter[] {
  const table = roles[node.op];
  const simple = elementwise[node.op];
  if (!table && !simple) return [];
  return node.inputs.flatMap((input, i) => {
    const role = table ? table[i] : simple;
    if (!input || !role || scope.dependent.has(input)) return [];
    return [...new Set(sources(scope, input))].flatMap((name): Parameter[] => {
      const { dims } = scope.graph.constants.get(name) ?? { dims: [] };
      if (simple && sizeOf(dims) <= 1) return [];
      // A constant with one long axis is a vector however it is shaped for broadcasting.
      const vector = dims.filter((dim) => dim > 1).length <= 1;
      if (simple === 'shift') return [{ name, role: vector && !isToken(dims) ? 'bias' : 'token', dims }];
      return [{ name, role, dims }];
    });
  });
}

/** (1, 1, width): a token that is added or joined, not a bias. */
const isToken = (dims: readonly number[]) => dims.length === 3 && dims[0] === 1 && dims[1] === 1;

/** A convolution or matrix product of a learned weight with something computed from the image. */
export function isLearnedNode(node: Node, parameters: readonly Parameter[], dependent: ReadonlySet<string>): boolean {
  return (
    learnedOps.has(node.op) &&
    parameters.some((p) => p.role === 'weight') &&
    node.inputs.slice(0, 2).some((name) => dependent.has(name))
  );
}

/** Axis of a layer's weight that counts its outputs. */
export function outputAxis(node: Node, weight: string): 0 | 1 {
  if (node.op === 'Conv') return 0;
  if (node.op === 'ConvTranspose') return 1;
  const transposed = node.op === 'Gemm' && intAttribute(node, 'transB', 0) === 1;
  // Behind a node that rearranges it, the weight is stored the other way round.
  const direct = node.inputs.includes(weight);
  return transposed === direct ? 0 : 1;
}
