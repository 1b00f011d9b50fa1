/** @module graph: functions from graph to graph: observe, fold, tap, cut, copy, differentiate. */

export * from '../ir/index.js';
export { type ArchitectureOptions, architectureKey } from './architectures/architecture-builder.js';
export { type Architecture, architectureOf, architectures, buildArchitecture } from './architectures/index.js';
export type { Layout, TapKind } from './axes/index.js';
export { type Cost, costs } from './cost.js';
export { type DequantizeOptions, dequantize } from './dequantize.js';
export { type TfjsModel, tfjsModel, writeTfjs } from './export-tfjs/index.js';
export { toFloat32 } from './float32.js';
export { type ChannelStatistics, channelStatistics, detectFoldedNorms, unfoldNorms } from './folded-norms/index.js';
export { fuseAttention } from './fuse-attention.js';
export * from './gradient/index.js';
export { type Initialisation, initialisations, initialWeight, type WeightLayout } from './initialisation.js';
export {
  allParameters,
  copyLayers,
  isLearned,
  type LearnedLayer,
  learnedConstants,
  learnedLayers,
  type Parameter,
  type ParameterRole,
  type ReinitialiseOptions,
  reinitialise,
} from './layers/index.js';
export { ancestors, type Links } from './links.js';
export { hashOf, noise } from './noise.js';
export { type Observed, observe } from './observe.js';
export { ownConstants } from './own-constants.js';
export { prune, reads } from './prune.js';
export { type NetworkFact, networkHash, type ReadOptions, readForeign, readNetwork } from './read-network.js';
export { replaceInput } from './replace-input.js';
export { type InputShape, imageInput, type SpecialiseOptions, StaticGraph, specialise } from './specialise.js';
export { subgraph } from './subgraph.js';
export { findTaps, type Tap } from './taps/find.js';
export { selectTaps } from './taps/select.js';
export {
  type DropoutMask,
  dropoutMask,
  type RunningSlot,
  type TrainingForm,
  type TrainingFormOptions,
  trainingForm,
} from './training-form.js';
export { upgrade } from './upgrade.js';
