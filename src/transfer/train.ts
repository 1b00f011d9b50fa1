/** One training run from start to end: treatment, training, predictions, model. Knows the labels of training images only. */
import { canonicalJson, given, sha256, UserError } from '../base/index.js';
import type { TargetKind } from '../data/index.js';
import type { Engine } from '../engine/index.js';
import {
  type Graph,
  type LearnedLayer,
  type OptimiserParameter,
  sizeOf,
  type Tensor,
  writeModel,
} from '../graph/index.js';
import type { Predictions } from '../record/index.js';
import { compileClassifier, trainingGraph, withWeights } from './assemble.js';
import { storedSize, zeroColour } from './augment.js';
import type { EpochRecord } from './checkpoint.js';
import type { LayerOf } from './diagnose.js';
import { exportNetwork, type TrainingCard } from './export.js';
import type { ImageSource } from './images.js';
import type { Network } from './network.js';
import { answersOf, inUnits, type Scaling, scalingOf, standardised } from './objective.js';
import { checkOptions, decisiveOptions, stepsPerEpoch, type TrainOptions } from './options.js';
import { scoresOf } from './predict.js';
import { kornblithNormMomentum } from './schedule.js';
import { type Start, type StartRequest, startNetwork } from './start.js';
import { type StepProgress, Trainer, type TrainingOutcome } from './trainer.js';
import { frozenConstants, type LayerPlan, trainedParameters } from './treatment.js';

/** Images that are predicted while training, and their score by whoever knows what is true of them. */
export interface Watch {
  readonly images: ImageSource;
  /** @param epoch from 1. @returns undefined where whoever watches keeps the predictions and scores them later */
  score(predictions: Predictions, epoch: number): number | undefined;
}

/** What is trained, from what, and on what. */
export interface TrainRequest extends StartRequest {
  /** Images to predict with the trained network. */
  readonly test?: ImageSource | undefined;
  /** Needed where `evaluateEvery` asks for scores while training. */
  readonly watch?: Watch | undefined;
  /** Identity of the images, for the checkpoint's name; file names and labels are taken in any case. */
  readonly data?: string;
  /** File for checkpoints; none are written without. */
  readonly checkpoint?: string | undefined;
  /** Called after steps. */
  readonly onStep?: ((progress: StepProgress) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What training came to. */
export interface TrainResult {
  readonly plan: LayerPlan;
  readonly steps: number;
  readonly seconds: number;
  readonly epochs: readonly EpochRecord[];
  readonly train: TrainingOutcome['train'];
  /** Of the test images, when there are any. */
  readonly predictions?: Predictions;
  readonly failedToTrain: boolean;
  /** Numbers that learned, and all that the network has. */
  readonly parameters: { readonly trained: number; readonly total: number };
  /** Convolutions whose folded normalisation was restored. */
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
 * Runs a treatment, resuming from the checkpoint if there is one.
 * @throws UserError for a request that cannot be carried out, before any training.
 * @throws Divergence when the loss is no longer finite; the last checkpoint stays.
 * @throws WorkError when the disk fills up, say; so does it.
 */
export async function train(engine: Engine, request: TrainRequest): Promise<TrainResult> {
  const bench = await Bench.create(engine, request);
  try {
    return await bench.train(request);
  } finally {
    await bench.dispose();
  }
}

/** What may differ between the runs of a bench. */
export interface BenchRun extends Pick<TrainRequest, 'checkpoint' | 'onStep' | 'signal'> {
  /** Those of the bench's request, save for the learning rate, the schedule and the length. */
  readonly options: TrainOptions;
}

/** What a run came to. */
export interface Attempt {
  readonly outcome: TrainingOutcome;
  /** With the weights at the end. */
  readonly network: Network;
  /** Of the test images, when there are any. */
  readonly predictions?: Predictions | undefined;
}

/**
 * A treatment made ready: the network that it starts from, and its training step, compiled. Runs of it that differ in their
 * learning rate and length share that work, and leave what each would leave alone.
 */
export class Bench {
  private constructor(
    private readonly engine: Engine,
    private readonly request: TrainRequest,
    private readonly start: Start,
    private readonly parameters: readonly OptimiserParameter[],
    private readonly trainer: Trainer,
    private readonly scaling: Scaling | undefined,
  ) {}

  /** @throws UserError for a request that cannot be carried out */
  static async create(engine: Engine, request: TrainRequest): Promise<Bench> {
    check(request);
    const { options, preprocess, classes, train: images, target = 'class' } = request;
    const scaling = target === 'regression' && images.values ? scalingOf(images.values, classes.length) : undefined;
    const start = await startNetwork(engine, request);
    const { network, layers, plan } = start;
    const parameters = trainedParameters(layers, plan, options, network.fixed);
    // s of the published rule is not rounded.
    const s = images.labels.length / options.batch;
    const momentum = { kornblith: kornblithNormMomentum(s), model: undefined };
    const graph = await trainingGraph(
      engine,
      network,
      preprocess,
      options.batch,
      new Set(parameters.map((p) => p.name)),
      typeof options.normMomentum === 'number' ? options.normMomentum : momentum[options.normMomentum],
    );
    const trainer = await Trainer.create(engine, {
      ...graph,
      logits: network.logits,
      classes: classes.length,
      target,
      parameters,
      images: scaling ? standardised(images, scaling) : images,
      size: preprocess.size,
      outside: zeroColour(preprocess),
      options,
      layerOf: layerNames(layers),
    });
    return new Bench(engine, request, start, parameters, trainer, scaling);
  }

  /** Trains and predicts, and leaves no model. @throws as `train` does */
  async attempt({ options, checkpoint, onStep, signal }: BenchRun): Promise<Attempt> {
    if (built(options) !== built(this.request.options)) throw new Error('these options are for another bench');
    checkOptions(options);
    const request = { ...this.request, options };
    const { network } = this.start;
    const { watch, test } = request;
    const withTheir = (weights: ReadonlyMap<string, Tensor>): Network => {
      const trained = { ...network, graph: withWeights(network.graph, weights) };
      return this.scaling ? inUnits(trained, this.scaling) : trained;
    };
    const outcome = await this.trainer.run({
      options,
      ...(checkpoint !== undefined && {
        checkpoint: { path: checkpoint, run: runName(this.engine, request, network.graph) },
      }),
      ...(watch && {
        watch: async (weights, epoch) =>
          watch.score(await predictWith(this.engine, withTheir(weights), request, watch.images), epoch),
      }),
      onStep,
      signal,
    });
    const trained = withTheir(outcome.weights);
    return {
      outcome,
      network: trained,
      predictions: test && (await predictWith(this.engine, trained, request, test)),
    };
  }

  /** Trains, predicts and exports. @throws as `train` does */
  async train(run: BenchRun): Promise<TrainResult> {
    const { outcome, network, predictions } = await this.attempt(run);
    const { layers, plan, unfolded } = this.start;
    const { preprocess, classes, target } = this.request;
    const training = trainingCard({ ...this.request, options: run.options }, plan, outcome.steps);
    const all = trainedParameters(layers, { ...plan, frozen: 0 }, run.options, network.fixed);
    return {
      plan,
      steps: outcome.steps,
      seconds: outcome.seconds,
      epochs: outcome.epochs,
      train: outcome.train,
      ...(predictions && { predictions }),
      failedToTrain: outcome.failedToTrain,
      parameters: { trained: count(this.parameters), total: count(all) },
      unfolded,
      frozenHash: hashConstants(network.graph, frozenConstants(layers, plan)),
      cachedBytes: outcome.cachedBytes,
      network,
      model: await exportNetwork(this.engine, network, { preprocess, classes, target, training }),
    };
  }

  /** Frees its memory. */
  dispose(): Promise<void> {
    return this.trainer.dispose();
  }
}

/** The options that a step is built with. Kornblith's weight decay is fed to it. */
function built(options: TrainOptions): string {
  const { learningRate: _, epochs: __, steps: ___, schedule: ____, optimiser, ...rest } = decisiveOptions(options);
  const { weightDecay, ...others } = optimiser;
  return canonicalJson({
    ...rest,
    optimiser: optimiser.decayMode === 'kornblith' ? others : { ...others, weightDecay },
  });
}

function check({ options, preprocess, classes, target, train: images, test, watch }: TrainRequest): void {
  checkOptions(options);
  if (target && !images.values) throw new Error(`target ${target} is learned from values, and there are none`);
  if (target && options.labelSmoothing > 0) {
    throw new UserError(`label smoothing is for classes, not for target ${target}: leave it out`);
  }
  if (!target && classes.length < 2) {
    throw new UserError(`the data has only one class, '${classes[0]}': training needs two or more to tell apart`);
  }
  stepsPerEpoch(images.labels.length, options.batch);
  if (test?.files.length === 0) throw new UserError('the test set is empty: leave it out or give it images');
  if (options.evaluateEvery > 0 && !watch) {
    throw new UserError('evaluateEvery asks for scores while training, and there are no images to watch: give some');
  }
  const stored = storedSize(options.augmentation, preprocess.size);
  for (const [what, source, size] of [
    ['training', images, stored],
    ['test', test, preprocess.size],
    ['watched', watch?.images, preprocess.size],
  ] as const) {
    if (source && `${source.size}` !== `${size}`) throw new Error(`${what} images are [${source.size}], not [${size}]`);
  }
}

interface Asked extends Pick<TrainRequest, 'preprocess'> {
  readonly target?: TargetKind | undefined;
  readonly options: Pick<TrainOptions, 'batch'>;
}

/** What a trained network says of images; `options.batch` bounds how many run at once. */
export async function predictWith(
  engine: Engine,
  network: Pick<Network, 'graph' | 'logits' | 'classes'>,
  { preprocess, target = 'class', options }: Asked,
  images: ImageSource,
): Promise<Predictions> {
  const { classes } = network;
  const classifier = await compileClassifier(engine, network, preprocess, Math.min(32, options.batch));
  try {
    return answersOf(await scoresOf(classifier, images, classes), { target, classes });
  } finally {
    await classifier.program.dispose();
  }
}

function trainingCard({ treatment, options }: TrainRequest, plan: LayerPlan, steps: number): TrainingCard {
  const { name, layers: n, preserve, unfreezeFrom } = treatment;
  const { total: layers, copied, frozen } = plan;
  return {
    treatment: name,
    ...given({ n, preserve, unfreezeFrom }),
    layers,
    copied,
    frozen,
    seed: options.seed,
    steps,
  };
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

/** Equal for runs that give the same weights, whenever and however often they are interrupted: threads decide bits. */
function runName(engine: Engine, request: TrainRequest, start: Graph): string {
  const { evaluateEvery: _, ...options } = decisiveOptions(request.options);
  const { treatment, classes, target, preprocess, init, unfoldNorms, norms, data = '' } = request;
  const { labels, files, values } = request.train;
  const images = sha256(canonicalJson([files, [...labels], data]));
  return sha256(
    canonicalJson({
      engine: { name: engine.name, device: engine.device, threads: engine.threads },
      model: sha256(writeModel(start)),
      options,
      treatment,
      classes,
      preprocess,
      init,
      unfoldNorms,
      ...given({
        norms,
        target,
        values: values && sha256(new Uint8Array(values.buffer, values.byteOffset, values.byteLength)),
      }),
      images,
    }),
  );
}
