/** What part a value plays in its network. */
import { intAttribute, type Node } from '../../ir/index.js';
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
  /** Values on the branch of a residual sum, by their nodes. */
  readonly branch?: ReadonlySet<Node>;
  /** Of a residual sum with a projected shortcut: the node whose value shortcut and branch both start from. */
  readonly fork?: Node;
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
  const residuals = graph.nodes.flatMap((node) => {
    const value = node.outputs[0] as string;
    const residual = kindOf(value) && residualParts(node, network, parameters);
    // Parts of the channels that are added up one after the other are steps within a block (Res2Net).
    if (!residual || isPart(network, residual.skip)) return [];
    return [{ value, residual, isLayer: isOneLayer(network, parameters, residual) }];
  });
  // Networks of nothing else have these for blocks (RepVGG, MobileOne).
  const isOfLayers = residuals.every(({ isLayer }) => isLayer);
  for (const { value, residual, isLayer } of residuals) {
    if (isLayer && !isOfLayers) continue;
    const before = ancestors(links, residual.skip);
    const branch = new Set([...ancestors(links, residual.branch)].filter((n) => !before.has(n)));
    // Behind the mixing of its block a perceptron is one, with convolutions in it too (PVT v2).
    const isPerceptron = roles.get(residual.skip)?.role === 'mid' && productsOf(branch, parameters) > 1;
    const mixing = mixingOf(network, branch, kindOf(value) === 'map', isPerceptron);
    if (kindOf(value) === 'tokens' || mixing === 'attn') {
      roles.set(residual.branch, { role: mixing ?? 'mlp' });
      roles.set(value, { role: mixing ? 'mid' : 'out', branch });
    } else if (mixing) roles.set(value, { role: 'mid', branch });
    else {
      const after = activationOf(value, network, activations);
      const activated = after !== undefined;
      const fork = residual.projected ? graph.nodes.findLast((n) => before.has(n) && reads(branch, n)) : undefined;
      roles.set(value, { role: 'sum', hidden: activated, branch, ...(fork && { fork }) });
      if (activated) roles.set(after, { role: 'out' });
    }
  }
  const { features, logits } = endsOf(network);
  if (features) roles.set(features, { role: 'features' });
  if (logits) roles.set(logits, { role: 'logits' });
  return roles;
}

/** Layers beside each other on the same value, added up: one layer, in several branches while it is trained (FastViT). */
function isOneLayer({ links }: StaticGraph, { isLayer }: Parameters, { skip, branch, projected }: Residual): boolean {
  if (!projected) return false;
  const [onSkip, onBranch] = [ancestors(links, skip), ancestors(links, branch)];
  const layers = [...onSkip, ...onBranch].filter((n) => isLayer(n) && !(onSkip.has(n) && onBranch.has(n)));
  return layers.every((n) => {
    const below = ancestors(links, n.inputs[0] ?? '');
    return !layers.some((other) => below.has(other));
  });
}

/** The activation that alone reads a value, in one node or written out in several. */
function activationOf(
  value: string,
  { graph, links }: StaticGraph,
  activations: ReadonlyMap<string, Node>,
): string | undefined {
  const only = onlyConsumer(graph, links, value)?.outputs[0];
  if (only !== undefined && activations.has(only)) return only;
  const readers = links.consumers.get(value) ?? [];
  if (readers.length === 0 || graph.outputs.some(({ name }) => name === value)) return undefined;
  return [...activations.keys()].find((name) => {
    const inside = ancestors(links, name, new Set([value]));
    return readers.every((n) => inside.has(n)) && [...inside].every((n) => writtenOut.has(n.op));
  });
}

/** What activations are written out in. */
const writtenOut = new Set(['Add', 'Mul', 'Div', 'Pow', 'Erf', 'Tanh', 'Sigmoid', 'HardSigmoid', 'Clip', 'Relu']);

/** A residual sum: what is carried over, and the branch computed from it. */
interface Residual {
  readonly skip: string;
  readonly branch: string;
  /** The shortcut is computed as well; neither comes from the other. */
  readonly projected?: boolean;
}

/** Does one of `nodes` read what `from` makes? */
const reads = (nodes: Iterable<Node>, from: Node) =>
  [...nodes].some((n) => n.inputs.some((name) => from.outputs.includes(name)));

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
  return learns(branch, skip) ? { ...parts, projected: true } : undefined;
}

/** Holds some of the channels that another value has. */
const isPart = ({ links }: StaticGraph, name: string) => /^(Split|Slice)$/.test(links.producer.get(name)?.op ?? '');

/** An addition of a constant. */
const isBiased = ({ inputs }: Node, { axes }: StaticGraph) => inputs.some((name) => !axes.has(name));

/** Learned matrix products. */
const productsOf = (branch: ReadonlySet<Node>, { isLayer }: Parameters) =>
  [...branch].filter((n) => n.op !== 'Conv' && isLayer(n)).length;

/**
 * How a branch mixes the places of the image among each other: by attention, or otherwise without mixing channels (pooling,
 * convolutions of each channel, token mixing). On a map convolutions that mix both are what blocks are made of, and those
 * of a perceptron only carry on.
 */
function mixingOf(
  network: StaticGraph,
  branch: ReadonlySet<Node>,
  map: boolean,
  isPerceptron: boolean,
): 'attn' | 'mix' | undefined {
  const inside = [...branch];
  if (inside.some((n) => n.op === 'Softmax' || n.op.includes('Attention'))) return 'attn';
  const weights = (n: Node) => network.dims(n.inputs[1] ?? '') ?? [];
  const convolutions = inside.filter((n) => n.op === 'Conv');
  if (map) {
    const products = inside.some((n) => (n.op === 'MatMul' || n.op === 'Gemm') && network.axes.has(n.outputs[0] ?? ''));
    const eachChannel = convolutions.every((n) => weights(n)[1] === 1 && intAttribute(n, 'group', 1) > 1);
    return !products && convolutions.length > 0 && eachChannel ? 'mix' : undefined;
  }
  const pools = inside.some((n) => n.op === 'AveragePool' || n.op === 'MaxPool');
  const windows =
    !isPerceptron &&
    convolutions.some((n) =>
      weights(n)
        .slice(2)
        .some((k) => k > 1),
    );
  const mixed = inside.some((n) =>
    n.outputs.some((name) => network.axes.get(name)?.some((axis) => holds(axis, 'mixed'))),
  );
  return pools || windows || mixed ? 'mix' : undefined;
}
