/** The inference form of a network that was exported in training mode: features of an image depend on no other image. */
import { type Graph, intAttribute, type Node, toNumbers } from '../ir/index.js';
import { pixelDependent } from './pixel-dependent.js';

/** Batch norms of what the image reaches on their running averages (those of weights standardise them), dropout off; undefined where the graph is in that form already. */
export function inferenceForm(graph: Graph): Graph | undefined {
  let changed = 0;
  const dependent = pixelDependent(graph);
  const nodes = graph.nodes.map((node): Node => {
    if (node.domain !== '') return node;
    if (
      node.op === 'BatchNormalization' &&
      intAttribute(node, 'training_mode', 0) === 1 &&
      dependent.has(node.inputs[0] ?? '')
    ) {
      changed++;
      const { training_mode: _, ...attributes } = node.attributes;
      return { ...node, outputs: node.outputs.slice(0, 1), attributes };
    }
    const training = node.op === 'Dropout' ? graph.constants.get(node.inputs[2] ?? '') : undefined;
    if (training && toNumbers(training)[0] !== 0) {
      changed++;
      return { ...node, inputs: node.inputs.slice(0, 2) };
    }
    return node;
  });
  return changed > 0 ? { ...graph, nodes } : undefined;
}
