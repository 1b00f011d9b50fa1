/** The settings of the optimiser, and the chain of transforms that they stand for. */
import {
  adamDefaults,
  addDecayedWeights,
  addGivenDecay,
  chain,
  clipByGlobalNorm,
  decayWeights,
  scaleByAdam,
  scaleByLearningRate,
  scaleByMomentum,
  type Transform,
} from '../graph/index.js';

export interface OptimiserOptions {
  method: 'sgd' | 'adam';
  /** SGD: v <- momentum * v + g (PyTorch's form, the learning rate outside). */
  momentum: number;
  nesterov: boolean;
  beta1: number;
  beta2: number;
  epsilon: number;
  weightDecay: number;
  /**
   * `coupled`: g <- g + decay * w. `decoupled`: w <- w * (1 - lr * decay), AdamW's.
   * `kornblith`: coupled with decay / lr0, where lr0 is the schedule's peak (Kornblith, Shlens and Le, 2019, search the
   * product of the two).
   */
  decayMode: 'coupled' | 'decoupled' | 'kornblith';
  /** Gradients are scaled so that their global norm is at most this; 0 leaves them. */
  clipNorm: number;
}

export const optimiserDefaults: OptimiserOptions = {
  method: 'sgd',
  momentum: 0.9,
  nesterov: false,
  ...adamDefaults,
  weightDecay: 0,
  decayMode: 'coupled',
  clipNorm: 0,
};

export function optimiserOf(options: OptimiserOptions): Transform {
  const { method, momentum, nesterov, weightDecay, decayMode, clipNorm } = options;
  return chain(
    clipByGlobalNorm(clipNorm),
    decayMode === 'kornblith' ? addGivenDecay() : addDecayedWeights(decayMode === 'coupled' ? weightDecay : 0),
    decayWeights(decayMode === 'decoupled' ? weightDecay : 0),
    method === 'adam' ? scaleByAdam(options) : scaleByMomentum(momentum, { nesterov }),
    scaleByLearningRate(),
  );
}

/** The decay that a step is fed: divided by the schedule's peak, in single precision as the step computes. */
export function givenDecay({ optimiser, learningRate }: { optimiser: OptimiserOptions; learningRate: number }): number {
  return Math.fround(Math.fround(optimiser.weightDecay) / Math.fround(learningRate));
}
