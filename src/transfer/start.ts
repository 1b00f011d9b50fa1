/** The network that a treatment starts from: its head, its copied and its fresh layers. */
import { UserError } from '../base/index.js';
import type { Preprocess } from '../data/index.js';
import type { Engine } from '../engine/index.js';
import { inputShape, tapsOf } from '../features/index.js';
import {
  copyLayers,
  type Graph,
  type Initialisation,
  type LearnedLayer,
  learnedLayers,
  reinitialise,
  type Tap,
  type Tensor,
} from '../graph/index.js';
import { withWeights } from './assemble.js';
import type { LabelledImages } from './images.js';
import { headNames, type Network, withHead } from './network.js';
import type { TrainOptions } from './options.js';
import { type FeatureSelection, withSelectedHead } from './selected.js';
import { changedConstants, type LayerPlan, layeredForm, planLayers, type Treatment } from './treatment.js';
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
  readonly classes: readonly string[];
  readonly preprocess: Preprocess;
  /** Of storedSize(augmentation, size). */
  readonly train: LabelledImages;
  readonly options: TrainOptions;
  readonly init: Initialisation;
  readonly unfoldNorms: UnfoldNorms;
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
 * The network with its head and the weights that the treatment starts from.
 * @throws UserError when request and treatment do not go together
 */
export async function startNetwork(engine: Engine, request: StartRequest): Promise<Start> {
  const { model, fresh, copyFrom, treatment, preprocess, options, init } = request;
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
  if (!fresh) {
    const restored = await unfold(engine, request, network, learnedLayers(form), plan.frozen);
    unfolded = restored.count;
    if (unfolded > 0) {
      network = restored.network;
      form = await layeredForm(network.graph, engine, shape);
    }
    // The head keeps its own start; layers below it that the treatment does not copy are drawn anew.
    const own = [headNames.weight, headNames.bias].map((name) => [name, form.constants.get(name) as Tensor] as const);
    adopt(withWeights(reinitialise(form, plan.copied, { init, seed: options.seed }), new Map(own)));
  }
  return { network, layers: learnedLayers(form), plan, unfolded };
}

/** The model with a classifier for the data's classes: its own when it is fresh, a new one otherwise. */
function headed({ model, fresh, treatment, selection, classes, options }: StartRequest, taps: readonly Tap[]): Network {
  if (selection && (fresh || treatment.name !== 'finetune')) {
    throw new UserError('selected features are for treatment finetune of a pretrained model');
  }
  const head = { classes: classes.length, seed: options.seed };
  if (fresh) return { graph: model, logits: 'logits', features: 'features', classes: classes.length };
  return selection ? withSelectedHead(model, taps, selection, head) : withHead(model, taps, head);
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
