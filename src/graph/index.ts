/** @module graph: functions from graph to graph: observe, fold, tap, cut, copy, differentiate. */
export * from '../ir/index.js';
export { type Architecture, architectures, buildArchitecture } from './architectures/index.js';
export type { ArchitectureOptions } from './architectures/layers.js';
export { type Cost, costs, isLearned, nodeMacs } from './cost.js';
export { type DequantizeOptions, dequantize } from './dequantize.js';
export { tensorToFloat32, toFloat32 } from './float32.js';
export { fuseAttention } from './fuse-attention.js';
export * from './gradient/index.js';
export { type Initialisation, initialisations, initialWeight, type WeightLayout } from './initialisation.js';
export {
  type Cut,
  copyLayers,
  cutAfter,
  type LearnedLayer,
  learnedLayers,
  type Parameter,
  type ParameterRole,
  type ReinitialiseOptions,
  reinitialise,
} from './layers/index.js';
export { ancestors, type Links, linksOf, onlyConsumer } from './links.js';
export { type InputShape, imageInput, observe, pixelDependent, specialise } from './observe.js';
export { bypassIdentities, prune, reads } from './prune.js';
export { replaceInput } from './replace-input.js';
export { subgraph } from './subgraph.js';
export { findTaps, type Tap, type TapKind } from './taps/find.js';
export { selectTaps } from './taps/select.js';
export {
  type DropoutMask,
  dropoutMask,
  observeInputs,
  type RunningSlot,
  type TrainingForm,
  type TrainingFormOptions,
  trainableConstants,
  trainingForm,
} from './training.js';
export { type ChannelStatistics, channelStatistics, detectFoldedNorms, unfoldNorms } from './unfold-norms.js';
export { upgrade } from './upgrade.js';
