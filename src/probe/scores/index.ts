/** Scores of features without training. */
export {
  featureScores,
  type SpectralMeasure,
  scoreIds,
  selectScores,
  sourceScores,
  spectralMeasures,
} from './catalogue.js';
export {
  type NeighbourAgreement,
  type ScoredStore,
  type ScoredTap,
  type Scoring,
  scoreStores,
} from './score-stores.js';
export { type ScoringOptions, scoringDefaults } from './scoring-options.js';
export { alignmentCsv, scoringCsv, scoringText } from './tables.js';
