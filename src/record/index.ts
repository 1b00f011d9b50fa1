/** @module record: what a run found: schema, catalogue of methods, comparisons, the one answer. */
export * from './answer.js';
export * from './comparisons.js';
export * from './format.js';
export * from './methods.js';
export * from './score.js';
export * from './study.js';
