/**
 * Linear probes below the last layer: on the one tap that is nearest to a quarter, half or three quarters of the network's
 * depth. "A linear classifier on activations earlier in the network" is what the cs231n course advises for few labels of
 * another kind.
 */
import { type MethodCard, shapes } from '../../record/index.js';
import { fitTunedL2 } from '../fitting/l2.js';
import { featuresOfBlock, lastTap, type ProbeTap } from '../task.js';
import type { ProbeMethod } from './method.js';

/** Which tap below the last layer is nearest to this share of the network's depth; the last where there is no other. */
export function tapAtDepth(taps: readonly ProbeTap[], share: number): number {
  const last = lastTap(taps);
  const below = taps.flatMap((tap, block) => (block !== last && tap.alias !== 'logits' ? [block] : []));
  // Taps that do not say how deep they lie are taken as evenly spaced.
  const depthOf = (block: number) => taps[block]?.depth ?? (block + 1) / taps.length;
  return below.reduce(
    (best, block) => (Math.abs(depthOf(block) - share) < Math.abs(depthOf(best) - share) ? block : best),
    below[0] ?? last,
  );
}

type Look = Pick<MethodCard, 'id' | 'label' | 'light' | 'dark' | 'shape'>;

const atDepth = (share: number, words: string, look: Look): ProbeMethod => ({
  card: {
    ...look,
    plain: `a probe on the layer at ${words} of the depth`,
    advice: `probe the layer at ${words} of the depth`,
    title: `l2 logistic regression on the tap nearest to ${words} of the network’s depth`,
    reads: 'all layers',
    role: 'candidate',
    simplicity: 0.5,
  },
  seconds: 3,
  fit: async (context) => {
    const block = tapAtDepth(context.taps, share);
    const fit = await fitTunedL2(context, ({ matrix }) => matrix, featuresOfBlock(context.train.matrix, block));
    return { ...fit, notes: [`reads ${context.taps[block]?.alias}`, ...fit.notes] };
  },
});

export const linearQuarter = atDepth(0.25, 'a quarter', {
  id: 'linear-quarter',
  label: 'Linear at ¼',
  light: '#8a7a2c',
  dark: '#d8c978',
  shape: shapes.left,
});
export const linearHalf = atDepth(0.5, 'half', {
  id: 'linear-half',
  label: 'Linear at ½',
  light: '#5c7f1e',
  dark: '#aed66b',
  shape: shapes.up,
});
export const linearThreeQuarters = atDepth(0.75, 'three quarters', {
  id: 'linear-three-quarters',
  label: 'Linear at ¾',
  light: '#2a7a57',
  dark: '#7fd9b1',
  shape: shapes.right,
});
