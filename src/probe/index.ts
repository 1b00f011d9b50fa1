/** @module probe: certified linear probes on features, and what they select. */
export { type ExportOptions, exportedKeys, exportProbe } from './export.js';
export { probeFiles, weightsNpz, writeProbeRun } from './files.js';
export { probeJson } from './json.js';
export { type Fit, methods, type ProbeMethod, selectMethods } from './methods/index.js';
export { type NpzArray, readNpz } from './npz.js';
export * from './options.js';
export {
  exportedClasses,
  exportedMethod,
  type NoPrediction,
  type Prediction,
  predictImages,
  predictionOf,
  probabilitiesOf,
} from './predict.js';
export { probeRecord } from './record.js';
export * from './run.js';
export { keepCount } from './selection.js';
export { sheetOf, tapSheets } from './sheets.js';
export * from './sources.js';
export { probeTable } from './table.js';
export * from './task.js';
export * from './web/index.js';
