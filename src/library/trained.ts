/** Trained networks: of classes, and of real values or several labels. */
import { UserError } from '../base/index.js';
import type { Preprocess } from '../data/index.js';
import type { Engine } from '../engine/index.js';
import type { Graph } from '../graph/index.js';
import {
  type ClassPredictions,
  type ClassScore,
  ofClasses,
  type Predictions,
  score,
  type ValuedKind,
  type ValuedScore,
  valuedScore,
} from '../record/index.js';
import {
  type ClassTest,
  type EpochRecord,
  loadImages,
  predictWith,
  type TrainSummary,
  trainDefaults,
} from '../transfer/index.js';
import { type ImageLike, inputsOf } from './images.js';
import { indicesIn, type Label } from './table.js';
import { numbersOf, type Wording, wordsOf } from './truth.js';

/** What a trained network is made of. */
export interface TrainedParts<Test = never> {
  readonly engine: Engine;
  readonly preprocess: Preprocess;
  /** With float images in and `logits` or `predictions` out, and what it was trained as in its metadata. */
  readonly model: Graph;
  readonly epochs: readonly EpochRecord[];
  readonly failedToTrain: boolean;
  /** Of training on a data set. */
  readonly summary?: TrainSummary<Test> | undefined;
}

/** What every trained network has. */
export abstract class TrainedNetwork<Test = unknown> {
  readonly #parts: TrainedParts<Test>;

  /** @internal */
  constructor(parts: TrainedParts<Test>) {
    this.#parts = parts;
  }

  get model(): Graph {
    return this.#parts.model;
  }
  get preprocess(): Preprocess {
    return this.#parts.preprocess;
  }
  /** Loss and learning rate of every epoch; of classes accuracy too. */
  get epochs(): readonly EpochRecord[] {
    return this.#parts.epochs;
  }
  /** No better than guessing: such a network says nothing. */
  get failedToTrain(): boolean {
    return this.#parts.failedToTrain;
  }
  /** Of training on a data set: test score, splits, files. */
  get summary(): TrainSummary<Test> | undefined {
    return this.#parts.summary;
  }

  /** @internal */
  protected async answers(
    images: readonly ImageLike[],
    outputs: number,
    target: 'class' | ValuedKind,
  ): Promise<Predictions> {
    const { engine, preprocess, model } = this.#parts;
    const network = { graph: model, logits: model.outputs[0]?.name ?? 'logits', classes: outputs };
    const source = await loadImages(inputsOf(images), preprocess);
    return predictWith(engine, network, { preprocess, target, options: { batch: trainDefaults.batch } }, source);
  }
}

/** A network trained on classes. L is what its labels are: strings or numbers. */
export class Trained<L extends Label = Label> extends TrainedNetwork<ClassTest> {
  readonly #classes: readonly L[];

  /** @internal */
  constructor(parts: TrainedParts<ClassTest>, classes: readonly L[]) {
    super(parts);
    this.#classes = classes;
  }

  get classes(): readonly L[] {
    return this.#classes;
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
    checkCount(y, images);
    return score(await this.#predictions(images), { kind: 'class', classes: names, labels });
  }

  async #predictions(images: readonly ImageLike[]): Promise<ClassPredictions> {
    return ofClasses(await this.answers(images, this.classes.length, 'class'));
  }
}

/**
 * A network trained on real values or on several labels. T is what it says of an image: a number or several, the names of
 * labels or a row of 0 and 1, as the training images were labelled.
 */
export class ValuedTrained<K extends ValuedKind = ValuedKind, T = unknown> extends TrainedNetwork<ValuedScore<K>> {
  readonly #wording: Wording<K>;

  /** @internal */
  constructor(parts: TrainedParts<ValuedScore<K>>, wording: Wording<K>) {
    super(parts);
    this.#wording = wording;
  }

  get target(): K {
    return this.#wording.kind;
  }
  /** Names of the values, or the labels, in the order of columns. */
  get outputs(): readonly string[] {
    return this.#wording.outputs;
  }

  /** Of every image its values, or the labels with a probability of one half or more. */
  async predict(images: readonly ImageLike[]): Promise<T[]> {
    return wordsOf(this.#wording, await this.#numbers(images)) as T[];
  }

  /** Probabilities of labels, (n, q), row by row. @throws UserError for real values, which have none */
  async predictProba(
    images: readonly ImageLike[],
  ): Promise<{ data: Float64Array; shape: readonly [n: number, q: number] }> {
    if (this.target === 'regression') throw new UserError('real values have no probabilities: use predict');
    return { data: await this.#numbers(images), shape: [images.length, this.outputs.length] };
  }

  /** Of values R2, MAE, RMSE and Spearman; of labels mean average precision, F1, and each one's figures; n and a 95 % interval. */
  async score(images: readonly ImageLike[], y: ArrayLike<Readonly<T>>): Promise<ValuedScore<K>> {
    checkCount(y, images);
    const { kind, outputs } = this.#wording;
    const values = numbersOf(this.#wording, y);
    return valuedScore({ values: await this.#numbers(images) }, { kind, outputs, values });
  }

  async #numbers(images: readonly ImageLike[]): Promise<Float64Array> {
    const said = await this.answers(images, this.outputs.length, this.target);
    return Float64Array.from(said.kind === 'values' ? said.values : []);
  }
}

/** @throws UserError unless every image has a label */
export function checkCount(y: ArrayLike<unknown>, images: readonly unknown[]): void {
  if (y.length === images.length) return;
  throw new UserError(`${y.length} labels for ${images.length} images: give one label an image`);
}
