/** What part a value plays in its network. */
import type { Graph, Node } from '../../ir/index.js';
import { ancestors, type Links, onlyConsumer } from '../links.js';
import type { StaticGraph } from '../specialise.js';
import { activationValues } from './activations.js';
import { tapKind } from './kind.js';

export interface Role {
  readonly role: 'act' | 'sum' | 'out' | 'attn' | 'mid' | 'hidden' | 'mlp' | 'features' | 'logits';
  /** A residual sum whose activation is tapped in its place. */
  readonly hidden?: boolean;
}

/** Roles of the values that are tapped by default, and of residual sums that are not. */
export function rolesOf(network: StaticGraph): ReadonlyMap<string, Role> {
  const { graph, links } = network;
  const kindOf = (name: string) => tapKind(network, name);
  const roles = new Map<string, Role>();
  const activations = activationValues(graph, links);
  for (const name of activations.keys()) {
    if (kindOf(name)) roles.set(name, { role: kindOf(name) === 'tokens' ? 'hidden' : 'act' });
  }
  for (const node of graph.nodes) {
    const residual = residualParts(node, network);
    const value = node.outputs[0] as string;
    if (!residual || !kindOf(value)) continue;
    if (kindOf(value) === 'tokens') {
      const inside = ancestors(links, residual.branch, new Set([residual.skip]));
      const attends = [...inside].some((n) => n.op === 'Softmax' || n.op.includes('Attention'));
      roles.set(residual.branch, { role: attends ? 'attn' : 'mlp' });
      roles.set(value, { role: attends ? 'mid' : 'out' });
    } else {
      const after = onlyConsumer(graph, links, value)?.outputs[0];
      const activated = after !== undefined && activations.has(after);
      roles.set(value, { role: 'sum', hidden: activated });
      if (activated) roles.set(after, { role: 'out' });
    }
  }
  const { features, logits } = findEnds(network);
  if (features) roles.set(features, { role: 'features' });
  if (logits) roles.set(logits, { role: 'logits' });
  return roles;
}

/** The two sides of a residual sum: what is carried over, and the branch computed from it. */
function residualParts(node: Node, network: StaticGraph): { skip: string; branch: string } | undefined {
  const { links } = network;
  const [a, b] = node.inputs;
  if ((node.op !== 'Add' && node.op !== 'Sum') || node.inputs.length !== 2 || !a || !b || a === b) return undefined;
  const [da, db] = [network.dims(a), network.dims(b)];
  if (!links.producer.has(a) || !links.producer.has(b) || !da || da.length < 3 || `${da}` !== `${db}`) return undefined;
  const [na, nb] = [links.producer.get(a) as Node, links.producer.get(b) as Node];
  if (ancestors(links, b).has(na)) return { skip: a, branch: b };
  if (ancestors(links, a).has(nb)) return { skip: b, branch: a };
  // A projected shortcut: neither side is computed from the other; the one with fewer nodes of its own is the shortcut.
  const [onlyA, onlyB] = [ancestors(links, a), ancestors(links, b)];
  const shared = new Set([...onlyA].filter((n) => onlyB.has(n)));
  if (shared.size === 0) return undefined;
  return onlyA.size <= onlyB.size ? { skip: a, branch: b } : { skip: b, branch: a };
}

/** The classifier's output before any softmax, and the pooled features that it reads. */
function findEnds(network: StaticGraph): { features?: string | undefined; logits?: string | undefined } {
  const { graph, links } = network;
  const vectors = graph.outputs.map((o) => o.name).filter((name) => tapKind(network, name) === 'vector');
  let features = vectors.find((name) => /feature|embed|pool/i.test(name));
  for (const output of vectors) {
    if (output === features) continue;
    const path = classifierOf(graph, links, output);
    if (!path) continue;
    return { features: features ?? path.features, logits: path.logits };
  }
  features ??= vectors[0];
  return { features };
}

/** Walks back from a vector output over softmax, bias, pooling and shape changes to the last learned layer. */
function classifierOf(graph: Graph, links: Links, output: string): { features: string; logits: string } | undefined {
  let value = output;
  let logits = output;
  for (;;) {
    const node = links.producer.get(value);
    const input = node?.inputs.find((name) => !graph.constants.has(name));
    if (!node || !input) return undefined;
    if (['Gemm', 'MatMul', 'Conv'].includes(node.op)) {
      const before = links.producer.get(input);
      return { features: before?.op === 'Dropout' ? (before.inputs[0] as string) : input, logits };
    }
    if (node.op === 'Softmax' || node.op === 'LogSoftmax' || node.op === 'Sigmoid') logits = input;
    else if (!/^(Add|Relu|Clip|GlobalAveragePool|AveragePool|ReduceMean|Reshape|Flatten|Squeeze)$/.test(node.op)) {
      return undefined;
    }
    value = input;
  }
}
