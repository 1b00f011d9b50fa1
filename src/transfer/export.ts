/** The trained network as a model file that any ONNX runtime opens. */
import type { Preprocess } from '../data/index.js';
import type { Engine } from '../engine/index.js';
import { float32, type Graph, type InputShape, imageInput, sizeOf } from '../graph/index.js';
import { inputShape, type Network } from './network.js';

/** Keys of the model's metadata; values are JSON. */
export const metadataKeys = {
  preprocess: 'toehold.preprocess',
  classes: 'toehold.classes',
  training: 'toehold.training',
} as const;

export interface ExportOptions {
  readonly preprocess: Preprocess;
  readonly classes: readonly string[];
  /** What is to be known of the training: treatment, seed, steps ... */
  readonly training: Readonly<Record<string, unknown>>;
}

/**
 * Inference form with a float image input and the output `logits`. Preprocessing and class names travel as metadata.
 * The batch is free when the network runs with one and with two images; otherwise it is what it was.
 */
export async function exportNetwork(
  engine: Engine,
  network: Network,
  { preprocess, classes, training }: ExportOptions,
): Promise<Graph> {
  const { graph, logits } = network;
  const input = imageInput(graph);
  const [own, ...image] = inputShape(1, preprocess.size, preprocess.layout);
  const withBatch = (batch: string | number): Graph => ({
    ...graph,
    inputs: [{ ...input, type: 'float32', shape: [batch, ...image] }],
    outputs: graph.outputs.map((o) => (o.name === logits ? { ...o, shape: [batch, network.classes] } : o)),
    metadata: new Map([
      ...graph.metadata,
      [metadataKeys.preprocess, JSON.stringify(preprocess)],
      [metadataKeys.classes, JSON.stringify(classes)],
      [metadataKeys.training, JSON.stringify(training)],
    ]),
  });
  const free = withBatch('N');
  if (await runsAtAnyBatch(engine, free, image as number[])) return free;
  const declared = input.shape?.[0];
  return withBatch(typeof declared === 'number' ? declared : own);
}

async function runsAtAnyBatch(engine: Engine, graph: Graph, image: readonly number[]): Promise<boolean> {
  const program = await engine.compile(graph);
  try {
    for (const batch of [1, 2]) {
      const dims: InputShape = [batch, ...image];
      const feeds = { [imageInput(graph).name]: float32(dims, new Float32Array(sizeOf(dims))) };
      const results = await program.run(feeds);
      if (Object.values(results).some((tensor) => tensor.dims[0] !== batch)) return false;
    }
    return true;
  } catch {
    return false;
  } finally {
    await program.dispose();
  }
}
