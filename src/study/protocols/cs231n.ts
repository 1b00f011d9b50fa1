/**
 * The transfer-learning advice of the cs231n course (data size x similarity) as measured evidence: learning curves over
 * examples per class for probes at several depths, selected features, fine-tuning of the top and of all layers, at lr and
 * lr / 10, and training from scratch. What the course advises is held against them in record/course.ts.
 */
import { UserError } from '../../base/index.js';
import { nestedSubset, stratifiedFolds } from '../../data/index.js';
import { cellOf, extractCell, foldsOf } from '../cells.js';
import { probeBudget, trainBudget } from '../config/budgets.js';
import { PlanBuilder } from '../plan.js';
import { rowsOfSide, type StudyTask } from '../tasks.js';
import { contextOf, type PlannedTask, type Protocol, type StudyInputs } from './protocol.js';

const methods = [
  'linear',
  'linear-quarter',
  'linear-half',
  'linear-three-quarters',
  'head2toe',
  'finetune-top',
  'finetune',
  'finetune-tenth',
  'scratch',
];
const probe = { rankWindows: false, perTap: false };

export const cs231n: Protocol = {
  name: 'cs231n',
  about: 'probe, select or fine-tune, by the number of labels',
  curves: true,
  also: [],
  full: {
    methods,
    control: false,
    labels: 'all',
    pool: 'target:512',
    perClass: [2, 5, 10, 20, 50, 100],
    probe: { ...probeBudget.full, ...probe },
    train: trainBudget.full,
  },
  lite: {
    methods,
    control: false,
    labels: 'all',
    pool: 'target:512',
    perClass: [2, 5, 20],
    probe: { ...probeBudget.lite, ...probe },
    train: trainBudget.lite,
    largestInput: 96,
  },
  plan(inputs) {
    const { study, tasks } = inputs;
    const plan = new PlanBuilder();
    const remarks: string[] = [];
    const planned = tasks.map((task): PlannedTask => {
      const context = contextOf(inputs, task, plan);
      const points = sizesOf(inputs, task, remarks).map((perClass) => ({
        perClass,
        cells: study.config.seeds.flatMap((seed) => {
          // Fails here, before any work, where it would fail in the units.
          const rows = nestedSubset({ ...task.train, classes: task.classes }, { perClass, seed });
          const k = foldsOf(study.budgets.probe, { perClass });
          stratifiedFolds({ ...rowsOfSide(task.train, rows), classes: task.classes }, { k, seed, rare: 'train' });
          return study.budgets.methods.map((method) => cellOf(context, method, seed, { perClass, seed }));
        }),
      }));
      return { task, points, extraction: extractCell(context, inputs.backbone) };
    });
    return { plan: plan.build(), tasks: planned, remarks };
  },
};

/** The numbers of examples per class that the task has. @throws UserError where the config asks for more */
function sizesOf({ study }: StudyInputs, task: StudyTask, remarks: string[]): readonly number[] {
  const own = study.config.tasks[task.name]?.perClass;
  const perClass = [...(own ?? study.budgets.perClass)].sort((a, b) => a - b);
  const counts = task.classes.map((_, c) => task.train.labels.filter((label) => label === c).length);
  const fewest = Math.min(...counts);
  const sizes = perClass.filter((n) => n <= fewest);
  if (sizes.length === perClass.length) return sizes;
  const where = `task '${task.name}': class '${task.classes[counts.indexOf(fewest)]}' has only ${fewest} training examples`;
  const asked = own ?? study.config.perClass;
  if (asked) {
    const at = asked.findIndex((n) => n > fewest);
    const path = own ? ['tasks', task.name, 'perClass', at] : ['perClass', at];
    throw study.error(path, `${where}, fewer than ${asked[at]} per class; ask for fewer`);
  }
  if (sizes.length === 0) throw new UserError(`${where}; give \`perClass\` in the config`);
  remarks.push(`${where}: its curve ends at ${sizes.at(-1)} per class.`);
  return sizes;
}
