export { type Layout, layoutOf, type TapKind } from './layout.js';
export { type Axes, axesOf } from './propagate.js';
