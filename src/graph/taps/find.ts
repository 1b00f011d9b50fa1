/**
 * Taps: the values of a network that are worth reading.
 *
 * By default every value after an activation, every residual sum (read after its activation where one follows at
 * once), the attention and MLP output of every transformer block, the pooled features and the logits; in topological
 * order. Aliases: convolutional networks are named by stage (resolution) and block, `s3.b2.act1`, `s3.b2.sum`;
 * transformers by block, `block07.attn`, `.mid`, `.hidden`, `.mlp`, `.out`; the ends `features` and `logits`. Not tapped by
 * default, but named: `.ln1`, `.ln2` and `.fc1` of attention blocks, and `final_norm`.
 */
import { UserError } from '../../base/index.js';
import type { Layout, TapKind } from '../axes/index.js';
import { costs } from '../cost.js';
import type { StaticGraph } from '../specialise.js';
import { aliasesOf } from './aliases.js';
import { modulesOf } from './modules.js';
import { rolesOf } from './roles.js';

/** A value of a network that can be read. */
export interface Tap {
  /** Name of the value in the ONNX graph. */
  readonly name: string;
  /** Short stable name. */
  readonly alias: string;
  readonly kind: TapKind;
  /** Which axis is which. */
  readonly layout: Layout;
  /** Operator that makes the value. */
  readonly op: string;
  /** Shape of one example: the axes of `layout` but N. */
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

/** Every tappable value of a network, in topological order. */
export function findTaps(network: StaticGraph): Tap[] {
  const { graph, links } = network;
  const roles = rolesOf(network);
  const values = graph.nodes.flatMap((n) => n.outputs.slice(0, 1)).filter((name) => network.layout(name));
  if (values.length === 0) throw new UserError('the model has no float values of shape (batch, ...) to tap');
  const aliases = aliasesOf(network, values, roles, modulesOf(network, roles));
  const cost = costs(network, [...values, ...graph.outputs.map((o) => o.name)]);
  const deepest = Math.max(1, ...[...cost.values()].map((c) => c.depth));
  return values.flatMap((name): Tap[] => {
    const layout = network.layout(name);
    if (!layout) return [];
    const { params, macs, depth } = cost.get(name) ?? { params: 0, macs: 0, depth: 0 };
    const tap = {
      name,
      alias: aliases.get(name) ?? name,
      kind: layout.kind,
      layout,
      op: links.producer.get(name)?.op ?? '',
      shape: (network.dims(name) ?? []).toSpliced(layout.axes.indexOf('N'), 1),
      depth: depth / deepest,
      params,
      macs,
      standard: roles.has(name) && !roles.get(name)?.hidden,
    };
    return [tap];
  });
}
