/** One training run from start to end: treatment, training, evaluation, model. */
import { canonicalJson, sha256, UserError } from '../base/index.js';
import type { Preprocess } from '../data/index.js';
import type { Engine } from '../engine/index.js';
import {
  copyLayers,
  type Graph,
  type Initialisation,
  type LearnedLayer,
  learnedLayers,
  reinitialise,
  sizeOf,
  type Tensor,
  writeModel,
} from '../graph/index.js';
import { compileClassifier, trainingGraph, withWeights } from './assemble.js';
import { storedSize } from './augment.js';
import type { EpochRecord } from './checkpoint.js';
import type { LayerOf } from './diagnose.js';
import { type Evaluation, evaluate } from './evaluate.js';
import { exportNetwork } from './export.js';
import type { ImageSource } from './images.js';
import { headNames, inputShape, type Network, tapsOf, withHead } from './network.js';
import { checkOptions, decisiveOptions, stepsPerEpoch, type TrainOptions } from './options.js';
import { kornblithNormMomentum } from './schedule.js';
import { type FeatureSelection, withSelectedHead } from './selected.js';
import { runTraining, type StepProgress } from './trainer.js';
import {
  changedConstants,
  frozenConstants,
  type LayerPlan,
  layeredForm,
  planLayers,
  type Treatment,
  trainedParameters,
} from './treatment.js';
import { type UnfoldNorms, unfoldForTraining } from './unfold.js';

export interface TrainRequest {
  /** From readNetworkFile, or from buildArchitecture with as many classes as the data. */
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
  readonly train: ImageSource;
  readonly test: ImageSource;
  readonly options: TrainOptions;
  readonly init: Initialisation;
  readonly unfoldNorms: UnfoldNorms;
  /** Identity of the images, for the checkpoint's name; file names and labels are taken in any case. */
  readonly data?: string;
  /** File for checkpoints; none are written without. */
  readonly checkpoint?: string | undefined;
  readonly onStep?: ((progress: StepProgress) => void) | undefined;
  /** Told what a user should know, one sentence at a time. */
  readonly say?: ((sentence: string) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface TrainResult {
  readonly plan: LayerPlan;
  readonly steps: number;
  readonly seconds: number;
  readonly epochs: readonly EpochRecord[];
  readonly train: { readonly loss: number; readonly accuracy: number };
  readonly test: Evaluation;
  readonly failedToTrain: boolean;
  /** Numbers that learned, and all that the network has. */
  readonly parameters: { readonly trained: number; readonly total: number };
  /** Convolutions that got a normalisation of their own back. */
  readonly unfolded: number;
  /** sha256 of the frozen layers' constants, running statistics included; equal before and after. */
  readonly frozenHash: string;
  /** Bytes per image computed once; 0 without a cached prefix. */
  readonly cachedBytes: number;
  readonly network: Network;
  /** For writeModel. */
  readonly model: Graph;
}

/**
 * Runs a treatment, going on from the checkpoint if there is one.
 * @throws UserError for a request that cannot be carried out, before any training.
 * @throws WorkError when training diverges or the disk fills up; the last checkpoint stays.
 */
export async function train(engine: Engine, request: TrainRequest): Promise<TrainResult> {
  const { options, preprocess, classes, say = () => undefined } = request;
  checkOptions(options);
  if (classes.length < 2) {
    throw new UserError(`the data has only one class, '${classes[0]}': training needs two or more to tell apart`);
  }
  const perEpoch = stepsPerEpoch(request.train.labels.length, options.batch);
  const stored = storedSize(options.augmentation, preprocess.size);
  if (`${request.train.size}` !== `${stored}` || `${request.test.size}` !== `${preprocess.size}`) {
    throw new Error(
      `images are [${request.train.size}] and [${request.test.size}], not [${stored}] and [${preprocess.size}]`,
    );
  }
  if (request.test.labels.length === 0) throw new UserError('the data has no test images: mark some as split test');

  const { network, layers, plan, unfolded } = await prepare(engine, request, say);
  const parameters = trainedParameters(layers, plan, options, network.fixed);
  const momentum = { kornblith: kornblithNormMomentum(perEpoch), model: undefined };
  const graph = await trainingGraph(
    engine,
    network,
    preprocess,
    options.batch,
    new Set(parameters.map((p) => p.name)),
    typeof options.normMomentum === 'number' ? options.normMomentum : momentum[options.normMomentum],
  );
  const score = async (weights: ReadonlyMap<string, Tensor>): Promise<Evaluation> => {
    const trained = { ...network, graph: withWeights(network.graph, weights) };
    const classifier = await compileClassifier(engine, trained, preprocess, Math.min(32, options.batch));
    try {
      return await evaluate(classifier, request.test);
    } finally {
      await classifier.program.dispose();
    }
  };
  const outcome = await runTraining(engine, {
    ...graph,
    logits: network.logits,
    classes: classes.length,
    parameters,
    images: request.train,
    size: preprocess.size,
    options,
    layerOf: layerNames(layers),
    ...(request.checkpoint !== undefined && {
      checkpoint: { path: request.checkpoint, run: runName(request, network.graph) },
    }),
    evaluate: async (weights) => (await score(weights)).accuracy,
    ...(request.onStep && { onStep: request.onStep }),
    signal: request.signal,
  });
  const frozen = frozenConstants(layers, plan);
  const trained = { ...network, graph: withWeights(network.graph, outcome.weights) };
  const test = await score(outcome.weights);
  const { treatment } = request;
  const training = { ...treatment, ...plan, seed: options.seed, steps: outcome.steps, test: test.accuracy };
  return {
    plan,
    steps: outcome.steps,
    seconds: outcome.seconds,
    epochs: outcome.epochs,
    train: outcome.train,
    test,
    failedToTrain: outcome.failedToTrain,
    parameters: {
      trained: count(parameters),
      total: count(trainedParameters(layers, { ...plan, frozen: 0 }, options, network.fixed)),
    },
    unfolded,
    frozenHash: hashConstants(trained.graph, frozen),
    cachedBytes: outcome.cachedBytes,
    network: trained,
    model: await exportNetwork(engine, trained, { preprocess, classes, training }),
  };
}

interface Prepared {
  readonly network: Network;
  readonly layers: readonly LearnedLayer[];
  readonly plan: LayerPlan;
  readonly unfolded: number;
}

/** The network with its head and the weights that the treatment starts from. */
async function prepare(engine: Engine, request: TrainRequest, say: (sentence: string) => void): Promise<Prepared> {
  const { model, fresh, copyFrom, treatment, selection, classes, preprocess, options, init } = request;
  if (selection && (fresh || treatment.name !== 'finetune')) {
    throw new UserError('selected features are for treatment finetune of a pretrained model');
  }
  const { size, layout } = preprocess;
  const shape = inputShape(2, size, layout);
  const taps = await tapsOf(model, engine, size, layout);
  const head = { classes: classes.length, seed: options.seed };
  let network: Network = fresh
    ? { graph: model, logits: 'logits', features: 'features', classes: classes.length }
    : selection
      ? withSelectedHead(model, taps, selection, head)
      : withHead(model, taps, head);
  let form = await layeredForm(network.graph, engine, shape);
  const plan = planLayers(treatment, learnedLayers(form), taps);
  if (copyFrom && plan.copied === 0) {
    throw new UserError(
      `treatment ${treatment.name} copies no layer, so --copy-from has no use; leave one of them out`,
    );
  }
  if (!copyFrom && plan.copied > 0 && fresh) {
    throw new UserError(
      `treatment ${treatment.name} copies ${plan.copied} layers: say from which model with --copy-from`,
    );
  }
  const adopt = (weighted: Graph) => {
    network = { ...network, graph: withWeights(network.graph, changedConstants(form, weighted)) };
    form = weighted;
  };
  if (copyFrom) adopt(copyLayers(await layeredForm(copyFrom, engine, shape), form, plan.copied));
  let unfolded = 0;
  if (!fresh) {
    const layers = learnedLayers(form);
    const {
      options: { augmentation },
      unfoldNorms: choice,
      train: images,
    } = request;
    const frozen = plan.frozen;
    const result = await unfoldForTraining(engine, network, {
      choice,
      layers,
      frozen,
      preprocess,
      images,
      augmentation,
      say,
    });
    unfolded = result.count;
    if (unfolded > 0) {
      network = result.network;
      form = await layeredForm(network.graph, engine, shape);
    }
    // The head keeps its own start; layers below it that the treatment does not copy are drawn anew.
    const own = [headNames.weight, headNames.bias].map((name) => [name, form.constants.get(name) as Tensor] as const);
    adopt(withWeights(reinitialise(form, plan.copied, { init, seed: options.seed }), new Map(own)));
  }
  return { network, layers: learnedLayers(form), plan, unfolded };
}

/** Names the layer of a value or weight, for messages: 5 of 53 ('conv2'). */
function layerNames(layers: readonly LearnedLayer[]): LayerOf {
  const names = new Map<string, string>();
  for (const layer of layers) {
    const label = `${layer.index + 1} of ${layers.length} ('${layer.name}')`;
    for (const { name } of layer.parameters) names.set(name, label);
    for (const node of layer.nodes) for (const name of node.outputs) names.set(name, label);
  }
  return (value) => names.get(value);
}

function count(parameters: readonly { readonly dims: readonly number[] }[]): number {
  return parameters.reduce((sum, p) => sum + sizeOf(p.dims), 0);
}

/** sha256 over the bytes of constants, in the order of `names`. */
export function hashConstants(graph: Graph, names: readonly string[]): string {
  const hashes = names.map((name) => {
    const data = graph.constants.get(name)?.data as Float32Array;
    return sha256(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  });
  return sha256(hashes.join());
}

/** Equal for runs that give the same weights, whenever and however often they are interrupted. */
function runName(request: TrainRequest, start: Graph): string {
  const { evaluateEvery: _, ...options } = decisiveOptions(request.options);
  const { treatment, classes, preprocess, init, unfoldNorms, data = '' } = request;
  const { labels, files } = request.train;
  const images = sha256(canonicalJson([files, [...labels], data]));
  return sha256(
    canonicalJson({
      model: sha256(writeModel(start)),
      options,
      treatment,
      classes,
      preprocess,
      init,
      unfoldNorms,
      images,
    }),
  );
}

/**
 * Fine-tunes backbone and head on selected features (Head2Toe-FT): select with the frozen backbone, then train both.
 * The result's model ends at the deepest tap that is selected.
 */
export function finetuneSelected(
  engine: Engine,
  request: Omit<TrainRequest, 'treatment' | 'fresh' | 'copyFrom'> & { readonly selection: FeatureSelection },
): Promise<TrainResult> {
  return train(engine, { ...request, treatment: { name: 'finetune' }, fresh: false });
}
