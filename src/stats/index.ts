/** @module stats: pure functions on numbers: intervals, paired tests, correlations, accuracies, classification scores. */
export * from './accuracy.js';
export * from './classification.js';
export * from './correlation.js';
export * from './interval.js';
export * from './paired.js';
export { PairedDifference, type Scores } from './paired-difference.js';
export * from './ranks.js';
export * from './score-interval.js';
export { moderate, type Runs, type SeedSpread, type SeedVariance, seedSpreadOf } from './seeds.js';
export * from './simultaneous.js';
export { fairBinomialCdf, normalQuantile, normalTail, studentCdf, studentQuantile } from './special.js';
export { type Sampling, TestDesign } from './test-design.js';
