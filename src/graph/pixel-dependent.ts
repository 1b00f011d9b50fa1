/** What of a graph depends on the pixels. */
import type { Graph } from '../ir/index.js';
import { reads } from './prune.js';

/** Values that depend on the pixels, or on one of `also`. What is computed from shapes alone does not. */
export function pixelDependent(graph: Graph, also: Iterable<string> = []): ReadonlySet<string> {
  const dependent = new Set([...graph.inputs.map((i) => i.name), ...also]);
  for (const node of graph.nodes) {
    if (node.op === 'Shape' || node.op === 'Size') continue;
    const random = node.op.startsWith('Random') || node.op === 'Multinomial' || node.op === 'Bernoulli';
    if (random || reads(node).some((name) => dependent.has(name))) {
      for (const name of node.outputs) if (name) dependent.add(name);
    }
  }
  return dependent;
}
