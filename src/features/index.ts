/** @module features: pooling and normalisation specs, the extraction pass, the feature store. */
export {
  encodeNpy,
  type NpyHeader,
  npyHeader,
  parseNpyHeader,
  readBytes,
  readNpyData,
  readNpyHeader,
} from '../base/index.js';
export {
  type Backbone,
  type BackboneOptions,
  backboneName,
  loadBackbone,
  type PreprocessedNetwork,
  specialiseBackbone,
  type TappedBackbone,
  tapsOf,
} from './backbone.js';
export { chunkCount } from './chunk-pass.js';
export {
  type ExtractedShare,
  type Extraction,
  type ExtractOptions,
  extract,
  extractDefaults,
  extractShare,
} from './extract.js';
export { type CompiledPass, compilePass, defaultBatch, passBuffer, runBatches } from './pass.js';
export { inputShape, pixelInput, pixelShape } from './pixels.js';
export {
  addPooling,
  cellsFirst,
  type PooledPiece,
  type PoolItem,
  parsePool,
  planPools,
  pooledPieces,
  poolName,
} from './pooling.js';
export { type Precision, precisions, storages } from './precision.js';
export { type ExtractionRequest, imageHashes, type RequestedSplit, requestOf } from './request.js';
export { type ReadyPass, readyPass } from './rows.js';
export {
  FeatureStore,
  holdsLabels,
  openStore,
  precisionOf,
  readStore,
  type StoredSplit,
  type StoredTap,
  type StoreMeta,
} from './store.js';
export { type StreamNeeds, type Streams, streamsOf } from './streams.js';
export * from './table/index.js';
export { type PooledTap, pooledOutput, poolTaps, tappedGraph } from './tapped.js';
export { type StoreFault, verifyStore } from './verify.js';
export { eachPool, type PooledView, readView, type ViewedTap, viewOf } from './views.js';
