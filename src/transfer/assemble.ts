/** From a network to the graphs that are run: the training form on uint8 images, and the classifier that is evaluated. */
import type { Preprocess } from '../data/index.js';
import type { Engine } from '../engine/index.js';
import { pixelInput, pixelShape } from '../features/index.js';
import {
  type Graph,
  type Node,
  type Observed,
  type SpecialiseOptions,
  type StaticGraph,
  specialise,
  type Tensor,
  type TrainingForm,
  trainingForm,
} from '../graph/index.js';
import type { Network } from './network.js';
import type { Classifier } from './predict.js';
import { keepForTraining } from './treatment.js';

/** The network from uint8 images to logits. */
function onPixels(
  engine: Engine,
  network: Pick<Network, 'graph' | 'logits'>,
  preprocess: Preprocess,
  batch: number,
  options?: SpecialiseOptions,
): Promise<StaticGraph> {
  const graph = pixelInput({ ...network.graph, outputs: [{ name: network.logits }] }, preprocess, batch);
  return specialise(graph, engine, pixelShape(preprocess, batch), options);
}

export interface TrainingGraph {
  readonly form: TrainingForm;
  readonly input: string;
  /** Type and shape of every value of the inference form. */
  readonly values: Observed;
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
  const keep = keepForTraining(network.graph);
  const { graph, input, values } = await onPixels(engine, network, preprocess, batch, keep);
  const frozen = (node: Node) =>
    node.op === 'BatchNormalization' && !node.inputs.slice(1, 3).some((name) => trained.has(name));
  const form = trainingForm(graph, { frozen, ...(momentum !== undefined && { momentum }) });
  return { form, input, values };
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
  network: Pick<Network, 'graph' | 'logits'>,
  preprocess: Preprocess,
  batch: number,
): Promise<Classifier> {
  const { graph, input } = await onPixels(engine, network, preprocess, batch);
  return { program: await engine.compile(graph), input, logits: network.logits, batch };
}
