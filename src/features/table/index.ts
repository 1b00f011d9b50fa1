/** A store as one matrix in formats of other programs. */
export { columnsOf, type FeatureColumn, type FeatureRow, type FeatureTable, tableOf } from './table.js';
export { type TableFormat, tableFormats } from './write.js';
