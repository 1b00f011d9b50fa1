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

/**
 * The graph without nodes and constants that no output needs. Inputs stay, since they are a model's signature, unless
 * `inputs` says that unused ones go too.
 */
export function prune(graph: Graph, { inputs = false } = {}): Graph {
  const needed = new Set(graph.outputs.map((v) => v.name));
  const nodes: Node[] = [];
  for (const node of graph.nodes.toReversed()) {
    if (!node.outputs.some((name) => needed.has(name))) continue;
    for (const name of reads(node)) needed.add(name);
    nodes.push(node);
  }
  return {
    ...graph,
    inputs: inputs ? graph.inputs.filter((v) => needed.has(v.name)) : graph.inputs,
    nodes: nodes.reverse(),
    constants: new Map([...graph.constants].filter(([name]) => needed.has(name))),
  };
}

/** Lets the readers of an Identity read its source. Identities that give outputs their names stay. */
export function bypassIdentities(graph: Graph): Graph {
  const source = new Map<string, string>();
  for (const node of graph.nodes) {
    const [x, y] = [node.inputs[0], node.outputs[0]];
    if (node.op === 'Identity' && node.domain === '' && x && y) source.set(y, source.get(x) ?? x);
  }
  if (source.size === 0) return graph;
  return prune({
    ...graph,
    nodes: graph.nodes.map((node) => ({ ...node, inputs: node.inputs.map((name) => source.get(name) ?? name) })),
  });
}
