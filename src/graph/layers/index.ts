export { copyLayers, type ReinitialiseOptions, reinitialise } from './copy.js';
export { type Cut, cutAfter } from './cut.js';
export { type LearnedLayer, learnedLayers } from './find.js';
export type { Parameter, ParameterRole } from './parameters.js';
