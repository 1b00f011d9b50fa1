/** Learned layers: the unit in which layers are copied, frozen and counted. */
import { UserError } from '../../base/index.js';
import type { Graph, Node } from '../../ir/index.js';
import { linksOf } from '../links.js';
import { type Parameter, parametersOf } from './parameters.js';

/** A layer with weights, and what belongs to it. */
export interface LearnedLayer {
  /** 0 for the first. */
  readonly index: number;
  /** Name of the convolution or matrix product: its node's, or its value's. */
  readonly name: string;
  /** The convolution or matrix product. */
  readonly node: Node;
  /** All nodes that belong to the layer, in topological order: its normalisation, activation, pooling. */
  readonly nodes: readonly Node[];
  /** Learned constants and running statistics, ordered so that layers of the same structure correspond. */
  readonly parameters: readonly Parameter[];
  /** The layer's last value; what dropout leaves of it is not counted. */
  readonly value: string;
}

/** A value's layer (-1 for the image), and whether it comes from that layer alone. */
interface Origin {
  readonly layer: number;
  readonly alone: boolean;
  /** Set where the value prepares a layer that has not come yet. */
  readonly waiting?: Waiting;
}

/** Nodes that wait for the layer which they prepare. */
interface Waiting {
  readonly nodes: Set<Node>;
  /** The layer that took them. */
  layer?: number;
  /** The group that they were joined to. */
  joined?: Waiting;
}

const groupOf = (waiting: Waiting): Waiting => (waiting.joined ? groupOf(waiting.joined) : waiting);

/** The origin of a value as it stands now: its group may have been taken by a layer since. */
function current(origin: Origin): Origin {
  const group = origin.waiting && groupOf(origin.waiting);
  if (!group) return origin;
  return group.layer === undefined ? { ...origin, waiting: group } : { layer: group.layer, alone: false };
}

/**
 * The convolutions and matrix products with learned weights, in topological order.
 *
 * What follows a layer on its own path belongs to it: normalisation, activation, pooling. What follows a sum or
 * concatenation of several layers belongs to the last of these, but a normalisation there belongs to the layer that
 * it prepares, as in pre-activation networks and transformers. The one before the classifier stays with the layer below: it
 * is part of what is transferred.
 * @throws UserError when the graph has no learned layer.
 */
export function learnedLayers(graph: Graph): LearnedLayer[] {
  const links = linksOf(graph);
  const parameters = parametersOf(graph, links);
  const { dependent } = parameters;
  const origins = new Map<string, Origin>();
  const owner = new Map<Node, number>();
  const learned: Node[] = [];
  /** A normalisation of a value that others read as it is stands at the entry of a branch. */
  const isEntry = (node: Node) =>
    node.op.endsWith('Normalization') && (links.consumers.get(node.inputs[0] ?? '')?.length ?? 0) > 1;
  for (const { name } of graph.inputs) origins.set(name, { layer: -1, alone: false });

  const onPath = graph.nodes.filter((node) => node.outputs.some((name) => dependent.has(name)));
  for (const node of onPath) {
    const from = node.inputs.flatMap((name) => {
      const origin = dependent.has(name) ? origins.get(name) : undefined;
      return origin ? [current(origin)] : [];
    });
    const origin = parameters.isLayer(node)
      ? startLayer(node, from, learned, owner)
      : follow(node, from, parameters.of(node).length > 0, owner, isEntry(node));
    for (const name of node.outputs) if (name) origins.set(name, origin);
  }
  if (learned.length === 0) {
    throw new UserError('the model has no learned layer: no convolution or matrix product with constant weights');
  }
  const last = learned.length - 1;
  const ends = graph.outputs.flatMap(({ name }) => origins.get(name) ?? []).filter(({ layer }) => layer === last);
  const isClassifier = last > 0 && ends.length > 0 && ends.every(({ alone }) => alone);
  if (isClassifier) {
    for (const node of onPath.slice(0, onPath.indexOf(learned[last] as Node))) {
      if (owner.get(node) === last) owner.set(node, last - 1);
    }
  }
  return learned.map((node, index) => {
    const nodes = onPath.filter((n) => (owner.get(n) ?? learned.length - 1) === index);
    return {
      index,
      name: node.name || (node.outputs[0] as string),
      node,
      nodes,
      parameters: ordered(nodes.flatMap(parameters.of)),
      value: lastValue(node, nodes),
    };
  });
}

function startLayer(node: Node, from: readonly Origin[], learned: Node[], owner: Map<Node, number>): Origin {
  const layer = learned.push(node) - 1;
  owner.set(node, layer);
  for (const { waiting } of from) {
    if (!waiting) continue;
    waiting.layer = layer;
    for (const prepared of waiting.nodes) owner.set(prepared, layer);
  }
  return { layer, alone: true };
}

function follow(
  node: Node,
  from: readonly Origin[],
  hasParameters: boolean,
  owner: Map<Node, number>,
  entry: boolean,
): Origin {
  const layer = Math.max(-1, ...from.map((o) => o.layer));
  const alone = from.every((o) => o.alone && o.layer === layer);
  const groups = new Set(from.flatMap((o) => o.waiting ?? []));
  if (groups.size > 0 || layer === -1 || entry || (hasParameters && !alone)) {
    const group: Waiting = { nodes: new Set([...[...groups].flatMap((g) => [...g.nodes]), node]) };
    for (const other of groups) other.joined = group;
    return { layer, alone: false, waiting: group };
  }
  owner.set(node, layer);
  return { layer, alone };
}

const roleOrder = ['weight', 'bias', 'scale', 'shift', 'mean', 'variance', 'slope', 'token'];

/** Two files of one network may list a layer's constants in different orders; roles and shapes do not differ. */
function ordered(parameters: readonly Parameter[]): Parameter[] {
  const unique = [...new Map(parameters.map((p) => [p.name, p])).values()];
  const key = (p: Parameter) => roleOrder.indexOf(p.role) * 16 + p.dims.length;
  return unique.sort((a, b) => key(a) - key(b) || (a.role === 'token' ? compare(a.dims, b.dims) : 0));
}

const compare = (a: readonly number[], b: readonly number[]) =>
  a.reduce((order, dim, i) => order || dim - (b[i] ?? 0), 0);

/** Nodes of a layer from its dropout on. */
function droppedOut(nodes: readonly Node[]): Set<Node> {
  const values = new Set<string>();
  const found = new Set<Node>();
  for (const node of nodes) {
    if (node.op !== 'Dropout' && !node.inputs.some((name) => values.has(name))) continue;
    found.add(node);
    for (const name of node.outputs) values.add(name);
  }
  return found;
}

function lastValue(node: Node, nodes: readonly Node[]): string {
  const dropped = droppedOut(nodes);
  const last = nodes.slice(nodes.indexOf(node)).findLast((n) => !dropped.has(n)) ?? node;
  return last.outputs[0] as string;
}
