/** What onnxruntime 1.30 is known to die of: the process is gone, and no exception says why. */
import type { Graph, Node } from '../../ir/index.js';
import { Refusal } from '../refusal.js';

/**
 * Scales of a Resize beyond the rank of its input are refused by the runtime only after it has copied them to an array on
 * the stack (64 of them smash it; mended in later versions). No tensor has this rank.
 */
const mostScales = 32;

/**
 * The graph without what kills the runtime: constants are looked at, and of what is computed no more is handed on than the
 * runtime can refuse.
 * @throws Refusal naming the node
 */
export function withoutDeadly(graph: Graph): Graph {
  const constants = new Map(graph.constants);
  let changed = false;
  const nodes = graph.nodes.flatMap((node, i): Node[] => {
    const inner = withInnerGraphs(node);
    if (inner !== node) changed = true;
    const scales = inner.inputs[2];
    if (inner.op !== 'Resize' || inner.domain !== '' || scales === undefined || scales === '') return [inner];
    const length = graph.constants.get(scales)?.data.length;
    if (length !== undefined && length <= mostScales) return [inner];
    if (length !== undefined) {
      throw new Refusal(
        'graph',
        `the engine does not take the graph: Resize '${inner.name || inner.outputs[0]}' has ${length} scales`,
      );
    }
    changed = true;
    const name = `${scales}/first ${i}`;
    constants.set(`${name}/from`, int64(0));
    constants.set(`${name}/to`, int64(mostScales + 1));
    const first: Node = {
      op: 'Slice',
      domain: '',
      name,
      inputs: [scales, `${name}/from`, `${name}/to`],
      outputs: [name],
      attributes: {},
    };
    return [first, { ...inner, inputs: inner.inputs.with(2, name) }];
  });
  return changed ? { ...graph, nodes, constants } : graph;
}

const int64 = (value: number) => ({ type: 'int64', dims: [1], data: BigInt64Array.of(BigInt(value)) }) as const;

function withInnerGraphs(node: Node): Node {
  let changed = false;
  const attributes = Object.fromEntries(
    Object.entries(node.attributes).map(([key, attribute]) => {
      if (attribute.kind !== 'graph') return [key, attribute];
      const value = withoutDeadly(attribute.value);
      if (value !== attribute.value) changed = true;
      return [key, { ...attribute, value }];
    }),
  );
  return changed ? { ...node, attributes } : node;
}
