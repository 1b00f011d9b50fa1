/** The layers of the network of a layer-copy study, and what they cost: what "layer n" is, and how long a plan takes. */
import type { Engine } from '../../engine/index.js';
import { type PreprocessedNetwork, specialiseBackbone } from '../../features/index.js';
import { ancestors, costs, learnedLayers, type StaticGraph, sizeOf } from '../../graph/index.js';

export interface NetworkLayer {
  /** From 1, counted from the image. */
  readonly n: number;
  readonly name: string;
  /** Its last value: what a cut after it passes on. */
  readonly value: string;
  /** Multiply-adds for one image up to its end. */
  readonly macs: number;
  /** Values that a cut after it passes on: more than one within a residual block, or an attention block. */
  readonly crossing: number;
}

export interface NetworkLayers {
  /** All learned layers, the head included. */
  readonly layers: readonly NetworkLayer[];
  /** Numbers that all values of one image take: about what training holds of it. */
  readonly activations: number;
}

export async function networkLayers(engine: Engine, of: PreprocessedNetwork): Promise<NetworkLayers> {
  const network = await specialiseBackbone(of, engine, 2);
  const found = learnedLayers(network.graph);
  const cost = costs(
    network,
    found.map((l) => l.value),
  );
  const weights = new Set(found.flatMap((l) => l.parameters.map((p) => p.name)));
  const sizes = network.graph.nodes.flatMap((node) =>
    node.outputs.map((name) => sizeOf(network.values.get(name)?.dims ?? [])),
  );
  return {
    layers: found.map(({ index, name, value }) => ({
      n: index + 1,
      name,
      value,
      macs: cost.get(value)?.macs ?? 0,
      crossing: crossingAfter(network, value, weights),
    })),
    activations: sizes.reduce((sum, size) => sum + size, 0) / network.batch,
  };
}

/**
 * How many of the values that a layer's end is made from, itself and the image included, are read by what comes later. One that
 * follows from the others without a weight (the picture of a block's output that its shortcut takes) is not another.
 */
function crossingAfter({ graph, links }: StaticGraph, value: string, weights: ReadonlySet<string>): number {
  const below = new Set(ancestors(links, value));
  const images = new Set(graph.inputs.map((i) => i.name));
  const made = new Set([...images, ...[...below].flatMap((node) => node.outputs)]);
  const later = graph.nodes.filter((node) => !below.has(node));
  const crossing = new Set(later.flatMap((node) => node.inputs.filter((name) => made.has(name))));
  const follows = (name: string): boolean => {
    const node = links.producer.get(name);
    if (!node || node.inputs.some((input) => weights.has(input))) return false;
    return node.inputs.every(
      (input) => crossing.has(input) || (!links.producer.has(input) && !images.has(input)) || follows(input),
    );
  };
  return [...crossing].filter((name) => !follows(name)).length;
}
