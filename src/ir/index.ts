/** @module ir: the network as immutable data, builders of it, what its larger operators are made of, and the ONNX file format. */

export { fromBfloat16, fromFloat16 } from '../base/index.js';
export {
  type AnyAttributes,
  type AttributeKinds,
  type AttributesOf,
  type AttributeValues,
  attributeKinds,
  kindsOf,
  withKinds,
} from './attributes.js';
export * from './builder.js';
export { numberOfType, typeOfNumber } from './element-type.js';
export { type Dims, Emitter, positiveAxis, sameDims } from './emitter.js';
export { expanded, expansions } from './expand/index.js';
export * from './graph.js';
export { modelFiles, readModel, readModelFile } from './onnx/read.js';
export { type ModelParts, writeModel, writeModelParts } from './onnx/write.js';
export { permutedTensor } from './permute.js';
export { readSafetensors, type TensorFile, writeSafetensors } from './safetensors.js';
