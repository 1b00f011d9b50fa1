/** The layers of the network of a layer-copy study, and what they cost: what "layer n" is, and how long a plan takes. */
import type { Engine } from '../../engine/index.js';
import { type PreprocessedNetwork, specialiseBackbone } from '../../features/index.js';
import { costs, learnedLayers, sizeOf } from '../../graph/index.js';

export interface NetworkLayer {
  /** From 1, counted from the image. */
  readonly n: number;
  readonly name: string;
  /** Its last value: what a cut after it passes on. */
  readonly value: string;
  /** Multiply-adds for one image up to its end. */
  readonly macs: number;
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
  const sizes = network.graph.nodes.flatMap((node) =>
    node.outputs.map((name) => sizeOf(network.values.get(name)?.dims ?? [])),
  );
  return {
    layers: found.map(({ index, name, value }) => ({ n: index + 1, name, value, macs: cost.get(value)?.macs ?? 0 })),
    activations: sizes.reduce((sum, size) => sum + size, 0) / network.batch,
  };
}
