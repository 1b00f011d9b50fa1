/** Who makes and who reads each value of a graph. */
import type { Graph, Node } from '../ir/index.js';

/** Which node makes a value, and which read it. */
export interface Links {
  readonly producer: ReadonlyMap<string, Node>;
  readonly consumers: ReadonlyMap<string, readonly Node[]>;
  /** Position of each node in topological order. */
  readonly position: ReadonlyMap<Node, number>;
}

export function linksOf(graph: Graph): Links {
  const producer = new Map<string, Node>();
  const consumers = new Map<string, Node[]>();
  const position = new Map<Node, number>();
  graph.nodes.forEach((node, i) => {
    position.set(node, i);
    for (const name of node.outputs) if (name) producer.set(name, node);
    for (const name of new Set(node.inputs)) {
      if (!name) continue;
      const list = consumers.get(name);
      if (list) list.push(node);
      else consumers.set(name, [node]);
    }
  });
  return { producer, consumers, position };
}

/** The only node that reads `value`, if there is one and the value is not an output of the graph. */
export function onlyConsumer(graph: Graph, links: Links, value: string): Node | undefined {
  const readers = links.consumers.get(value) ?? [];
  return readers.length === 1 && !graph.outputs.some((o) => o.name === value) ? readers[0] : undefined;
}

/** Nodes that `value` is computed from, down to (not including) the producers of `stop`. */
export function ancestors(links: Links, value: string, stop: ReadonlySet<string> = new Set()): Set<Node> {
  const found = new Set<Node>();
  const stack = [value];
  for (let name = stack.pop(); name !== undefined; name = stack.pop()) {
    if (stop.has(name)) continue;
    const node = links.producer.get(name);
    if (!node || found.has(node)) continue;
    found.add(node);
    stack.push(...node.inputs);
  }
  return found;
}
