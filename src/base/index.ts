/** @module base: errors, files, random numbers: what every room needs and no room owns. */
export * from './errors.js';
export * from './files.js';
export * from './given.js';
export * from './lock.js';
export * from './names.js';
export * from './progress.js';
export * from './random.js';
