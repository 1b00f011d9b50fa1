/** Tables of a layer-copy study: treatments by numbers of layers, and every network. */
import { nameForFile } from '../base/index.js';
import { type CopyLevel, copyTreatments, groupOf, type LayerCopy, percent, percentInterval } from '../record/index.js';
import { compact, type Table } from './table.js';

/** How a group of splits is called. */
export const copyGroupTitle = (group: string): string => (group === 'random' ? 'Random halves of the classes' : group);

/** "71.2 [69.0, 73.3]". */
const levelText = ({ mean, interval }: CopyLevel): string =>
  [percent(mean), ...(interval ? [percentInterval(interval)] : [])].join(' ');

/** For each kind of split, treatments down and numbers of layers across. */
export function copyTables(study: LayerCopy): Table[] {
  const groups = [...new Set(study.splits.map(groupOf))];
  return groups.flatMap((group): Table[] => {
    const own = study.levels.filter((l) => l.group === group && l.perClass === undefined);
    if (own.length === 0) return [];
    const depths = [...new Set(own.map((l) => l.n))].sort((a, b) => a - b);
    const rows = copyTreatments.flatMap((treatment) =>
      [...new Set(own.filter((l) => l.treatment === treatment).map((l) => l.preserve))].map((preserve) => [
        preserve === undefined ? treatment : `${treatment}, ${preserve} more copied`,
        ...depths.map((n) => {
          const found = own.find((l) => l.treatment === treatment && l.n === n && l.preserve === preserve);
          return found && levelText(found);
        }),
      ]),
    );
    return [
      {
        id: `copied-${nameForFile(group)}`,
        caption: `${copyGroupTitle(group)}: test accuracy (%) [95 % interval] by number of copied layers (0: none)`,
        columns: [{ title: 'treatment' }, ...depths.map((n) => ({ title: String(n) }))],
        rows,
      },
    ];
  });
}

/** Every network: what it was, and how it came out on held-out training images and on test images. */
export function copyRunsTable(study: LayerCopy): Table {
  return compact({
    id: 'networks',
    caption:
      'Every network: accuracy (%) at the end of training on held-out training images and on test images; ten best: mean of the ten highest test accuracies along the run, as published, a choice made on test images',
    columns: [
      { title: 'split' },
      { title: 'half' },
      { title: 'treatment' },
      { title: 'layers' },
      { title: 'copied too' },
      { title: 'per class' },
      { title: 'seed' },
      { title: 'validation', format: percent },
      { title: 'test', format: percent },
      { title: 'ten best', format: percent },
      { title: 'learning rate' },
      { title: 'remark', wraps: true },
    ],
    rows: study.runs.map((r) => [
      r.split,
      study.splits.find((s) => s.name === r.split)?.[r.target].name ?? r.target,
      r.treatment,
      r.n,
      r.preserve,
      r.perClass,
      r.seed,
      r.validation,
      r.score,
      r.bestTen,
      r.learningRate,
      r.status !== 'done' ? (r.error ?? r.status) : r.failedToTrain ? 'failed to train' : undefined,
    ]),
  });
}
