/** Short stable names of values: by stage and block in convolutional networks, by block in transformers. */
import type { Node } from '../../ir/index.js';
import type { Links } from '../links.js';
import type { StaticGraph } from '../specialise.js';
import type { Role } from './roles.js';

export function aliasesOf(
  network: StaticGraph,
  values: readonly string[],
  roles: ReadonlyMap<string, Role>,
): Map<string, string> {
  const { links } = network;
  const kindOf = (name: string) => network.layout(name)?.kind;
  const area = (name: string) => {
    const [h, w] = network.layout(name)?.grid ?? [1, 1];
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
  let amongTokens = false;
  for (const name of values) {
    const role = roles.get(name)?.role;
    const node = links.producer.get(name) as Node;
    const label = role ?? node.op.toLowerCase();
    const kind = kindOf(name);
    if (kind === 'tokens' || kind === 'map') amongTokens = kind === 'tokens';
    if (role === 'features' || role === 'logits') {
      taken.add(role);
      aliases.set(name, role);
    } else if (kind !== 'vector' && amongTokens) {
      assign(name, `block${String(token).padStart(2, '0')}`, label, role === undefined);
      if (role === 'out') token++;
    } else if (kind === 'vector') {
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
