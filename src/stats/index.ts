/** @module stats: pure functions on numbers: intervals, paired differences, corrections, correlations, classification scores. */
export * from './classification.js';
export * from './correlation.js';
export * from './interval.js';
<<<<<<< HEAD
export { PairedDifference, type Scores } from './paired-difference.js';
=======
export * from './out-of-bag.js';
export * from './paired.js';
export { PairedDifference, type PairedScores } from './paired-difference.js';
export * from './ranks.js';
>>>>>>> main
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
export * from './simultaneous.js';
<<<<<<< HEAD
export { normalQuantile, normalTail, studentCdf, studentQuantile } from './special.js';
export * from './stability-selection.js';
export { type Sampling, TestDesign } from './test-design.js';
=======
export { fairBinomialCdf, normalQuantile, normalTail, studentCdf, studentQuantile } from './special.js';
export * from './stability-selection.js';
export * from './temperature.js';
export { standardErrorOf, type TestDesign } from './test-design.js';
>>>>>>> main
