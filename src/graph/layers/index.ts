export { copyLayers, type ReinitialiseOptions, reinitialise } from './copy.js';
export { type LearnedLayer, learnedLayers } from './find.js';
export { allParameters, isLearned, learnedConstants, type Parameter, type ParameterRole } from './parameters.js';
