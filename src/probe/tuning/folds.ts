/** What settings are compared on: folds inside the training rows, or the data's own validation split. */
import { UserError } from '../../base/index.js';
import { stratifiedFolds } from '../../data/index.js';
import { areMany, type ProbeOptions } from '../options.js';
import type { ProbeTask } from '../task.js';

/** Training and validation rows of one fold. */
export interface TuningFold {
  readonly train: readonly number[];
  readonly validation: readonly number[];
}

/**
 * The validation split where the data has one, else folds: stratified, groups kept together, classes of one example or
 * group in the training part. Of many examples the first fold alone.
 * @param warnings receives a sentence on classes that cannot be validated, and one on folds that are left out
 */
export function tuningFolds(
  { train, validation, classes }: ProbeTask,
  options: ProbeOptions,
  warnings: string[],
): TuningFold[] {
  const { labels, groups } = train;
  const { folds: k, seed } = options;
  const held = new Set(validation);
  const n = labels.length;
  const all: readonly TuningFold[] = validation
    ? [{ train: Array.from(labels.keys()).filter((row) => !held.has(row)), validation }]
    : stratifiedFolds({ labels, groups, classes }, { k, seed, rare: 'train' });
  const folds = areMany(n, options) ? all.slice(0, 1) : all;
  if (folds.length < all.length) {
    const out = folds[0]?.validation.length ?? 0;
    warnings.push(`of ${n} training examples ${out} are held out once to compare settings, in place of ${k} folds`);
  }
  const validated = new Set(folds.flatMap((fold) => fold.validation.map((row) => labels[row] as number)));
  const rare = [...new Set(labels)].filter((c) => !validated.has(c));
  if (rare.length > 0) {
    const names = rare.slice(0, 5).map((c) => `'${classes[c]}'`);
    const why = validation ? 'no validation example' : `a single ${groups ? 'group' : 'example'}`;
    warnings.push(
      `${rare.length} ${rare.length === 1 ? 'class has' : 'classes have'} ${why} and cannot be validated: ${names.join(', ')}${rare.length > 5 ? ' ...' : ''}`,
    );
  }
  for (const fold of folds) {
    const missing = [...new Set(labels)].find((c) => !fold.train.some((row) => labels[row] === c));
    if (missing !== undefined) {
      throw new UserError(
        validation
          ? `class '${classes[missing]}' stands in the validation split only: add training examples or drop the class`
          : `a fold leaves class '${classes[missing]}' without training examples: use fewer folds`,
      );
    }
  }
  return [...folds];
}
