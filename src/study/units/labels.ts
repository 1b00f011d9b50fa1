/** What training examples are labelled with, as trainers and their judges take it: classes, values or several labels. */
import { readNames, valuesOf } from '../../data/index.js';
import type { Targets } from '../../record/index.js';
import { type ImageSource, type TrainRequest, withLabels, withValues } from '../../transfer/index.js';
import type { Side } from '../tasks.js';
import type { UnseenTask } from './world.js';

type Labelled = Pick<UnseenTask, 'classes' | 'valued'>;

/** Images of training examples to learn from. */
export function lessonOf(
  task: Labelled,
  { labels }: Pick<Side, 'labels'>,
  images: ImageSource,
): Pick<TrainRequest, 'classes' | 'target' | 'train'> {
  const { valued, classes } = task;
  if (!valued) return { classes, train: withLabels(images, labels) };
  const { kind, outputs } = valued;
  return { classes: outputs, target: kind, train: withValues(images, numbersOf(task, labels), outputs.length) };
}

/** What is true of training examples, to judge by. */
export function truthOf(task: Labelled, { labels, groups }: Pick<Side, 'labels' | 'groups'>): Targets {
  const { valued, classes } = task;
  if (!valued) return { kind: 'class', classes, labels, groups };
  return { kind: valued.kind, outputs: valued.outputs, values: numbersOf(task, labels), groups };
}

/** (n, outputs). @param labels of training examples, whose names a task of values keeps as its classes */
function numbersOf({ valued, classes }: Labelled, labels: readonly number[]): Float64Array {
  return valued ? valuesOf(readNames(valued.kind, classes), labels) : new Float64Array(0);
}
