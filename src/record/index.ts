/** @module record: what a run found: schema, cards of methods, scores, comparisons, the one answer. */
export { type AffinityTrend, affinityTrend } from './affinity.js';
export { answerOf, mainAnswer } from './answer.js';
export { isUnbalanced } from './balance.js';
export { MethodCard, plainCard, shapes } from './cards.js';
export { bySimplicity, compareAll, compared } from './comparisons.js';
export * from './course.js';
export { faultOf } from './faults.js';
export * from './format.js';
export * from './layer-copy/index.js';
export * from './layers.js';
export { networkSentences, pairWords, trendWords } from './network-words.js';
export * from './networks.js';
export { type PaperRow, paperRows } from './papers.js';
export { parseRecord, readRecord, recordFile, recordOf, withMargin } from './read.js';
export * from './schema.js';
export * from './score.js';
export * from './sheet.js';
export * from './stability.js';
