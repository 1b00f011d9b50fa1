/** @module data: examples: sources, splits, folds, decoding, preprocessing, batches. */
export { type DatasetOptions, readDataset } from './dataset.js';
export { decodeImage, type RgbImage, UnreadableImage } from './decode.js';
export type { Dataset, Example } from './example.js';
export { duplicateWarnings, fingerprintDataset } from './fingerprint.js';
export { type FoldOptions, stratifiedFolds } from './folds.js';
export { holdout } from './holdout.js';
export { type Batch, type BatchOptions, batches, createLoader, type Loader } from './loader.js';
export * from './preprocess.js';
export { normaliseInput, preprocessImage, resizeImage } from './preprocess-graph.js';
export type { Fold, Rows } from './rows.js';
export { checkSplitManifest, type RowIdentity, type SplitManifest, splitManifest } from './split-manifest.js';
export { nestedSubset } from './subset.js';
