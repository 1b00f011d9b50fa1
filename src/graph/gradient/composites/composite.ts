/**
 * Composites: operators that stand for "the gradient of ...", which reverse mode writes and a lowering writes out, in
 * standard operators for any engine or in the blocked layout of one. They are never in a graph that leaves this folder.
 */

import type { Emitter } from '../../../ir/index.js';
import { type AttributeKinds, intAttribute, intsAttribute, type Node } from '../../../ir/index.js';
import type { BlockedLayout } from '../lower/layout.js';
import type { Window } from '../window.js';

/** The domain of composites while they are nodes. */
export const compositeDomain = 'toehold';

/** Writes a node in the blocked layout; false where that cannot be. */
export type Lower = (layout: BlockedLayout, node: Node) => boolean;

/** Everything that there is to know of one composite; to add one, write it and list it in index.ts. */
export interface Composite {
  readonly name: string;
  readonly attributes: AttributeKinds;
  /** Its outputs in standard operators. */
  readonly expand: (e: Emitter, node: Node) => readonly string[];
  /** Its blocked form; 'expand' when it has none and is expanded in the plain layout there too. */
  readonly lower: Lower | 'expand';
}

/** Kinds of the attributes that carry a window (see windowAttributes). */
export const windowKinds = {
  kernel_shape: 'ints',
  strides: 'ints',
  dilations: 'ints',
  pads: 'ints',
  group: 'int',
} as const;

/** The window that a composite carries in its attributes. */
export function windowFrom(node: Node): Window {
  const ints = (name: keyof typeof windowKinds) => intsAttribute(node, name) ?? [];
  const [kernel, pads] = [ints('kernel_shape'), ints('pads')];
  return {
    kernel,
    strides: ints('strides'),
    dilations: ints('dilations'),
    begin: pads.slice(0, kernel.length),
    end: pads.slice(kernel.length),
    group: intAttribute(node, 'group', 1),
  };
}

export const inputOf = (node: Node, i: number) => node.inputs[i] as string;
export const outputOf = (node: Node, i = 0) => node.outputs[i] as string;
