/**
 * Head2Toe (Evci et al., 2022): on every task the last layer, all layers under three penalties, features selected from
 * all layers, fine-tuning and training from scratch, with the same labels for all.
 */
import { PlanBuilder } from '../plan.js';
import { type CellContext, cellOf, extraction, layersCell } from './cells.js';
import type { StudyInputs, StudyPlan } from './protocol.js';

export function planHead2toe({ study, tasks, backbone, control }: StudyInputs): StudyPlan {
  const plan = new PlanBuilder();
  const { methods, probe } = study.budgets;
  const layers = new Map<string, StudyPlan['layers'] extends ReadonlyMap<string, infer L> ? L : never>();
  const extractions = new Map<string, ReturnType<typeof extraction>>();
  const cells = tasks.flatMap((task) => {
    const context: CellContext = { plan, study, task, backbone, control };
    extractions.set(task.name, extraction(context, backbone));
    const [seed] = study.config.seeds as [number, ...number[]];
    if (probe.perTap || methods.includes('oracle')) {
      layers.set(task.name, layersCell(context, seed, methods.includes('oracle')));
    }
    return methods.flatMap((method) =>
      method === 'oracle'
        ? [{ task: task.name, method, seed, ...(layers.get(task.name) as ReturnType<typeof layersCell>) }]
        : study.config.seeds.map((s) => cellOf(context, method, s)),
    );
  });
  return { plan: plan.build(), cells, curve: [], layers, extractions, remarks: [] };
}
