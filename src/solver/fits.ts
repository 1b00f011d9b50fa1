/** What of a problem fits in memory: matrices of examples x examples, and of features x features. */

import { UserError } from '../base/index.js';

/** Bytes of kernels that are held at most. */
const MOST = 6e9;

/**
 * Whether kernels of this many examples fit in memory: one in float64 a few times, and with weights for taps one of each tap
 * in float32, by its triangle, for all examples and for those of a fold.
 */
export function kernelFits(examples: number, taps = 0): boolean {
  return examples ** 2 * (8 * 6 + 4 * taps) <= MOST;
}

/** Features up to which their products fit in memory: three triangles of them in float32. */
export const MOST_FEATURES = 24_000;

/** Whether an l2 probe on so many examples and features fits in memory, by a kernel of examples or by products of features. */
export const l2Fits = (examples: number, features: number): boolean =>
  kernelFits(examples) || features <= MOST_FEATURES;

/** What to do where it does not. */
export const toFit = `take fewer taps, a coarser pooling (at most ${MOST_FEATURES} features), or fewer examples`;

/** @throws UserError where it does not @param what is to be fitted */
export function assertL2Fits(what: string, examples: number, features: number): void {
  if (l2Fits(examples, features)) return;
  throw new UserError(
    `${what} on ${examples} training examples with ${features} features does not fit in memory: ${toFit}`,
  );
}
