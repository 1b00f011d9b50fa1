/** Where classes are of very different sizes accuracy speaks of the large ones: when to say so, and how. */

import { doneCells } from './cell-schema.js';
import { list, percent, percentInterval } from './format.js';
import type { TaskRecord } from './schema.js';

/** Largest class over smallest from which balanced accuracy and macro F1 stand beside accuracy. */
const UNBALANCED = 1.5;

/** Whether the classes of the test examples (of the training examples, where there are none) differ that much in size. */
export function isUnbalanced({ testLabels, examples }: Pick<TaskRecord, 'testLabels' | 'examples'>): boolean {
  const sizes = testLabels && testLabels.length > 0 ? sizesOf(testLabels) : (examples.perClass ?? []);
  const present = sizes.filter((n) => n > 0);
  return present.length > 1 && Math.max(...present) >= UNBALANCED * Math.min(...present);
}

function sizesOf(labels: readonly number[]): number[] {
  const sizes: number[] = [];
  for (const c of labels) sizes[c] = (sizes[c] ?? 0) + 1;
  return sizes.filter((n) => n !== undefined);
}

/** Methods named in one sentence. */
const NAMED = 3;

/**
 * A sentence where the intervals of accuracy and balanced accuracy do not meet.
 * @param weighted whether classes counted alike in fitting
 */
export function balanceWarnings(
  task: Pick<TaskRecord, 'cells'>,
  { labelOf, weighted }: { readonly labelOf: (method: string) => string; readonly weighted: boolean },
): string[] {
  const apart = doneCells(task).flatMap(({ method, score, interval, meanPerClass, meanPerClassInterval }) => {
    if (score === undefined || !interval || meanPerClass === undefined || !meanPerClassInterval) return [];
    if (interval[0] <= meanPerClassInterval[1] && meanPerClassInterval[0] <= interval[1]) return [];
    return [
      `${labelOf(method)} ${percent(score)} ${percentInterval(interval)} and ${percent(meanPerClass)} ${percentInterval(meanPerClassInterval)}`,
    ];
  });
  if (apart.length === 0) return [];
  const more = apart.length > NAMED ? `, and so for ${apart.length - NAMED} more` : '';
  return [
    `accuracy and balanced accuracy (%) differ by more than their errors: ${list(apart.slice(0, NAMED))}${more}. Accuracy speaks of the large classes here, balanced accuracy of all alike${weighted ? '' : '; --class-weight balanced fits and tunes for the latter'}`,
  ];
}
