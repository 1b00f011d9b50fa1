/**
 * Which learning rates are tried, for how long, and which one is taken: successive halving (Jamieson and Talwalkar, 2016)
 * as a plan that is known beforehand. Every rung trains anew, with a whole schedule of its own length: the better half of
 * a rung goes to the next, twice as long, and of the last two the better one is trained in full.
 */
import { WorkError } from '../base/index.js';
import {
  headline,
  ofClasses,
  type Predictions,
  score,
  type Targets,
  type ValuedPredictions,
  type ValuedTargets,
  valuedScore,
} from '../record/index.js';

/** Runs of one length. */
export interface Rung {
  /** How many of the rung before (of all rates, in the first) are tried. */
  readonly places: number;
  /** Length of a run as a share of the final one's. */
  readonly share: number;
}

/**
 * Three rates: three runs of a quarter of the final length, two of half. One rate is tried too: whether it learned anything
 * is for validation to say. Of a grid of rates and decays, which is larger, a quarter goes on: runs of a thirty-second of the
 * final length would rank rates by their first steps.
 * @param candidates how many there are, at least 1
 * @param kept share of a rung that goes on, one half by default
 */
export function rungsOf(
  candidates: number,
  { halving, kept = 1 / 2 }: { readonly halving: boolean; readonly kept?: number },
): Rung[] {
  if (!halving) return [{ places: candidates, share: 1 }];
  const places = [candidates];
  for (let left = candidates; left > 2; ) {
    left = Math.max(2, Math.ceil(left * kept));
    places.push(left);
  }
  return places.map((p, i) => ({ places: p, share: 1 / 2 ** (places.length - i) }));
}

/** `share` of a length in whole epochs or steps, at least one. */
export const shareOf = (length: number, share: number): number => Math.max(1, Math.round(length * share));

/** What a run is trained with, of a grid. */
export interface Candidate {
  readonly learningRate: number;
  readonly weightDecay?: number;
}

/** Every learning rate with every weight decay, where there are some; by rising rate, then decay. */
export function candidatesOf(learningRates: readonly number[], weightDecays?: readonly number[]): Candidate[] {
  return learningRates.flatMap((learningRate): Candidate[] =>
    weightDecays ? weightDecays.map((weightDecay) => ({ learningRate, weightDecay })) : [{ learningRate }],
  );
}

/** A finished trial. */
export interface Tried {
  readonly learningRate: number;
  readonly weightDecay?: number | undefined;
  readonly validation: number;
  readonly validationLoss?: number | undefined;
  readonly diverged?: string | undefined;
}

/** What validation examples say of a trial. */
export interface Judgement {
  readonly validation: number;
  readonly validationLoss?: number;
  /** Better than naming the commonest class, or than the means of values or labels, beyond chance. */
  readonly learned: boolean;
}

/**
 * How a trial did, and whether it learned anything: the lower end of the 95 % interval of its accuracy (over groups where
 * there are groups) is above the share of the commonest class; that of R2 above 0, of mAP above the labels' shares.
 */
export function judged(predictions: Predictions, targets: Targets): Judgement {
  if (targets.kind !== 'class') {
    if (predictions.kind !== 'values') throw new WorkError('these are predictions of classes, not of values');
    return judgedValues(predictions, targets);
  }
  const { accuracy, interval, logLoss, confusion, n } = score(ofClasses(predictions), targets);
  const commonest = Math.max(...confusion.map((row) => row.reduce((a, b) => a + b, 0))) / n;
  return {
    validation: accuracy,
    ...(logLoss === undefined || !Number.isFinite(logLoss) ? {} : { validationLoss: logLoss }),
    learned: interval[0] > commonest,
  };
}

function judgedValues(predictions: ValuedPredictions, targets: ValuedTargets): Judgement {
  const figures = valuedScore(predictions, targets);
  const validation = headline(figures);
  if (Number.isNaN(validation)) return { validation: 0, learned: false };
  const shares =
    'mAP' in figures ? figures.labels.flatMap((l) => (l.positive > 0 ? [l.positive / figures.n] : [])) : [0];
  const chance = shares.reduce((sum, share) => sum + share / shares.length, 0);
  return { validation, learned: (figures.interval?.[0] ?? Number.NEGATIVE_INFINITY) > chance };
}

/** Best first: by accuracy on validation examples (R2, mAP), of equals by log loss, of equals the smaller rate and decay. */
export function ranked<T extends Tried>(tried: readonly T[]): T[] {
  const loss = ({ validationLoss = Number.POSITIVE_INFINITY }: Tried) => validationLoss;
  const order = (a: number, b: number) => (a < b ? -1 : a > b ? 1 : 0);
  return [...tried].sort(
    (a, b) =>
      order(Number(a.diverged !== undefined), Number(b.diverged !== undefined)) ||
      order(b.validation, a.validation) ||
      order(loss(a), loss(b)) ||
      order(a.learningRate, b.learningRate) ||
      order(a.weightDecay ?? 0, b.weightDecay ?? 0),
  );
}

/** One sentence where the chosen rate is the smallest or largest of several. */
export function edgeNote(chosen: number, rates: readonly number[]): string | undefined {
  if (rates.length < 2) return undefined;
  if (chosen === Math.max(...rates))
    return `The chosen learning rate, ${chosen}, is the largest that was tried: a larger one may serve better.`;
  if (chosen === Math.min(...rates))
    return `The chosen learning rate, ${chosen}, is the smallest that was tried: a smaller one may serve better.`;
  return undefined;
}
