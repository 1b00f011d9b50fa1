/** Patterns that exporters write for operators which the set they target lacks. */
import { type Graph, type Node, toNumbers } from '../../ir/index.js';
import { linksOf, onlyConsumer } from '../links.js';
import { prune } from '../prune.js';

/**
 * Puts a Gelu for x (1 + erf(x / sqrt 2)) / 2, in whatever order its products are written: its gradient has a third of
 * the passes that the gradients of its parts have. Only where gradients flow, since differentiation expands it.
 */
export function recogniseGelu(graph: Graph, trained: ReadonlySet<string>): Graph {
  const links = linksOf(graph);
  const number = (name: string | undefined) => {
    const tensor = graph.constants.get(name ?? '');
    return tensor?.data.length === 1 ? toNumbers(tensor)[0] : undefined;
  };
  const near = (value: number | undefined, target: number) =>
    value !== undefined && Math.abs(value - target) < 1e-4 * target;
  /** The other operand of a commutative node. */
  const other = (node: Node, name: string) => (node.inputs[0] === name ? node.inputs[1] : node.inputs[0]);
  const only = (node: Node, op: string) => {
    const next = onlyConsumer(graph, links, node.outputs[0] as string);
    return next?.op === op ? next : undefined;
  };
  const replaced = new Map<Node, Node>();
  for (const erf of graph.nodes) {
    if (erf.op !== 'Erf' || !trained.has(erf.outputs[0] as string)) continue;
    const scaled = links.producer.get(erf.inputs[0] as string);
    const divided = scaled?.op === 'Div' && near(number(scaled.inputs[1]), Math.SQRT2);
    const multiplied = scaled?.op === 'Mul' && near(number(scaled.inputs[1]), Math.SQRT1_2);
    const x = divided || multiplied ? (scaled?.inputs[0] as string) : undefined;
    const plus = only(erf, 'Add');
    if (!x || !plus || !near(number(other(plus, erf.outputs[0] as string)), 1)) continue;
    const first = only(plus, 'Mul');
    const second = first && only(first, 'Mul');
    if (!first || !second) {
      // (x / 2) (1 + erf): the half is on the other side.
      const half = first && links.producer.get(other(first, plus.outputs[0] as string) ?? '');
      if (first && half?.op === 'Mul' && half.inputs.includes(x) && near(number(other(half, x)), 0.5)) {
        replaced.set(first, gelu(first, x));
      }
      continue;
    }
    const factors = [other(first, plus.outputs[0] as string), other(second, first.outputs[0] as string)];
    if (factors.includes(x) && factors.some((f) => near(number(f), 0.5))) replaced.set(second, gelu(second, x));
  }
  if (replaced.size === 0) return graph;
  return prune({ ...graph, nodes: graph.nodes.map((n) => replaced.get(n) ?? n) });
}

function gelu(node: Node, x: string): Node {
  return { op: 'Gelu', domain: '', name: node.name, inputs: [x], outputs: node.outputs, attributes: {} };
}
