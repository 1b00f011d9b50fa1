/** From a network to the graphs that are run: the training form on uint8 images, and the classifier that is evaluated. */
import { normaliseInput, type Preprocess } from '../data/index.js';
import type { Engine } from '../engine/index.js';
import {
  type Graph,
  type Node,
  type ObservedValue,
  observe,
  replaceInput,
  specialise,
  type Tensor,
  type TrainingForm,
  trainingForm,
} from '../graph/index.js';
import type { Network } from './network.js';
import type { Classifier } from './predict.js';
import { weightCandidates } from './treatment.js';

export const pixelsName = 'pixels';

/** The network behind its preprocessing: uint8 images (batch, height, width, 3) in. */
export function onPixels(graph: Graph, preprocess: Preprocess, batch: number): Graph {
  const shape = [batch, ...preprocess.size, 3];
  return replaceInput(graph, { name: pixelsName, type: 'uint8', shape }, (b, pixels) =>
    normaliseInput(b, pixels, preprocess),
  );
}

export interface TrainingGraph {
  readonly form: TrainingForm;
  readonly input: string;
  /** Type and shape of every value of the inference form. */
  readonly values: ReadonlyMap<string, ObservedValue>;
}

/**
 * @param trained names of the constants that learn; norms whose scale does not learn keep their running averages
 * @param momentum of running averages; the nodes' own when undefined
 */
export async function trainingGraph(
  engine: Engine,
  network: Network,
  preprocess: Preprocess,
  batch: number,
  trained: ReadonlySet<string>,
  momentum: number | undefined,
): Promise<TrainingGraph> {
  const graph = onPixels({ ...network.graph, outputs: [{ name: network.logits }] }, preprocess, batch);
  const shape = [batch, ...preprocess.size, 3] as const;
  const keep = weightCandidates(network.graph);
  const fixed = await specialise(graph, engine, shape, { keep, keepDropout: true });
  const values = await observe(fixed, engine, shape);
  const frozen = (node: Node) =>
    node.op === 'BatchNormalization' && !node.inputs.slice(1, 3).some((name) => trained.has(name));
  const form = trainingForm(fixed, { frozen, ...(momentum !== undefined && { momentum }) });
  return { form, input: (fixed.inputs[0] as Graph['inputs'][number]).name, values };
}

/** A network with other weights, by name. */
export function withWeights(graph: Graph, weights: ReadonlyMap<string, Tensor>): Graph {
  const constants = new Map(graph.constants);
  for (const [name, tensor] of weights) constants.set(name, tensor);
  return { ...graph, constants };
}

/** Compiles a network for evaluation. The caller disposes of the program. */
export async function compileClassifier(
  engine: Engine,
  network: Network,
  preprocess: Preprocess,
  batch: number,
): Promise<Classifier> {
  const graph = onPixels({ ...network.graph, outputs: [{ name: network.logits }] }, preprocess, batch);
  const fixed = await specialise(graph, engine, [batch, ...preprocess.size, 3]);
  const program = await engine.compile(fixed);
  return { program, input: (fixed.inputs[0] as Graph['inputs'][number]).name, logits: network.logits, batch };
}
