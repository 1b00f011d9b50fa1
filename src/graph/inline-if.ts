/** Branches that are always taken: an If on shapes has one answer for one input shape. */
import { type Graph, GraphBuilder, type Node, type Tensor } from '../ir/index.js';

/** The graph with the branch in place of each If whose condition is among `known`; undefined where there is none. */
export function inlineIfs(graph: Graph, known: ReadonlyMap<string, Tensor>): Graph | undefined {
  const isDecided = (node: Node) => node.op === 'If' && node.domain === '' && known.has(node.inputs[0] ?? '');
  if (!graph.nodes.some(isDecided)) return undefined;
  const b = GraphBuilder.rewriting(graph, 'if');
  const constants = new Map<string, Tensor>();
  for (const node of graph.nodes) {
    const taken = isDecided(node) && Number(known.get(node.inputs[0] ?? '')?.data[0]) !== 0;
    const body = node.attributes[taken ? 'then_branch' : 'else_branch'];
    if (!isDecided(node) || body?.kind !== 'graph') {
      b.append(node);
      continue;
    }
    // A name means one value in a body and around it, so that nothing has to be renamed.
    for (const [name, tensor] of body.value.constants) constants.set(name, tensor);
    for (const inner of body.value.nodes) b.append(inner);
    node.outputs.forEach((name, i) => {
      if (name) b.node('Identity', [body.value.outputs[i]?.name ?? ''], [name]);
    });
  }
  const built = b.build();
  return { ...built, constants: new Map([...built.constants, ...constants]) };
}
