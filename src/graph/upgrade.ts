/** Bringing models of older operator sets to the set that the other transforms know. */
import { UserError } from '../base/index.js';
import {
  type DataType,
  type Graph,
  GraphBuilder,
  type Node,
  numberOfType,
  OPSET,
  opsetOf,
  type Tensor,
} from '../ir/index.js';
import { prune, reads } from './prune.js';
import { type Context, rewrites } from './upgrade/rewrites.js';

/** The oldest set that runtimes still run. */
const OLDEST = 7;

/**
 * The same function in operators of set 18. Graphs of set 18 and above come back as they are, and so do nodes of
 * other domains. Bodies of If, Loop and Scan are upgraded too.
 * @throws UserError when the set is older than 7 or a node has no form in set 18.
 */
export function upgrade(graph: Graph): Graph {
  const opset = opsetOf(graph);
  if (opset >= OPSET) return graph;
  if (opset < OLDEST) {
    throw new UserError(
      `the model is written for operator set ${opset}: export it with set 17, or convert it with onnx.version_converter`,
    );
  }
  const upgraded = upgradeScope(graph, opset, 'up', hasOtherFloats(graph), () => undefined);
  return prune({ ...upgraded, opsets: new Map([...graph.opsets, ['', OPSET]]) });
}

function upgradeScope(
  graph: Graph,
  opset: number,
  prefix: string,
  mixed: boolean,
  outer: (name: string) => Tensor | undefined,
): Graph {
  const builder = GraphBuilder.rewriting(graph, prefix);
  const read = new Set([...graph.nodes.flatMap(reads), ...graph.outputs.map((v) => v.name)]);
  const constant = (name: string) => graph.constants.get(name) ?? outer(name);
  const context: Context = { builder, opset, mixed, constant, isRead: (name) => read.has(name) };
  for (const original of graph.nodes) {
    const node = withBodies(original, (body) =>
      upgradeScope(body, opset, builder.fresh(`${prefix}.body`), mixed, constant),
    );
    const found = node.domain === '' ? rewrites[node.op]?.find((version) => opset < version.below) : undefined;
    if (found) found.rewrite(node, context);
    else builder.append(node);
  }
  return builder.build();
}

function withBodies(node: Node, change: (body: Graph) => Graph): Node {
  const entries = Object.entries(node.attributes);
  if (!entries.some(([, a]) => a.kind === 'graph')) return node;
  return {
    ...node,
    attributes: Object.fromEntries(
      entries.map(([name, a]) => [name, a.kind === 'graph' ? { kind: 'graph' as const, value: change(a.value) } : a]),
    ),
  };
}

function hasOtherFloats(graph: Graph): boolean {
  const other = new Set<DataType>(['float16', 'bfloat16', 'float64']);
  const numbers = new Set([...other].map(numberOfType));
  return (
    [...graph.inputs, ...graph.outputs].some((v) => v.type && other.has(v.type)) ||
    [...graph.constants.values()].some((t) => other.has(t.type)) ||
    graph.nodes.some((node) =>
      Object.entries(node.attributes).some(
        ([name, a]) =>
          (a.kind === 'graph' && hasOtherFloats(a.value)) ||
          (a.kind === 'tensor' && other.has(a.value.type)) ||
          (a.kind === 'int' && (name === 'to' || name === 'dtype') && numbers.has(a.value)),
      ),
    )
  );
}
