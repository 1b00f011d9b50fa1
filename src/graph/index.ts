/** @module graph: functions from graph to graph: observe, fold, tap, cut, copy, differentiate. */
export * from '../ir/index.js';
