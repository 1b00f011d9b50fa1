/** How far features that come again and again in halves of the examples can be trusted, and what chance would give. */
import { UserError } from '../base/index.js';

/** Selections from both halves of the examples, `pairs` times. */
export interface ComplementaryPairs {
  readonly pairs: number;
  /** Mean number of features that a half selects. */
  readonly selected: number;
  /** Features to select from. */
  readonly features: number;
}

/**
 * Upper bound on the expected number of features that reach the frequency `threshold` over complementary pairs although a
 * half selects each of them no more often than chance would (its probability is at most theta = selected / features):
 * Shah and Samworth (2013). The smaller of their bound without assumptions, theta q / (2 threshold - 1) (equation 3), and
 * the one where the share of pairs that select such a feature in both halves has a unimodal distribution (equation 7).
 * @throws UserError for a threshold at which nothing holds
 */
export function falseSelectionBound({ pairs, selected, features }: ComplementaryPairs, threshold: number): number {
  if (!(threshold > 0.5 && threshold <= 1)) throw new UserError(`threshold ${threshold}: it must lie in (1/2, 1]`);
  const theta = selected / features;
  const most = theta * selected;
  const plain = most / (2 * threshold - 1);
  const least = Math.min(0.5 + theta ** 2, 0.5 + 1 / (2 * pairs) + 0.75 * theta ** 2);
  if (theta > 1 / Math.sqrt(3) || threshold <= least) return Math.min(plain, selected / threshold);
  const unimodal =
    threshold <= 0.75
      ? most / (2 * (2 * threshold - 1 - 1 / (2 * pairs)))
      : (most * 4 * (1 - threshold + 1 / (2 * pairs))) / (1 + 1 / pairs);
  return Math.min(plain, selected / threshold, unimodal > 0 ? unimodal : plain);
}

/** Share of two sets: |A and B| / |A or B|; 1 for two empty sets. */
export function jaccard(a: Iterable<number>, b: Iterable<number>): number {
  const first = new Set(a);
  const second = new Set(b);
  let shared = 0;
  for (const j of first) if (second.has(j)) shared++;
  return overlap(shared, first.size, second.size);
}

/**
 * The Jaccard index of two random selections that take as many features of each block as two given ones do.
 * @param counts of each block: features offered, and how many of them each selection takes
 */
export function chanceJaccard(counts: readonly { readonly of: number; readonly takes: readonly [number, number] }[]) {
  let [shared, a, b] = [0, 0, 0];
  for (const { of, takes } of counts) {
    if (of > 0) shared += (takes[0] * takes[1]) / of;
    a += takes[0];
    b += takes[1];
  }
  return overlap(shared, a, b);
}

function overlap(shared: number, a: number, b: number): number {
  const all = a + b - shared;
  return all === 0 ? 1 : shared / all;
}
