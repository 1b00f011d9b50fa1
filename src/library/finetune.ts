/** Training a network on images: fine-tuned, from scratch, or with layers copied and frozen. */
import { given, UserError } from '../base/index.js';
import type { Preprocess } from '../data/index.js';
import type { Engine } from '../engine/index.js';
import { type Graph, readModelFile, readNetwork } from '../graph/index.js';
import { exportedClasses } from '../probe/index.js';
import { type ClassPredictions, type ClassScore, score } from '../record/index.js';
import {
  type ClassTest,
  type DataChoice,
  type EpochRecord,
  loadImages,
  mergeOptions,
  notTrained,
  type PartialTrainOptions,
  predictWith,
  runTrainJob,
  type StepProgress,
  storedSize,
  type TrainPreset,
  type TrainSummary,
  type Treatment,
  type TreatmentName,
  train,
  trainDefaults,
  type UnfoldNorms,
  withLabels,
} from '../transfer/index.js';
import { type ImageLike, inputsOf } from './images.js';
import { type Model, type ModelLike, modelOf } from './model.js';
import { type LongWork, stoppable } from './progress.js';
import { indicesIn, type Label, labelsOf } from './table.js';

/** What learns, and how: options are those of `toehold train`. */
export interface FinetuneOptions extends PartialTrainOptions, LongWork {
  /** What is copied and what learns; all layers of the model, by default. */
  readonly treatment?: TreatmentName | Treatment | undefined;
  /** A protocol's settings; options beside it win. */
  readonly preset?: TrainPreset | undefined;
  /** When batch norms that were folded into convolutions are restored. */
  readonly unfoldNorms?: UnfoldNorms | undefined;
}

/** The same for a data set, with a folder for what comes of it. */
export interface FinetuneDataOptions extends FinetuneOptions, Omit<DataChoice, 'data' | 'target'> {
  /** Folder for model, predictions and result; the same request goes on from what is there. */
  readonly output: string;
}

interface TrainedParts<L extends Label> {
  readonly engine: Engine;
  readonly preprocess: Preprocess;
  readonly classes: readonly L[];
  /** With float images in and `logits` out, and what it was trained as in its metadata. */
  readonly model: Graph;
  readonly epochs: readonly EpochRecord[];
  readonly failedToTrain: boolean;
  /** Of training on a data set. */
  readonly summary?: TrainSummary<ClassTest>;
}

/** A trained network. L is what its labels are: strings or numbers. */
export class Trained<L extends Label = Label> {
  /** @internal */
  constructor(private readonly parts: TrainedParts<L>) {}

  get classes(): readonly L[] {
    return this.parts.classes;
  }
  get model(): Graph {
    return this.parts.model;
  }
  get preprocess(): Preprocess {
    return this.parts.preprocess;
  }
  /** Loss, accuracy and learning rate of every epoch. */
  get epochs(): readonly EpochRecord[] {
    return this.parts.epochs;
  }
  /** No better than guessing: such a network says nothing. */
  get failedToTrain(): boolean {
    return this.parts.failedToTrain;
  }
  /** Of training on a data set: test score, splits, files. */
  get summary(): TrainSummary<ClassTest> | undefined {
    return this.parts.summary;
  }

  /** The most probable class of every image. */
  async predict(images: readonly ImageLike[]): Promise<L[]> {
    const { predicted } = await this.#predictions(images);
    return Array.from(predicted, (k) => this.classes[k] as L);
  }

  /** (n, K), row by row. */
  async predictProba(
    images: readonly ImageLike[],
  ): Promise<{ data: Float64Array; shape: readonly [n: number, K: number] }> {
    const { probabilities = [] } = await this.#predictions(images);
    return { data: Float64Array.from(probabilities), shape: [images.length, this.classes.length] };
  }

  /** Accuracy with its 95 % interval, log loss, calibration, confusion. */
  async score(images: readonly ImageLike[], y: ArrayLike<L>): Promise<ClassScore> {
    const names = this.classes.map(String);
    const labels = indicesIn(names, y);
    if (labels.length !== images.length) {
      throw new UserError(`${labels.length} labels for ${images.length} images: give one label an image`);
    }
    return score(await this.#predictions(images), { kind: 'class', classes: names, labels });
  }

  async #predictions(images: readonly ImageLike[]): Promise<ClassPredictions> {
    const { engine, preprocess, model, classes } = this.parts;
    const network = { graph: model, logits: model.outputs[0]?.name ?? 'logits', classes: classes.length };
    const source = await loadImages(inputsOf(images), preprocess);
    return predictWith(engine, network, { preprocess, options: { batch: trainDefaults.batch } }, source);
  }
}

/**
 * Trains a network on labelled images.
 * @param images paths, bytes, ImageData or arrays of levels
 * @param y a label an image
 * @throws UserError for labels, layers or settings that make no sense; Divergence, a WorkError, when the loss does
 */
export function finetune<L extends Label>(
  model: ModelLike,
  images: readonly ImageLike[],
  y: ArrayLike<L>,
  options?: FinetuneOptions,
): Promise<Trained<L>>;
/**
 * The same of a data set, into a folder: resumable, tested on the test split or a share of the images.
 * @param data whatever `toehold train` takes
 */
export function finetune(model: ModelLike, data: string, options: FinetuneDataOptions): Promise<Trained<string>>;
export async function finetune(
  model: ModelLike,
  images: readonly ImageLike[] | string,
  second?: ArrayLike<Label> | FinetuneDataOptions,
  third: FinetuneOptions = {},
): Promise<Trained<Label>> {
  const options = typeof images === 'string' ? (second as FinetuneDataOptions) : third;
  return stoppable(options.signal, async (guard) => {
    const opened = await modelOf(model);
    if (opened.backbone.quantised) throw new UserError(notTrained(opened.backbone.path));
    const engine = guard(opened.engine);
    return typeof images === 'string'
      ? trainOnData(opened, engine, images, options as FinetuneDataOptions)
      : trainOnImages(opened, engine, images, second as ArrayLike<Label>, options);
  });
}

const treatmentOf = (treatment: FinetuneOptions['treatment'] = 'finetune'): Treatment =>
  typeof treatment === 'string' ? { name: treatment } : treatment;

const onStepOf =
  ({ onProgress }: LongWork) =>
  ({ step, steps, loss, accuracy }: StepProgress) =>
    onProgress?.({
      what: 'steps',
      done: step,
      total: steps,
      note: `loss ${loss.toFixed(3)}${accuracy === undefined ? '' : `, accuracy ${accuracy.toFixed(3)}`}`,
    });

async function trainOnImages<L extends Label>(
  { backbone, engine: free }: Model,
  engine: Engine,
  images: readonly ImageLike[],
  y: ArrayLike<L> | undefined,
  { treatment, preset, unfoldNorms = 'auto', signal, onProgress, onNote, ...settings }: FinetuneOptions,
): Promise<Trained<L>> {
  if (y?.length === undefined) throw new UserError('finetune needs labels: give y, one label an image');
  const { classes, names, indices } = labelsOf(y);
  const inputs = inputsOf(images);
  if (indices.length !== inputs.length) {
    throw new UserError(`${indices.length} labels for ${inputs.length} images: give one label an image`);
  }
  const batch = Math.min(trainDefaults.batch, inputs.length);
  const options = mergeOptions(preset, { ...(preset === undefined && { batch }), ...given(settings) });
  const { preprocess, path } = backbone;
  const stored = { ...preprocess, size: [...storedSize(options.augmentation, preprocess.size)] as [number, number] };
  const source = await loadImages(inputs, stored, {
    onImages: (done) => onProgress?.({ what: 'images', done, total: inputs.length }),
  });
  signal?.throwIfAborted();
  const result = await train(engine, {
    model: await readNetwork(path, engine, { activations: 'drop' }),
    fresh: false,
    treatment: treatmentOf(treatment),
    classes: names,
    preprocess,
    train: withLabels(source, indices),
    options,
    unfoldNorms,
    onStep: onStepOf({ onProgress }),
    signal,
    say: onNote,
  });
  const { model, epochs, failedToTrain } = result;
  return new Trained({ engine: free, preprocess, classes, model, epochs, failedToTrain });
}

async function trainOnData(
  { backbone, engine: free }: Model,
  engine: Engine,
  data: string,
  options: FinetuneDataOptions,
): Promise<Trained<string>> {
  const { treatment, preset, unfoldNorms, signal, onProgress, onNote, output, ...rest } = options;
  const { groupFrom, allowOutside, nearDuplicates, encoding, columns, severalLabels, holdout, testSplit, ...settings } =
    rest;
  const summary = await runTrainJob(
    engine,
    {
      model: backbone.path,
      data,
      out: output,
      ...{ groupFrom, allowOutside, nearDuplicates, encoding, columns, severalLabels, holdout, testSplit },
      treatment: treatmentOf(treatment),
      preprocess: backbone.preprocess,
      unfoldNorms,
      preset,
      options: settings,
    },
    {
      onImages: (done, total) => onProgress?.({ what: 'images', done, total }),
      onStep: onStepOf({ onProgress }),
      ...(onNote && { say: onNote }),
      signal,
    },
  );
  const model = await readModelFile(summary.model);
  const { epochs, failedToTrain } = summary;
  const classes = exportedClasses(model, summary.model);
  return new Trained({ engine: free, preprocess: backbone.preprocess, classes, model, epochs, failedToTrain, summary });
}
