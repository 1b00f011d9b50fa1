/** How far a selection can be trusted, in the words of page, terminal and tables. */

import type { Stability } from './cell-schema.js';
import { integer, share } from './format.js';

const two = (v: number): string => v.toFixed(2);

/** "Jaccard index 0.67, chance 0.31". */
export const overlapText = ({ jaccard, interval, chance }: Stability): string =>
  `Jaccard index ${two(jaccard)}${interval ? ` [${interval.map(two).join(', ')}]` : ''}${chance === undefined ? '' : `, chance ${two(chance)}`}`;

/** What the index is of, and what chance means. */
export function overlapMeaning({ over }: Stability): string {
  const index =
    over === 'halves'
      ? 'The Jaccard index is the overlap of the two halves of a pair, which share no example'
      : `The Jaccard index is the mean overlap of two repeats${over === 'folds' ? ', which share most of their examples' : ''}`;
  return `${index}; chance: of random features, as many of each layer.`;
}

/** What is known of the features that nearly every half selects. */
export function boundSentence({ bound, repeats }: Stability): string[] {
  if (!bound) return [];
  const { threshold, features, expected } = bound;
  const all = repeats === 2 ? 'both halves' : `all ${repeats} halves`;
  const enough = threshold === 1 ? all : `at least ${share(threshold)} of the ${repeats} halves`;
  const limit = expected < 1 ? expected.toPrecision(2) : integer(Math.ceil(expected));
  return [
    `${integer(features)} ${features === 1 ? 'feature is' : 'features are'} selected in ${enough}; on average at most ${limit} of such features are ones that a half selects no more often than chance (Shah and Samworth, 2013)`,
  ];
}
