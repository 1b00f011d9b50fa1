/** Training rows of a unit. */
import { nestedSubset } from '../../data/index.js';
import type { Side } from '../tasks.js';
import type { Subset } from './kinds.js';

/** All rows of the side, or the subset's. */
export function subsetRows(side: Side, subset: Subset | null): number[] {
  return subset ? nestedSubset(side, subset) : side.labels.map((_, i) => i);
}
