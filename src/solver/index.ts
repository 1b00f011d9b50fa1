/** @module solver: certified linear models on features: matrices in, models out. */

export { choleskyFactor, choleskyPivoted, solveFactored } from './cholesky.js';
export * from './design.js';
export { type Eigen, symmetricEigen } from './eigen.js';
export { FeatureRidge, type FeatureRidgeFit, type FeatureRidgeOptions } from './feature-ridge/feature-ridge.js';
export { checkFinite, notFinite } from './finite.js';
export * from './fits.js';
export * from './gram-exact.js';
export * from './gram-sum.js';
export { type GreedyLayers, greedyLayers, type LayerProducts } from './greedy-layers.js';
export {
  type FoldLabels,
  type FoldRidgeFit,
  fitFoldRidge,
  giveUp,
  kernelGradient,
  leaveOut,
  scoresOf,
} from './kernel-ridge/fold-ridge.js';
export { byFeature, kernelsTake, TapKernels, tapScales, weightedKernel } from './kernel-ridge/tap-kernels.js';
export {
  learnTapWeights,
  TapDescent,
  type TapExamples,
  type TapWeights,
  type TapWeightsOptions,
} from './kernel-ridge/tap-weights.js';
export * from './logistic/dual.js';
export * from './logistic/primal.js';
export { StreamedTable } from './logistic/streamed-table.js';
export {
  type FeatureTable,
  featureTable,
  HeldTable,
  selectFeatures,
  type TableProducts,
  tableFits,
} from './logistic/table.js';
export * from './logistic/table-logistic.js';
export { logisticLoss } from './losses/index.js';
export { countMacs, type MacCounter, macsOf } from './macs.js';
export * from './matrix.js';
export * from './model.js';
export * from './model-sum.js';
export * from './neighbours.js';
export { criticalLambdas } from './path/dual-norm.js';
export { correlateAll } from './path/full-pass.js';
export * from './path/path.js';
export { classesProblem, labelsProblem, type PathProblem, valuesProblem } from './path/problem.js';
export { multinomialProblem } from './problem.js';
export { type Matrix, type Multiply, products } from './products.js';
export { type Floats, MathBuilder, programFor, tensor } from './programs.js';
export * from './ridge.js';
export { arrayBlock, type NumericArray, type ShiftOptions } from './shifted.js';
export { crossEntropy, probabilities } from './softmax.js';
export { type Spectrum, spectrumOf } from './tridiagonal.js';
