/** Cutting a network between learned layers. */
import { UserError } from '../../base/index.js';
import type { Graph, Node } from '../../ir/index.js';
import { pixelDependent } from '../observe.js';
import { prune } from '../prune.js';
import { subgraph } from '../subgraph.js';
import { droppedOut, learnedLayers } from './find.js';

export interface Cut {
  /** From the image to the values at the cut. */
  readonly prefix: Graph;
  /** From the values at the cut to the outputs of the network. */
  readonly suffix: Graph;
  /** What is read across the cut: one value in a chain, more inside a residual block. */
  readonly values: readonly string[];
}

/**
 * The network in two parts, with `count` learned layers in the first. Dropout at the cut goes to the second, so that
 * the first is deterministic and its results can be kept. The graph is static (see specialise).
 * @throws UserError when the count is not between 1 and the number of layers less one.
 */
export function cutAfter(graph: Graph, count: number): Cut {
  const layers = learnedLayers(graph);
  if (!Number.isInteger(count) || count < 1 || count >= layers.length) {
    throw new UserError(
      `cannot cut after ${count} layers: the network has ${layers.length} learned layers; choose 1 to ${layers.length - 1}`,
    );
  }
  const below = new Set<Node>(layers.slice(0, count).flatMap((layer) => layer.nodes));
  for (const node of droppedOut(layers[count - 1]?.nodes ?? [])) below.delete(node);
  const dependent = pixelDependent(graph);
  const made = new Set(graph.inputs.map((v) => v.name));
  const crossing = new Set(graph.outputs.map((v) => v.name));
  for (const node of graph.nodes) {
    if (!below.has(node)) for (const name of node.inputs) crossing.add(name);
    else for (const name of node.outputs) if (dependent.has(name)) made.add(name);
  }
  const values = [...made].filter((name) => crossing.has(name));
  const inputs = graph.inputs.map((v) => v.name);
  return {
    prefix: subgraph(graph, inputs, values),
    suffix: prune(subgraph(graph, values, outputNames(graph))),
    values,
  };
}

const outputNames = (graph: Graph) => graph.outputs.map((v) => v.name);
