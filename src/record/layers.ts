/** What a probe owes to each layer, in the words of page, terminal and tables. */

import type { DoneCell } from './cell-schema.js';
import { points, share } from './format.js';

/** What a probe owes to one layer. */
export interface LayerPart {
  readonly tap: string;
  /** Features of it that the probe reads. */
  readonly features: number;
  readonly share: number;
  /** Place in the order in which layers enter the lambda path. */
  readonly entry?: number | undefined;
  readonly leftOut?: { readonly score: number; readonly logLoss: number } | undefined;
}

/** Shares of layers, what they are shares of, and how to read them. */
export interface LayerShares {
  readonly of: string;
  readonly meaning: string;
  /** Of the layers that the probe reads, in order from the input. */
  readonly parts: readonly LayerPart[];
}

/** What the columns of leaving a layer out are called. */
export const leftOutWords = {
  score: 'validation accuracy without it, change in points',
  logLoss: 'validation log loss without it, change',
  meaning: 'the probe is refitted on the same folds without the layer, at the same penalty',
};
/** What the column of a layer's entry is called. */
export const entryWords = 'enters the path as number';

/** Undefined where the record says nothing of layers. */
export function layerSharesOf({ attribution, selection }: DoneCell): LayerShares | undefined {
  if (attribution) {
    return {
      of: 'share of the logits’ variance',
      meaning:
        'the covariance of the layer’s part of the logits with the whole logits, over the variance of the whole, on the training examples; shares add up to 100 %, and a layer that works against the others has a negative one',
      parts: attribution.map(({ variance, ...part }) => ({ ...part, share: variance })),
    };
  }
  const scored = selection?.shares.filter((s) => s.share !== undefined) ?? [];
  if (scored.length === 0) return undefined;
  return {
    of: 'share of the relevance score',
    meaning:
      'the sum of the layer’s weights in the group lasso that ranks features, over that of all kept features: few of these have such a weight, and the probe that is used was fitted afresh',
    parts: scored.map(({ tap, kept, share: own = 0 }) => ({ tap, features: kept, share: own })),
  };
}

/** "35 %", with a true minus where it is negative. */
export const signedShare = (v: number): string => (v < 0 ? `−${share(-v)}` : share(v));

/** "−1.2 points, log loss +0.03". */
export const leftOutText = ({ score, logLoss }: NonNullable<LayerPart['leftOut']>): string =>
  `${points(score)} points, log loss ${signed(logLoss)}`;

/** Three digits with a sign. */
export function signed(v: number): string {
  const text = Math.abs(v).toFixed(3);
  return Number(text) === 0 ? text : `${v > 0 ? '+' : '−'}${text}`;
}
