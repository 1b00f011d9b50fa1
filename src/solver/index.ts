/** @module solver: certified linear models on features: matrices in, models out. */
export * from './design.js';
export { checkFinite } from './finite.js';
export * from './gram-exact.js';
export * from './gram-sum.js';
export * from './logistic/dual.js';
export * from './logistic/primal.js';
export { countMacs, type MacCounter, macsOf } from './macs.js';
export * from './matrix.js';
export * from './model.js';
export * from './neighbours.js';
export { criticalLambdas } from './path/dual-norm.js';
export { correlateAll } from './path/full-pass.js';
export * from './path/path.js';
export { multinomialProblem } from './problem.js';
export { type Floats, MathBuilder, programFor, tensor } from './programs.js';
export * from './ridge.js';
export { arrayBlock, type NumericArray, type ShiftOptions } from './shifted.js';
export { crossEntropy, probabilities } from './softmax.js';
