/** @module ir: the network as immutable data, a builder of it, and the ONNX file format. */
export * from './builder.js';
export * from './graph.js';
export * from './half.js';
export { readModel, readModelFile } from './onnx/read.js';
export { type ModelParts, writeModel, writeModelParts } from './onnx/write.js';
