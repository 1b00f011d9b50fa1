/**
 * toehold as a library: the doors of its rooms.
 *
 * @example
 * import { engine, features } from 'toehold';
 * const runtime = await engine.createEngine();
 * const backbone = await features.loadBackbone('model.onnx', runtime, { preprocess: 'imagenet' });
 * const { taps } = await features.tapsOf(backbone, runtime);
 */
export * as data from './data/index.js';
export * as engine from './engine/index.js';
export * as features from './features/index.js';
export * as graph from './graph/index.js';
export * as probe from './probe/index.js';
export * as record from './record/index.js';
export * as report from './report/index.js';
export * as solver from './solver/index.js';
export * as stats from './stats/index.js';
export * as study from './study/index.js';
export * as transfer from './transfer/index.js';
