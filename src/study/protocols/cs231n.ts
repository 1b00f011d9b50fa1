/**
 * The transfer-learning advice of the cs231n course (data size x similarity) as measured evidence: learning curves over
 * examples per class for a probe, selected features, fine-tuning at lr and lr / 10, and training from scratch.
 */
import { UserError } from '../../base/index.js';
import { nestedSubset } from '../../data/index.js';
import { PlanBuilder } from '../plan.js';
import type { Subset } from '../units/types.js';
import { type Cell, type CellContext, cellOf, extraction } from './cells.js';
import type { StudyInputs, StudyPlan } from './protocol.js';

export function planCs231n({ study, tasks, backbone, control }: StudyInputs): StudyPlan {
  const plan = new PlanBuilder();
  const { methods, perClass } = study.budgets;
  const extractions = new Map<string, ReturnType<typeof extraction>>();
  const remarks: string[] = [];
  const cells: Cell[] = [];
  const curve: Cell[] = [];
  for (const task of tasks) {
    const context: CellContext = { plan, study, task, backbone, control };
    extractions.set(task.name, extraction(context, backbone));
    const counts = task.classes.map((_, c) => task.train.labels.filter((label) => label === c).length);
    const fewest = Math.min(...counts);
    const sizes = perClass.filter((n) => n <= fewest);
    if (sizes.length < perClass.length) {
      const where = `task '${task.name}': class '${task.classes[counts.indexOf(fewest)]}' has only ${fewest} training examples`;
      if (study.config.perClass) {
        const at = study.config.perClass.findIndex((n) => n > fewest);
        throw study.error(
          ['perClass', at],
          `${where}, fewer than ${study.config.perClass[at]} per class; ask for fewer`,
        );
      }
      if (sizes.length === 0) throw new UserError(`${where}; give \`perClass\` in the config`);
      remarks.push(`${where}: its curve ends at ${sizes.at(-1)} per class.`);
    }
    for (const n of sizes) {
      for (const seed of study.config.seeds) {
        const subset: Subset = { perClass: n, seed };
        // Fails here, before any work, where it would fail in the units.
        nestedSubset({ ...task.train, classes: task.classes }, subset);
        for (const method of methods) {
          const cell = cellOf(context, method, seed, subset);
          curve.push(cell);
          if (n === sizes.at(-1)) cells.push(cell);
        }
      }
    }
  }
  return { plan: plan.build(), cells, curve, layers: new Map(), extractions, remarks };
}
