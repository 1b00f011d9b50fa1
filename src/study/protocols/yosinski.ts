/**
 * How transferable are the features of each layer (Yosinski et al., 2014)? Networks are trained on halves of a data set's
 * classes, with their first n layers copied from a network of the same half (BnB) or of the other one (AnB), frozen or
 * trained further (+), or left as they were drawn (random); everything by one regime.
 */
import { given, UserError } from '../../base/index.js';
import { type CopyBudget, probeBudget, trainBudget } from '../config/budgets.js';
import { type Config, copiedTreatments } from '../config/schema.js';
import { copyExecutors } from '../layer-copy/executors.js';
import { type ClassSplit, Halves, splitOf } from '../layer-copy/halves.js';
import { CopyPlan } from '../layer-copy/plan.js';
import { layerCopySection } from '../layer-copy/section.js';
import type { Protocol, StudyInputs } from './protocol.js';

const copy: CopyBudget = {
  treatments: [...copiedTreatments],
  preserve: [],
  reduced: [],
  norms: 'kept',
  held: 0.1,
  evaluations: 0,
  aggregate: 'paired',
  probes: true,
};

export const yosinski: Protocol = {
  name: 'yosinski',
  about: 'where layers turn from general to specific',
  curves: false,
  also: [],
  trainsNetwork: true,
  full: {
    methods: [],
    control: false,
    labels: 'all',
    pool: 'target:512',
    perClass: [],
    probe: { ...probeBudget.full, rankWindows: false, perTap: false },
    train: { ...trainBudget.full, epochs: 179, batch: 256, learningRates: [0.01], augment: 'crop-flip' },
    copy: { ...copy, evaluations: 45 },
  },
  lite: {
    methods: [],
    control: false,
    labels: 'all',
    pool: 'target:512',
    perClass: [],
    probe: { ...probeBudget.full, folds: 3, rankWindows: false, perTap: false },
    train: { ...trainBudget.full, epochs: 8, batch: 64, learningRates: [0.003, 0.01, 0.03], augment: 'none' },
    copy,
  },
  scaledDown: (config) => lessThanPublished(config),
  plan(inputs) {
    const { study, tasks, backbone, engine } = inputs;
    const [task] = tasks;
    const { fresh: network } = backbone;
    if (!task || !network || !study.budgets.copy)
      throw new Error('a layer-copy study has one task, a network of its own and a budget for copies');
    const halves = new Halves(task, splitsOf(inputs, task.classes));
    for (const [i, split] of halves.splits.entries()) {
      for (const half of ['A', 'B'] as const) {
        const { train, test } = halves.of(split.name, half);
        const { batch } = study.budgets.train;
        if (train.length >= 2 * batch && test.length > 0) continue;
        throw study.error(
          ['splits', i],
          `half '${split[half].name}' of the split '${split.name}' has ${train.length} training and ${test.length} test images: too few for batches of ${batch}`,
        );
      }
    }
    const planned = new CopyPlan({ inputs, task, network, halves, budget: study.budgets.copy });
    const world = { engine, task, backbone, network, halves };
    return {
      plan: planned.build(),
      tasks: [{ task, points: [{ perClass: undefined, cells: [] }] }],
      remarks: [],
      bytes: planned.bytes,
      executors: () => copyExecutors(world),
      sections: (outcome) => ({ layerCopy: layerCopySection(planned, world, outcome) }),
    };
  },
};

function splitsOf({ study }: StudyInputs, classes: readonly string[]): ClassSplit[] {
  const wanted = study.config.splits ?? [];
  const names = new Set<string>();
  return wanted.map((split, i) => {
    if (names.has(split.name)) throw study.error(['splits', i], `two splits have the name '${split.name}'`);
    names.add(split.name);
    try {
      return splitOf(split, classes);
    } catch (error) {
      if (error instanceof UserError) throw study.error(['splits', i], error.message);
      throw error;
    }
  });
}

/** What a study has less of than the published one: its scale, in one place. */
function lessThanPublished(config: Config): string[] {
  const budget = { ...(config.lite ? yosinski.lite : yosinski.full).train, ...given(config.train ?? {}) };
  const network = config.network === 'caffenet' ? [] : [`The network is ${config.network}, not CaffeNet.`];
  const length =
    budget.steps === undefined
      ? budget.epochs < 179
        ? [`${budget.epochs} epochs instead of 179.`]
        : []
      : budget.steps < 450_000
        ? [`${budget.steps} steps instead of 450000.`]
        : [];
  const random = (config.splits ?? []).filter((s) => s.seed !== undefined).length;
  return [
    ...network,
    ...length,
    ...(budget.augment === 'none' ? ['Training images are not cropped and flipped.'] : []),
    ...(random < 4 ? [`${random} random ${random === 1 ? 'split' : 'splits'} instead of 4.`] : []),
  ];
}
