/** @module probe: certified linear probes on features, and what they select. */
export * from './design.js';
export * from './features.js';
export * from './model.js';
export * from './penalty.js';
export * from './solver/path.js';
