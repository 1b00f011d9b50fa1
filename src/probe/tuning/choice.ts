/** Which candidate of a grid is chosen, what the chosen one is worth, and what its place in the grid says. */
import { type Interval, outOfBag, scoreInterval, standardErrorOf, TestDesign } from '../../stats/index.js';
import type { ProbeOptions } from '../options.js';
import { classShares, type Figures, type TuningRow } from './tally.js';

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
  const { interval } = scoreInterval([right], new TestDesign(right.length, groups ? { clusters: groups } : {}));
  return {
    accuracy: within(chosen.accuracy + shift),
    balanced: within(chosen.balanced + (balancedGain ?? 0)),
    interval: [within(interval[0] + shift), within(interval[1] + shift)],
  };
}

/** What a choice has gained from chance, as its estimate says: at most 0, as a rule. */
export function excessOf(estimate: Estimate | undefined, row: TuningRow): Pick<Figures, 'accuracy' | 'balanced'> {
  if (!estimate) return { accuracy: 0, balanced: 0 };
  return { accuracy: estimate.accuracy - row.accuracy, balanced: estimate.balanced - row.balanced };
}

/** An estimate less what another choice has gained beside its own. */
export function movedBy(
  { accuracy, balanced, interval }: Estimate,
  excess: Pick<Figures, 'accuracy' | 'balanced'>,
  share = 1,
): Estimate {
  const move = (v: number, by: number) => Math.max(0, Math.min(1, v + share * by));
  return {
    accuracy: move(accuracy, excess.accuracy),
    balanced: move(balanced, excess.balanced),
    interval: [move(interval[0], excess.accuracy), move(interval[1], excess.accuracy)],
  };
}

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
