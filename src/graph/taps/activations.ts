/** Where the activations of a network end: one value per activation, also when the exporter wrote it in many nodes. */
import type { Graph, Node } from '../../ir/index.js';
import { type Links, onlyConsumer } from '../links.js';

const pointwise = new Set([
  'Relu',
  'LeakyRelu',
  'PRelu',
  'ThresholdedRelu',
  'Clip',
  'Elu',
  'Selu',
  'Celu',
  'Softplus',
  'Softsign',
  'Mish',
  'HardSwish',
  'Swish',
  'Gelu',
  'FastGelu',
  'QuickGelu',
  'BiasGelu',
]);
/** Activations that also serve as gates: squeeze-and-excitation, or one factor of SiLU and hard-swish. */
const squashing = new Set(['Sigmoid', 'HardSigmoid', 'Tanh']);

/**
 * Values after an activation, with the node that ends each. Recognises GELU written with Erf or Tanh, SiLU and
 * hard-swish written as x * gate(x); a gate on another value is not an activation.
 */
export function activationValues(graph: Graph, links: Links): ReadonlyMap<string, Node> {
  const found = new Map<string, Node>();
  for (const node of graph.nodes) {
    const value = node.outputs[0];
    const input = node.inputs[0];
    if (!value || !input) continue;
    if (node.op === 'Erf') {
      const end = geluEnd(graph, links, value);
      if (end) found.set(end.outputs[0] as string, end);
    } else if (pointwise.has(node.op) || squashing.has(node.op)) {
      const reader = onlyConsumer(graph, links, value);
      const gated = reader?.op === 'Mul' ? reader.inputs.find((name) => name !== value) : undefined;
      if (reader && gated !== undefined && !graph.constants.has(gated)) {
        if (isNear(links, node, gated)) {
          const end = skipConstants(graph, links, reader);
          found.set(end.outputs[0] as string, end);
        } else if (pointwise.has(node.op)) {
          found.set(value, node);
        }
      } else {
        const gelu = node.op === 'Tanh' ? geluEnd(graph, links, value) : undefined;
        const end = gelu ?? node;
        found.set(end.outputs[0] as string, end);
      }
    }
  }
  return found;
}

/** Is `value` what `node` reads, or what is one step before it (x + 3 of hard-swish)? */
function isNear(links: Links, node: Node, value: string): boolean {
  return node.inputs.includes(value) || node.inputs.some((name) => links.producer.get(name)?.inputs.includes(value));
}

/** Follows 1 + erf(...) times x, times 1/2, in any order; undefined when the pattern is another. */
function geluEnd(graph: Graph, links: Links, value: string): Node | undefined {
  const plusOne = onlyConsumer(graph, links, value);
  if (plusOne?.op !== 'Add' || !plusOne.inputs.some((name) => graph.constants.has(name))) return undefined;
  const times = onlyConsumer(graph, links, plusOne.outputs[0] as string);
  if (times?.op !== 'Mul') return undefined;
  if (!times.inputs.some((name) => graph.constants.has(name))) return skipConstants(graph, links, times);
  const last = onlyConsumer(graph, links, times.outputs[0] as string);
  return last?.op === 'Mul' ? last : undefined;
}

/** Skips a multiplication or division by a constant that follows. */
function skipConstants(graph: Graph, links: Links, node: Node): Node {
  const next = onlyConsumer(graph, links, node.outputs[0] as string);
  const scales = next && ['Mul', 'Div'].includes(next.op) && next.inputs.some((name) => graph.constants.has(name));
  return scales ? next : node;
}
