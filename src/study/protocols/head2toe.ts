/**
 * Head2Toe (Evci et al., 2022): on every task the last layer, all layers under three penalties, features selected from
 * all layers, fine-tuning and training from scratch, with the same labels for all.
 */
import { usualValued, valuedMethods } from '../../probe/index.js';
import { probeNamed, trainedNamed } from '../catalogue.js';
import { type Cell, type CellContext, cellOf, extractCell, type ProbeCell, probeCell, tapsCell } from '../cells.js';
import { probeBudget, trainBudget } from '../config/budgets.js';
import { PlanBuilder } from '../plan.js';
import { contextOf, type PlannedTask, type Protocol, type StudyInputs } from './protocol.js';

export const head2toe: Protocol = {
  name: 'head2toe',
  about: 'which layers know the task',
  curves: false,
  valued: true,
  full: {
    methods: ['linear', 'oracle', 'all-l1', 'all-l2', 'all-l21', 'head2toe', 'head2toe-ft', 'finetune', 'scratch'],
    control: true,
    labels: 'vtab1k',
    pool: 'target:512',
    perClass: [],
    probe: probeBudget.full,
    train: trainBudget.full,
  },
  lite: {
    methods: ['linear', 'all-l2', 'all-l21', 'head2toe', 'finetune', 'scratch'],
    control: false,
    labels: 'vtab1k',
    pool: 'target:512',
    perClass: [],
    probe: { ...probeBudget.lite, rankWindows: false },
    train: trainBudget.lite,
    largestInput: 96,
  },
  plan(inputs) {
    const { study, tasks } = inputs;
    const plan = new PlanBuilder();
    const { methods, probe } = study.budgets;
    const remarks: string[] = [];
    const planned = tasks.map((task): PlannedTask => {
      const { valued } = task;
      if (valued) {
        const { own, remark } = valuedCells(contextOf(inputs, task, plan), inputs);
        remarks.push(...remark);
        return {
          task,
          points: [{ perClass: undefined, cells: own }],
          extraction: extractCell(contextOf(inputs, task, plan), inputs.backbone),
        };
      }
      const context = contextOf(inputs, task, plan);
      const [seed] = study.config.seeds as [number, ...number[]];
      // Seeds do not vary a look at every layer, and who looks brings the probes on every tap.
      const lookers = methods.flatMap((method): ProbeCell[] => {
        const found = probeNamed(method);
        return found?.everyTap ? [probeCell(context, found, seed)] : [];
      });
      // A probe's optimum has no seed but that of its folds; what is trained differs from run to run.
      const cells = methods.flatMap((method): Cell[] => {
        if (trainedNamed(method)) return study.config.seeds.map((s) => cellOf(context, method, s));
        return [lookers.find((c) => c.method === method) ?? cellOf(context, method, seed)];
      });
      const brought = lookers.filter(({ everyTap }) => everyTap !== null);
      // Those also with the last layer say more.
      const taps =
        brought.find(({ everyTap }) => everyTap === 'withLast') ??
        brought[0] ??
        (probe.perTap ? tapsCell(context, seed) : undefined);
      return {
        task,
        points: [{ perClass: undefined, cells }],
        extraction: extractCell(context, inputs.backbone),
        ...(taps ? { taps } : {}),
      };
    });
    return { plan: plan.build(), tasks: planned, remarks };
  },
};

/** Whether a method learns values and several labels: some probes, and networks whose head reads no selection of features. */
const learnsValues = (id: string): boolean =>
  valuedMethods.some((method) => method.id === id) || (trainedNamed(id) !== undefined && !trainedNamed(id)?.selection);

/** The methods of a study that learn values; its own and every such probe, where the config names none. */
function valuedCells(context: CellContext, { study }: StudyInputs): { own: Cell[]; remark: string[] } {
  const { config, budgets } = study;
  const { name, valued } = context.task;
  const own = budgets.methods.filter(learnsValues);
  const probes = config.methods ? [] : usualValued.filter((id) => !own.includes(id));
  const methods = [...own.filter((id) => !trainedNamed(id)), ...probes, ...own.filter((id) => trainedNamed(id))];
  if (methods.length === 0) {
    const known = [...valuedMethods.map(({ id }) => id), 'finetune', 'scratch'];
    throw study.error(
      ['methods'],
      `task '${name}': none of the methods learns target ${valued?.kind}; among those that do are ${known.join(', ')}`,
    );
  }
  const left = config.methods ? budgets.methods.filter((id) => !learnsValues(id)) : [];
  const [seed] = config.seeds as [number, ...number[]];
  return {
    own: methods.flatMap((id) => (trainedNamed(id) ? config.seeds : [seed]).map((s) => cellOf(context, id, s))),
    remark:
      left.length > 0
        ? [`On ${name}, of target ${valued?.kind}: without ${left.join(', ')}, which learn classes only.`]
        : [],
  };
}
