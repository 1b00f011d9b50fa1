/** Short stable names of values: by stage and block in convolutional networks, by block in transformers. */
import { intAttribute, type Node } from '../../ir/index.js';
import { isOf } from '../axes/axis.js';
import { parametersOf } from '../layers/parameters.js';
import { ancestors, onlyConsumer } from '../links.js';
import type { StaticGraph } from '../specialise.js';
import type { Module } from './modules.js';
import type { Role } from './roles.js';

export function aliasesOf(
  network: StaticGraph,
  values: readonly string[],
  roles: ReadonlyMap<string, Role>,
  modules: ReadonlyMap<string, Module>,
): Map<string, string> {
  const { links } = network;
  const kindOf = (name: string) => network.layout(name)?.kind;
  const area = (name: string) => {
    const [h, w] = network.layout(name)?.grid ?? [1, 1];
    return h * w;
  };
  // Where attention is added to maps, tokens are those maps in another form (Swin).
  const staged = [...roles].some(([name, { role }]) => role === 'mid' && kindOf(name) === 'map');
  const inTokens = new Set(
    [...roles].flatMap(([name, { branch }]) => (branch && kindOf(name) === 'tokens' && !staged ? [...branch] : [])),
  );
  const isMap = (name: string) => {
    if (inTokens.has(links.producer.get(name) as Node)) return false;
    return kindOf(name) === 'map' || (staged && network.layout(name)?.grid !== undefined);
  };
  const maps = values.filter((name) => isMap(name) && roles.has(name) && area(name) > 1);
  const areas = [...new Set(maps.map(area))].sort((a, b) => b - a);
  const aliases = new Map<string, string>();
  const counts = new Map<string, number>();
  const taken = new Set<string>();
  const assign = (name: string, prefix: string, op: string, unnamed: boolean) => {
    const module = modules.get(name);
    const [label, always] = [module ?? op, unnamed && module === undefined];
    // Others of its operator are numbered as if it had no name.
    if (module) counts.set(`${prefix}.${op}`, (counts.get(`${prefix}.${op}`) ?? 0) + 1);
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
  const inside = withinBlocks(roles);
  const gathered = gatheredValues(network);
  const [ends, forks] = endsOfBlocks(roles, network);
  let stage = 1;
  let block = 1;
  let blockEnded = false;
  let gathering = false;
  let token = 1;
  let amongTokens = false;
  for (const name of values) {
    const role = roles.get(name)?.role;
    const node = links.producer.get(name) as Node;
    const label = role ?? node.op.toLowerCase();
    const kind = kindOf(name);
    if (kind === 'tokens' || kind === 'map') amongTokens = !isMap(name);
    const known = role === 'features' || role === 'logits' ? role : modules.get(name);
    if (known === 'features' || known === 'logits' || known === 'final_norm') {
      taken.add(known);
      aliases.set(name, known);
    } else if (kind !== 'vector' && amongTokens) {
      assign(name, `block${String(token).padStart(2, '0')}`, label, role === undefined);
      if (role === 'out') token++;
    } else if (kind === 'vector') {
      assign(name, 'fc', label, true);
    } else {
      // What a block computes before it halves the resolution belongs to it, and so does a norm that all of it reads.
      const end: string = ends.get(node) ?? (blockEnded ? forks.get(node) : undefined) ?? name;
      const own = areas.indexOf(area(end)) + 1;
      // What gathers the blocks before it is part of the last of them, up to its activation.
      if (blockEnded && gathered.has(name)) [blockEnded, gathering] = [false, true];
      if (own > stage) {
        [stage, block, blockEnded] = [own, 1, false];
      } else if (blockEnded && own === stage) {
        [block, blockEnded] = [block + 1, false];
      }
      assign(name, `s${stage}.b${block}`, label, role === 'act' || role === undefined);
      const hasGathered = gathering && role === 'act';
      const isEnd = hasGathered || (!gathered.has(name) && endsBlock(name, node, roles, network, inside));
      if (own === stage && isEnd) [blockEnded, gathering] = [true, false];
    }
  }
  return aliases;
}

/**
 * Values beside others that they are computed from, read by nothing but a convolution: it gathers them within a block (DLA,
 * MobileViT).
 */
function gatheredValues({ graph, links, axes }: StaticGraph): ReadonlySet<string> {
  const found = new Set<string>();
  for (const { op, inputs, outputs } of graph.nodes) {
    const name = outputs[0] ?? '';
    if (op !== 'Concat' || onlyConsumer(graph, links, name)?.op !== 'Conv') continue;
    const parts = inputs.filter((input) => axes.has(input));
    const own = new Set(parts.map((part) => links.producer.get(part)));
    const below = parts.flatMap((part) => [...ancestors(links, part)].filter((n) => n !== links.producer.get(part)));
    if (below.some((n) => own.has(n))) found.add(name);
  }
  return found;
}

/** Nodes on the branch of a residual sum, but for branches so long that they hold several blocks. */
function withinBlocks(roles: ReadonlyMap<string, Role>): ReadonlySet<Node> {
  const sums = [...roles.values()].flatMap(({ branch, role }) => (branch && role !== 'mid' ? [branch] : []));
  const ends = new Set([...roles].flatMap(([name, { branch, role }]) => (branch && role !== 'mid' ? [name] : [])));
  const short = sums.filter((branch) => [...branch].filter((n) => ends.has(n.outputs[0] ?? '')).length <= 1);
  return new Set(short.flatMap((branch) => [...branch]));
}

/**
 * The residual sums of projected shortcuts and of what mixes places (keys and values of fewer places) by the nodes of their
 * branches; and, of projected shortcuts, by those of the norm and activation that shortcut and branch start from, unless they
 * are those of the layer before.
 */
function endsOfBlocks(
  roles: ReadonlyMap<string, Role>,
  { graph, links, axes, origins }: StaticGraph,
): [ReadonlyMap<Node, string>, ReadonlyMap<Node, string>] {
  const [ends, forks] = [new Map<Node, string>(), new Map<Node, string>()];
  const parameters = parametersOf(graph, links, origins);
  for (const [name, { role, branch = [], fork }] of roles) {
    if (!fork && role !== 'mid') continue;
    for (const node of branch) if (!ends.has(node)) ends.set(node, name);
    if (!fork) continue;
    const before: Node[] = [];
    for (let node: Node | undefined = fork; node; ) {
      const role = roles.get(node.outputs[0] ?? '')?.role;
      if (role !== undefined && role !== 'act') break;
      before.push(node);
      const [from, ...others]: string[] = node.inputs.filter((input) => axes.has(input));
      node = from !== undefined && others.length === 0 ? links.producer.get(from) : undefined;
    }
    if (!before.some(parameters.isLayer)) for (const node of before) forks.set(node, name);
  }
  return [ends, forks];
}

/** Residual blocks end with their sum, inverted bottlenecks without one with their linear projection, fire modules with Concat. */
function endsBlock(
  name: string,
  node: Node,
  roles: ReadonlyMap<string, Role>,
  { links, axes }: StaticGraph,
  inside: ReadonlySet<Node>,
): boolean {
  const role = roles.get(name)?.role;
  if (inside.has(node)) return false;
  if (role === 'out' || (role === 'sum' && !roles.get(name)?.hidden)) return true;
  // Channels beside channels; rows beside rows are a shift or a border.
  if (node.op === 'Concat') return isOf(axes.get(name)?.[intAttribute(node, 'axis', 1)] ?? [], 'channel');
  const readers = links.consumers.get(name) ?? [];
  const feedsConv = readers.some((n) => n.op === 'Conv');
  // A convolution of each channel is a step of a block, with or without an activation.
  const linear = (node.op === 'Conv' && intAttribute(node, 'group', 1) === 1) || node.op === 'BatchNormalization';
  // Where the value is a branch, the residual sum that follows is the block's end.
  const branch = readers.some(
    (n) => n.op === 'Add' && n.inputs[0] !== name && roles.get(n.outputs[0] ?? '')?.role === 'sum',
  );
  return role === undefined && linear && feedsConv && !branch;
}
