/** What each protocol spends by default, in full and lite form, and what a config gives up against the full form. */
import type { Config, LabelBudget, MethodName, ProbeBudget, ProtocolName, TrainBudget } from './schema.js';

export interface Budgets {
  readonly methods: readonly MethodName[];
  readonly labels: LabelBudget;
  readonly pool: string;
  readonly perClass: readonly number[];
  readonly probe: ProbeBudget;
  readonly train: TrainBudget;
}

const probe: ProbeBudget = {
  folds: 5,
  tolerance: 1e-3,
  lambdas: 30,
  ratio: 0.01,
  fractions: [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5],
  rankWindows: true,
  perTap: true,
};

const train: TrainBudget = {
  epochs: 20,
  scratchEpochs: 60,
  batch: 32,
  learningRates: [0.03, 0.01, 0.003],
  scratchLearningRates: [0.05, 0.02],
  weightDecay: 5e-4,
  augment: 'none',
};

const liteProbe: ProbeBudget = { ...probe, folds: 3, lambdas: 15, ratio: 0.03, fractions: [0.005, 0.02, 0.1, 0.5] };
const liteTrain: TrainBudget = {
  ...train,
  size: 96,
  epochs: 6,
  scratchEpochs: 10,
  learningRates: [0.01],
  scratchLearningRates: [0.02],
};

export const budgets: Readonly<Record<ProtocolName, { full: Budgets; lite: Budgets }>> = {
  head2toe: {
    full: {
      methods: ['linear', 'oracle', 'all-l1', 'all-l2', 'all-l21', 'head2toe', 'head2toe-ft', 'finetune', 'scratch'],
      labels: 'vtab1k',
      pool: 'target:512',
      perClass: [],
      probe,
      train,
    },
    lite: {
      methods: ['linear', 'all-l2', 'all-l21', 'head2toe', 'finetune', 'scratch'],
      labels: 'vtab1k',
      pool: 'target:512',
      perClass: [],
      probe: { ...liteProbe, rankWindows: false },
      train: liteTrain,
    },
  },
  cs231n: {
    full: {
      methods: ['linear', 'head2toe', 'finetune', 'finetune-tenth', 'scratch'],
      labels: 'all',
      pool: 'target:512',
      perClass: [2, 5, 10, 20, 50, 100],
      probe: { ...probe, rankWindows: false, perTap: false },
      train: { ...train, learningRates: [0.01], scratchLearningRates: [0.05] },
    },
    lite: {
      methods: ['linear', 'head2toe', 'finetune', 'finetune-tenth', 'scratch'],
      labels: 'all',
      pool: 'target:512',
      perClass: [2, 5, 20],
      probe: { ...liteProbe, rankWindows: false, perTap: false },
      train: liteTrain,
    },
  },
};

/** The protocol's budgets with the config's own figures on top. */
export function budgetsOf(config: Config): Budgets {
  const base = budgets[config.protocol][config.lite ? 'lite' : 'full'];
  return {
    methods: config.methods ?? [
      ...base.methods,
      ...(config.control && config.protocol === 'head2toe' && !config.lite ? (['control'] as const) : []),
    ],
    labels: config.labels ?? base.labels,
    pool: base.pool,
    perClass: [...(config.perClass ?? base.perClass)].sort((a, b) => a - b),
    probe: { ...base.probe, ...defined(config.probe) },
    train: { ...base.train, ...defined(config.train) },
  };
}

/** What a study does less of than its protocol's full form, one sentence each; empty when nothing. */
export function gaveUp(config: Config): string[] {
  const { full } = budgets[config.protocol];
  const own = budgetsOf(config);
  const sentences: string[] = [];
  const less = (what: string, mine: number, theirs: number) => {
    if (mine >= theirs) return;
    sentences.push(`${mine} ${mine === 1 ? what.replace(/s\b/, '') : what} instead of ${theirs}.`);
  };
  less('cross-validation folds', own.probe.folds, full.probe.folds);
  less('points on the lambda path', own.probe.lambdas, full.probe.lambdas);
  less('keep fractions to choose from', own.probe.fractions.length, full.probe.fractions.length);
  if (full.probe.rankWindows && !own.probe.rankWindows) sentences.push('No windows of ranks.');
  if (full.probe.perTap && !own.probe.perTap) sentences.push('No probe on every layer by itself.');
  const trains = own.methods.some((m) => m === 'finetune' || m === 'head2toe-ft' || m === 'finetune-tenth');
  if (trains) {
    if (own.train.steps === undefined) less('epochs of fine-tuning', own.train.epochs, full.train.epochs);
    else sentences.push(`${own.train.steps} steps of fine-tuning instead of ${full.train.epochs} epochs.`);
    less('learning rates tried in fine-tuning', own.train.learningRates.length, full.train.learningRates.length);
  }
  if (own.methods.includes('scratch')) {
    less('epochs of training from scratch', own.train.scratchEpochs, full.train.scratchEpochs);
    less(
      'learning rates tried from scratch',
      own.train.scratchLearningRates.length,
      full.train.scratchLearningRates.length,
    );
  }
  if (own.train.size !== undefined && (trains || own.methods.includes('scratch'))) {
    sentences.push(`Training reads images of ${own.train.size} pixels; the probes read the backbone’s own size.`);
  }
  const missing = full.methods.filter((m) => !own.methods.includes(m));
  if (missing.length > 0) sentences.push(`Without ${missing.join(', ')}.`);
  if (config.test !== undefined) sentences.push(`At most ${config.test} test images per task.`);
  const fewer = full.perClass.filter((n) => !own.perClass.includes(n));
  if (fewer.length > 0) sentences.push(`No point at ${fewer.join(', ')} examples per class.`);
  return sentences;
}

function defined<T extends object>(value: T | undefined): Partial<T> {
  return Object.fromEntries(Object.entries(value ?? {}).filter(([, v]) => v !== undefined)) as Partial<T>;
}
