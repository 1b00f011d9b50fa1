/** What the deployed linear probe owes to each tap: shares of its logits' variance, and what is lost without the tap. */
import { type LinearModel, passesOf, predictLogits } from '../solver/index.js';
import type { MethodContext } from './context.js';
import type { Fit } from './methods/index.js';
import { countByTap } from './selection.js';
import { FoldProbes } from './tuning/probes.js';
import { without } from './tuning/sources.js';
import { Tally, type TuningRow } from './tuning/tally.js';

/** One tap of those that the probe reads. */
export interface TapPart {
  readonly tap: string;
  /** Features of it that the probe reads. */
  readonly features: number;
  /**
   * Its share of the variance of the logits over the training rows, each example's logits less their mean over classes:
   * the covariance of the tap's part of them with the whole, over the variance of the whole, both summed over classes.
   * The shares add up to one; a tap that works against the others has a negative one.
   */
  readonly variance: number;
  /** Place in the order in which taps enter the lambda path; absent where no feature of it has a weight there. */
  readonly entry?: number;
  /** Change of the validation figures when the probe is refitted without the tap, at the same penalty. */
  readonly leftOut?: { readonly score: number; readonly logLoss: number };
}

/**
 * @param most so many taps, those with the largest shares, are left out in turn
 * @returns undefined where there is no linear probe, or one that reads a single tap
 */
export async function attributionOf(context: MethodContext, fit: Fit, most: number): Promise<TapPart[] | undefined> {
  const { model, selection } = fit;
  const { taps, train } = context;
  if (!model || taps.length < 2) return undefined;
  const counts = countByTap(model.indices, train.matrix.offsets);
  const read = Array.from(counts.keys()).filter((b) => (counts[b] as number) > 0);
  if (read.length < 2) return undefined;
  const variances = await varianceShares(context, model, read);
  const entries = entryOrder(selection?.entryLambda, train.matrix.offsets, read);
  const largest = [...read.keys()].sort((i, j) => (variances[j] as number) - (variances[i] as number)).slice(0, most);
  const without = await leftOut(
    context,
    fit,
    largest.map((i) => read[i] as number),
  );
  return read.map((b, i) => {
    const entry = entries.get(b);
    const left = without?.[largest.indexOf(i)];
    return {
      tap: taps[b]?.alias ?? String(b),
      features: counts[b] as number,
      variance: variances[i] as number,
      ...(entry === undefined ? {} : { entry }),
      ...(left ? { leftOut: left } : {}),
    };
  });
}

/**
 * Of each of some blocks. Centring changes nothing that is multiplied by what is centred already, so that the covariances
 * of all parts are one product of the features with the centred logits.
 */
async function varianceShares(
  { engine, train }: MethodContext,
  model: LinearModel,
  blocks: readonly number[],
): Promise<number[]> {
  const { matrix } = train;
  const { classes: K, indices } = model;
  const whole = centred(await predictLogits(engine, model, matrix), K);
  const products = await passesOf(engine, model, matrix).adjoint(whole, K);
  const covariances = new Float64Array(matrix.blocks.length);
  for (let at = 0; at < products.length; at++) {
    const { block } = matrix.locate(indices[Math.floor(at / K)] as number);
    covariances[block] = (covariances[block] as number) + (model.weights[at] as number) * (products[at] as number);
  }
  const total = covariances.reduce((sum, v) => sum + v, 0);
  return blocks.map((block) => (total > 0 ? (covariances[block] as number) / total : 0));
}

/** Less each row's mean over classes, then each class's mean over rows. */
function centred(z: Float64Array, K: number): Float64Array {
  const n = z.length / K;
  const means = new Float64Array(K);
  for (let i = 0, at = 0; i < n; i++, at += K) {
    let mean = 0;
    for (let k = 0; k < K; k++) mean += (z[at + k] as number) / K;
    for (let k = 0; k < K; k++) {
      const v = (z[at + k] as number) - mean;
      z[at + k] = v;
      means[k] = (means[k] as number) + v / n;
    }
  }
  for (let at = 0; at < z.length; at++) z[at] = (z[at] as number) - (means[at % K] as number);
  return z;
}

/** Blocks by the largest lambda at which a feature of theirs has a weight: the first enters first; equals share a place. */
function entryOrder(
  entryLambda: Float64Array | undefined,
  offsets: ArrayLike<number>,
  blocks: readonly number[],
): Map<number, number> {
  if (!entryLambda) return new Map();
  const entered = blocks.flatMap((b) => {
    const own = entryLambda.subarray(offsets[b], offsets[b + 1]).reduce((top, v) => Math.max(top, v), 0);
    return own > 0 ? [{ b, own }] : [];
  });
  return new Map(entered.map(({ b, own }) => [b, 1 + entered.filter((other) => other.own > own).length]));
}

/** Relative gradient norm of the fits without a tap: they start from the fit with it, and small differences count. */
const precision = { tolerance: 0.05, maxIterations: 150 };

/** Changes of the figures without each of some blocks, refitted on every fold. */
async function leftOut(
  context: MethodContext,
  { refit, validation }: Fit,
  blocks: readonly number[],
): Promise<{ score: number; logLoss: number }[] | undefined> {
  if (!refit || !validation || blocks.length === 0) return undefined;
  const { train, classes, folds, designs, progress } = context;
  const { labels } = train;
  const { features, l2 } = refit;
  const { matrix } = features;
  if (matrix !== train.matrix) return undefined;
  const full = new Tally(context.options);
  const tallies = blocks.map(() => new Tally(context.options));
  for (const [f, fold] of folds.entries()) {
    const source = await features.source(fold, f);
    const problem = { designs, fold, labels, classes };
    const whole = await new FoldProbes({ ...problem, source }, precision).fit(l2, full);
    const own = features.indices(f);
    for (const [i, block] of blocks.entries()) {
      progress(`without tap ${context.taps[block]?.alias}, fold ${f + 1} of ${folds.length}`);
      const [from, to] = [matrix.offsets[block] as number, matrix.offsets[block + 1] as number];
      const part = own
        ? own.filter((j: number) => j >= from && j < to)
        : Int32Array.from({ length: to - from }, (_, j) => from + j);
      const rest = await without(source, part, { designs, matrix, fold });
      const probes = new FoldProbes({ ...problem, source: rest }, precision);
      await probes.startFrom(whole);
      await probes.fit(l2, tallies[i] as Tally);
    }
  }
  const reference: TuningRow = full.row({});
  return tallies.map((tally) => {
    const row = tally.row({});
    return { score: row.accuracy - reference.accuracy, logLoss: row.logLoss - reference.logLoss };
  });
}
