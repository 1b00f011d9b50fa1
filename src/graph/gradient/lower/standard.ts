/** Lowering to standard ONNX operators, for any engine. */
import type { Graph } from '../../../ir/index.js';
import { Emitter } from '../../../ir/index.js';
import { compositeOf } from '../composites/index.js';
import type { Differentiated } from '../reverse.js';

export function lowerStandard({ graph, shapes, type }: Differentiated): Graph {
  const e = new Emitter({ ...graph, nodes: [] }, 'grad', shapes, type);
  e.reserve(graph);
  const renamed = new Map<string, string>();
  for (const original of graph.nodes) {
    const node = { ...original, inputs: original.inputs.map((i) => renamed.get(i) ?? i) };
    const composite = compositeOf(node);
    if (!composite) e.append(node);
    else for (const [i, value] of composite.expand(e, node).entries()) renamed.set(node.outputs[i] as string, value);
  }
  // Outputs keep their names.
  const produced = new Set(graph.outputs.map((o) => o.name));
  for (const [from, to] of renamed) if (produced.has(from)) e.node('Identity', [to], [from]);
  return e.build();
}
