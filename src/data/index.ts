/** @module data: examples: sources, splits, folds, decoding, preprocessing, batches. */
export { type DatasetOptions, dataExists, type ExamplesOptions, readDataset, readExamples } from './dataset.js';
export { decodeImage, defaultMaxPixels, type RgbImage, setMaxPixels, UnreadableImage } from './decode.js';
export { groupDuplicates, joinEqual } from './duplicates.js';
export type { Dataset, Example, Input, UnlabelledDataset, UnlabelledExample } from './example.js';
export { duplicateWarnings, fingerprintImages, type Placed } from './fingerprint.js';
export { type FoldOptions, stratifiedFolds } from './folds.js';
export { holdout } from './holdout.js';
export { type EmbeddedImage, type EncodedImage, imageName, readImage } from './image.js';
export { type Batch, batches, createLoader, type Loader, type LoadingOptions } from './loader.js';
export * from './preprocess.js';
export { normaliseInput, preprocessImage, resizeImage } from './preprocess-graph.js';
export { type RawPixels, tiffOf } from './raw-pixels.js';
export type { Fold, Rows } from './rows.js';
export { loadSharp } from './sharp.js';
export { crc32c } from './sources/crc32c.js';
export { type DataSource, type Place, type SeveralLabels, sources } from './sources/index.js';
export { imagesBelow } from './sources/listing.js';
export {
  decideSplits,
  fitRows,
  type SplitOptions,
  type SplitRows,
  type Splits,
  splitDefaults,
} from './splits.js';
export { nestedSubset } from './subset.js';
export { type ClassLabel, checkLabels, rowsOf, sortLabels } from './targets.js';
export {
  outputNames,
  type Reading,
  type ReadValues,
  readNames,
  readValues,
  type TargetKind,
  targetKinds,
  type Unclassed,
  valuesOf,
  withoutClasses,
} from './values.js';
