/** @module solver: certified linear models on features: matrices in, models out. */
export * from './design.js';
export * from './gram.js';
export { addGram, centredKernel, type Kernel, normalisationOf } from './kernel/gram.js';
export { type KernelFit, KernelLogistic, type KernelLogisticOptions } from './kernel/logistic.js';
export * from './logistic.js';
export * from './matrix.js';
export * from './model.js';
export * from './neighbours.js';
export { criticalLambdas } from './path/dual-norm.js';
export { correlateAll } from './path/full-pass.js';
export * from './path/path.js';
export * from './penalty.js';
export { multinomialProblem } from './problem.js';
export { MathBuilder, programFor, tensor } from './programs.js';
export * from './ridge.js';
