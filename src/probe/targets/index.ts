/** Real values and several labels. */
export { valuedFile, valuedFiles, valuedJson, valuedTable, writeValued } from './files.js';
export { usualValued, valuedMethods } from './methods.js';
export { runValued, selectValued, type ValuedRun } from './run.js';
export { valuedSheets } from './sheet.js';
