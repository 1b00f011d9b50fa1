/** @module probe: certified linear probes on features, and what they select. */
export * from './design.js';
export { type ExportOptions, exportProbe } from './export.js';
export * from './features.js';
export * from './gram.js';
export * from './logistic.js';
export { faithfulDefaults, methods, selectMethods } from './methods/index.js';
export * from './model.js';
export * from './neighbours.js';
export * from './penalty.js';
export { exportedClasses, type Prediction, predictImages } from './predict.js';
export * from './records.js';
export * from './ridge.js';
export * from './run.js';
export { keepCount, tapShares } from './selection.js';
export * from './solver/path.js';
export * from './sources.js';
export * from './table.js';
export * from './task.js';
