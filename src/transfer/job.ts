/** A training run on files: model and images in, a folder with the trained model, predictions and the record out. */
import { access } from 'node:fs/promises';
import { canonicalJson, given, nearest, sha256, UserError } from '../base/index.js';
import { type Preprocess, type PreprocessInput, resolvePreprocess } from '../data/index.js';
import type { Engine } from '../engine/index.js';
import { loadBackbone } from '../features/index.js';
import {
  architectures,
  buildArchitecture,
  type Graph,
  type Initialisation,
  networkHash,
  readNetwork,
} from '../graph/index.js';
import { fetchModel, isHubName } from '../hub/index.js';
import { ofClasses, score, type ValuedKind, type ValuedScore, valuedScore } from '../record/index.js';
import type { Size } from './augment.js';
import { type TrainingCard, withTestScore } from './export.js';
import { allOf, type DataChoice, divide, type JobData, type JobValues, readImages, targetsOf } from './job-data.js';
import {
  checkOptions,
  decisiveOptions,
  mergeOptions,
  type PartialTrainOptions,
  stepsPerEpoch,
  type TrainOptions,
  type TrainPreset,
} from './options.js';
import { trainRecord } from './record.js';
import { type ClassTest, filesIn, readResult, type TestedImages, type TrainSummary, writeResults } from './results.js';
import { type TrainRequest, type TrainResult, train } from './train.js';
import type { StepProgress } from './trainer.js';
import type { Treatment } from './treatment.js';
import type { UnfoldNorms } from './unfold.js';

/** A training run on a data set: everything that decides its result. */
export interface TrainJob extends DataChoice {
  /** Path of an ONNX file, or an architecture's name. */
  model: string;
  /** Folder for results. */
  out: string;
  treatment: Treatment;
  copyFrom?: string | undefined;
  /** Preset, path, or all of it; otherwise the sidecar beside the model, else ImageNet's constants. */
  preprocess?: string | Preprocess | undefined;
  /** Height and width of the network's input; the preprocessing's otherwise. */
  size?: Size | undefined;
  init?: Initialisation | undefined;
  unfoldNorms?: UnfoldNorms | undefined;
  preset?: TrainPreset | undefined;
  options?: PartialTrainOptions | undefined;
  /** What was typed, for the record. */
  command?: string | undefined;
}

/** Who is told how a training run goes on. */
export interface JobObserver {
  /** Called while images are read. */
  onImages?(done: number, total: number): void;
  /** Called after steps. */
  onStep?(progress: StepProgress): void;
  /** One sentence that a user should know. */
  say?(sentence: string): void;
  signal?: AbortSignal | undefined;
}

/** Trains, resumes a run that was interrupted in this folder, or returns the result that is there. */
export function runTrainJob(
  engine: Engine,
  asked: TrainJob & { readonly target?: undefined },
  observer?: JobObserver,
): Promise<TrainSummary<ClassTest>>;
export function runTrainJob<K extends ValuedKind>(
  engine: Engine,
  asked: TrainJob & { readonly target: K },
  observer?: JobObserver,
): Promise<TrainSummary<ValuedScore<K>>>;
export function runTrainJob(engine: Engine, asked: TrainJob, observer?: JobObserver): Promise<TrainSummary>;
export async function runTrainJob(engine: Engine, asked: TrainJob, observer: JobObserver = {}): Promise<TrainSummary> {
  const { say = () => undefined } = observer;
  const job = await fetched(asked, say);
  const options = mergeOptions(job.preset, job.options);
  // A wrong request fails before images are read.
  checkOptions(options);
  const preprocess = await preprocessOf(job, engine, say);
  const data = await divide(job, options, say);
  stepsPerEpoch(data.train.length, options.batch);
  const hashes = allOf(data).map((e) => data.hashOf(e.file));
  const key = await jobKey(engine, job, options, preprocess, data, hashes);
  const finished = await readResult(job.out, key);
  if (finished) return finished;

  const model = await modelOf(engine, job, options, preprocess, data.classes.length);
  const images = await readImages(data, preprocess, options, (done, total) => observer.onImages?.(done, total));
  const result = await train(engine, {
    ...model,
    treatment: job.treatment,
    classes: data.classes,
    target: data.valued?.kind,
    preprocess,
    ...images,
    options,
    unfoldNorms: job.unfoldNorms ?? 'auto',
    data: sha256(hashes.slice(0, data.train.length).join()),
    checkpoint: filesIn(job.out).checkpoint,
    onStep: observer.onStep,
    say,
    signal: observer.signal,
  });
  const tested = testedImages(data, result);
  const summary = summarise(engine, job, options, data, result, tested);
  const { test } = summary;
  const scored = test ? withTestScore(result.model, figureOf(test)) : result.model;
  const { treatment, copyFrom, init, unfoldNorms, command = 'a program' } = job;
  const described = {
    model: job.model,
    sha256: isArchitecture(job.model) ? undefined : await networkHash(job.model),
    data: job.data,
    treatment,
    options,
    input: preprocess.size[0],
    config: { model: job.model, data: job.data, treatment, copyFrom, init, unfoldNorms, preprocess },
    command,
    hashes: hashes.slice(0, data.train.length),
    testHashes: data.test.map((e) => data.hashOf(e.file)),
  };
  const record = trainRecord(engine, described, data, summary, tested);
  await writeResults(job.out, { key, summary, model: scored, preprocess, tested, record });
  return summary;
}

/** The job with the files that names of a hub stand for. @throws UserError when one of them is not to be trained */
async function fetched(job: TrainJob, say: (sentence: string) => void): Promise<TrainJob> {
  const pathOf = async (model: string) => {
    if (!isHubName(model)) return model;
    const { path, origin, quantised, notes } = await fetchModel(model);
    if (quantised) throw new UserError(notTrained(origin.file));
    for (const note of [...notes, `${model} is ${origin.file} at ${origin.revision}`]) say(note);
    return path;
  };
  const { model, copyFrom } = job;
  return { ...job, model: await pathOf(model), copyFrom: copyFrom === undefined ? undefined : await pathOf(copyFrom) };
}

/** Why a quantised file is not trained. */
export function notTrained(file = 'the file'): string {
  return `${file} holds quantised weights: their rounding has no gradient and is lost in training; name a float32 file`;
}

const isArchitecture = (model: string) => Object.hasOwn(architectures, model);

/** The preprocessing of the job's model, whose files are there. @throws UserError when they are not */
async function preprocessOf(job: TrainJob, engine: Engine, say: (sentence: string) => void): Promise<Preprocess> {
  const architecture = isArchitecture(job.model) ? architectures[job.model] : undefined;
  if (!architecture) await mustExist(job.model);
  if (job.copyFrom !== undefined) await mustExist(job.copyFrom);
  if (typeof job.preprocess === 'object') return job.preprocess;
  if (architecture) return architecturePreprocess(job, job.preprocess, architecture.defaults.size);
  const { preprocess, notes } = await loadBackbone(job.model, engine, {
    preprocess: job.preprocess,
    ...(job.size && { overrides: { size: [...job.size] } }),
  });
  for (const note of notes) say(note);
  return preprocess;
}

async function mustExist(model: string): Promise<void> {
  const exists = await access(model).then(
    () => true,
    () => false,
  );
  if (exists) return;
  const close = nearest(model, Object.keys(architectures));
  throw new UserError(`no such model file: ${model}${close ? `; did you mean the architecture ${close}?` : ''}`);
}

/** ImageNet's constants at the architecture's own size, unless the job says otherwise. */
async function architecturePreprocess(
  job: Pick<TrainJob, 'model' | 'size'>,
  named: string | undefined,
  side: number,
): Promise<Preprocess> {
  const size = job.size ?? (named === undefined ? [side, side] : undefined);
  const overrides: Partial<PreprocessInput> = size === undefined ? {} : { size: [size[0], size[1]] };
  const { preprocess } = await resolvePreprocess(named ?? 'imagenet', undefined, overrides);
  const [height, width] = preprocess.size;
  if (height !== width) throw new UserError(`${job.model} takes square images, not ${height} x ${width}`);
  return preprocess;
}

/** The model to start from, and where copied layers come from. */
async function modelOf(
  engine: Engine,
  job: TrainJob,
  { seed }: TrainOptions,
  preprocess: Preprocess,
  classes: number,
): Promise<Pick<TrainRequest, 'model' | 'fresh' | 'copyFrom' | 'init'>> {
  const { model, copyFrom, init } = job;
  const fresh = isArchitecture(model);
  const graph: Graph = fresh
    ? buildArchitecture(model, { classes, size: preprocess.size[0], seed, init })
    : await readNetwork(model, engine, { activations: 'drop' });
  return {
    model: graph,
    fresh,
    copyFrom: copyFrom === undefined ? undefined : await readNetwork(copyFrom, engine, { activations: 'drop' }),
    init,
  };
}

function testedImages(data: JobData, { predictions }: TrainResult): TestedImages | undefined {
  return predictions && { files: data.test.map((e) => e.file), predictions, targets: targetsOf(data, 'test') };
}

function summarise(
  { name, device, threads }: Engine,
  { treatment, out }: TrainJob,
  { seed }: TrainOptions,
  { classes, splits }: JobData,
  result: TrainResult,
  tested: TestedImages | undefined,
): TrainSummary {
  const files = filesIn(out);
  const { total, copied, frozen } = result.plan;
  return {
    treatment: treatment.name,
    layers: treatment.layers ?? null,
    plan: { layers: total, copied, frozen },
    seed,
    steps: result.steps,
    seconds: result.seconds,
    train: result.train,
    test: tested ? testScore(tested) : null,
    splits,
    failedToTrain: result.failedToTrain,
    model: files.model,
    predictions: tested ? files.predictions : null,
    classes: classes.length,
    epochs: result.epochs,
    parameters: result.parameters,
    unfolded: result.unfolded,
    frozenHash: result.frozenHash,
    engine: { name, device, threads },
  };
}

/** What a model file says of its test. */
function figureOf(test: NonNullable<TrainSummary['test']>): NonNullable<TrainingCard['test']> {
  const { n } = test;
  if ('accuracy' in test) return { accuracy: test.accuracy, n };
  return 'mAP' in test ? { mAP: test.mAP, n } : { r2: test.r2, n };
}

function testScore({ predictions: said, targets }: TestedImages): TrainSummary['test'] {
  if (targets.kind !== 'class') return said.kind === 'values' ? valuedScore(said, targets) : null;
  const predictions = ofClasses(said);
  const { accuracy, interval, logLoss = Number.NaN, n } = score(predictions, targets);
  return { accuracy, interval, loss: logLoss, n };
}

const valuesKey = ({ kind, train, watched, test }: JobValues): string =>
  sha256(canonicalJson([kind, Array.from(train), Array.from(watched), Array.from(test)]));

/** Names what is computed: equal keys give equal results. */
async function jobKey(
  { name, device, threads }: Engine,
  job: TrainJob,
  options: TrainOptions,
  preprocess: Preprocess,
  data: JobData,
  hashes: readonly string[],
): Promise<string> {
  const fileOf = async (path: string | undefined) =>
    path === undefined || isArchitecture(path) ? path : networkHash(path);
  const { treatment, init, unfoldNorms } = job;
  const examples = allOf(data).map(({ file, label }, i) => [file, label, hashes[i]]);
  const parts = [data.train.length, data.watched.length, data.test.length];
  return sha256(
    canonicalJson({
      model: await fileOf(job.model),
      copyFrom: await fileOf(job.copyFrom),
      treatment,
      init,
      unfoldNorms,
      settings: decisiveOptions(options),
      preprocess,
      data: sha256(canonicalJson([data.classes, parts, examples])),
      ...given({ values: data.valued && valuesKey(data.valued) }),
      engine: { name, device, threads },
    }),
  );
}
