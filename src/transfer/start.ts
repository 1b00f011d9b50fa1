/** The network that a treatment starts from: its head, its copied and its fresh layers. */
import { UserError } from '../base/index.js';
import type { Preprocess } from '../data/index.js';
import type { Engine } from '../engine/index.js';
import { inputShape, tapsOf } from '../features/index.js';
import {
  architectureKey,
  architectureOf,
  buildArchitecture,
  copyLayers,
  float32,
  type Graph,
  type Initialisation,
  type LearnedLayer,
  learnedLayers,
  reinitialise,
  sizeOf,
  type Tap,
  type Tensor,
} from '../graph/index.js';
import type { ValuedKind } from '../record/index.js';
import { withWeights } from './assemble.js';
import { calibrateNorms } from './calibrate.js';
import type { LabelledImages } from './images.js';
import { headNames, headWeight, type Network, withHead } from './network.js';
import type { TrainOptions } from './options.js';
import { type FeatureSelection, withSelectedHead } from './selected.js';
import { changedConstants, copies, type LayerPlan, layeredForm, planLayers, type Treatment } from './treatment.js';
import { type UnfoldNorms, unfoldForTraining } from './unfold.js';

export interface StartRequest {
  /** From readNetwork, or from buildArchitecture with as many classes as the data. */
  readonly model: Graph;
  /** The model is an architecture: its weights are fresh and its last layer is the head. */
  readonly fresh: boolean;
  /** Where copied layers come from; the model itself when undefined. */
  readonly copyFrom?: Graph | undefined;
  readonly treatment: Treatment;
  /** With treatment finetune: the head reads these features instead of the last ones (Head2Toe-FT). */
  readonly selection?: FeatureSelection | undefined;
  /** Names of the outputs: classes, or of values or labels. */
  readonly classes: readonly string[];
  /** What the images' values are; classes where absent. */
  readonly target?: ValuedKind | undefined;
  readonly preprocess: Preprocess;
  /** Of storedSize(augmentation, size). */
  readonly train: LabelledImages;
  readonly options: TrainOptions;
  /** Of fresh layers; the architecture's own, and `he` for other networks, where it is undefined. */
  readonly init?: Initialisation | undefined;
  readonly unfoldNorms: UnfoldNorms;
  /** Running statistics of frozen copied norms: the source's (default), or taken anew of the training images. */
  readonly norms?: 'kept' | 'calibrated' | undefined;
  /** Receives what a user should know, one sentence at a time. */
  readonly say?: ((sentence: string) => void) | undefined;
}

export interface Start {
  readonly network: Network;
  readonly layers: readonly LearnedLayer[];
  readonly plan: LayerPlan;
  /** Convolutions whose folded normalisation was restored. */
  readonly unfolded: number;
}

/**
 * The network with its head and the weights that the treatment starts from. A file that says which architecture it is gives
 * the same start as that architecture with layers copied from the file.
 * @throws UserError when request and treatment do not go together
 */
export async function startNetwork(engine: Engine, given: StartRequest): Promise<Start> {
  const request = asArchitecture(given);
  const { model, fresh, copyFrom, treatment, preprocess, options, init = 'he' } = request;
  const shape = inputShape(preprocess, 2);
  const { taps } = await tapsOf({ graph: model, preprocess }, engine);
  let network = headed(request, taps);
  let form = await layeredForm(network.graph, engine, shape);
  const plan = planLayers(treatment, learnedLayers(form), taps);
  checkCopies(request, plan.copied);
  const adopt = (weighted: Graph) => {
    network = { ...network, graph: withWeights(network.graph, changedConstants(form, weighted)) };
    form = weighted;
  };
  if (copyFrom) adopt(copyLayers(await layeredForm(copyFrom, engine, shape), form, plan.copied));
  let unfolded = 0;
  const isRandom = treatment.name === 'random-n';
  if (fresh) {
    if (treatment.name === 'finetune') adopt(withNewHead(form, options.seed));
  } else {
    // Where everything is drawn anew, frozen layers get their norms back too.
    const restored = await unfold(engine, request, network, learnedLayers(form), isRandom ? 0 : plan.frozen);
    unfolded = restored.count;
    if (unfolded > 0) {
      network = restored.network;
      form = await layeredForm(network.graph, engine, shape);
    }
    // The head keeps its own start; layers below it that the treatment does not copy are drawn anew.
    const own = [headNames.weight, headNames.bias].map((name) => [name, form.constants.get(name) as Tensor] as const);
    adopt(withWeights(reinitialise(form, plan.copied, { init, seed: options.seed }), new Map(own)));
  }
  const layers = learnedLayers(form);
  if (isRandom || (request.norms === 'calibrated' && plan.frozen > 0)) {
    const calibration = { preprocess, images: request.train, augmentation: options.augmentation };
    network = await calibrateNorms(engine, network, layers.slice(0, plan.frozen), calibration);
  }
  return { network, layers, plan, unfolded };
}

/** The request with the architecture that its model file says it is, fresh, and the file to copy layers from. */
function asArchitecture(request: StartRequest): StartRequest {
  const { model, fresh, copyFrom, treatment, selection, preprocess, options, init, classes } = request;
  const [height, width] = preprocess.size;
  const own = architectureOf(model);
  if (fresh || selection || own === undefined || height !== width) return request;
  const seed = options.seed;
  const graph = buildArchitecture(own.name, { classes: classes.length, size: height, seed, init: init ?? own.init });
  return { ...request, model: graph, fresh: true, copyFrom: copyFrom ?? (copies(treatment) ? model : undefined) };
}

/** The form with the last layer as a new head of a pretrained network starts: small weights, no bias. */
function withNewHead(form: Graph, seed: TrainOptions['seed']): Graph {
  const parameters = learnedLayers(form).at(-1)?.parameters ?? [];
  const starts = parameters.map(({ name, role, dims }): [string, Tensor] => [
    name,
    role === 'weight' ? headWeight(dims, seed) : float32(dims, new Float32Array(sizeOf(dims))),
  ]);
  return withWeights(form, new Map(starts));
}

/** The model with a classifier for the data's classes: its own when it is fresh, a new one otherwise. */
function headed(
  { model, fresh, treatment, selection, classes, target, options }: StartRequest,
  taps: readonly Tap[],
): Network {
  if (selection && (fresh || treatment.name !== 'finetune' || target)) {
    throw new UserError('selected features are for treatment finetune of a pretrained model, and for classes');
  }
  const head = { classes: classes.length, seed: options.seed };
  if (fresh) return { graph: model, logits: 'logits', features: 'features', classes: classes.length };
  // With another head, or norms that are given back, it is no longer the architecture that it may say it is.
  const metadata = new Map([...model.metadata].filter(([key]) => key !== architectureKey));
  const body = { ...model, metadata };
  return selection ? withSelectedHead(body, taps, selection, head) : withHead(body, taps, head);
}

function checkCopies({ copyFrom, fresh, treatment }: StartRequest, copied: number): void {
  if (copyFrom && copied === 0) {
    throw new UserError(
      `treatment ${treatment.name} copies no layer, so --copy-from has no use; leave one of them out`,
    );
  }
  if (!copyFrom && copied > 0 && fresh) {
    throw new UserError(`treatment ${treatment.name} copies ${copied} layers: say from which model with --copy-from`);
  }
}

function unfold(
  engine: Engine,
  { unfoldNorms, options, preprocess, train, say = () => undefined }: StartRequest,
  network: Network,
  layers: readonly LearnedLayer[],
  frozen: number,
) {
  const { augmentation } = options;
  return unfoldForTraining(engine, network, {
    choice: unfoldNorms,
    layers,
    frozen,
    preprocess,
    images: train,
    augmentation,
    say,
  });
}
