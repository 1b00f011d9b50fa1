/** Scores of features without training. */
export { featureScores, scoreIds, selectScores, sourceScores } from './catalogue.js';
export {
  type ScoredStore,
  type ScoredTap,
  type Scoring,
  type ScoringOptions,
  scoreStores,
  scoringDefaults,
} from './score-stores.js';
export { alignmentCsv, scoringCsv, scoringText } from './tables.js';
