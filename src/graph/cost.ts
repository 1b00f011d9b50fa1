/** What a value costs: parameters and multiply-adds per example of everything that it is computed from. */
import { intAttribute, type Node, type ObservedValue, sizeOf } from '../ir/index.js';
import { isLearned, parametersOf } from './layers/parameters.js';
import { ancestors } from './links.js';
import type { StaticGraph } from './specialise.js';

export interface Cost {
  /** Learned numbers: weights, biases, norm scales and shifts, embeddings; running statistics are not counted. */
  readonly params: number;
  /** Multiply-adds of convolutions, matrix products and recurrent layers for one example. */
  readonly macs: number;
  /** Learned layers on the longest path. */
  readonly depth: number;
}

/** Multiply-adds of one node for the whole observed batch. */
function nodeMacs(node: Node, observed: ReadonlyMap<string, ObservedValue>): number {
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
    case 'LSTM':
    case 'GRU':
    case 'RNN': {
      // At each of steps x batch: every direction's products with the input and with the state.
      const [steps = 0, batch = 0] = dims(0);
      return steps * batch * (sizeOf(dims(1)) + sizeOf(dims(2)));
    }
    default:
      return 0;
  }
}

/** Cost up to each of `values`, over the nodes that they are computed from. */
export function costs(network: StaticGraph, values: readonly string[]): ReadonlyMap<string, Cost> {
  const { graph, links, batch, origins } = network;
  const parameters = parametersOf(graph, links, origins);
  const depth = new Map<string, number>();
  for (const node of graph.nodes) {
    const below = Math.max(0, ...node.inputs.map((name) => depth.get(name) ?? 0));
    for (const name of node.outputs) depth.set(name, below + (parameters.isLayer(node) ? 1 : 0));
  }
  const result = new Map<string, Cost>();
  for (const value of values) {
    const learned = new Map<string, number>();
    let macs = 0;
    for (const node of ancestors(links, value)) {
      macs += nodeMacs(node, network.values);
      for (const p of parameters.of(node)) if (isLearned(p)) learned.set(p.name, sizeOf(p.dims));
    }
    const params = [...learned.values()].reduce((sum, size) => sum + size, 0);
    result.set(value, { params, macs: macs / batch, depth: depth.get(value) ?? 0 });
  }
  return result;
}
