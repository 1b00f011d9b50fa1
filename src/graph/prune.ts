/** What a node reads, and the removal of what nothing reads. */
import type { Graph, Node } from '../ir/index.js';

/** Names that a node reads from its scope: its inputs, and what the bodies of If, Loop and Scan capture. */
export function reads(node: Node): string[] {
  const names = node.inputs.filter((name) => name !== '');
  for (const attribute of Object.values(node.attributes)) {
    if (attribute.kind === 'graph') names.push(...captures(attribute.value));
  }
  return names;
}

/** Names that a body graph takes from the scope around it. */
function captures(body: Graph): string[] {
  const own = new Set<string>(body.constants.keys());
  for (const { name } of body.inputs) own.add(name);
  for (const node of body.nodes) for (const name of node.outputs) own.add(name);
  const read = [...body.nodes.flatMap(reads), ...body.outputs.map((v) => v.name)];
  return read.filter((name) => !own.has(name));
}

/** The graph without nodes and constants that no output needs. Inputs stay: they are the model's signature. */
export function prune(graph: Graph): Graph {
  const needed = new Set(graph.outputs.map((v) => v.name));
  const nodes: Node[] = [];
  for (const node of graph.nodes.toReversed()) {
    if (!node.outputs.some((name) => needed.has(name))) continue;
    for (const name of reads(node)) needed.add(name);
    nodes.push(node);
  }
  return {
    ...graph,
    nodes: nodes.reverse(),
    constants: new Map([...graph.constants].filter(([name]) => needed.has(name))),
  };
}
