/**
 * toehold as a library: six verbs. The rooms that they are built of are subpaths: `toehold/stats`, `toehold/graph` ...
 * (docs/library.md).
 *
 * @example
 * import { extract, fit } from 'toehold';
 * const features = await extract('model.onnx', ['a.jpg', 'b.jpg', 'c.jpg', 'd.jpg']);
 * const probe = await fit(features, ['cat', 'dog', 'cat', 'dog'], { method: 'linear' });
 *
 * @packageDocumentation
 */
export { UserError, WorkError } from './base/index.js';
export { setMaxPixels } from './data/index.js';
export * from './library/index.js';
export { exportModel as export } from './library/index.js';
