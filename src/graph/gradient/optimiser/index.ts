export { appendOptimiser, type TrainingStep, withAverages } from './step.js';
export type { OptimiserParameter, RateName, Rates, StateSlot } from './step-builder.js';
export {
  type AdamOptions,
  adam,
  adamDefaults,
  adamw,
  addDecayedWeights,
  addGivenDecay,
  chain,
  clipByGlobalNorm,
  decayByRate,
  decayWeights,
  type SgdOptions,
  scaleByAdam,
  scaleByLearningRate,
  scaleByMomentum,
  sgd,
  type Transform,
} from './transforms.js';
