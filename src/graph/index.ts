/** @module graph: functions from graph to graph: observe, fold, tap, cut, copy, differentiate. */
export * from '../ir/index.js';
export { type Cost, costs, isLearned, nodeMacs } from './cost.js';
export { ancestors, type Links, linksOf, onlyConsumer } from './links.js';
export { type InputShape, imageInput, observe, pixelDependent, specialise } from './observe.js';
export { prune, reads } from './prune.js';
export { subgraph } from './subgraph.js';
export { upgrade } from './upgrade.js';
export { findTaps, type Tap, type TapKind } from './taps/find.js';
export { selectTaps } from './taps/select.js';
