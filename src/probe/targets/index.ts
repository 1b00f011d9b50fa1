/** Real values and several labels. */
export { valuedJson, valuedTable, writeValued } from './files.js';
export type { ValuedOptions } from './method.js';
export { usualValued, valuedMethods } from './methods.js';
export { valuedRecord } from './record.js';
export { headOf, predictValues, runValued, selectValued, type ValuedResult, type ValuedRun } from './run.js';
export { valuedSheets } from './sheet.js';
