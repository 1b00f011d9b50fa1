/**
 * Whether other examples select the same features: complementary pairs (Shah and Samworth, 2013). The examples are cut in
 * two halves, classes in proportion and groups whole, and each half selects as many features by its own ranking; several
 * times. Two halves share no example, where the training parts of five folds share three quarters of theirs.
 */
import { stratifiedFolds } from '../data/index.js';
import { chanceJaccard, falseSelectionBound, jaccard, mean } from '../stats/index.js';
import type { MethodContext } from './context.js';
import { countByTap, frequencies, type Selection } from './selection.js';

/** How a selection moves when it is made on halves of the examples. */
export interface Stability {
  /** Number of halves: twice the pairs. */
  readonly repeats: number;
  /** Mean Jaccard index of the two halves of a pair, and what random sets with as many features of each tap would give. */
  readonly jaccard: number;
  readonly chance: number;
  /** Share of the halves that select each feature, (p). */
  readonly frequency: Float64Array;
  readonly bound: {
    readonly threshold: number;
    /** Features that reach it. */
    readonly features: number;
    /** Upper bound on how many of them, on average, a half selects no more often than chance. */
    readonly expected: number;
  };
}

/** Share of the halves from which a feature counts as stable. */
const THRESHOLD = 0.9;

/** @returns undefined where nothing can be selected again, no pairs are asked for, or a half would lack a class */
export async function stabilityOf(
  { train, options, progress }: MethodContext,
  { again, features }: Selection,
): Promise<Stability | undefined> {
  const { repetitions: pairs, seed } = options;
  if (!again || pairs === 0) return undefined;
  const { labels, groups, matrix } = train;
  const halves: Int32Array[] = [];
  const overlaps: number[] = [];
  const chances: number[] = [];
  for (let pair = 0; pair < pairs; pair++) {
    const both: Int32Array[] = [];
    for (const [h, { train: rows }] of halvesOf({ labels, groups }, `${seed}/half ${pair}`).entries()) {
      progress(`stability, pair ${pair + 1} of ${pairs}, half ${h + 1}`);
      both.push(await again(rows));
    }
    const [first, second] = both as [Int32Array, Int32Array];
    const counts = both.map((half) => countByTap(half, matrix.offsets)) as [Int32Array, Int32Array];
    overlaps.push(jaccard(first, second));
    chances.push(
      chanceJaccard(
        matrix.blocks.map((block, b) => ({
          of: block.features,
          takes: [counts[0][b] as number, counts[1][b] as number] as const,
        })),
      ),
    );
    halves.push(first, second);
  }
  const p = matrix.features;
  const frequency = frequencies(halves, p);
  const threshold = Math.ceil(THRESHOLD * halves.length - 1e-9) / halves.length;
  return {
    repeats: halves.length,
    jaccard: mean(overlaps),
    chance: mean(chances),
    frequency,
    bound: {
      threshold,
      features: frequency.reduce((count, share) => count + (share >= threshold - 1e-9 ? 1 : 0), 0),
      expected: falseSelectionBound({ pairs, selected: features.length, features: p }, threshold),
    },
  };
}

/** Training parts of two folds: a class of one example or group is in both. */
export function halvesOf(
  rows: { readonly labels: Int32Array; readonly groups?: readonly string[] | undefined },
  seed: string,
) {
  return stratifiedFolds(rows, { k: 2, seed, rare: 'train' });
}
