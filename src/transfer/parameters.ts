/** Which constants of a network are learned: its weights, as against running statistics, axes and preprocessing. */
import { type Graph, type Node, pixelDependent, sizeOf } from '../graph/index.js';

/** Operators that pass a weight on, possibly rearranged. */
const carriers = new Set(['Identity', 'Transpose', 'Reshape', 'Unsqueeze', 'Squeeze', 'Expand', 'Flatten', 'Cast']);

/** Inputs at which an operator takes learned values. */
const learnedInputs: Readonly<Record<string, readonly number[]>> = {
  Conv: [1, 2],
  ConvTranspose: [1, 2],
  Gemm: [0, 1, 2],
  MatMul: [0, 1],
  BatchNormalization: [1, 2],
  LayerNormalization: [1, 2],
  InstanceNormalization: [1, 2],
  GroupNormalization: [1, 2],
  PRelu: [1],
};

/** Operators whose constant operand is learned (biases, embeddings, tokens, scales) once a learned layer lies below. */
const operands = new Set(['Add', 'Sub', 'Mul', 'Div', 'Concat']);

const products = new Set(['Conv', 'ConvTranspose', 'Gemm', 'MatMul']);

/** float32 constants of more than one element; the only ones that can be weights. */
export function weightCandidates(graph: Graph): Set<string> {
  const names = new Set<string>();
  for (const [name, { type, dims }] of graph.constants) {
    if (type === 'float32' && sizeOf(dims) > 1) names.add(name);
  }
  return names;
}

export interface Parameter {
  readonly name: string;
  readonly dims: readonly number[];
  /** The node that takes it, behind any Transpose or Reshape of it. */
  readonly node: Node;
  /** Which input of that node. */
  readonly input: number;
}

/** Learned constants in the order of the nodes that take them. */
export function parametersOf(graph: Graph): Parameter[] {
  const candidates = weightCandidates(graph);
  const dependent = pixelDependent(graph);
  /** Constant that a carried value comes from. */
  const origin = new Map<string, string>([...candidates].map((name) => [name, name]));
  for (const node of graph.nodes) {
    const from = origin.get(node.inputs[0] ?? '');
    if (from && carriers.has(node.op) && !dependent.has(node.outputs[0] as string))
      origin.set(node.outputs[0] as string, from);
  }
  const found = new Map<string, Parameter>();
  /** Values with a learned layer below them. */
  const above = new Set<string>();
  for (const node of graph.nodes) {
    if (!node.outputs.some((name) => dependent.has(name))) continue;
    const learned = node.inputs.some((name) => above.has(name));
    node.inputs.forEach((name, input) => {
      const constant = origin.get(name);
      if (constant === undefined || found.has(constant)) return;
      const takes = learnedInputs[node.op]?.includes(input) ?? (learned && operands.has(node.op));
      // A norm with nothing learned below it is the image's normalisation.
      const normalises = !learned && !products.has(node.op);
      if (!takes || normalises) return;
      found.set(constant, { name: constant, dims: graph.constants.get(constant)?.dims ?? [], node, input });
    });
    const product = products.has(node.op) && node.inputs.some((name) => origin.has(name));
    if (learned || product) for (const name of node.outputs) above.add(name);
  }
  return [...found.values()];
}
