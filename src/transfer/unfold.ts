/** Folded batch norms: detected, reported, and undone before a backbone is trained. */
import type { Engine } from '../engine/index.js';
import { inputShape, pixelInput, pixelShape } from '../features/index.js';
import { channelStatistics, detectFoldedNorms, type LearnedLayer, specialise, unfoldNorms } from '../graph/index.js';
import { type Calibration, calibrationBatch, calibrationBatches } from './calibrate.js';
import type { Network } from './network.js';

/** When batch norms that were folded into convolutions are restored. */
export const unfoldChoices = ['auto', 'yes', 'no'] as const;
/** `auto` undoes them in the layers that learn; `yes` in all layers, `no` in none. */
export type UnfoldNorms = (typeof unfoldChoices)[number];

export interface UnfoldRequest extends Calibration {
  readonly choice: UnfoldNorms;
  readonly layers: readonly LearnedLayer[];
  /** Layers 1 ... frozen do not learn. */
  readonly frozen: number;
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
  const shape = pixelShape(preprocess, calibrationBatch);
  const { graph, input } = await specialise(pixelInput(network.graph, preprocess, calibrationBatch), engine, shape);
  const calibration = calibrationBatches(input, { images, augmentation, preprocess });
  const statistics = await channelStatistics(graph, chosen, engine, calibration);
  return { network: { ...network, graph: unfoldNorms(network.graph, statistics) }, count: chosen.length };
}
