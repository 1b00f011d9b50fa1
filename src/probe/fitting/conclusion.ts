/** What follows from the answers of a grid: the chosen row, what it is worth, and its temperature. */
import { type MethodContext, validationGroups } from '../context.js';
import { type Choose, type Estimate, estimateOf } from '../tuning/choice.js';
import type { Figures, TuningRow } from '../tuning/tally.js';

/** What a method says of its tuning. */
export interface Conclusion {
  readonly validation: TuningRow;
  readonly estimate: Estimate;
  readonly temperature?: number;
}

/**
 * @param choose the rule by which `best` was chosen of `rows`
 * @param groups of the validation rows; by default those of the folds in their order
 */
export function concluded(
  context: MethodContext,
  rows: readonly TuningRow[],
  best: TuningRow,
  choose: Choose,
  groups = validationGroups(context),
): Conclusion {
  const pick = (drawn: readonly Figures[], others: readonly Figures[]) =>
    others[drawn.indexOf(choose(drawn))] as Figures;
  const estimate = estimateOf(rows, best, pick, { groups, seed: context.options.seed });
  return conclusionOf(best, estimate);
}

export function conclusionOf(best: TuningRow, estimate: Estimate): Conclusion {
  const { temperature } = best.answers;
  return { validation: best, estimate, ...(temperature === undefined ? {} : { temperature }) };
}
