/** @module base: errors, files, random numbers, text for people: what every room needs and no room owns. */
export * from './activity.js';
export * from './claim.js';
export * from './csv.js';
export * from './csv-rows.js';
export * from './errors.js';
export * from './files.js';
export * from './format.js';
export * from './given.js';
export * from './json.js';
export * from './lock.js';
export * from './names.js';
export * from './printable.js';
export * from './progress.js';
export * from './random.js';
export * from './table.js';
export * from './text-file.js';
export * from './version.js';
