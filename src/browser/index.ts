/**
 * toehold in a browser, on onnxruntime-web (an optional peer dependency): WebGPU where there is an adapter, else WebAssembly. No
 * module of Node is left in a bundle.
 *
 * @example
 * import { openBackbone, openHead } from 'toehold/browser';
 * const head = await openHead('/head.onnx');
 * const { class: name, probability } = await head.predict(file);
 * const backbone = await openBackbone('/model.onnx', { preprocess: 'imagenet' });
 * const features = await backbone.extract([image], { taps: 'default', pool: 'gap' });
 *
 * @packageDocumentation
 */
export { UserError, WorkError } from '../base/index.js';
export {
  type BackboneOptions,
  type BrowserBackbone,
  type BrowserTap,
  type ExtractOptions,
  openBackbone,
  type TapFeatures,
} from './backbone.js';
export type { ModelSource } from './bytes.js';
export { type Head, type HeadPrediction, openHead } from './head.js';
export type { ImageSource, Pixels } from './image.js';
