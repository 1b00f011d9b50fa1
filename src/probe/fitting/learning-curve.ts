/** What the examples that a fold leaves out would add, were they there to learn from. */
import type { MethodContext } from '../context.js';
import { chooserBy } from '../tuning/choice.js';
import { type Figures, Tally } from '../tuning/tally.js';
import { equalTaps, tallyFolds } from './kernel-ridge.js';
import { learnsOnParts } from './many-examples.js';

/**
 * How much higher accuracies are after learning from all examples than from all but a fold, by ridge regression on all taps
 * alike: an error of a + b / n through the accuracies without one fold and without two of k. Never below zero; undefined where
 * one part is held out. Exact left-out scores make it as cheap as a penalty.
 */
export async function gainOfAll(context: MethodContext): Promise<Pick<Figures, 'accuracy' | 'balanced'> | undefined> {
  const { folds, options } = context;
  const k = folds.length;
  if (k < 3 || learnsOnParts(context)) return undefined;
  const { kernel, rows, examples } = await equalTaps(context);
  const one = chooserBy(options)(rows);
  const penalty = one.settings.penalty as number;
  const pairs = examples.folds.flatMap((a, f) => examples.folds.slice(f + 1).map((b) => [...a, ...b]));
  const tally = new Tally(options);
  const paired = { examples: { ...examples, folds: pairs } };
  if (!(await tallyFolds(context, paired, { kernel, penalty }, tally))) return undefined;
  const two = tally.row({});
  // With 1 / n in folds: from 1 / (k - 1) to 1 / k, by the slope between 1 / (k - 2) and 1 / (k - 1).
  const share = (k - 2) / k;
  const gain = (key: 'accuracy' | 'balanced') => Math.max(0, share * (one[key] - two[key]));
  return { accuracy: gain('accuracy'), balanced: gain('balanced') };
}
