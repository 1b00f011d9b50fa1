/** @module stats: pure functions on numbers: intervals, paired tests, correlations, accuracies, classification scores. */
export * from './accuracy.js';
export * from './classification.js';
export * from './correlation.js';
export * from './interval.js';
export * from './out-of-bag.js';
export * from './paired.js';
export { PairedDifference, type PairedScores } from './paired-difference.js';
export * from './ranks.js';
export * from './score-interval.js';
export * from './simultaneous.js';
export { fairBinomialCdf, normalQuantile, normalTail, studentCdf, studentQuantile } from './special.js';
export * from './stability-selection.js';
export * from './temperature.js';
export { standardErrorOf, type TestDesign } from './test-design.js';
