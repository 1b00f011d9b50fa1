/** Every figure that a record has the numbers for. */
import { messageOf, nameForFile } from '../../base/index.js';
import type { RunRecord, TaskRecord } from '../../record/index.js';
import { compact } from '../table.js';
import { accuracyFigure } from './accuracy.js';
import { affinityFigure } from './affinity.js';
import { copyCurveFigure, papersFigure } from './compare.js';
import { confusionFigure } from './confusion.js';
import { convergenceFigure } from './convergence.js';
import { costFigure } from './cost.js';
import { courseFigure } from './course.js';
import { depthFigure } from './depth.js';
import type { Figure, Section } from './figure.js';
import { gainsFigure } from './gains.js';
import { boostFigure, copiesFigure, effectsFigure, predictorsFigure, reducedFigure } from './layer-copy/index.js';
import { learningFigure } from './learning.js';
import { networkFigure } from './network.js';
import { networkMeansFigure } from './network-means.js';
import { pathFigure } from './path.js';
import { rateGridFigure } from './rate-grid.js';
import { keepFractionFigure, rankWindowFigure, stabilityFigure } from './selection.js';
import { settingsFigure } from './settings.js';
import { trainingFigure } from './training.js';
import { transferByDatasetFigure, transferFigure } from './transfer.js';

export type { Figure, KeyEntry, Section } from './figure.js';

/** A figure that could not be made or drawn: the page says so in its place. */
export interface BrokenFigure {
  readonly section: Section;
  readonly group: string;
  readonly task?: string | undefined;
  readonly error: string;
}

type OfRecord = (record: RunRecord) => Figure | undefined;
type OfTask = (record: RunRecord, task: TaskRecord) => Figure | undefined;

/** In the order of the page. */
const kinds: readonly (readonly [Section, string, { readonly record: OfRecord } | { readonly task: OfTask }])[] = [
  ['first', 'gains', { record: gainsFigure }],
  ['copies', 'copies', { record: copiesFigure }],
  ['copies', 'effects', { record: effectsFigure }],
  ['copies', 'boost', { record: boostFigure }],
  ['copies', 'predictors', { record: predictorsFigure }],
  ['copies', 'reduced', { record: reducedFigure }],
  ['networks', 'transfer', { record: transferFigure }],
  ['networks', 'network-means', { record: networkMeansFigure }],
  ['networks', 'settings', { record: settingsFigure }],
  ['networks', 'transfer-datasets', { record: transferByDatasetFigure }],
  ['networks', 'convergence', { task: convergenceFigure }],
  ['accuracy', 'accuracy', { record: accuracyFigure }],
  ['accuracy', 'training', { task: trainingFigure }],
  ['accuracy', 'papers', { record: papersFigure }],
  ['accuracy', 'copy-curve', { task: copyCurveFigure }],
  ['affinity', 'affinity', { record: affinityFigure }],
  ['learning', 'course', { record: courseFigure }],
  ['learning', 'learning', { task: learningFigure }],
  ['layers', 'network', { record: networkFigure }],
  ['layers', 'depth', { task: depthFigure }],
  ['path', 'path', { task: pathFigure }],
  ['selection', 'keep-fraction', { task: keepFractionFigure }],
  ['selection', 'rank-windows', { task: rankWindowFigure }],
  ['selection', 'stability', { task: stabilityFigure }],
  ['errors', 'confusion', { task: confusionFigure }],
  ['cost', 'cost', { task: costFigure }],
  ['networks', 'rate-grid', { task: rateGridFigure }],
];

/** What would be a panel for every network on every data set, and says little there. */
const notOfNetworks = new Set(['gains', 'accuracy', 'affinity', 'confusion', 'cost']);

/** Pictures of what a headline says, of which the first that there is stands beside it. */
const pictures = ['gains', 'copies', 'settings', 'network-means', 'training'];

/** One that fails costs itself only. */
export function figuresOf(record: RunRecord): { figures: Figure[]; broken: BrokenFigure[] } {
  const figures: Figure[] = [];
  const broken: BrokenFigure[] = [];
  for (const [section, group, make] of kinds) {
    if (record.networks && notOfNetworks.has(group)) continue;
    for (const task of 'task' in make ? record.tasks : [undefined]) {
      try {
        const figure = 'record' in make ? make.record(record) : task && make.task(record, task);
        if (figure) figures.push(apart({ ...figure, table: compact(figure.table) }, figures));
      } catch (error) {
        broken.push({ section, group, task: task?.task, error: messageOf(error) });
      }
    }
  }
  const picture = pictures.find((group) => [...figures, ...broken].some((f) => f.group === group));
  const placed = <T extends Figure | BrokenFigure>(f: T): T => (f.group === picture ? { ...f, section: 'first' } : f);
  return { figures: figures.map(placed), broken: broken.map(placed) };
}

/** Files of tasks whose names differ in case only would be one where the file system ignores case. */
function apart(figure: Figure, others: readonly Figure[]): Figure {
  const { id, group, task } = figure;
  if (task === undefined || !others.some((o) => o.id.toLowerCase() === id.toLowerCase())) return figure;
  const own = `${group}-${nameForFile(task, [task.toLowerCase()])}`;
  return { ...figure, id: own, table: { ...figure.table, id: own } };
}
