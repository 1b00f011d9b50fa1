/** What part a value plays in its network. */
import type { Node } from '../../ir/index.js';
import { holds } from '../axes/axis.js';
import { type Parameters, parametersOf } from '../layers/parameters.js';
import { ancestors, onlyConsumer } from '../links.js';
import type { StaticGraph } from '../specialise.js';
import { activationValues } from './activations.js';
import { endsOf } from './ends.js';

export interface Role {
  readonly role: 'act' | 'sum' | 'out' | 'attn' | 'mix' | 'mid' | 'hidden' | 'mlp' | 'features' | 'logits';
  /** A residual sum whose activation is tapped in its place. */
  readonly hidden?: boolean;
}

/** Roles of the values that are tapped by default, and of residual sums that are not. */
export function rolesOf(network: StaticGraph): ReadonlyMap<string, Role> {
  const { graph, links } = network;
  const kindOf = (name: string) => {
    const kind = network.layout(name)?.kind;
    return kind === 'heads' || kind === 'unknown' ? undefined : kind;
  };
  const roles = new Map<string, Role>();
  const activations = activationValues(graph, links);
  for (const name of activations.keys()) {
    if (kindOf(name)) roles.set(name, { role: kindOf(name) === 'tokens' ? 'hidden' : 'act' });
  }
  const parameters = parametersOf(graph, links, network.origins);
  for (const node of graph.nodes) {
    const value = node.outputs[0] as string;
    const residual = kindOf(value) && residualParts(node, network, parameters);
    if (!residual) continue;
    const mixing = mixingOf(network, residual);
    if (kindOf(value) === 'tokens' || mixing === 'attn') {
      roles.set(residual.branch, { role: mixing ?? 'mlp' });
      roles.set(value, { role: mixing ? 'mid' : 'out' });
    } else {
      const after = onlyConsumer(graph, links, value)?.outputs[0];
      const activated = after !== undefined && activations.has(after);
      roles.set(value, { role: 'sum', hidden: activated });
      if (activated) roles.set(after, { role: 'out' });
    }
  }
  const { features, logits } = endsOf(network);
  if (features) roles.set(features, { role: 'features' });
  if (logits) roles.set(logits, { role: 'logits' });
  return roles;
}

/** A residual sum: what is carried over, and the branch computed from it. */
interface Residual {
  readonly skip: string;
  readonly branch: string;
}

/**
 * Undefined for sums that are none: a branch has a learned layer of its own, so gates, written-out activations, rotary
 * positions and GRN are not residual; of a sum written in several additions the last is the one.
 */
function residualParts(node: Node, network: StaticGraph, parameters: Parameters): Residual | undefined {
  const { graph, links } = network;
  const [a, b] = node.inputs;
  if ((node.op !== 'Add' && node.op !== 'Sum') || node.inputs.length !== 2 || !a || !b || a === b) return undefined;
  const [da, db] = [network.dims(a), network.dims(b)];
  const [na, nb] = [links.producer.get(a), links.producer.get(b)];
  if (!na || !nb || !da || da.length < 3 || `${da}` !== `${db}`) return undefined;
  const next = onlyConsumer(graph, links, node.outputs[0] as string);
  if (next?.op === 'Add' && next.inputs.every((name) => network.axes.has(name)) && !isBiased(next, network))
    return undefined;
  const [onA, onB] = [ancestors(links, a), ancestors(links, b)];
  const learns = (nodes: Iterable<Node>, without: ReadonlySet<Node>) =>
    [...nodes].some((n) => !without.has(n) && parameters.isLayer(n));
  if (onB.has(na)) return learns(onB, onA) ? { skip: a, branch: b } : undefined;
  if (onA.has(nb)) return learns(onA, onB) ? { skip: b, branch: a } : undefined;
  // A projected shortcut: neither side is computed from the other; the one with fewer nodes of its own is the shortcut.
  if (![...onA].some((n) => onB.has(n))) return undefined;
  const parts = onA.size <= onB.size ? { skip: a, branch: b } : { skip: b, branch: a };
  const [skip, branch] = onA.size <= onB.size ? [onA, onB] : [onB, onA];
  return learns(branch, skip) ? parts : undefined;
}

/** An addition of a constant. */
const isBiased = ({ inputs }: Node, { axes }: StaticGraph) => inputs.some((name) => !axes.has(name));

/** How a branch mixes the places of the image among each other: by attention, or among tokens by anything else. */
function mixingOf(network: StaticGraph, { skip, branch }: Residual): 'attn' | 'mix' | undefined {
  const before = ancestors(network.links, skip);
  const inside = [...ancestors(network.links, branch)].filter((n) => !before.has(n));
  if (inside.some((n) => n.op === 'Softmax' || n.op.includes('Attention'))) return 'attn';
  const mixes = inside.some((n) => {
    if (n.op === 'AveragePool' || n.op === 'MaxPool') return true;
    if (n.op === 'Conv') return (network.dims(n.inputs[1] ?? '') ?? []).slice(2).some((k) => k > 1);
    return n.outputs.some((name) => network.axes.get(name)?.some((axis) => holds(axis, 'mixed')));
  });
  return mixes ? 'mix' : undefined;
}
