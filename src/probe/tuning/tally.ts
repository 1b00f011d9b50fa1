/** What candidates of a grid say of the validation rows, which of them is chosen, and what the chosen one is worth. */
import { crossEntropy } from '../../solver/index.js';
import {
  fitTemperature,
  type Interval,
  outOfBag,
  scoreInterval,
  standardErrorOf,
  topClasses,
} from '../../stats/index.js';
import type { ProbeOptions } from '../options.js';

/** Scores of one candidate over validation rows. */
export interface Figures {
  readonly accuracy: number;
  /** Mean over classes of each one's accuracy. */
  readonly balanced: number;
  /** Mean -ln P(true class), nats; over classes of each one's mean. */
  readonly logLoss: number;
  readonly balancedLoss: number;
}

/** What a candidate said of every validation row (those of the first fold, then the second ...). */
export interface Answers {
  /** (n). */
  readonly labels: Int32Array;
  /** 1 where the most probable class is the true one, (n). */
  readonly right: Uint8Array;
  /** -ln P(true class), (n). */
  readonly losses: Float64Array;
  /** (n, K), where they were kept. */
  readonly logits?: Float32Array | undefined;
}

/** One candidate of a tuning grid with its validation figures. */
export interface TuningRow extends Figures {
  readonly settings: Readonly<Record<string, number>>;
  /** Accuracy in each fold; the other figures are over all validation rows together. */
  readonly folds: readonly number[];
  readonly answers: Answers;
  /** Whether the solver reached its tolerance in every fold. */
  readonly converged: boolean;
}

/** Validation answers of one candidate gathered over folds. */
export class Tally {
  readonly #folds: number[] = [];
  readonly #labels: number[] = [];
  readonly #right: number[] = [];
  readonly #losses: number[] = [];
  readonly #logits: Float32Array[] = [];
  readonly #keepsLogits: boolean;
  #classes = 0;
  #converged = true;

  /** @param logits whether these are kept, to fit a temperature to */
  constructor({ logits = false }: { readonly logits?: boolean } = {}) {
    this.#keepsLogits = logits;
  }

  /** @param logits of one fold's validation rows, (labels.length, classes) */
  add(logits: Float64Array, labels: readonly number[] | Int32Array, classes: number, converged = true): void {
    this.#classes = classes;
    this.#converged &&= converged;
    const top = topClasses(logits, classes);
    let right = 0;
    for (let i = 0; i < labels.length; i++) {
      const label = labels[i] as number;
      const own = top[i] === label ? 1 : 0;
      right += own;
      this.#labels.push(label);
      this.#right.push(own);
      this.#losses.push(crossEntropy(logits, i * classes, classes, label));
    }
    this.#folds.push(right / labels.length);
    if (this.#keepsLogits) this.#logits.push(Float32Array.from(logits));
  }

  row(settings: Record<string, number>): TuningRow {
    const n = this.#labels.length;
    const logits = new Float32Array(this.#keepsLogits ? n * this.#classes : 0);
    let at = 0;
    for (const part of this.#logits) {
      logits.set(part, at);
      at += part.length;
    }
    const answers: Answers = {
      labels: Int32Array.from(this.#labels),
      right: Uint8Array.from(this.#right),
      losses: Float64Array.from(this.#losses),
      ...(this.#keepsLogits ? { logits } : {}),
    };
    return { settings, folds: this.#folds, ...figuresOf(answers), answers, converged: this.#converged };
  }
}

function figuresOf({ labels, right, losses }: Answers): Figures {
  const weights = classShares(labels);
  const n = labels.length;
  let [accuracy, balanced, logLoss, balancedLoss] = [0, 0, 0, 0];
  for (let i = 0; i < n; i++) {
    const [own, loss, weight] = [right[i] as number, losses[i] as number, weights[i] as number];
    accuracy += own;
    balanced += weight * own;
    logLoss += loss;
    balancedLoss += weight * loss;
  }
  return { accuracy: accuracy / n, balanced, logLoss: logLoss / n, balancedLoss };
}

/** The weight of each example in a mean over classes, (n); they sum to one. */
function classShares(labels: Int32Array): Float64Array {
  const sizes = new Map<number, number>();
  for (const c of labels) sizes.set(c, (sizes.get(c) ?? 0) + 1);
  return Float64Array.from(labels, (c) => 1 / (sizes.size * (sizes.get(c) as number)));
}

/** The row with its losses at the temperature that suits it best: for scores that are no logits. */
export function calibrated(row: TuningRow, classes: number): TuningRow {
  const { logits, labels } = row.answers;
  if (!logits) return row;
  const temperature = fitTemperature(logits, labels, classes);
  const scaled = Float64Array.from(logits, (z) => z / temperature);
  const losses = Float64Array.from(labels, (c, i) => crossEntropy(scaled, i * classes, classes, c));
  const answers = { ...row.answers, losses };
  return { ...row, ...figuresOf(answers), answers };
}

type Choosing = Pick<ProbeOptions, 'choose' | 'classWeight'>;
export type Choose = <T extends Figures>(rows: readonly T[]) => T;

/** The accuracy that settings are judged by: the balanced one where classes count alike. */
export const accuracyIn = ({ accuracy, balanced }: Figures, { classWeight }: Pick<ProbeOptions, 'classWeight'>) =>
  classWeight === 'balanced' ? balanced : accuracy;
const lossIn = ({ logLoss, balancedLoss }: Figures, { classWeight }: Pick<ProbeOptions, 'classWeight'>) =>
  classWeight === 'balanced' ? balancedLoss : logLoss;

/** Difference below which figures are equal. */
const EQUAL = 1e-12;

/**
 * The rule that chooses: by the lowest log loss, or by the highest accuracy and then the lowest log loss; of equals the
 * earlier (grids run from the simplest).
 */
export function chooserBy(options: Choosing): Choose {
  return (rows) =>
    rows.reduce((best, row) => {
      const gain = accuracyIn(row, options) - accuracyIn(best, options);
      const less = lossIn(best, options) - lossIn(row, options);
      if (options.choose === 'log-loss') return less > EQUAL ? row : best;
      return gain > EQUAL || (gain > -EQUAL && less > EQUAL) ? row : best;
    });
}

/** What to expect of a chosen candidate on examples that neither fit nor choice has seen. */
export interface Estimate {
  readonly accuracy: number;
  readonly balanced: number;
  /** 95 % of the accuracy, by group where there are groups. */
  readonly interval: Interval;
}

/**
 * The chosen row's figures less what the choice has gained from chance (see outOfBag in stats).
 * @param pick the choice again: figures over the drawn examples to choose by, over the others to measure with
 * @param groups of the validation rows
 */
export function estimateOf(
  rows: readonly TuningRow[],
  chosen: TuningRow,
  pick: (drawn: readonly Figures[], others: readonly Figures[]) => Pick<Figures, 'accuracy' | 'balanced'>,
  { groups, seed }: { readonly groups?: readonly string[] | undefined; readonly seed: number },
): Estimate {
  const { right, labels } = chosen.answers;
  const weights = classShares(labels);
  const place = rows.indexOf(chosen);
  const figures = ([accuracy, balanced, logLoss, balancedLoss]: ArrayLike<number> & Iterable<number>) =>
    ({ accuracy, balanced, logLoss, balancedLoss }) as Figures;
  // Relative to the chosen row, whose mean over the draws is known: what is left is the choice alone.
  const [gain, balancedGain] =
    rows.length === 1
      ? [0, 0]
      : outOfBag(
          {
            values: rows.map(({ answers: { right: own, losses } }) => [own, own, losses, losses]),
            weights: [undefined, weights, undefined, weights],
            clusters: groups,
          },
          (drawn, others) => {
            const outside = others.map(figures);
            const picked = pick(drawn.map(figures), outside);
            const own = outside[place] as Figures;
            return [picked.accuracy - own.accuracy, picked.balanced - own.balanced];
          },
          { seed },
        );
  const shift = gain ?? 0;
  const within = (v: number) => Math.max(0, Math.min(1, v));
  const { interval } = scoreInterval({ values: right, seeds: [0] }, groups ? { clusters: groups } : {});
  return {
    accuracy: within(chosen.accuracy + shift),
    balanced: within(chosen.balanced + (balancedGain ?? 0)),
    interval: [within(interval[0] + shift), within(interval[1] + shift)],
  };
}

/** The temperature that makes a row's answers as sure as they are right; undefined where logits were not kept. */
export function temperatureOf({ answers }: TuningRow, classes: number, { classWeight }: Choosing): number | undefined {
  const { logits, labels } = answers;
  if (!logits || logits.length === 0) return undefined;
  return fitTemperature(logits, labels, classes, classWeight === 'balanced' ? balancedWeights(labels) : undefined);
}

const balancedWeights = (labels: Int32Array) => classShares(labels).map((w) => w * labels.length);

export interface Edge {
  /** The setting, what people call it, and the flag that takes its grid, where there is one. */
  readonly key: string;
  readonly name: string;
  readonly flag?: string;
}

/**
 * A sentence where the chosen value is the smallest or largest of a grid: whether one beyond may do better, by how much
 * the chosen one gains on its neighbour.
 */
export function edgeNote(
  rows: readonly TuningRow[],
  chosen: TuningRow,
  { key, name, flag }: Edge,
  { options, groups }: { readonly options: Choosing; readonly groups?: readonly string[] | undefined },
): string[] {
  const sorted = [...rows].sort((a, b) => (a.settings[key] as number) - (b.settings[key] as number));
  const place = sorted.indexOf(chosen);
  if (sorted.length < 2 || (place > 0 && place < sorted.length - 1)) return [];
  const smallest = place === 0;
  const next = sorted[smallest ? 1 : sorted.length - 2] as TuningRow;
  const byLoss = options.choose === 'log-loss';
  const gains = Float64Array.from(chosen.answers.labels, (_, i) =>
    byLoss
      ? (next.answers.losses[i] as number) - (chosen.answers.losses[i] as number)
      : (chosen.answers.right[i] as number) - (next.answers.right[i] as number),
  );
  const gain = gains.reduce((sum, v) => sum + v / gains.length, 0);
  const matters = gain > standardErrorOf(gains, groups ? { clusters: groups } : {});
  const figure = (row: TuningRow) => (byLoss ? row.logLoss.toPrecision(3) : `${(100 * row.accuracy).toFixed(1)} %`);
  const versus = `${byLoss ? 'log loss' : 'accuracy'} ${figure(chosen)} against ${figure(next)} at ${next.settings[key]}`;
  const [edge, beyond] = smallest ? ['smallest', 'smaller'] : ['largest', 'larger'];
  return [
    matters
      ? `the ${edge} ${name} tried (${chosen.settings[key]}) was chosen (${versus}): a ${beyond} one may do better${flag === undefined ? '' : `; add some with ${flag}`}`
      : `the ${edge} ${name} tried (${chosen.settings[key]}) was chosen, but is no better than the next within one standard error (${versus}): a ${beyond} one should make little difference`,
  ];
}
