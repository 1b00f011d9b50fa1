/** A training run on files: model and images in, a folder with the trained model, predictions and records out. */
import { access, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { canonicalJson, nearest, sha256, sha256File, UserError, writeFileAtomic } from '../base/index.js';
import {
  createLoader,
  type Dataset,
  type Example,
  fingerprintDataset,
  holdout,
  type Preprocess,
  type PreprocessInput,
  readDataset,
  resolvePreprocess,
} from '../data/index.js';
import type { Engine } from '../engine/index.js';
import { loadBackbone } from '../features/index.js';
import { architectures, buildArchitecture, type Initialisation, writeModel } from '../graph/index.js';
import type { Interval } from '../stats/index.js';
import { type Size, storedSize } from './augment.js';
import type { EpochRecord } from './checkpoint.js';
import { predictionsCsv } from './evaluate.js';
import { type ImageSource, loadImages } from './images.js';
import { readNetworkFile } from './network.js';
import {
  checkOptions,
  decisiveOptions,
  mergeOptions,
  type PartialTrainOptions,
  stepsPerEpoch,
  type TrainOptions,
  type TrainPreset,
} from './options.js';
import { train } from './train.js';
import type { StepProgress } from './trainer.js';
import type { Treatment } from './treatment.js';
import type { UnfoldNorms } from './unfold.js';

export interface TrainJob {
  /** Path of an ONNX file, or an architecture's name. */
  model: string;
  /** Path of a data set. */
  data: string;
  /** Folder for results. */
  out: string;
  treatment: Treatment;
  copyFrom?: string | undefined;
  /** Preset or path; otherwise the sidecar beside the model, else ImageNet's constants. */
  preprocess?: string | undefined;
  /** Height and width of the network's input; the preprocessing's otherwise. */
  size?: Size | undefined;
  /** See readDataset; keeps groups together when test images have to be held out. */
  groupFrom?: string | undefined;
  init?: Initialisation | undefined;
  unfoldNorms?: UnfoldNorms | undefined;
  preset?: TrainPreset | undefined;
  options?: PartialTrainOptions | undefined;
}

export interface TrainSummary {
  treatment: string;
  /** n of the treatments that count layers. */
  layers: number | null;
  plan: { layers: number; copied: number; frozen: number };
  seed: number;
  steps: number;
  seconds: number;
  train: { loss: number; accuracy: number };
  test: { accuracy: number; interval: Interval; loss: number; n: number };
  failedToTrain: boolean;
  /** Path of the trained model. */
  model: string;
  predictions: string;
  classes: number;
  epochs: readonly EpochRecord[];
  parameters: { trained: number; total: number };
  unfolded: number;
  frozenHash: string;
  engine: { name: string; device: string; threads: number };
}

export interface JobObserver {
  onImages?(done: number, total: number): void;
  onStep?(progress: StepProgress): void;
  /** One sentence that a user should know. */
  say?(sentence: string): void;
  signal?: AbortSignal | undefined;
}

const files = {
  model: 'model.onnx',
  preprocess: 'model.preprocess.json',
  predictions: 'predictions.csv',
  log: 'log.jsonl',
  result: 'result.json',
  checkpoint: 'checkpoint.safetensors',
} as const;

/** Share of the images that are held out when the data has no test split. */
const heldOut = 0.2;

/**
 * Trains, or goes on where a run that was interrupted in this folder stopped, or returns the result that is there.
 */
export async function runTrainJob(engine: Engine, job: TrainJob, observer: JobObserver = {}): Promise<TrainSummary> {
  const { say = () => undefined } = observer;
  const options = mergeOptions(job.preset, job.options);
  // What is wrong with the request is said before images are read.
  checkOptions(options);
  const architecture = Object.hasOwn(architectures, job.model) ? architectures[job.model] : undefined;
  if (!architecture) await mustExist(job.model);
  if (job.copyFrom !== undefined) await mustExist(job.copyFrom);
  const { preprocess, notes } = architecture
    ? { preprocess: await preprocessOf(job, architecture.defaults.size), notes: [] }
    : await loadBackbone(job.model, {
        preprocess: job.preprocess,
        ...(job.size && { overrides: { size: [...job.size] } }),
      });
  for (const note of notes) say(note);
  const dataset = await readDataset(job.data, { groupFrom: job.groupFrom });
  for (const warning of dataset.warnings) say(warning);
  const splits = splitExamples(dataset, options.seed, say);
  stepsPerEpoch(splits.train.length, options.batch);
  const hashes = await fingerprintDataset({ root: dataset.root, examples: [...splits.train, ...splits.test] });
  const key = await jobKey(job, options, preprocess, hashes, splits.train.length);
  const finished = await readResult(join(job.out, files.result), key);
  if (finished) return finished;

  const classes = dataset.classes;
  const model = architecture
    ? buildArchitecture(job.model, {
        classes: classes.length,
        size: preprocess.size[0],
        seed: options.seed,
        init: job.init,
      })
    : await readNetworkFile(job.model);
  const total = splits.train.length + splits.test.length;
  const load = (examples: readonly Example[], p: Preprocess, from: number) =>
    loadSplit(dataset, examples, p, (done) => observer.onImages?.(from + done, total));
  const enlarged = storedSize(options.augmentation, preprocess.size);
  const result = await train(engine, {
    model,
    fresh: architecture !== undefined,
    copyFrom: job.copyFrom === undefined ? undefined : await readNetworkFile(job.copyFrom),
    treatment: job.treatment,
    classes,
    preprocess,
    train: await load(splits.train, { ...preprocess, size: [...enlarged] }, 0),
    test: await load(splits.test, preprocess, splits.train.length),
    options,
    init: job.init ?? architecture?.defaults.init ?? 'he',
    unfoldNorms: job.unfoldNorms ?? 'auto',
    data: sha256(hashes.join()),
    checkpoint: join(job.out, files.checkpoint),
    onStep: observer.onStep,
    say,
    signal: observer.signal,
  });

  const { accuracy, interval, loss, predictions } = result.test;
  const summary: TrainSummary = {
    treatment: job.treatment.name,
    layers: job.treatment.layers ?? null,
    plan: result.plan,
    seed: options.seed,
    steps: result.steps,
    seconds: result.seconds,
    train: result.train,
    test: { accuracy, interval, loss, n: predictions.length },
    failedToTrain: result.failedToTrain,
    model: join(job.out, files.model),
    predictions: join(job.out, files.predictions),
    classes: classes.length,
    epochs: result.epochs,
    parameters: result.parameters,
    unfolded: result.unfolded,
    frozenHash: result.frozenHash,
    engine: { name: engine.name, device: engine.device, threads: engine.threads },
  };
  await writeFileAtomic(summary.model, writeModel(result.model));
  await writeFileAtomic(join(job.out, files.preprocess), `${JSON.stringify(preprocess, null, 2)}\n`);
  await writeFileAtomic(summary.predictions, predictionsCsv(predictions, classes));
  await writeFileAtomic(join(job.out, files.log), result.epochs.map((e) => `${JSON.stringify(e)}\n`).join(''));
  await writeFileAtomic(join(job.out, files.result), `${JSON.stringify({ key, ...summary }, null, 2)}\n`);
  await rm(join(job.out, files.checkpoint), { force: true });
  return summary;
}

async function mustExist(model: string): Promise<void> {
  if (
    await access(model).then(
      () => true,
      () => false,
    )
  )
    return;
  const close = nearest(model, Object.keys(architectures));
  throw new UserError(`no such model file: ${model}${close ? `; did you mean the architecture ${close}?` : ''}`);
}

/** ImageNet's constants at the architecture's own size, unless something else is said. */
async function preprocessOf(job: TrainJob, side: number): Promise<Preprocess> {
  const size = job.size ?? (job.preprocess === undefined ? [side, side] : undefined);
  const overrides: Partial<PreprocessInput> = size === undefined ? {} : { size: [size[0], size[1]] };
  const { preprocess } = await resolvePreprocess(job.preprocess ?? 'imagenet', undefined, overrides);
  const [height, width] = preprocess.size;
  if (height !== width) throw new UserError(`${job.model} takes square images, not ${height} x ${width}`);
  return preprocess;
}

/** Images to train on and to test on; a fifth is held out when the data names no test split. */
function splitExamples(
  dataset: Dataset,
  seed: number,
  say: (sentence: string) => void,
): { train: Example[]; test: Example[] } {
  const of = (split: string) => dataset.examples.filter((e) => e.split === split);
  const [training, test] = [of('train'), of('test')];
  if (training.length === 0) throw new UserError(`${dataset.root} has no images in split 'train'`);
  if (test.length > 0) return { train: training, test };
  const validation = of('val');
  if (validation.length > 0) {
    say(`the data has no split 'test': results are on its split 'val'`);
    return { train: training, test: validation };
  }
  say(`the data has no split 'test': ${heldOut * 100} % of the training images are held out for it`);
  const grouped = training.every((e) => e.group !== undefined);
  const rows = {
    labels: training.map((e) => e.label),
    groups: grouped ? training.map((e) => e.group as string) : undefined,
    classes: dataset.classes,
  };
  const fold = holdout(rows, { fraction: heldOut, seed });
  const pick = (indices: readonly number[]) => indices.map((i) => training[i] as Example);
  return { train: pick(fold.train), test: pick(fold.validation) };
}

/** Decodes and resizes the images of some examples. */
export async function loadSplit(
  dataset: Pick<Dataset, 'root'>,
  examples: readonly Example[],
  preprocess: Preprocess,
  onImages: (done: number) => void = () => undefined,
): Promise<ImageSource> {
  const loader = createLoader(preprocess);
  const paths = examples.map((e) => join(dataset.root, e.file));
  const labels = Int32Array.from(examples, (e) => e.label);
  return loadImages(
    paths,
    labels,
    examples.map((e) => e.file),
    loader,
    { onImages },
  );
}

/** Names what is computed: equal keys give equal results. */
async function jobKey(
  job: TrainJob,
  options: TrainOptions,
  preprocess: Preprocess,
  hashes: readonly string[],
  training: number,
): Promise<string> {
  const fileOf = async (path: string | undefined) =>
    path === undefined || Object.hasOwn(architectures, path) ? path : sha256File(path);
  const settings = decisiveOptions(options);
  const { treatment, init, unfoldNorms } = job;
  const [model, copyFrom] = [await fileOf(job.model), await fileOf(job.copyFrom)];
  const data = sha256(canonicalJson([training, hashes]));
  return sha256(canonicalJson({ model, copyFrom, treatment, init, unfoldNorms, settings, preprocess, data }));
}

async function readResult(path: string, key: string): Promise<TrainSummary | undefined> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch {
    return undefined;
  }
  const { key: found, ...summary } = JSON.parse(text) as TrainSummary & { key: string };
  if (found === key) return summary;
  throw new UserError(
    `${path} is the result of another run (its model, data or settings differ): choose another folder with -o`,
  );
}
