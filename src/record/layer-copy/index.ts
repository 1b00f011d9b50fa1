/** Layer-copy studies in the record: what was measured, the differences that it is about, and what they say. */
export { layerCopyAnswer, nameOfRun, treatmentAt } from './answer.js';
export { bitsOf, groupOf, hexOf, withEffects } from './effects.js';
export * from './schema.js';
export { isSound } from './sound.js';
