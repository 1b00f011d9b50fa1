/**
 * Modules of attention blocks that are tapped when they are asked for: `ln1`, the norm before attention; `ln2`, that before
 * the perceptron; `fc1`, the perceptron before its activation; and `final_norm`, after the last block.
 */
import type { Node } from '../../ir/index.js';
import { parametersOf } from '../layers/parameters.js';
import { ancestors, onlyConsumer } from '../links.js';
import type { StaticGraph } from '../specialise.js';
import type { Role } from './roles.js';

export type Module = 'ln1' | 'ln2' | 'fc1' | 'final_norm';

const norms = new Set(['LayerNormalization', 'RMSNormalization', 'SimplifiedLayerNormalization']);

export function modulesOf(network: StaticGraph, roles: ReadonlyMap<string, Role>): ReadonlyMap<string, Module> {
  const { graph, links, origins } = network;
  const parameters = parametersOf(graph, links, origins);
  const found = new Map<string, Module>();
  const outputOf = (node: Node) => node.outputs[0] ?? '';
  const within = new Set<Node>();
  let last: string | undefined;
  for (const [value, { role, branch }] of roles) {
    if (!branch || (role !== 'mid' && role !== 'out')) continue;
    const inside = graph.nodes.filter((n) => branch.has(n));
    for (const node of inside) within.add(node);
    // It reads what is carried over.
    const norm = inside.find((n) => norms.has(n.op) && !branch.has(links.producer.get(n.inputs[0] ?? '') as Node));
    if (norm) found.set(outputOf(norm), role === 'mid' ? 'ln1' : 'ln2');
    if (role === 'mid') continue;
    last = value;
    const hidden = inside.find((n) => roles.get(outputOf(n))?.role === 'hidden');
    if (!hidden) continue;
    const below = ancestors(links, outputOf(hidden));
    const layer = inside.filter((n) => below.has(n) && n !== hidden && parameters.isLayer(n)).at(-1);
    if (layer) found.set(withBias(network, layer), 'fc1');
  }
  if (last !== undefined) {
    const end = links.producer.get(last) as Node;
    const after = graph.nodes.find(
      (n) => norms.has(n.op) && !within.has(n) && !roles.has(outputOf(n)) && ancestors(links, outputOf(n)).has(end),
    );
    if (after && network.layout(outputOf(after))?.kind !== 'vector') found.set(outputOf(after), 'final_norm');
  }
  return found;
}

/** What a product is with the constant that is added to it. */
function withBias({ graph, links, axes }: StaticGraph, layer: Node): string {
  const value = layer.outputs[0] ?? '';
  const next = onlyConsumer(graph, links, value);
  return next?.op === 'Add' && next.inputs.some((name) => !axes.has(name)) ? (next.outputs[0] ?? '') : value;
}
