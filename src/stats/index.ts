/** @module stats: pure functions on numbers: intervals, paired differences, corrections, correlations, classification scores. */
export * from './adjusted-means.js';
export * from './average-precision.js';
export * from './cka.js';
export * from './classification.js';
export * from './contributions.js';
export * from './convergence.js';
export * from './correlation.js';
export * from './crossed-mean.js';
export * from './effective-rank.js';
export * from './exact-tests.js';
export * from './interval.js';
export * from './legacy-random.js';
export * from './log-linear-pool.js';
export * from './log-spaced.js';
export * from './out-of-bag.js';
export { PairedDifference, type Scores } from './paired-difference.js';
export * from './regression.js';
export * from './score-interval.js';
export {
  assumedExamples,
  assumedSeedVariance,
  moderate,
  type RanOnce,
  type Runs,
  type SeedSpread,
  type SeedVariance,
  seedSpreadOf,
} from './seeds.js';
export * from './several-labels.js';
export * from './simultaneous.js';
export { normalQuantile, normalTail, studentCdf, studentQuantile } from './special.js';
export * from './stability-selection.js';
export * from './temperature.js';
export { type Sampling, standardErrorOf, TestDesign } from './test-design.js';
export * from './transferability.js';
