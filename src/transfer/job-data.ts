/** The images of a training job: read, divided, decoded. */
import { given, UserError } from '../base/index.js';
import {
  type DatasetOptions,
  decideSplits,
  duplicateWarnings,
  type Example,
  fingerprintImages,
  fitRows,
  groupDuplicates,
  type Preprocess,
  readDataset,
  readValues,
  rowsOf,
  withoutClasses,
} from '../data/index.js';
import {
  headline,
  ofClasses,
  type Predictions,
  score,
  type Targets,
  type ValuedKind,
  valuedScore,
} from '../record/index.js';
import { storedSize } from './augment.js';
import { type ImageSource, loadImages, withLabels, withValues } from './images.js';
import type { TrainOptions } from './options.js';
import type { TrainRequest } from './train.js';

/** What is trained and tested on. */
export interface DataChoice extends Omit<DatasetOptions, 'valued'> {
  /** What labels are; classes where absent. */
  target?: ValuedKind | undefined;
  /** Path of a data set. */
  data: string;
  /** Share of the images that is held out where there is no test split; 0 for no test. */
  holdout?: number | undefined;
  /** The split to test on, where it is not 'test'. */
  testSplit?: string | undefined;
}

/** The data set as the job uses it. */
export interface JobData {
  /** Names of classes; of values or labels. */
  readonly classes: readonly string[];
  /** Of examples that have no classes. */
  readonly valued?: JobValues | undefined;
  readonly train: readonly Example[];
  /** Val, where it is watched while training. */
  readonly watched: readonly Example[];
  /** Empty where nothing is tested. */
  readonly test: readonly Example[];
  /** sha256 of an image, by its name. */
  readonly hashOf: (file: string) => string;
  /** The decision in words. */
  readonly splits: string;
}

/** Numbers of the examples of each part, (n, outputs). */
export interface JobValues {
  readonly kind: ValuedKind;
  readonly train: Float64Array;
  readonly watched: Float64Array;
  readonly test: Float64Array;
}

export const allOf = ({ train, watched, test }: JobData) => [...train, ...watched, ...test];

/** Reads the data set and divides it (see data/splits.ts): nothing is tuned here, so val is trained on unless it is watched. */
export async function divide(
  job: DataChoice,
  options: Pick<TrainOptions, 'evaluateEvery'>,
  say: (sentence: string) => void,
): Promise<JobData> {
  const { target: kind, ...reading } = job;
  const several = kind === 'multilabel' ? { severalLabels: job.severalLabels ?? ('all' as const) } : {};
  const listed = await readDataset(job.data, { ...reading, ...several, valued: kind !== undefined });
  const hashes = await fingerprintImages(listed.examples.map((e) => e.image));
  const grouped = groupDuplicates(listed, hashes);
  const labelled = kind ? withoutClasses(grouped) : undefined;
  const { classes, examples, warnings } = labelled?.data ?? grouped;
  const hashOf = new Map(examples.map((e, i) => [e.file, hashes[i] as string]));
  const watches = options.evaluateEvery > 0;
  const rows = {
    ...rowsOf(examples, classes),
    splits: examples.map((e) => e.split),
    names: examples.map((e) => e.file),
  };
  const splits = decideSplits(rows, {
    ...given({ holdout: job.holdout, testSplit: job.testSplit }),
    validation: watches ? 'watch' : 'join',
  });
  for (const warning of [...warnings, ...splits.warnings, ...duplicateWarnings(examples, hashes)]) say(warning);
  say(splits.sentence);
  const { train, validation = [], test, sentence } = splits;
  if (watches && validation.length + test.length === 0) {
    throw new UserError('there are no images to evaluate on while training: the data has neither val nor a test set');
  }
  const at = (i: number) => examples[i] as Example;
  const parts = {
    train: (watches ? train : fitRows(splits)).map(at),
    watched: watches ? validation.map(at) : [],
    test: test.map(at),
  };
  const found = labelled && kind ? valuesIn(parts, kind, labelled.nameOf, say) : { classes };
  return { ...found, ...parts, splits: sentence, hashOf: (file) => hashOf.get(file) as string };
}

/** What training examples say of outputs, and the numbers of all. */
function valuesIn(
  { train, watched, test }: Pick<JobData, 'train' | 'watched' | 'test'>,
  kind: ValuedKind,
  nameOf: (example: Example) => string,
  say: (sentence: string) => void,
): Pick<JobData, 'classes' | 'valued'> {
  const { outputs, values, truth, warnings } = readValues(kind, train.map(nameOf), [...watched, ...test].map(nameOf));
  for (const warning of warnings) say(warning);
  const place = watched.length * outputs.length;
  return {
    classes: outputs,
    valued: { kind, train: values, watched: truth.subarray(0, place), test: truth.subarray(place) },
  };
}

/** What is true of a part of the examples. */
export function targetsOf(data: JobData, part: 'watched' | 'test'): Targets {
  const { classes, valued } = data;
  if (valued) return { kind: valued.kind, outputs: classes, values: valued[part] };
  return { kind: 'class', classes, labels: data[part].map((e) => e.label) };
}

/** Decodes every image once: labelled ones to learn from, and inputs to predict. */
export async function readImages(
  data: JobData,
  preprocess: Preprocess,
  { augmentation, evaluateEvery }: Pick<TrainOptions, 'augmentation' | 'evaluateEvery'>,
  onImages: (done: number, total: number) => void = () => undefined,
): Promise<Pick<TrainRequest, 'train' | 'test' | 'watch'>> {
  const total = allOf(data).length;
  let before = 0;
  const load = async (examples: readonly Example[], p: Preprocess): Promise<ImageSource> => {
    const images = await loadImages(examples, p, { onImages: (done) => onImages(before + done, total) });
    before += examples.length;
    return images;
  };
  const stored: Preprocess = { ...preprocess, size: [...storedSize(augmentation, preprocess.size)] };
  const { valued, classes } = data;
  const source = await load(data.train, stored);
  const train = valued
    ? withValues(source, valued.train, classes.length)
    : withLabels(
        source,
        data.train.map((e) => e.label),
      );
  const watched = data.watched.length > 0 ? await load(data.watched, preprocess) : undefined;
  const test = data.test.length > 0 ? await load(data.test, preprocess) : undefined;
  const watch = watched ?? test;
  if (evaluateEvery === 0 || !watch) return { train, test };
  const targets = targetsOf(data, watched ? 'watched' : 'test');
  return { train, test, watch: { images: watch, score: (predictions) => figureOf(predictions, targets) } };
}

/** Accuracy, R2 or mean average precision; undefined where it is not defined. */
function figureOf(predictions: Predictions, targets: Targets): number | undefined {
  if (targets.kind === 'class') return score(ofClasses(predictions), targets).accuracy;
  if (predictions.kind !== 'values') return undefined;
  const figure = headline(valuedScore(predictions, targets, { withInterval: false }));
  return Number.isNaN(figure) ? undefined : figure;
}
