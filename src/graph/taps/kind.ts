/** What kind of activations a value holds, by its shape. */
import type { StaticGraph } from '../specialise.js';

export type TapKind = 'map' | 'tokens' | 'vector';

const kinds: Readonly<Record<number, TapKind>> = { 2: 'vector', 3: 'tokens', 4: 'map' };

/** Undefined for values that cannot be tapped: not floats, or not one row per example. */
export function tapKind(network: StaticGraph, name: string): TapKind | undefined {
  const value = network.values.get(name);
  return value?.type === 'float32' && value.dims[0] === network.batch ? kinds[value.dims.length] : undefined;
}
