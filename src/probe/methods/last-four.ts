/**
 * The last four blocks side by side: what DINOv2's linear evaluation reads (Oquab et al., 2024), which takes the best of 52 heads
 * trained by gradient descent. Here the l2 penalty is tuned by the folds and the probe solved.
 */
import { shapes } from '../../record/index.js';
import { fitTunedL2 } from '../fitting/l2.js';
import { blockEnds, featuresOfBlock, lastTap, type ProbeTap } from '../task.js';
import type { ProbeMethod } from './method.js';

const BLOCKS = 4;

/** The last outputs of blocks, in order; the last taps where no tap is known as one. */
export function lastBlocks(taps: readonly ProbeTap[]): number[] {
  const all = [...taps.keys()].filter((t) => taps[t]?.alias !== 'logits');
  const ends = blockEnds(taps);
  return ends.length >= BLOCKS
    ? ends.slice(-BLOCKS)
    : all.slice(Math.max(0, lastTap(taps) - BLOCKS + 1)).slice(0, BLOCKS);
}

export const lastFour: ProbeMethod = {
  card: {
    id: 'last-four',
    label: 'Last four',
    plain: 'a probe on the last four blocks',
    advice: 'probe the last four blocks together',
    title: 'l2 logistic regression on the outputs of the last four blocks',
    reads: 'all layers',
    role: 'candidate',
    simplicity: 0.5,
    light: '#7b4b94',
    dark: '#cfa8e6',
    shape: shapes.left,
  },
  seconds: 6,
  fit: async (context) => {
    const { matrix } = context.train;
    const blocks = lastBlocks(context.taps);
    const features = Int32Array.from(blocks.flatMap((block) => Array.from(featuresOfBlock(matrix, block))));
    const fit = await fitTunedL2(context, (own) => own.matrix, features);
    return { ...fit, notes: [`reads ${blocks.map((t) => context.taps[t]?.alias).join(', ')}`, ...fit.notes] };
  },
};
