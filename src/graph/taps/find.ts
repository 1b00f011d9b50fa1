/**
 * Taps: the values of a network that are worth reading.
 *
 * By default every value after an activation, every residual sum (read after its activation where one follows at
 * once), the attention and MLP output of every transformer block, the pooled features and the logits; in topological
 * order. Aliases: convolutional networks are named by stage (resolution) and block, `s3.b2.act1`, `s3.b2.sum`;
 * transformers by block, `block07.attn`, `.mid`, `.hidden`, `.mlp`, `.out`; the ends `features` and `logits`.
 */
import { UserError } from '../../base/index.js';
import type { Graph, Node, ObservedValue } from '../../ir/index.js';
import { costs } from '../cost.js';
import { ancestors, type Links, linksOf, onlyConsumer } from '../links.js';
import { activationValues } from './activations.js';

export type TapKind = 'map' | 'tokens' | 'vector';

export interface Tap {
  /** Name of the value in the ONNX graph. */
  readonly name: string;
  /** Short stable name. */
  readonly alias: string;
  /** map: (channels, height, width); tokens: (tokens, channels); vector: (channels). */
  readonly kind: TapKind;
  /** Operator that makes the value. */
  readonly op: string;
  /** Shape of one example. */
  readonly shape: readonly number[];
  /** Learned layers below it on the longest path, as a fraction of the network's. */
  readonly depth: number;
  /** Learned parameters it is computed from. */
  readonly params: number;
  /** Multiply-adds per example it is computed from. */
  readonly macs: number;
  /** Is it tapped by default? */
  readonly standard: boolean;
}

/** Every tappable value of a static graph (see specialise) observed at `batch`, in topological order. */
export function findTaps(graph: Graph, observed: ReadonlyMap<string, ObservedValue>, batch: number): Tap[] {
  const links = linksOf(graph);
  const kindOf = (name: string): TapKind | undefined => {
    const value = observed.get(name);
    if (value?.type !== 'float32' || value.dims[0] !== batch) return undefined;
    return ({ 2: 'vector', 3: 'tokens', 4: 'map' } as const)[value.dims.length as 2];
  };
  const roles = findRoles(graph, links, observed, kindOf);
  const values = graph.nodes.flatMap((n) => n.outputs.slice(0, 1)).filter((name) => kindOf(name));
  if (values.length === 0) throw new UserError('the model has no float values of shape (batch, ...) to tap');
  const aliases = nameValues(values, roles, observed, kindOf, links);
  const cost = costs(graph, observed, batch, [...values, ...graph.outputs.map((o) => o.name)]);
  const deepest = Math.max(1, ...[...cost.values()].map((c) => c.depth));
  return values.map((name) => {
    const { params, macs, depth } = cost.get(name) ?? { params: 0, macs: 0, depth: 0 };
    return {
      name,
      alias: aliases.get(name) ?? name,
      kind: kindOf(name) as TapKind,
      op: links.producer.get(name)?.op ?? '',
      shape: observed.get(name)?.dims.slice(1) ?? [],
      depth: depth / deepest,
      params,
      macs,
      standard: roles.has(name) && !roles.get(name)?.hidden,
    };
  });
}

interface Role {
  readonly role: 'act' | 'sum' | 'out' | 'attn' | 'mid' | 'hidden' | 'mlp' | 'features' | 'logits';
  /** A residual sum whose activation is tapped in its place. */
  readonly hidden?: boolean;
}

function findRoles(
  graph: Graph,
  links: Links,
  observed: ReadonlyMap<string, ObservedValue>,
  kindOf: (name: string) => TapKind | undefined,
): Map<string, Role> {
  const roles = new Map<string, Role>();
  const activations = activationValues(graph, links);
  for (const name of activations.keys()) {
    if (kindOf(name)) roles.set(name, { role: kindOf(name) === 'tokens' ? 'hidden' : 'act' });
  }
  for (const node of graph.nodes) {
    const residual = residualParts(node, links, observed);
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
  const { features, logits } = findEnds(graph, links, kindOf);
  if (features) roles.set(features, { role: 'features' });
  if (logits) roles.set(logits, { role: 'logits' });
  return roles;
}

/** The two sides of a residual sum: what is carried over, and the branch computed from it. */
export function residualParts(
  node: Node,
  links: Links,
  observed: ReadonlyMap<string, ObservedValue>,
): { skip: string; branch: string } | undefined {
  const [a, b] = node.inputs;
  if ((node.op !== 'Add' && node.op !== 'Sum') || node.inputs.length !== 2 || !a || !b || a === b) return undefined;
  const [da, db] = [observed.get(a)?.dims, observed.get(b)?.dims];
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
function findEnds(
  graph: Graph,
  links: Links,
  kindOf: (name: string) => TapKind | undefined,
): { features?: string | undefined; logits?: string | undefined } {
  const vectors = graph.outputs.map((o) => o.name).filter((name) => kindOf(name) === 'vector');
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

function nameValues(
  values: readonly string[],
  roles: ReadonlyMap<string, Role>,
  observed: ReadonlyMap<string, ObservedValue>,
  kindOf: (name: string) => TapKind | undefined,
  links: Links,
): Map<string, string> {
  const area = (name: string) => {
    const [, , h = 1, w = 1] = observed.get(name)?.dims ?? [];
    return h * w;
  };
  const maps = values.filter((name) => kindOf(name) === 'map' && roles.has(name) && area(name) > 1);
  const areas = [...new Set(maps.map(area))].sort((a, b) => b - a);
  const aliases = new Map<string, string>();
  const counts = new Map<string, number>();
  const taken = new Set<string>();
  const assign = (name: string, prefix: string, label: string, always: boolean) => {
    const key = `${prefix}.${label}`;
    let alias = key;
    do {
      const n = (counts.get(key) ?? 0) + 1;
      counts.set(key, n);
      alias = always || n > 1 ? `${key}${n}` : key;
    } while (taken.has(alias));
    taken.add(alias);
    aliases.set(name, alias);
  };
  let stage = 1;
  let block = 1;
  let blockEnded = false;
  let token = 1;
  for (const name of values) {
    const role = roles.get(name)?.role;
    const node = links.producer.get(name) as Node;
    const label = role ?? node.op.toLowerCase();
    if (role === 'features' || role === 'logits') {
      taken.add(role);
      aliases.set(name, role);
    } else if (kindOf(name) === 'tokens') {
      assign(name, `block${String(token).padStart(2, '0')}`, label, role === undefined);
      if (role === 'out') token++;
    } else if (kindOf(name) === 'vector') {
      assign(name, 'fc', label, true);
    } else {
      const own = areas.indexOf(area(name)) + 1;
      if (own > stage) {
        [stage, block, blockEnded] = [own, 1, false];
      } else if (blockEnded && own === stage) {
        [block, blockEnded] = [block + 1, false];
      }
      assign(name, `s${stage}.b${block}`, label, role === 'act' || role === undefined);
      if (own === stage && endsBlock(name, node, role, roles, links)) blockEnded = true;
    }
  }
  return aliases;
}

/** Residual blocks end with their sum, inverted bottlenecks without one with their linear projection, fire modules with Concat. */
function endsBlock(
  name: string,
  node: Node,
  role: string | undefined,
  roles: ReadonlyMap<string, Role>,
  links: Links,
): boolean {
  if (role === 'out' || (role === 'sum' && !roles.get(name)?.hidden)) return true;
  if (node.op === 'Concat') return true;
  const readers = links.consumers.get(name) ?? [];
  const feedsConv = readers.some((n) => n.op === 'Conv');
  const linear = node.op === 'Conv' || node.op === 'BatchNormalization';
  // Where the value is a branch, the residual sum that follows is the block's end.
  const branch = readers.some(
    (n) => n.op === 'Add' && n.inputs[0] !== name && roles.get(n.outputs[0] ?? '')?.role === 'sum',
  );
  return role === undefined && linear && feedsConv && !branch;
}
