/** All composites, and how rules write them. */

import type { Dims, Emitter } from '../../../ir/index.js';
import { type AnyAttributes, type AttributeValues, type Node, withKinds } from '../../../ir/index.js';
import { clipGradient, geluGradient, reluGradient } from './activations.js';
import { batchStatistics, channelAffine, channelDot, channelSum } from './channels.js';
import { type Composite, compositeDomain } from './composite.js';
import { convInputGradient, convWeightGradient } from './convolution.js';
import { maxPoolGradient, sliceGradient } from './moves.js';

export const composites = [
  convInputGradient,
  convWeightGradient,
  channelSum,
  channelDot,
  batchStatistics,
  channelAffine,
  reluGradient,
  clipGradient,
  geluGradient,
  sliceGradient,
  maxPoolGradient,
] as const;
/** One of the list: a composite that is not in it cannot be written. */
export type KnownComposite = (typeof composites)[number];

const byName: ReadonlyMap<string, Composite> = new Map(composites.map((c) => [c.name, c]));

/** The composite that a node stands for, if it stands for one. */
export function compositeOf(node: Node): Composite | undefined {
  return node.domain === compositeDomain ? byName.get(node.op) : undefined;
}

/** Adds the node of a composite whose outputs have names. */
export function writeComposite<C extends KnownComposite>(
  e: Emitter,
  composite: C,
  inputs: readonly string[],
  outputs: readonly string[],
  attributes?: AttributeValues<C['attributes']>,
): void {
  const given = (attributes ?? {}) as AnyAttributes;
  e.append({
    op: composite.name,
    domain: compositeDomain,
    name: '',
    inputs,
    outputs,
    attributes: withKinds(given, composite.attributes, composite.name),
  });
}

/** Adds the node of a composite with one output, of the shape `dims`. */
export function emitComposite<C extends KnownComposite>(
  e: Emitter,
  composite: C,
  inputs: readonly string[],
  dims: Dims,
  attributes?: AttributeValues<C['attributes']>,
): string {
  const output = e.value(composite.name, dims);
  writeComposite(e, composite, inputs, [output], attributes);
  return output;
}
export {
  batchStatistics,
  channelAffine,
  channelDot,
  channelSum,
  clipGradient,
  convInputGradient,
  convWeightGradient,
  geluGradient,
  maxPoolGradient,
  reluGradient,
  sliceGradient,
};
