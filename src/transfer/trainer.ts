/** The training loop: batches in, checkpoints and epoch records out. */
import { given, WorkError } from '../base/index.js';
import type { TargetKind } from '../data/index.js';
import type { Engine } from '../engine/index.js';
import { float32, type Tensor } from '../graph/index.js';
import { wilsonInterval } from '../stats/index.js';
import { BatchOrder } from './batches.js';
import { type EpochRecord, type EpochSums, readCheckpoint, writeCheckpoint } from './checkpoint.js';
import { Divergence, explainDivergence, firstBadSlot, type LayerOf } from './diagnose.js';
import { createFeeder, type Feed, type Feeder } from './feeder.js';
import type { LabelledImages } from './images.js';
import { constantLoss } from './objective.js';
import { givenDecay } from './optimiser.js';
import { stepsPerEpoch, type TrainOptions, totalSteps } from './options.js';
import { scheduleFactor } from './schedule.js';
import { buildStep, finalWeights, type StepGraph, StepProgram, type StepResult, type Truth } from './step.js';

/** What is trained, and on which images. */
export interface TrainerRequest extends Feed {
  readonly logits: string;
  readonly classes: number;
  readonly target: TargetKind;
  readonly images: LabelledImages;
  readonly layerOf?: LayerOf;
}

/** One run from the start. */
export interface Session {
  /** Those that the trainer was made with, save for the learning rate and the length. */
  readonly options: TrainOptions;
  /** Where to keep the checkpoint, and the name of the run that it belongs to. */
  readonly checkpoint?: { readonly path: string; readonly run: string };
  /** Score of these weights on watched images; called every `evaluateEvery` epochs. */
  readonly watch?: (weights: ReadonlyMap<string, Tensor>, epoch: number) => Promise<number | undefined>;
  readonly onStep?: ((progress: StepProgress) => void) | undefined;
  /** Stops after the running step, with a checkpoint. */
  readonly signal?: AbortSignal | undefined;
}

type TrainingRequest = TrainerRequest & Session;

/** How far training is. */
export interface StepProgress {
  readonly step: number;
  readonly steps: number;
  readonly loss: number;
  /** Mean accuracy of the epoch so far; of classes. */
  readonly accuracy?: number;
}

export interface TrainingOutcome {
  /** Trained constants and running statistics by name. */
  readonly weights: ReadonlyMap<string, Tensor>;
  readonly steps: number;
  readonly seconds: number;
  readonly epochs: readonly EpochRecord[];
  /** The last epoch's, in training mode. */
  readonly train: { readonly loss: number; readonly accuracy?: number };
  /** No better than guessing: see `failedToTrain`. */
  readonly failedToTrain: boolean;
  /** Bytes of activations per image that were computed once instead of in every step; 0 without a frozen prefix. */
  readonly cachedBytes: number;
}

/** A step, compiled, with what it is fed: ready for runs from the same start. */
export class Trainer {
  private constructor(
    private readonly engine: Engine,
    private readonly request: TrainerRequest,
    private readonly feeder: Feeder,
    private readonly graph: StepGraph,
    private readonly program: StepProgram,
  ) {}

  static async create(engine: Engine, request: TrainerRequest): Promise<Trainer> {
    const { logits, classes, target, parameters, values, options } = request;
    const feeder = await createFeeder(engine, request);
    try {
      const step = await buildStep(engine, { form: feeder.form, logits, classes, target, parameters, values, options });
      return new Trainer(engine, request, feeder, step, await StepProgram.compile(engine, step, options.seed));
    } catch (error) {
      await feeder.dispose();
      throw error;
    }
  }

  /**
   * Trains to the end of the schedule, resuming from the checkpoint if there is one: the final weights are the same bit for
   * bit (on the same device with as many threads).
   * @throws Divergence when the loss is no longer finite, naming the step and the layer; the last checkpoint stays.
   */
  run(session: Session): Promise<TrainingOutcome> {
    this.program.reset();
    return new Training(this.engine, { ...this.request, ...session }, this.feeder, this.graph, this.program).run();
  }

  async dispose(): Promise<void> {
    await this.program.dispose();
    await this.feeder.dispose();
  }
}

/** One run of the loop, and what it carries from step to step beside the weights. */
class Training {
  readonly #perEpoch: number;
  readonly #steps: number;
  readonly #order: BatchOrder;
  readonly #epochs: EpochRecord[] = [];
  #sums: EpochSums = noSums();
  /** Of training before this session; then up to the last save. */
  #seconds = 0;
  #savedAt = performance.now();

  constructor(
    private readonly engine: Engine,
    private readonly request: TrainingRequest,
    private readonly feeder: Feeder,
    private readonly graph: StepGraph,
    private readonly program: StepProgram,
  ) {
    const { images, options } = request;
    const n = images.labels.length;
    this.#perEpoch = stepsPerEpoch(n, options.batch);
    this.#steps = totalSteps(options, n);
    this.#order = new BatchOrder(n, { batch: options.batch, perEpoch: this.#perEpoch, seed: options.seed });
  }

  async run(): Promise<TrainingOutcome> {
    for (let step = await this.#resume(); step < this.#steps; step++) {
      await this.#step(step);
      const done = step + 1;
      const isLast = done === this.#steps;
      if (done % this.#perEpoch === 0 || isLast) await this.#endEpoch(step);
      const isStopped = this.request.signal?.aborted === true;
      if (isStopped || isLast || this.#isCheckpointDue(done)) await this.#save(done);
      if (isStopped && !isLast) {
        throw new WorkError(`training stopped after step ${done} of ${this.#steps}: run it again to resume`);
      }
    }
    return this.#outcome();
  }

  /** @returns the first step to do */
  async #resume(): Promise<number> {
    const { checkpoint } = this.request;
    const saved = checkpoint && (await readCheckpoint(checkpoint.path, checkpoint.run));
    this.#savedAt = performance.now();
    if (!saved) return 0;
    this.program.restore(saved.state);
    this.#epochs.push(...saved.epochs);
    this.#sums = saved.sums;
    this.#seconds = saved.seconds;
    return saved.step;
  }

  async #step(step: number): Promise<void> {
    const { onStep, options } = this.request;
    const epoch = Math.floor(step / this.#perEpoch);
    const indices = this.#order.indices(step);
    const truth = this.#truth(indices);
    const data = await this.feeder.feed(indices, epoch);
    const rates = { learning_rate: this.#learningRate(step), step: step + 1, weight_decay: givenDecay(options) };
    const feeds = this.program.feeds(step, data, truth, rates);
    const result = await this.program.run(feeds, truth);
    if (!Number.isFinite(result.loss)) {
      const layerOf = this.request.layerOf ?? (() => undefined);
      throw await explainDivergence(this.engine, this.graph, feeds, this.program.state, { step, epoch }, layerOf);
    }
    this.#add(result, indices.length);
    onStep?.({ step: step + 1, steps: this.#steps, loss: result.loss, ...this.#accuracy() });
  }

  /** Classes of images, or their numbers. */
  #truth(indices: readonly number[]): Truth {
    const { images, classes } = this.request;
    const { labels, values } = images;
    if (!values) return Int32Array.from(indices, (i) => labels[i] as number);
    const rows = indices.flatMap((i) => Array.from(values.subarray(i * classes, (i + 1) * classes)));
    return float32([indices.length, classes], Float32Array.from(rows));
  }

  /** Of the epoch so far. */
  #accuracy(): { accuracy?: number } {
    return this.request.target === 'class' ? { accuracy: this.#sums.correct / this.#sums.images } : {};
  }

  #learningRate(step: number): number {
    const { learningRate, schedule } = this.request.options;
    return learningRate * scheduleFactor(schedule, step, this.#steps);
  }

  #add({ loss, correct }: StepResult, images: number): void {
    const sums = this.#sums;
    this.#sums = {
      loss: sums.loss + loss,
      correct: sums.correct + correct,
      images: sums.images + images,
      steps: sums.steps + 1,
    };
  }

  /** Records the epoch whose last step is `step`, with the score on watched images when it is due. */
  async #endEpoch(step: number): Promise<void> {
    const { watch, options } = this.request;
    const epoch = Math.floor(step / this.#perEpoch) + 1;
    const isDue = options.evaluateEvery > 0 && epoch % options.evaluateEvery === 0;
    const watched = watch && isDue ? await watch(this.#weights(), epoch) : undefined;
    const { loss, steps } = this.#sums;
    this.#epochs.push({
      epoch,
      step: step + 1,
      learningRate: this.#learningRate(step),
      loss: loss / steps,
      ...this.#accuracy(),
      ...(watched !== undefined && { watched }),
    });
    this.#sums = noSums();
  }

  #weights(): Map<string, Tensor> {
    return finalWeights(this.graph.slots, this.program.state);
  }

  #isCheckpointDue(done: number): boolean {
    const { checkpointSeconds, checkpointSteps } = this.request.options;
    const isLate = performance.now() - this.#savedAt > checkpointSeconds * 1000;
    return isLate || (checkpointSteps > 0 && done % checkpointSteps === 0);
  }

  async #save(step: number): Promise<void> {
    const now = performance.now();
    this.#seconds += (now - this.#savedAt) / 1000;
    this.#savedAt = now;
    const { checkpoint } = this.request;
    if (!checkpoint) return;
    // When weights are not finite, the next step says where that arose; what is on disk is still good.
    if (firstBadSlot(this.graph.slots, this.program.state) !== undefined) return;
    const progress = { step, seconds: this.#seconds, sums: this.#sums, epochs: this.#epochs };
    await writeCheckpoint(checkpoint.path, checkpoint.run, { ...progress, state: this.program.state });
  }

  #failed(): boolean {
    const { images, options, classes, target } = this.request;
    const { labels, values } = images;
    if (!values) return failedToTrain(this.#epochs, labels, classes, this.#perEpoch * options.batch);
    return !(Math.min(...this.#epochs.map((e) => e.loss)) < 0.99 * constantLoss(values, { target, classes }));
  }

  #outcome(): TrainingOutcome {
    const bad = firstBadSlot(this.graph.slots, this.program.state);
    if (bad !== undefined) {
      throw new Divergence(
        `training diverged in its last step: '${bad}' is not finite; lower the learning rate (--lr)`,
      );
    }
    const { loss, accuracy } = this.#epochs.at(-1) as EpochRecord;
    return {
      weights: this.#weights(),
      steps: this.#steps,
      seconds: this.#seconds,
      epochs: this.#epochs,
      train: { loss, ...given({ accuracy }) },
      failedToTrain: this.#failed(),
      cachedBytes: this.feeder.cachedBytes,
    };
  }
}

function noSums(): EpochSums {
  return { loss: 0, correct: 0, images: 0, steps: 0 };
}

/**
 * Did training never get off the ground? True when no epoch's training loss fell below .99 ln K, or when no epoch's
 * training accuracy is above the most frequent class's share, beyond chance (95 % Wilson interval). Such a result says
 * nothing about transfer and is never to be averaged with others.
 */
export function failedToTrain(
  epochs: readonly Pick<EpochRecord, 'loss' | 'accuracy'>[],
  labels: Int32Array,
  classes: number,
  imagesPerEpoch: number,
): boolean {
  const counts = new Map<number, number>();
  for (const label of labels) counts.set(label, (counts.get(label) ?? 0) + 1);
  const chance = Math.max(...counts.values()) / labels.length;
  const loss = Math.min(...epochs.map((e) => e.loss));
  const accuracy = Math.max(...epochs.map((e) => e.accuracy ?? 0));
  const [low] = wilsonInterval(Math.round(accuracy * imagesPerEpoch), imagesPerEpoch);
  return !(loss < 0.99 * Math.log(classes)) || low <= chance;
}
