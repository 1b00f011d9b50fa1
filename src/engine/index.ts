/** @module engine: compiles graphs and runs them. */
export { deviceName, type NamedDevices, parseDevices } from './devices.js';
export * from './engine.js';
export * from './engines.js';
export { createOnnxRuntime } from './onnxruntime/index.js';
export { Refusal, type RefusalKind } from './refusal.js';
export { createTfjs } from './tfjs/index.js';
export {
  machineTopology,
  type NumaNode,
  type ProcessorFacts,
  readTopology,
  type Topology,
  topologyOf,
} from './topology.js';
export { versionsOf } from './versions.js';
