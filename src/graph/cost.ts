/** What a value costs: parameters and multiply-adds per example of everything that it is computed from. */
import { type Graph, intAttribute, type Node, type ObservedValue, sizeOf } from '../ir/index.js';

export interface Cost {
  /** Learned numbers: weights, biases, norm scales and shifts, embeddings; running statistics are not counted. */
  readonly params: number;
  /** Multiply-adds of convolutions and matrix products for one example. */
  readonly macs: number;
  /** Convolutions, matrix products with learned weights on the longest path. */
  readonly depth: number;
}

/** Multiply-adds of one node for the whole observed batch. */
export function nodeMacs(node: Node, observed: ReadonlyMap<string, ObservedValue>): number {
  const dims = (i: number) => observed.get(node.inputs[i] ?? '')?.dims ?? [];
  const output = observed.get(node.outputs[0] ?? '')?.dims ?? [];
  switch (node.op) {
    case 'Conv':
    case 'FusedConv':
      return sizeOf(output) * sizeOf(dims(1).slice(1));
    case 'ConvTranspose':
      return sizeOf(dims(0)) * sizeOf(dims(1).slice(1));
    case 'Gemm': {
      const a = dims(0);
      return sizeOf(output) * (a[intAttribute(node, 'transA', 0) ? 0 : 1] ?? 0);
    }
    case 'MatMul':
      return sizeOf(output) * (dims(0).at(-1) ?? 0);
    default:
      return 0;
  }
}

/** Is this a learned layer: a convolution or a matrix product with a constant operand? */
export function isLearned(graph: Graph, node: Node): boolean {
  return (
    ['Conv', 'ConvTranspose', 'Gemm', 'MatMul'].includes(node.op) &&
    node.inputs.slice(0, 2).some((name) => graph.constants.has(name))
  );
}

/** Constants of a node that count as learned parameters. */
function parameters(graph: Graph, node: Node): string[] {
  const running = node.op === 'BatchNormalization' ? node.inputs.slice(3) : [];
  return node.inputs.filter((name) => {
    const tensor = graph.constants.get(name);
    return tensor?.type === 'float32' && sizeOf(tensor.dims) > 1 && !running.includes(name);
  });
}

/** Cost up to each of `values`, over the nodes that they are computed from. The graph is static, observed at `batch`. */
export function costs(
  graph: Graph,
  observed: ReadonlyMap<string, ObservedValue>,
  batch: number,
  values: readonly string[],
): ReadonlyMap<string, Cost> {
  const producer = new Map<string, Node>();
  for (const node of graph.nodes) for (const name of node.outputs) producer.set(name, node);
  const depth = new Map<string, number>();
  for (const node of graph.nodes) {
    const below = Math.max(0, ...node.inputs.map((name) => depth.get(name) ?? 0));
    const own = below + (isLearned(graph, node) ? 1 : 0);
    for (const name of node.outputs) depth.set(name, own);
  }
  const result = new Map<string, Cost>();
  for (const value of values) {
    const nodes = new Set<Node>();
    const stack = [value];
    for (let name = stack.pop(); name !== undefined; name = stack.pop()) {
      const node = producer.get(name);
      if (!node || nodes.has(node)) continue;
      nodes.add(node);
      stack.push(...node.inputs);
    }
    const learned = new Set<string>();
    let macs = 0;
    for (const node of nodes) {
      macs += nodeMacs(node, observed);
      for (const name of parameters(graph, node)) learned.add(name);
    }
    let params = 0;
    for (const name of learned) params += sizeOf(graph.constants.get(name)?.dims ?? []);
    result.set(value, { params, macs: macs / batch, depth: depth.get(value) ?? 0 });
  }
  return result;
}
