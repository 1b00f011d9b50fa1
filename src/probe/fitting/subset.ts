/** A part of the training examples, as a task of its own. */
import { stratifiedFolds } from '../../data/index.js';
import { Memo, type MethodContext } from '../context.js';
import { Designs, weighBy } from '../tuning/grams.js';

/**
 * About `size` of some training rows, drawn by class with groups kept together, and folds among them; all of the rows where
 * there are no more.
 * @param stream tells one draw from another
 */
export function subsetOf(context: MethodContext, rows: readonly number[], size: number, stream: string): MethodContext {
  const { train, options, engine, designs } = context;
  const of = <T>(values: ArrayLike<T>, chosen: readonly number[]) => chosen.map((row) => values[row] as T);
  const seed = `${options.seed}/${stream}`;
  const among = (chosen: readonly number[]) => ({
    labels: of(train.labels, chosen),
    groups: train.groups && of(train.groups, chosen),
  });
  const parts = Math.round(rows.length / size);
  const drawn = parts < 2 ? undefined : stratifiedFolds(among(rows), { k: parts, seed, rare: 'train' })[0]?.validation;
  const chosen = drawn ? of(rows, drawn) : rows;
  const own = among(chosen);
  const labels = Int32Array.from(own.labels);
  return {
    ...context,
    train: { ...own, labels, matrix: train.matrix.take(chosen), files: of(train.files, chosen) },
    folds: stratifiedFolds(own, { k: options.folds, seed, rare: 'train' }),
    designs: new Designs(engine, designs.standardize, weighBy(labels, options)),
    memo: new Memo(),
  };
}
