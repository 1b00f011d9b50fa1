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
  rowsOf,
} from '../data/index.js';
import { type ClassTargets, score } from '../record/index.js';
import { storedSize } from './augment.js';
import { type ImageSource, loadImages, withLabels } from './images.js';
import type { TrainOptions } from './options.js';
import type { TrainRequest } from './train.js';

/** What is trained and tested on. */
export interface DataChoice extends DatasetOptions {
  /** Path of a data set. */
  data: string;
  /** Share of the images that is held out where there is no test split; 0 for no test. */
  holdout?: number | undefined;
  /** The split to test on, where it is not 'test'. */
  testSplit?: string | undefined;
}

/** The data set as the job uses it. */
export interface JobData {
  readonly classes: readonly string[];
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

export const allOf = ({ train, watched, test }: JobData) => [...train, ...watched, ...test];

/** Reads the data set and divides it (see data/splits.ts): nothing is tuned here, so val is trained on unless it is watched. */
export async function divide(
  job: DataChoice,
  options: Pick<TrainOptions, 'evaluateEvery'>,
  say: (sentence: string) => void,
): Promise<JobData> {
  const listed = await readDataset(job.data, job);
  const hashes = await fingerprintImages(listed.examples.map((e) => e.image));
  const { classes, examples, warnings } = groupDuplicates(listed, hashes);
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
  return {
    classes,
    train: (watches ? train : fitRows(splits)).map(at),
    watched: watches ? validation.map(at) : [],
    test: test.map(at),
    splits: sentence,
    hashOf: (file) => hashOf.get(file) as string,
  };
}

export function targetsOf(classes: readonly string[], examples: readonly Example[]): ClassTargets {
  return { kind: 'class', classes, labels: examples.map((e) => e.label) };
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
  const labels = data.train.map((e) => e.label);
  const train = withLabels(await load(data.train, stored), labels);
  const watched = data.watched.length > 0 ? await load(data.watched, preprocess) : undefined;
  const test = data.test.length > 0 ? await load(data.test, preprocess) : undefined;
  const watch = watched ?? test;
  if (evaluateEvery === 0 || !watch) return { train, test };
  const targets = targetsOf(data.classes, watched ? data.watched : data.test);
  return { train, test, watch: { images: watch, score: (predictions) => score(predictions, targets).accuracy } };
}
