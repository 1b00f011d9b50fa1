/** Every figure that a study has the numbers for. */
import type { StudyRecord } from '../records.js';
import { accuracyFigure, affinityFigure } from './accuracy.js';
import { costFigure, learningFigure } from './budget.js';
import { confusionFigure } from './errors.js';
import type { Figure } from './figure.js';
import { depthFigure, networkFigure } from './layers.js';
import { pathFigure } from './path.js';
import { keepFractionFigure, rankWindowFigure, stabilityFigure } from './selection.js';

export function figuresOf(study: StudyRecord): Figure[] {
  const perTask = (make: (task: StudyRecord['tasks'][number]) => Figure | undefined) => study.tasks.map(make);
  return [
    accuracyFigure(study),
    affinityFigure(study),
    ...perTask((task) => learningFigure(task)),
    networkFigure(study),
    ...perTask((task) => depthFigure(study, task)),
    ...perTask((task) => pathFigure(task)),
    ...perTask((task) => keepFractionFigure(study, task)),
    ...perTask((task) => rankWindowFigure(study, task)),
    ...perTask((task) => stabilityFigure(study, task)),
    ...perTask((task) => confusionFigure(study, task)),
    ...perTask((task) => costFigure(study, task)),
  ].filter((f) => f !== undefined);
}

export type { Figure, KeyEntry, Section } from './figure.js';
