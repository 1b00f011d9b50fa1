/** @module probe: certified linear probes on features, and what they select. */
export { type ExportOptions, exportProbe } from './export.js';
export { faithfulDefaults, methods, selectMethods } from './methods/index.js';
export { exportedClasses, type Prediction, predictImages } from './predict.js';
export * from './records.js';
export * from './run.js';
export { keepCount, tapShares } from './selection.js';
export * from './sources.js';
export * from './table.js';
export * from './task.js';
