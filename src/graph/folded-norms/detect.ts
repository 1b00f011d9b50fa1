/** Finding convolutions that a batch normalisation was folded into. */
import type { Graph, Node } from '../../ir/index.js';
import { linksOf } from '../links.js';

/** What follows a folded normalisation in the networks that have them. */
const followers = new Set([
  'Relu',
  'Clip',
  'LeakyRelu',
  'PRelu',
  'Elu',
  'Sigmoid',
  'HardSigmoid',
  'HardSwish',
  'Softplus',
  'Tanh',
  'Mul',
  'Add',
  'Conv',
  'MaxPool',
  'Pad',
  'Concat',
]);

/**
 * Convolutions that look as if a batch normalisation had been folded into them: with a constant bias, followed at once
 * by an activation, a sum or the next convolution, in a graph without any normalisation. Empty when there are none.
 * A network that never had norms (SqueezeNet, VGG) looks the same.
 */
export function detectFoldedNorms(graph: Graph): Node[] {
  if (graph.nodes.some((node) => node.op.endsWith('Normalization') || node.op === 'LRN')) return [];
  const { consumers } = linksOf(graph);
  return graph.nodes.filter((node) => {
    const [, weight = '', bias = ''] = node.inputs;
    const readers = consumers.get(node.outputs[0] ?? '') ?? [];
    return (
      node.op === 'Conv' &&
      graph.constants.has(weight) &&
      graph.constants.has(bias) &&
      readers.length > 0 &&
      readers.every((reader) => followers.has(reader.op)) &&
      !graph.outputs.some((v) => v.name === node.outputs[0])
    );
  });
}
