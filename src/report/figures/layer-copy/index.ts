/** The figures of a layer-copy study (Yosinski et al., 2014). */
export { boostFigure } from './boost.js';
export { copiesFigure } from './copies.js';
export { effectsFigure } from './effects.js';
export { predictorsFigure } from './predictors.js';
export { reducedFigure } from './reduced.js';
