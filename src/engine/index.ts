/** @module engine: compiles graphs and runs them. */
export * from './engine.js';
export * from './engines.js';
export { createOnnxRuntime } from './onnxruntime/index.js';
export { Refusal, type RefusalKind } from './refusal.js';
export { createTfjs } from './tfjs/index.js';
export { versionsOf } from './versions.js';
