/** How long training takes: what plans assume, and a few real steps to correct it by. For estimates only. */
import { Random } from '../base/index.js';
import type { Engine } from '../engine/index.js';
import { architectures, readNetwork } from '../graph/index.js';
import { imagesInMemory, mergeOptions, train } from '../transfer/index.js';
import { macsAt, preprocessAt, type StudyBackbone } from './backbones.js';
import type { TrainBudget } from './config/schema.js';

export interface TrainingPace {
  /** Seconds per multiply-add of a step, of which there are three times as many as in a forward pass. */
  readonly perMac: number;
  /** Seconds to build a run's step and to compile it. */
  readonly start: number;
}

/** MobileNetV2 at 96 to 224 pixels, on cores with AVX-512: 10 GMAC/s on one thread, 14 on two. */
export function assumedPace({ threads }: Pick<Engine, 'threads'>): TrainingPace {
  return { perMac: 1 / (10e9 * Math.sqrt(threads)), start: 5 / Math.sqrt(threads) };
}

const steps = 5;
/** Multiply-adds of a forward pass over a batch that suffice to measure a step by. */
const pacedMacs = 8e9;

/** Seconds by the clock and on the processor. */
interface Moment {
  readonly wall: number;
  readonly cpu: number;
}

function now(): Moment {
  const { user, system } = process.cpuUsage();
  return { wall: performance.now() / 1000, cpu: (user + system) / 1e6 };
}

/** Fine-tunes the network for a few steps on noise. What other processes take from the machine meanwhile is left out. */
export async function measuredPace(
  engine: Engine,
  backbone: StudyBackbone,
  { batch: full, size }: Pick<TrainBudget, 'batch' | 'size'>,
): Promise<TrainingPace> {
  // Enough images to keep the cores busy; a step of 256 images of 227 pixels would take a minute.
  const batch = Math.max(2, Math.min(full, Math.ceil(pacedMacs / macsAt(backbone, size))));
  const preprocess = preprocessAt(backbone, size);
  const [height, width] = preprocess.size;
  const random = new Random(0, 'pace');
  const data = Uint8Array.from({ length: batch * height * width * 3 }, () => random.integer(256));
  const labels = Int32Array.from({ length: batch }, (_, i) => i % 10);
  // A fresh network has its head already.
  const classes = backbone.fresh ? (architectures[backbone.name]?.defaults.classes ?? 10) : 10;
  const began = now();
  const ends: Moment[] = [];
  await train(engine, {
    ...(!backbone.fresh
      ? {
          model: await readNetwork(backbone.model.path, engine, { activations: 'drop' }),
          fresh: false,
          treatment: { name: 'finetune' },
        }
      : {
          model: backbone.model.graph,
          fresh: true,
          treatment: { name: 'scratch' },
        }),
    classes: Array.from({ length: classes }, (_, i) => `class ${i}`),
    preprocess,
    train: imagesInMemory(data, [height, width], labels),
    init: 'he',
    unfoldNorms: 'auto',
    options: mergeOptions(undefined, { epochs: steps, batch, learningRate: 1e-4 }),
    onStep: () => ends.push(now()),
  });
  // On a busy machine the clock runs on while the threads wait; they are busy for most of an undisturbed step.
  const seconds = (from: Moment, to: Moment) =>
    Math.min(to.wall - from.wall, (to.cpu - from.cpu) / Math.sqrt(engine.threads));
  const step = Math.min(...ends.slice(1).map((end, i) => seconds(ends[i] as Moment, end)));
  const start = seconds(began, ends[0] as Moment) - step;
  return { perMac: step / (3 * macsAt(backbone, size) * batch), start: Math.max(0, start) };
}
