/** Folded batch norms: detected, reported, and undone before a backbone is trained. */
import type { Preprocess } from '../data/index.js';
import type { Engine, Tensors } from '../engine/index.js';
import { inputShape, pixelInput, pixelShape } from '../features/index.js';
import { channelStatistics, detectFoldedNorms, type LearnedLayer, specialise, unfoldNorms } from '../graph/index.js';
import type { Augmentation } from './augment.js';
import { AugmentedImages } from './batches.js';
import type { ImageSource } from './images.js';
import type { Network } from './network.js';

export const unfoldChoices = ['auto', 'yes', 'no'] as const;
/** `auto` undoes them in the layers that learn; `yes` in all layers, `no` in none. */
export type UnfoldNorms = (typeof unfoldChoices)[number];

/** Training images that scale and shift are calibrated on. */
const calibrationImages = 128;
const batch = 32;

export interface UnfoldRequest {
  readonly choice: UnfoldNorms;
  readonly layers: readonly LearnedLayer[];
  /** Layers 1 ... frozen do not learn. */
  readonly frozen: number;
  readonly preprocess: Preprocess;
  readonly images: ImageSource;
  readonly augmentation: Augmentation;
  readonly say: (sentence: string) => void;
}

/** The network with its norms back, and how many there are; the same network when there is nothing to undo. */
export async function unfoldForTraining(
  engine: Engine,
  network: Network,
  { choice, layers, frozen, preprocess, images, augmentation, say }: UnfoldRequest,
): Promise<{ network: Network; count: number }> {
  const { graph: lean } = await specialise(network.graph, engine, inputShape(preprocess, 1));
  const folded = detectFoldedNorms(lean);
  const learning = new Set(layers.slice(choice === 'yes' ? 0 : frozen).map((layer) => layer.node.outputs[0]));
  const chosen = folded.filter((node) => learning.has(node.outputs[0]));
  if (chosen.length === 0) return { network, count: 0 };
  const convolutions = `${chosen.length} convolutions that learn look as if their batch norms had been folded into them`;
  if (choice === 'no') {
    say(`${convolutions}; such networks hardly train: --unfold-norms auto undoes it`);
    return { network, count: 0 };
  }
  say(`${convolutions}: each gets one back, calibrated on training images (--unfold-norms no leaves them)`);
  const shape = pixelShape(preprocess, batch);
  const { graph, input } = await specialise(pixelInput(network.graph, preprocess, batch), engine, shape);
  const calibration = calibrationBatches(input, images, augmentation, preprocess.size);
  const statistics = await channelStatistics(graph, chosen, engine, calibration);
  return { network: { ...network, graph: unfoldNorms(network.graph, statistics) }, count: chosen.length };
}

/** Evenly spread training images, as training sees them. */
async function* calibrationBatches(
  input: string,
  images: ImageSource,
  augmentation: Augmentation,
  size: readonly [number, number],
): AsyncGenerator<Tensors> {
  const n = images.files.length;
  const source = new AugmentedImages(images, augmentation, size, batch, 0);
  const pixels = new Uint8Array(batch * size[0] * size[1] * 3);
  for (let start = 0; start < Math.min(calibrationImages, n); start += batch) {
    const indices = Array.from({ length: batch }, (_, i) => Math.floor(((start + i) * n) / calibrationImages) % n);
    await source.fill(indices, -1, pixels);
    yield { [input]: { type: 'uint8', dims: [batch, ...size, 3], data: pixels } };
  }
}
