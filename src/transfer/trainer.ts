/** The training loop: batches in, checkpoints and epoch records out. */
import { WorkError } from '../base/index.js';
import type { Engine } from '../engine/index.js';
import { type ObservedValue, type OptimiserParameter, sizeOf, type Tensor, type TrainingForm } from '../graph/index.js';
import { wilsonInterval } from '../stats/index.js';
import { AugmentedImages, BatchOrder } from './batches.js';
import { type EpochRecord, type EpochSums, readCheckpoint, writeCheckpoint } from './checkpoint.js';
import { explainDivergence, firstBadSlot, type LayerOf } from './diagnose.js';
import type { ImageSource } from './images.js';
import { stepsPerEpoch, type TrainOptions, totalSteps } from './options.js';
import { frozenCut, PrefixActivations, splitAt } from './prefix.js';
import { scheduleFactor } from './schedule.js';
import { buildStep, finalWeights, StepProgram } from './step.js';

export interface TrainingRequest {
  /** Training form with the input (batch, height, width, 3) uint8 and a value of logits. */
  readonly form: TrainingForm;
  readonly input: string;
  readonly logits: string;
  readonly classes: number;
  /** Shapes of the values of the network at the batch size. */
  readonly values: ReadonlyMap<string, ObservedValue>;
  readonly parameters: readonly OptimiserParameter[];
  readonly images: ImageSource;
  /** Height and width of the network's input. */
  readonly size: readonly [number, number];
  readonly options: TrainOptions;
  readonly layerOf?: LayerOf;
  /** Where to keep the checkpoint, and the name of the run that it belongs to. */
  readonly checkpoint?: { readonly path: string; readonly run: string };
  /** Accuracy on held-out images with these weights; called every `evaluateEvery` epochs. */
  readonly evaluate?: (weights: ReadonlyMap<string, Tensor>) => Promise<number>;
  readonly onStep?: (progress: StepProgress) => void;
  /** Stops after the running step, with a checkpoint. */
  readonly signal?: AbortSignal | undefined;
}

export interface StepProgress {
  readonly step: number;
  readonly steps: number;
  readonly loss: number;
  /** Mean accuracy of the epoch so far. */
  readonly accuracy: number;
}

export interface TrainingOutcome {
  /** Trained constants and running statistics by name. */
  readonly weights: ReadonlyMap<string, Tensor>;
  readonly steps: number;
  readonly seconds: number;
  readonly epochs: readonly EpochRecord[];
  /** The last epoch's, in training mode. */
  readonly train: { readonly loss: number; readonly accuracy: number };
  /** No better than guessing: see `failedToTrain`. */
  readonly failedToTrain: boolean;
  /** Bytes of activations per image that were computed once instead of in every step; 0 without a frozen prefix. */
  readonly cachedBytes: number;
}

/**
 * Trains to the end of the schedule, or goes on from the checkpoint: the final weights are the same bit for bit.
 * @throws WorkError when the loss is no longer finite, naming the step and the layer; the last checkpoint stays.
 */
export async function runTraining(engine: Engine, request: TrainingRequest): Promise<TrainingOutcome> {
  const { options, images } = request;
  const n = images.labels.length;
  const perEpoch = stepsPerEpoch(n, options.batch);
  const steps = totalSteps(options, n);
  const feeder = await createFeeder(engine, request);
  const stepGraph = await buildStep(
    engine,
    feeder.form,
    request.logits,
    request.classes,
    request.parameters,
    request.values,
    options,
  );
  const program = await StepProgram.compile(engine, stepGraph, options.seed);
  try {
    const { checkpoint } = request;
    const saved = checkpoint && (await readCheckpoint(checkpoint.path, checkpoint.run));
    if (saved) program.restore(saved.state);
    const epochs = [...(saved?.epochs ?? [])];
    let sums: EpochSums = saved?.sums ?? noSums();
    let seconds = saved?.seconds ?? 0;
    let savedAt = performance.now();
    let resumedAt = savedAt;
    const order = new BatchOrder(n, { batch: options.batch, perEpoch, seed: options.seed });

    const save = async (step: number) => {
      const now = performance.now();
      seconds += (now - resumedAt) / 1000;
      [resumedAt, savedAt] = [now, now];
      if (!checkpoint) return;
      const bad = firstBadSlot(stepGraph.slots, program.state);
      // The next step will say where it came from; what is on disk is still good.
      if (bad !== undefined) return;
      await writeCheckpoint(checkpoint.path, checkpoint.run, { step, seconds, sums, epochs, state: program.state });
    };

    for (let step = saved?.step ?? 0; step < steps; step++) {
      const epoch = Math.floor(step / perEpoch);
      const indices = order.indices(step);
      const labels = Int32Array.from(indices, (i) => images.labels[i] as number);
      const data = await feeder.feed(indices, epoch);
      const learningRate = options.learningRate * scheduleFactor(options.schedule, step, steps);
      const rates = { learning_rate: learningRate, peak_learning_rate: options.learningRate, step: step + 1 };
      const feeds = program.feeds(step, data, labels, rates);
      const { loss, correct } = await program.run(feeds, labels);
      if (!Number.isFinite(loss)) {
        const layerOf = request.layerOf ?? (() => undefined);
        throw await explainDivergence(engine, stepGraph, feeds, program.state, { step, epoch }, layerOf);
      }
      sums = {
        loss: sums.loss + loss,
        correct: sums.correct + correct,
        images: sums.images + labels.length,
        steps: sums.steps + 1,
      };
      request.onStep?.({ step: step + 1, steps, loss, accuracy: sums.correct / sums.images });
      const last = step + 1 === steps;
      if ((step + 1) % perEpoch === 0 || last) {
        const record: EpochRecord = {
          epoch: epoch + 1,
          step: step + 1,
          learningRate,
          loss: sums.loss / sums.steps,
          accuracy: sums.correct / sums.images,
        };
        const evaluationDue = options.evaluateEvery > 0 && (epoch + 1) % options.evaluateEvery === 0;
        if (evaluationDue && request.evaluate) {
          record.test = await request.evaluate(finalWeights(stepGraph.slots, program.state));
        }
        epochs.push(record);
        sums = noSums();
      }
      const stop = request.signal?.aborted === true;
      const checkpointDue =
        performance.now() - savedAt > options.checkpointSeconds * 1000 ||
        (options.checkpointSteps > 0 && (step + 1) % options.checkpointSteps === 0);
      if (stop || last || checkpointDue) await save(step + 1);
      if (stop && !last)
        throw new WorkError(`training stopped after step ${step + 1} of ${steps}: run it again to go on`);
    }

    const bad = firstBadSlot(stepGraph.slots, program.state);
    if (bad !== undefined) {
      throw new WorkError(
        `training diverged in its last step: '${bad}' is no finite number; lower the learning rate (--lr)`,
      );
    }
    const last = epochs.at(-1) as EpochRecord;
    return {
      weights: finalWeights(stepGraph.slots, program.state),
      steps,
      seconds,
      epochs,
      train: { loss: last.loss, accuracy: last.accuracy },
      failedToTrain: failedToTrain(epochs, images.labels, request.classes, perEpoch * options.batch),
      cachedBytes: feeder.cachedBytes,
    };
  } finally {
    await program.dispose();
    await feeder.dispose();
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
  const accuracy = Math.max(...epochs.map((e) => e.accuracy));
  const [low] = wilsonInterval(Math.round(accuracy * imagesPerEpoch), imagesPerEpoch);
  return !(loss < 0.99 * Math.log(classes)) || low <= chance;
}

/** Supplies the step's data: images, or the activations of a frozen prefix. */
interface Feeder {
  readonly form: TrainingForm;
  readonly cachedBytes: number;
  feed(indices: readonly number[], epoch: number): Promise<Readonly<Record<string, Tensor>>>;
  dispose(): Promise<void>;
}

async function createFeeder(engine: Engine, request: TrainingRequest): Promise<Feeder> {
  const { form, input, images, size, options, values } = request;
  const learned = new Set(request.parameters.map((p) => p.name));
  const cut = options.augmentation === 'none' ? frozenCut(form.graph, input, learned, values) : undefined;
  if (cut && options.prefixBytes > 0) {
    const { prefix, rest } = splitAt(form.graph, cut);
    const activations = await PrefixActivations.compute(engine, prefix, cut, images, options.prefixBytes);
    const tensors = Object.fromEntries(
      cut.values.map(({ name, dims }): [string, Tensor] => [
        name,
        { type: 'float32', dims, data: new Float32Array(sizeOf(dims)) },
      ]),
    );
    return {
      form: { ...form, graph: rest },
      cachedBytes: cut.bytes,
      async feed(indices) {
        await activations.read(indices, tensors);
        return tensors;
      },
      dispose: () => activations.dispose(),
    };
  }
  const source = new AugmentedImages(images, options.augmentation, size, options.batch, options.seed);
  const pixels = new Uint8Array(options.batch * size[0] * size[1] * 3);
  const feed = { [input]: { type: 'uint8', dims: [options.batch, ...size, 3], data: pixels } } as const;
  return {
    form,
    cachedBytes: 0,
    async feed(indices, epoch) {
      await source.fill(indices, epoch, pixels);
      return feed;
    },
    dispose: async () => undefined,
  };
}
