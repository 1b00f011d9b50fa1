/** Training a network on images: fine-tuned, from scratch, or with layers copied and frozen. */
import { given, UserError } from '../base/index.js';
import type { TargetKind } from '../data/index.js';
import type { Engine } from '../engine/index.js';
import { readModelFile, readNetwork } from '../graph/index.js';
import { exportedClasses, exportedValues } from '../probe/index.js';
import type { ValuedKind } from '../record/index.js';
import {
  type DataChoice,
  type ImageSource,
  loadImages,
  mergeOptions,
  notTrained,
  type PartialTrainOptions,
  runTrainJob,
  type StepProgress,
  storedSize,
  type TrainPreset,
  type TrainRequest,
  type TrainSummary,
  type Treatment,
  type TreatmentName,
  train,
  trainDefaults,
  type UnfoldNorms,
  withLabels,
  withValues,
} from '../transfer/index.js';
import { type ImageLike, inputsOf } from './images.js';
import { type Model, type ModelLike, modelOf } from './model.js';
import { type LongWork, stoppable } from './progress.js';
import { type Label, labelsOf } from './table.js';
import { checkCount, Trained, type TrainedParts, ValuedTrained } from './trained.js';
import { learnedFrom, type Of, type OfClasses, type Said, type Truth, valuedKind } from './truth.js';

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
  options?: FinetuneOptions & OfClasses,
): Promise<Trained<L>>;
/**
 * The same of real values (`target: 'regression'`) or of several labels (`'multilabel'`).
 * @param y an image's value or array of values; the array of its labels, or a row of 0 and 1
 */
export function finetune<K extends ValuedKind, T extends Truth[K]>(
  model: ModelLike,
  images: readonly ImageLike[],
  y: ArrayLike<T>,
  options: FinetuneOptions & Of<K>,
): Promise<ValuedTrained<K, Said<K, T>>>;
/**
 * The same of a data set, into a folder: resumable, tested on the test split or a share of the images.
 * @param data whatever `toehold train` takes
 */
export function finetune(
  model: ModelLike,
  data: string,
  options: FinetuneDataOptions & OfClasses,
): Promise<Trained<string>>;
/** The same of a data set of real values or of several labels; what is said of an image is an array of them. */
export function finetune<K extends ValuedKind>(
  model: ModelLike,
  data: string,
  options: FinetuneDataOptions & Of<K>,
): Promise<ValuedTrained<K, K extends 'regression' ? number[] : string[]>>;
export async function finetune(
  model: ModelLike,
  images: readonly ImageLike[] | string,
  second?: ArrayLike<unknown> | Asked<FinetuneDataOptions>,
  third: Asked<FinetuneOptions> = {},
): Promise<Trained | ValuedTrained> {
  const options = typeof images === 'string' ? (second as Asked<FinetuneDataOptions>) : third;
  return stoppable(options.signal, async (guard) => {
    const opened = await modelOf(model);
    if (opened.backbone.quantised) throw new UserError(notTrained(opened.backbone.path));
    const engine = guard(opened.engine);
    return typeof images === 'string'
      ? trainOnData(opened, engine, images, options as Asked<FinetuneDataOptions>)
      : trainOnImages(opened, engine, images, second as ArrayLike<unknown>, options);
  });
}

type Asked<Options> = Options & { readonly target?: TargetKind | undefined };

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

/** What images are labelled with, as the trainer takes it, and what comes of it. */
interface Lesson {
  request(source: ImageSource): Pick<TrainRequest, 'classes' | 'target' | 'train'>;
  trained(parts: TrainedParts): Trained | ValuedTrained;
}

function lessonOf(y: ArrayLike<unknown>, kind: ValuedKind | undefined): Lesson {
  if (kind) {
    const { wording, values } = learnedFrom(kind, y as ArrayLike<Truth[ValuedKind]>);
    const { outputs } = wording;
    return {
      request: (source) => ({ classes: outputs, target: kind, train: withValues(source, values, outputs.length) }),
      trained: (parts) => new ValuedTrained(parts, wording),
    };
  }
  const { classes, names, indices } = labelsOf(y as ArrayLike<Label>);
  return {
    request: (source) => ({ classes: names, train: withLabels(source, indices) }),
    trained: (parts) => new Trained(parts, classes),
  };
}

async function trainOnImages(
  { backbone, engine: free }: Model,
  engine: Engine,
  images: readonly ImageLike[],
  y: ArrayLike<unknown> | undefined,
  { target, treatment, preset, unfoldNorms = 'auto', signal, onProgress, onNote, ...settings }: Asked<FinetuneOptions>,
): Promise<Trained | ValuedTrained> {
  if (y?.length === undefined) throw new UserError('finetune needs labels: give y, one label an image');
  const lesson = lessonOf(y, valuedKind(target));
  const inputs = inputsOf(images);
  checkCount(y, inputs);
  const batch = Math.min(trainDefaults.batch, inputs.length);
  const options = mergeOptions(preset, { ...(preset === undefined && { batch }), ...given(settings) });
  const { preprocess, path } = backbone;
  const stored = { ...preprocess, size: [...storedSize(options.augmentation, preprocess.size)] as [number, number] };
  const source = await loadImages(inputs, stored, {
    onImages: (done) => onProgress?.({ what: 'images', done, total: inputs.length }),
  });
  signal?.throwIfAborted();
  const { model, epochs, failedToTrain } = await train(engine, {
    ...lesson.request(source),
    model: await readNetwork(path, engine, { activations: 'drop' }),
    fresh: false,
    treatment: treatmentOf(treatment),
    preprocess,
    options,
    unfoldNorms,
    onStep: onStepOf({ onProgress }),
    signal,
    say: onNote,
  });
  return lesson.trained({ engine: free, preprocess, model, epochs, failedToTrain });
}

async function trainOnData(
  { backbone, engine: free }: Model,
  engine: Engine,
  data: string,
  options: Asked<FinetuneDataOptions>,
): Promise<Trained | ValuedTrained> {
  const { target, treatment, preset, unfoldNorms, signal, onProgress, onNote, output, ...rest } = options;
  const { groupFrom, allowOutside, nearDuplicates, encoding, columns, severalLabels, holdout, testSplit, ...settings } =
    rest;
  const job = {
    model: backbone.path,
    data,
    out: output,
    ...{ groupFrom, allowOutside, nearDuplicates, encoding, columns, severalLabels, holdout, testSplit },
    treatment: treatmentOf(treatment),
    preprocess: backbone.preprocess,
    unfoldNorms,
    preset,
    options: settings,
  };
  const observer = {
    onImages: (done: number, total: number) => onProgress?.({ what: 'images', done, total }),
    onStep: onStepOf({ onProgress }),
    ...(onNote && { say: onNote }),
    signal,
  };
  const partsOf = async <Test>(summary: TrainSummary<Test>): Promise<TrainedParts<Test>> => {
    const { epochs, failedToTrain, model } = summary;
    const graph = await readModelFile(model);
    return { engine: free, preprocess: backbone.preprocess, model: graph, epochs, failedToTrain, summary };
  };
  const kind = valuedKind(target);
  if (kind === undefined) {
    const parts = await partsOf(await runTrainJob(engine, job, observer));
    return new Trained(parts, exportedClasses(parts.model, job.out));
  }
  const parts = await partsOf(await runTrainJob(engine, { ...job, target: kind }, observer));
  const isOfValues = kind === 'regression';
  const outputs = (isOfValues ? exportedValues : exportedClasses)(parts.model, job.out);
  return new ValuedTrained(parts, { kind, outputs, form: isOfValues ? 'row' : 'names' });
}
