/** Every figure that a study has the numbers for. */
import type { StudyRecord } from '../../record/index.js';
import { accuracyFigure, affinityFigure } from './accuracy.js';
import { costFigure, learningFigure } from './budget.js';
import { confusionFigure } from './errors.js';
import type { Figure } from './figure.js';
import { depthFigure, networkFigure } from './layers.js';
import { pathFigure } from './path.js';
import { keepFractionFigure, rankWindowFigure, stabilityFigure } from './selection.js';

export function figuresOf(study: StudyRecord): Figure[] {
  const perTask = (make: (task: StudyRecord['tasks'][number]) => Figure | undefined) => study.tasks.map(make);
  return distinct(
    [
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
    ].filter((f) => f !== undefined),
  );
}

/** Tasks whose names differ only in signs that file names lack get numbered files. */
function distinct(figures: Figure[]): Figure[] {
  const seen = new Map<string, number>();
  return figures.map((f) => {
    const times = (seen.get(f.id) ?? 0) + 1;
    seen.set(f.id, times);
    return times === 1 ? f : { ...f, id: `${f.id}-${times}`, table: { ...f.table, id: `${f.table.id}-${times}` } };
  });
}

export type { Figure, KeyEntry, Section } from './figure.js';
