/**
 * Do better networks transfer better (Kornblith, Shlens and Le, 2019)? Every network on every task in three settings:
 * logistic regression on the last layer, fine-tuned, and from scratch; the last two with a grid of learning rates and
 * weight decays. Beside them, where a config asks for it: accuracy against the number of updates, and against the number
 * of labels, in nested subsets.
 */
import { nestedSubset } from '../../data/index.js';
import { logSpaced } from '../../stats/index.js';
import type { StudyBackbone } from '../backbones.js';
import { trainedNamed } from '../catalogue.js';
import { type CellContext, cellOf, extractCell } from '../cells.js';
import { type Budgets, probeBudget, trainBudget } from '../config/budgets.js';
import type { Problem } from '../config/problems.js';
import type { Config, TrainBudget } from '../config/schema.js';
import { PlanBuilder } from '../plan.js';
import type { StudyTask } from '../tasks.js';
import { contextOf, type PlannedTask, type Protocol, type StudyInputs } from './protocol.js';

/** What is measured beside the methods, as `where` names it. */
const beside = ['convergence', 'sizes'];

const published: TrainBudget = {
  ...trainBudget.full,
  steps: 20_000,
  scratchSteps: 40_000,
  batch: 256,
  learningRates: logSpaced(1e-4, 1e-1, 7),
  weightDecays: [0, ...logSpaced(1e-6, 1e-3, 7)],
  // Of SimCLR's protocol (Chen et al., 2020, B.8), which follows this one: the paper's own grid is not known to us.
  scratchLearningRates: logSpaced(1e-3, 1, 7),
  scratchWeightDecays: logSpaced(1e-5, 10 ** -1.5, 8),
  halving: false,
  augment: 'random-resized-crop',
};

const full: Budgets = {
  methods: ['logistic', 'finetune', 'scratch'],
  control: false,
  labels: 'all',
  pool: 'gap',
  perClass: [],
  networks: 'all',
  beside: true,
  recipe: 'kornblith',
  probe: { ...probeBudget.full, perTap: false, rankWindows: false, leaveOut: 0, repetitions: 0 },
  train: published,
};

export const kornblith: Protocol = {
  name: 'kornblith',
  about: 'do networks that are better on their source transfer better',
  curves: true,
  full,
  lite: {
    ...full,
    train: {
      ...published,
      steps: 5_000,
      scratchSteps: 10_000,
      learningRates: logSpaced(1e-3, 1e-1, 4),
      weightDecays: [0, ...logSpaced(1e-6, 1e-3, 4)],
      scratchLearningRates: logSpaced(1e-2, 1, 4),
      scratchWeightDecays: logSpaced(1e-5, 10 ** -1.5, 5),
      halving: true,
    },
  },
  check: problemsOf,
  plan(inputs) {
    const plan = new PlanBuilder();
    const remarks: string[] = [];
    const planned = inputs.tasks.flatMap((task) =>
      inputs.networks.flatMap((network) => plannedOn(inputs, task, network, plan, remarks) ?? []),
    );
    const unknown = inputs.networks.filter(({ name }) => inputs.known?.get(name)?.sourceAccuracy === undefined);
    if (unknown.length > 0) {
      const names = unknown.map((n) => n.name).join(', ');
      remarks.push(`Without an accuracy on their source, and so left out of its correlation: ${names}.`);
    }
    return { plan: plan.build(), tasks: planned, remarks };
  },
};

/** Mistakes in what belongs to this protocol alone. */
function problemsOf({ where, methods, backbones, tasks, control }: Config): Problem[] {
  const problems: Problem[] = [];
  const known = [...(methods ?? full.methods), ...beside];
  for (const [what, part] of Object.entries(where ?? {})) {
    if (!known.includes(what)) {
      problems.push({
        path: ['where', what],
        key: true,
        message: `nothing here is called '${what}'; ${known.join(', ')}`,
      });
    }
    for (const key of ['backbones', 'tasks'] as const) {
      const all = Object.keys(key === 'tasks' ? tasks : backbones);
      for (const [i, name] of (part[key] ?? []).entries()) {
        if (!all.includes(name))
          problems.push({ path: ['where', what, key, i], message: `there is no '${name}'; ${all.join(', ')}` });
      }
    }
  }
  if (control !== undefined) {
    problems.push({ path: ['control'], message: 'every network is studied here: there is no control' });
  }
  return problems;
}

/** What is measured of one network on one task; undefined where nothing is. */
function plannedOn(
  inputs: StudyInputs,
  task: StudyTask,
  network: StudyBackbone,
  plan: PlanBuilder,
  remarks: string[],
): PlannedTask | undefined {
  const { study } = inputs;
  const { config, budgets } = study;
  const context: CellContext = {
    ...contextOf(inputs, task, plan),
    backbone: network,
    pace: inputs.paces?.get(network.name),
    title: `${task.name} with ${network.name}`,
  };
  const isPart = (what: string): boolean => {
    const part = config.where?.[what];
    return (
      (part?.backbones ?? [network.name]).includes(network.name) && (part?.tasks ?? [task.name]).includes(task.name)
    );
  };
  const methods = budgets.methods.filter(isPart);
  if (methods.length === 0) return undefined;
  const [seed] = config.seeds as [number, ...number[]];
  // A regression's optimum has no seed but that of its split; what is trained differs from run to run.
  const seedsOf = (method: string) => (trainedNamed(method) ? config.seeds : [seed]);
  const cells = methods.flatMap((method) => seedsOf(method).map((s) => cellOf(context, method, s)));
  const sizes = isPart('sizes') ? sizesOf(budgets.perClass, task, remarks) : [];
  const points = sizes.map((perClass) => ({
    perClass,
    cells: methods.map((method) => cellOf(context, method, seed, { perClass, seed })),
  }));
  const lengths = isPart('convergence') ? [...(budgets.train.stepBudgets ?? [])].sort((a, b) => a - b) : [];
  const trained = methods.filter(trainedNamed);
  const convergence = lengths.map((steps) => ({
    steps,
    cells: trained.map((method) => cellOf(context, method, seed, undefined, { steps })),
  }));
  return {
    task,
    backbone: network,
    points: [...points, { perClass: undefined, cells }],
    ...(trained.length > 0 && convergence.length > 0 ? { convergence } : {}),
    extraction: extractCell(context, network),
  };
}

/** The numbers of examples per class that the task has. */
function sizesOf(wanted: readonly number[], task: StudyTask, remarks: string[]): number[] {
  const rows = { ...task.train, classes: task.classes };
  const counts = task.classes.map((_, c) => task.train.labels.filter((label) => label === c).length);
  const fewest = Math.min(...counts);
  const sizes = wanted.filter((n) => n <= fewest);
  for (const perClass of sizes) nestedSubset(rows, { perClass, seed: 0 });
  const sentence = `task '${task.name}': a class has only ${fewest} training examples, so its sizes end there.`;
  if (sizes.length < wanted.length && !remarks.includes(sentence)) remarks.push(sentence);
  return sizes;
}
