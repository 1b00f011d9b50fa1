/**
 * Heads that each read features of their own and are averaged (CrossViT: one a branch) as the one classifier that they are:
 * a linear layer on all these features beside each other.
 */
import { floatAttribute, type Graph, GraphBuilder, intAttribute, type Node, toNumbers } from '../ir/index.js';
import { type Links, linksOf, onlyConsumer } from './links.js';
import { prune } from './prune.js';

/** The same function; the graph itself where no heads are stacked and averaged. */
export function joinHeads(graph: Graph): Graph {
  const links = linksOf(graph);
  const found = new Map<Node, readonly Node[]>();
  for (const node of graph.nodes) {
    const heads = stackedHeads(graph, links, node);
    if (heads) found.set(node, heads);
  }
  if (found.size === 0) return graph;
  const b = GraphBuilder.rewriting(graph, 'heads');
  for (const node of graph.nodes) {
    const heads = found.get(node);
    if (!heads) {
      b.append(node);
      continue;
    }
    const all = (i: number) => heads.map(({ inputs }) => inputs[i] as string);
    const mean = (sum: string) => b.mul(sum, b.scalar(1 / heads.length));
    const bias = mean(all(2).reduce((sum, one) => b.add(sum, one)));
    b.node('Gemm', [b.concat(all(0), 1), mean(b.concat(all(1), 1)), bias], node.outputs, { transB: 1 });
  }
  return prune(b.build());
}

/** Linear layers on vectors whose outputs are stacked and averaged over the stack by `node`. */
function stackedHeads(graph: Graph, links: Links, node: Node): readonly Node[] | undefined {
  const producer = (name = '') => links.producer.get(name);
  const isFirst = (name = '') => {
    const axes = graph.constants.get(name);
    return axes?.type === 'int64' && `${toNumbers(axes)}` === '0';
  };
  if (node.op !== 'ReduceMean' || !isFirst(node.inputs[1]) || intAttribute(node, 'keepdims', 1) !== 0) return undefined;
  const stack = producer(node.inputs[0]);
  if (stack?.op !== 'Concat' || stack.inputs.length < 2 || intAttribute(stack, 'axis', 1) !== 0) return undefined;
  const heads = stack.inputs.flatMap((name) => {
    const row = producer(name);
    const head = row?.op === 'Unsqueeze' && isFirst(row.inputs[1]) ? producer(row.inputs[0]) : undefined;
    const isAlone = head && onlyConsumer(graph, links, head.outputs[0] as string) === row;
    return isAlone && isLinear(graph, head) ? [head] : [];
  });
  return heads.length === stack.inputs.length ? heads : undefined;
}

/** x W' + b, with constants of its own. */
const isLinear = ({ constants }: Graph, head: Node): boolean =>
  head.op === 'Gemm' &&
  head.inputs.length === 3 &&
  head.inputs.slice(1).every((name) => constants.has(name)) &&
  intAttribute(head, 'transA', 0) === 0 &&
  intAttribute(head, 'transB', 0) === 1 &&
  floatAttribute(head, 'alpha', 1) === 1 &&
  floatAttribute(head, 'beta', 1) === 1;
