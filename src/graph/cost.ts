/** What a value costs: parameters and multiply-adds per example of everything that it is computed from. */
import { type Node, sizeOf } from '../ir/index.js';
import { isLearned, parametersOf } from './layers/parameters.js';
import { ancestors } from './links.js';
import { multiplyAdds } from './products.js';
import type { StaticGraph } from './specialise.js';

/** What a part of a network takes. */
export interface Cost {
  /** Learned numbers: weights, biases, norm scales and shifts, embeddings; running statistics are not counted. */
  readonly params: number;
  /**
   * Multiply-adds of convolutions, matrix products and recurrent layers for one image, as frameworks count them in a run of
   * that image alone: what a file computes from its weights only (positions, tables of biases) is counted as well.
   */
  readonly macs: number;
  /** Learned layers on the longest path. */
  readonly depth: number;
}

/** Cost up to each of `values`, over the nodes that they are computed from. */
export function costs(network: StaticGraph, values: readonly string[]): ReadonlyMap<string, Cost> {
  const { graph, links, batch, origins, foldedProducts } = network;
  const parameters = parametersOf(graph, links, origins);
  const depth = new Map<string, number>();
  for (const node of graph.nodes) {
    const below = Math.max(0, ...node.inputs.map((name) => depth.get(name) ?? 0));
    for (const name of node.outputs) depth.set(name, below + (parameters.isLayer(node) ? 1 : 0));
  }
  const result = new Map<string, Cost>();
  for (const value of values) {
    const learned = new Map<string, number>();
    const folded = new Map<Node, number>();
    let macs = 0;
    for (const node of ancestors(links, value)) {
      macs += multiplyAdds(node, network.values);
      for (const name of node.inputs)
        for (const [product, own] of foldedProducts.get(name) ?? []) folded.set(product, own);
      for (const p of parameters.of(node)) if (isLearned(p)) learned.set(p.name, sizeOf(p.dims));
    }
    const params = [...learned.values()].reduce((sum, size) => sum + size, 0);
    const once = [...folded.values()].reduce((sum, own) => sum + own, 0);
    result.set(value, { params, macs: macs / batch + once, depth: depth.get(value) ?? 0 });
  }
  return result;
}
