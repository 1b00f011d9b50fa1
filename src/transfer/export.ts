/** The trained network as a model file that any ONNX runtime opens. */
import type { Preprocess } from '../data/index.js';
import type { Engine } from '../engine/index.js';
import { inputShape } from '../features/index.js';
import { architectureKey, float32, type Graph, type InputShape, imageInput, sizeOf } from '../graph/index.js';
import type { ValuedKind } from '../record/index.js';
import type { Network } from './network.js';

/** Keys of the model's metadata; values are JSON. */
export const metadataKeys = {
  preprocess: 'toehold.preprocess',
  classes: 'toehold.classes',
  values: 'toehold.values',
  target: 'toehold.target',
  training: 'toehold.training',
} as const;

/** What a model file says of its training. Names and numbers only: no paths, and no figure that nobody measured. */
export interface TrainingCard {
  readonly treatment: string;
  /** n of the treatments that count layers. */
  readonly n?: number;
  /** Layers above n that `preserve` copied. */
  readonly preserve?: number;
  readonly unfreezeFrom?: string;
  /** Learned layers of the network, the head included; of these copied, and frozen. */
  readonly layers: number;
  readonly copied: number;
  readonly frozen: number;
  readonly seed: number;
  readonly steps: number;
  /** Accuracy, R2 or mean average precision on n test images, added by whoever scored the predictions. */
  readonly test?: { readonly n: number } & (
    | { readonly accuracy: number }
    | { readonly r2: number }
    | { readonly mAP: number }
  );
}

export interface ExportOptions {
  readonly preprocess: Preprocess;
  /** Names of the outputs. */
  readonly classes: readonly string[];
  /** What these are; classes where absent. */
  readonly target?: ValuedKind | undefined;
  readonly training: TrainingCard;
}

const ownKeys = 'toehold.';

/** A trained model that also says how it did on a test. */
export function withTestScore(model: Graph, test: NonNullable<TrainingCard['test']>): Graph {
  const card = JSON.parse(model.metadata.get(metadataKeys.training) ?? '{}') as TrainingCard;
  const metadata = new Map(model.metadata).set(metadataKeys.training, JSON.stringify({ ...card, test }));
  return { ...model, metadata };
}

/**
 * Inference form with a float image input and the output `logits`, or `predictions` of values. Preprocessing and names travel as metadata; what
 * toehold wrote about the model that it started from is not true of this one and is left behind.
 * The batch is free when the network runs with one and with two images; otherwise it is what it was.
 */
export async function exportNetwork(
  engine: Engine,
  network: Network,
  { preprocess, classes, target, training }: ExportOptions,
): Promise<Graph> {
  const { graph, logits } = network;
  const input = imageInput(graph);
  const [own, ...image] = inputShape(preprocess, 1);
  // Every network that is exported is still built as the architecture that it was, whatever its weights and head.
  const foreign = [...graph.metadata].filter(([key]) => !key.startsWith(ownKeys) || key === architectureKey);
  const withBatch = (batch: string | number): Graph => ({
    ...graph,
    inputs: [{ ...input, type: 'float32', shape: [batch, ...image] }],
    outputs: graph.outputs.map((o) => (o.name === logits ? { ...o, shape: [batch, network.classes] } : o)),
    metadata: new Map([
      ...foreign,
      [metadataKeys.preprocess, JSON.stringify(preprocess)],
      [target === 'regression' ? metadataKeys.values : metadataKeys.classes, JSON.stringify(classes)],
      ...(target ? [[metadataKeys.target, target] as const] : []),
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
