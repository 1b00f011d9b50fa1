/** @module probe: certified linear probes on features, and what they select. */

export * from './arrays.js';
export { attentionHead } from './attention/head.js';
export { ProbeBench } from './bench.js';
export { backboneOf, type ExportOptions, exportProbe } from './export.js';
export { probeFiles, type SelectedFeature, selectedFeatures, weightsNpz, writeProbeRun } from './files.js';
export {
  exportedKeys,
  featuresByTap,
  type HeadRequest,
  type HeadTap,
  headGraph,
  linearHead,
} from './head-graph.js';
export { probeJson } from './json.js';
export { type EveryTap, type Fit, methods, type ProbeMethod, selectMethods } from './methods/index.js';
export { type NpzArray, readNpz } from './npz.js';
export * from './options.js';
export {
  answerOf,
  exportedClasses,
  exportedMethod,
  exportedValues,
  type NoPrediction,
  type Prediction,
  predictImages,
  predictionOf,
  type ValuesPrediction,
} from './predict.js';
export { probeRecord } from './record.js';
export * from './run.js';
export * from './scores/index.js';
export { keepCount } from './selection.js';
export { sheetOf, tapSheets } from './sheets.js';
export { type SourceOptions, sourceDefaults, subset, taskFromStore, withEqualTogether } from './sources.js';
export { probeTable } from './table.js';
export * from './targets/index.js';
export * from './task.js';
export * from './web/index.js';
