/** Real values and several labels. */
export { valuedFile, valuedFiles, valuedJson, valuedTable, writeValued } from './files.js';
export { valuedMethods } from './ridge.js';
export { headOf, predictValues, runValued, selectValued, type ValuedResult, type ValuedRun } from './run.js';
export { valuedSheets } from './sheet.js';
