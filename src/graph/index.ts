/** @module graph: functions from graph to graph: observe, fold, tap, cut, copy, differentiate. */
export * from '../ir/index.js';
export { prune, reads } from './prune.js';
export { subgraph } from './subgraph.js';
