/** Training of the networks of a layer-copy study: all by one regime, from different starts. */
import { writeFileSync } from 'node:fs';
import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { messageOf, WorkError, writeFileAtomic } from '../../base/index.js';
import { parsePreprocess, stratifiedFolds } from '../../data/index.js';
import { buildArchitecture, type Graph, type Initialisation, readNetwork, writeModel } from '../../graph/index.js';
import { type ClassPredictions, type ClassTargets, ofClasses, type Predictions } from '../../record/index.js';
import {
  Divergence,
  type ImageSource,
  type LabelledImages,
  mergeOptions,
  presetOptions,
  type TrainRequest,
  train,
  withLabels,
} from '../../transfer/index.js';
import { checkpointIn, forget } from '../checkpoint.js';
import { keepCurve } from '../curves.js';
import { needsOf, type UnitContext } from '../runner.js';
import { judged, ranked } from '../tuning.js';
import type { HalfRows } from './halves.js';
import { joined, type StudyImages } from './images.js';
import { type CopyInputs, type CopyResult, copy, type RateInputs, type RateResult, rate } from './kinds.js';
import type { CopyWorld } from './world.js';

/** The trained network of a unit that others copy from. */
export const modelFile = 'model.onnx';

/** Images of a half, a share of them held out. */
interface Lesson {
  readonly half: HalfRows;
  readonly images: LabelledImages;
  readonly held: { readonly images: ImageSource; readonly targets: ClassTargets };
}

export class Lessons {
  constructor(
    private readonly world: CopyWorld,
    private readonly images: StudyImages,
  ) {}

  async tryRate(inputs: RateInputs, context: UnitContext): Promise<RateResult> {
    const { learningRate } = inputs;
    try {
      const lesson = await this.#lesson(inputs, null);
      const { predictions } = await train(this.world.engine, {
        ...this.#request(inputs, lesson, context, learningRate),
        treatment: { name: 'baseA' },
        test: lesson.held.images,
      });
      if (!predictions) throw new WorkError('the network was asked for no predictions');
      await forget(context);
      return { learningRate, ...judged(predictions, lesson.held.targets) };
    } catch (error) {
      // A learning rate that diverges has lost; the others continue.
      if (!(error instanceof Divergence)) throw error;
      await forget(context);
      return { learningRate, validation: 0, learned: false, diverged: messageOf(error) };
    }
  }

  async train(inputs: CopyInputs, context: UnitContext): Promise<CopyResult> {
    const { treatment, evaluations, budget } = inputs;
    const [best] = ranked(needsOf(rate, context));
    if (!best) throw new WorkError('no run says which learning rate to take');
    const lesson = await this.#lesson(inputs, inputs.perClass);
    const preprocess = parsePreprocess(inputs.preprocess, 'the network');
    const test = await this.images.test(preprocess, lesson.half.test);
    const source = context.needs.find((r) => r.kind === copy.name);
    const options = this.#options(inputs, lesson.images.files.length, best.learningRate);
    const perEpoch = Math.floor(lesson.images.files.length / options.batch);
    const epochs = Math.ceil((budget.steps ?? budget.epochs * perEpoch) / perEpoch);
    const evaluateEvery = evaluations > 0 ? Math.max(1, Math.floor(epochs / evaluations)) : 0;
    const along = join(context.folder, 'along');
    if (evaluateEvery > 0) await mkdir(along, { recursive: true });
    const result = await train(this.world.engine, {
      ...this.#request(inputs, lesson, context, best.learningRate),
      options: { ...options, evaluateEvery },
      treatment,
      ...(source ? { copyFrom: await this.#network(join(context.run.unit(source.id), modelFile)) } : {}),
      ...(inputs.norms ? { norms: inputs.norms } : {}),
      test: joined(lesson.held.images, test),
      // What it says along the way lies beside the checkpoint, so that a run that is resumed has it whole.
      ...(evaluateEvery > 0
        ? {
            watch: {
              images: test,
              score: (said: Predictions, epoch: number) => {
                const { predicted } = ofClasses(said);
                writeFileSync(join(along, `${epoch}.json`), JSON.stringify(Array.from(predicted)));
                return undefined;
              },
            },
          }
        : {}),
    });
    if (!result.predictions) throw new WorkError('the network was asked for no predictions');
    const predictions = ofClasses(result.predictions);
    if (context.unit.outputs.includes(modelFile)) {
      await writeFileAtomic({ root: context.folder, file: modelFile }, writeModel(result.model));
    }
    const evaluated = evaluateEvery > 0 ? await evaluationsIn(along, epochs) : [];
    const n = lesson.held.targets.labels.length;
    const { learned, validation } = judged(part(predictions, 0, n, lesson.half.classes.length), lesson.held.targets);
    await forget(context);
    await keepCurve(context, result.epochs);
    await rm(along, { recursive: true, force: true });
    return {
      learningRate: best.learningRate,
      steps: result.steps,
      validation,
      learned,
      trainLoss: result.train.loss,
      frozen: result.plan.frozen,
      cachedBytes: result.cachedBytes,
      predicted: Array.from(predictions.predicted).slice(n),
      along: evaluated,
      trainMacs: this.#macs(result.plan.frozen, lesson.images.files.length, result.steps * options.batch),
    };
  }

  /** Frozen layers run once per image where their activations are kept, and need no backward pass. */
  #macs(frozen: number, images: number, passes: number): number {
    const { layers: all } = this.world.network;
    const whole = all.at(-1)?.macs ?? 0;
    const below = frozen > 0 ? (all[frozen - 1]?.macs ?? 0) : 0;
    return below * images + 3 * (whole - below) * passes;
  }

  /** Images of a half, a share of them held out. */
  async #lesson(
    inputs: Pick<CopyInputs, 'target' | 'preprocess' | 'budget'>,
    perClass: number | null,
  ): Promise<Lesson> {
    const { budget, target } = inputs;
    const half = this.world.halves.of(target.split, target.half);
    const { classes } = half;
    const preprocess = parsePreprocess(inputs.preprocess, 'the network');
    const all = { labels: half.labels, groups: half.groups, classes };
    const k = Math.max(2, Math.round(1 / budget.held));
    const [fold] = stratifiedFolds(all, { k, seed: 0, rare: 'train' });
    if (!fold) throw new WorkError('no image could be held out to validate on');
    const kept = perClass === null ? fold.train : reducedTo(fold.train, half.labels, perClass);
    const rowsOf = (rows: readonly number[]) => rows.map((i) => half.train[i] as number);
    const labelsOf = (rows: readonly number[]) => rows.map((i) => half.labels[i] as number);
    const images = await this.images.train(preprocess, budget.augment, rowsOf(kept));
    return {
      half,
      images: withLabels(images, labelsOf(kept)),
      held: {
        images: await this.images.train(preprocess, 'none', rowsOf(fold.validation)),
        targets: { kind: 'class' as const, classes, labels: labelsOf(fold.validation) },
      },
    };
  }

  #options({ budget, seed }: Pick<CopyInputs, 'budget' | 'seed'>, images: number, learningRate: number) {
    const { epochs, steps, weightDecay, augment } = budget;
    // A reduced set may hold fewer images than a batch.
    const batch = Math.min(budget.batch, images);
    return mergeOptions('yosinski', {
      epochs,
      ...(steps === null ? {} : { steps, epochs: Number.MAX_SAFE_INTEGER }),
      batch,
      learningRate,
      augmentation: augment,
      optimiser: { ...presetOptions.yosinski.optimiser, weightDecay },
      seed,
    });
  }

  #request(
    inputs: Pick<CopyInputs, 'network' | 'init' | 'preprocess' | 'budget' | 'seed' | 'target'>,
    { images, half }: Lesson,
    context: UnitContext,
    learningRate: number,
  ): Omit<TrainRequest, 'treatment'> {
    const preprocess = parsePreprocess(inputs.preprocess, 'the network');
    const init = inputs.init as Initialisation | undefined;
    return {
      model: buildArchitecture(inputs.network, {
        classes: half.classes.length,
        size: preprocess.size[0],
        seed: inputs.seed,
        ...(init ? { init } : {}),
      }),
      fresh: true,
      classes: half.classes,
      preprocess,
      train: images,
      options: this.#options(inputs, images.files.length, learningRate),
      ...(init ? { init } : {}),
      unfoldNorms: 'no',
      data: half.trainKey,
      checkpoint: checkpointIn(context),
      signal: context.signal,
      onStep: ({ step, steps, loss }) => context.progress(step / steps, `loss ${loss.toFixed(2)}`),
    };
  }

  #network(path: string): Promise<Graph> {
    return readNetwork(path, this.world.engine, { activations: 'drop' });
  }
}

/** The first images of every class, in the order of the data, as the published reduced sets were made. */
function reducedTo(rows: readonly number[], labels: readonly number[], perClass: number): number[] {
  const taken = new Map<number, number>();
  return rows.filter((row) => {
    const label = labels[row] as number;
    const n = (taken.get(label) ?? 0) + 1;
    taken.set(label, n);
    return n <= perClass;
  });
}

/** Predictions of some of the images. */
function part(
  { predicted, probabilities }: ClassPredictions,
  from: number,
  to: number,
  classes: number,
): ClassPredictions {
  return {
    kind: 'class',
    predicted: Array.from(predicted).slice(from, to),
    ...(probabilities ? { probabilities: Array.from(probabilities).slice(from * classes, to * classes) } : {}),
  };
}

/** What was predicted at the end of each evaluated epoch of this run. */
async function evaluationsIn(folder: string, epochs: number): Promise<number[][]> {
  const numbers = (await readdir(folder)).map((name) => Number.parseInt(name, 10)).filter((n) => n <= epochs);
  const files = numbers.sort((a, b) => a - b).map((n) => readFile(join(folder, `${n}.json`), 'utf8'));
  return (await Promise.all(files)).map((text) => z.array(z.number()).parse(JSON.parse(text)));
}
