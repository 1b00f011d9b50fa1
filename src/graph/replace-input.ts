/** Puts something in front of a network: the image input becomes a value computed from a new input. */
import { type Graph, GraphBuilder, type ValueInfo } from '../ir/index.js';
import { imageInput } from './specialise.js';

/**
 * A graph in which a part takes the place of the image input: a preprocessing before the network, say.
 * @param input the new input, e.g. uint8 images (B, H, W, 3)
 * @param make adds nodes that compute the old input from the new one and returns the value's name
 */
export function replaceInput(
  graph: Graph,
  input: Required<Pick<ValueInfo, 'name' | 'type' | 'shape'>>,
  make: (builder: GraphBuilder, value: string) => string,
): Graph {
  const old = imageInput(graph);
  const taken = new Set([old.name, ...graph.constants.keys(), ...graph.nodes.flatMap((n) => n.outputs)]);
  let name = input.name;
  while (taken.has(name)) name += '_';
  const builder = new GraphBuilder({ ...graph, inputs: [], nodes: [], outputs: [] }, 'pre');
  const value = make(builder, builder.input(name, input.type, input.shape));
  builder.node('Identity', [value], [old.name]);
  const front = builder.build();
  return { ...front, nodes: [...front.nodes, ...graph.nodes], outputs: graph.outputs };
}
