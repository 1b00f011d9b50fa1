/**
 * A task as the study sees it: the examples that its label budget allows, train and test apart, with fingerprints that
 * name them by content. Test labels have a fingerprint of their own, which only scores depend on.
 */
import { canonicalJson, sha256, UserError } from '../base/index.js';
import {
  type Dataset,
  duplicateWarnings,
  type Example,
  fingerprintDataset,
  holdout,
  nestedSubset,
  type Rows,
  readDataset,
  stratifiedFolds,
} from '../data/index.js';
import type { LabelBudget, StudyConfig, TaskConfig } from './config/index.js';

export interface Side {
  readonly examples: readonly Example[];
  /** sha256 of every image. */
  readonly hashes: readonly string[];
  readonly labels: readonly number[];
  /** Present when examples belong together. */
  readonly groups: readonly string[] | undefined;
}

export interface StudyTask {
  readonly name: string;
  /** Folder that files are relative to. */
  readonly root: string;
  readonly classes: readonly string[];
  readonly train: Side;
  readonly test: Side;
  /** sha256 of training images, labels and groups. */
  readonly trainKey: string;
  /** sha256 of the test images, without their labels. */
  readonly testKey: string;
  /** sha256 of the test labels. */
  readonly labelKey: string;
  /** How many labels and how they were chosen, one sentence. */
  readonly budget: string;
  readonly warnings: readonly string[];
}

/** Seed of label subsets: the same examples for every seed of a method. */
const subsetSeed = 0;
/** Share of a data set without a test split that is held out as one. */
const testShare = 0.3;

/** Reads and checks every task of the config. @throws UserError with the config's line. */
export async function readTasks(study: StudyConfig): Promise<StudyTask[]> {
  const tasks: StudyTask[] = [];
  for (const [name, task] of Object.entries(study.config.tasks)) {
    try {
      tasks.push(await readTask(name, task, study));
    } catch (error) {
      if (error instanceof UserError) throw study.error(['tasks', name], `task '${name}': ${error.message}`);
      throw error;
    }
  }
  return tasks;
}

async function readTask(name: string, task: TaskConfig, study: StudyConfig): Promise<StudyTask> {
  const { config, budgets } = study;
  const data = await readDataset(study.path(task.data), { groupFrom: task.groupFrom });
  if (data.classes.length < 2) throw new UserError('there is only one class; nothing can be told apart');
  const warnings = [...data.warnings];
  const { train: all, test } = sides(data, warnings);
  const limit = task.test ?? config.test;
  const largest = config.protocol === 'cs231n' ? Math.max(...budgets.perClass) : undefined;
  const labels = task.labels ?? budgets.labels;
  const { examples: train, sentence } = spend(all, labels, data.classes);
  const kept = limit === undefined || test.length <= limit ? test : sample(test, limit, data.classes);
  const rows = rowsOf(train, data.classes);
  // Folds that cannot be made fail here, before any work; protocols make the same ones.
  for (const seed of config.seeds) stratifiedFolds(rows, { k: budgets.probe.folds, seed, rare: 'train' });
  const used = [...train, ...kept];
  const hashes = await fingerprintDataset({ root: data.root, examples: used });
  warnings.push(...duplicateWarnings({ ...data, examples: used }, hashes));
  const trainHashes = hashes.slice(0, train.length);
  const testHashes = hashes.slice(train.length);
  const testLabels = kept.map((e) => e.label);
  return {
    name,
    root: data.root,
    classes: data.classes,
    train: { examples: train, hashes: trainHashes, labels: [...rows.labels] as number[], groups: rows.groups },
    test: { examples: kept, hashes: testHashes, labels: testLabels, groups: undefined },
    trainKey: sha256(
      canonicalJson({ hashes: trainHashes, labels: rows.labels, groups: rows.groups ?? null, classes: data.classes }),
    ),
    testKey: sha256(canonicalJson(testHashes)),
    labelKey: sha256(canonicalJson(testLabels)),
    budget: largest === undefined ? sentence : `up to ${largest} labels per class, validation included`,
    warnings,
  };
}

/** Training and test examples; validation belongs to training, since the label budget covers both. */
function sides(data: Dataset, warnings: string[]): { train: Example[]; test: Example[] } {
  const test = data.examples.filter((e) => e.split === 'test');
  const train = data.examples.filter((e) => e.split === 'train' || e.split === 'val');
  if (train.length === 0) throw new UserError("there are no training examples; name a split 'train'");
  if (test.length > 0) return { train, test };
  const fold = holdout(rowsOf(train, data.classes), { fraction: testShare, seed: subsetSeed });
  warnings.push(`there is no test split: ${fold.validation.length} of ${train.length} examples are held out as one`);
  const at = (i: number) => train[i] as Example;
  return { train: fold.train.map(at), test: fold.validation.map(at) };
}

/** The training examples that a label budget buys. */
function spend(
  all: readonly Example[],
  budget: LabelBudget,
  classes: readonly string[],
): { examples: readonly Example[]; sentence: string } {
  if (budget === 'all') return { examples: all, sentence: `all ${all.length} labels, validation included` };
  if (typeof budget === 'object') {
    const rows = nestedSubset(rowsOf(all, classes), { perClass: budget.perClass, seed: subsetSeed });
    return {
      examples: rows.map((i) => all[i] as Example),
      sentence: `${budget.perClass} labels per class, ${rows.length} in all, validation included`,
    };
  }
  const n = budget === 'vtab1k' ? 1000 : budget;
  const vtab = budget === 'vtab1k' ? ' (VTAB-1k: 800 to train and 200 to validate while tuning)' : '';
  if (all.length <= n) return { examples: all, sentence: `all ${all.length} labels, validation included${vtab}` };
  return { examples: sample(all, n, classes), sentence: `${n} of ${all.length} labels, validation included${vtab}` };
}

/** About `n` examples in the proportions of the classes, groups whole. */
function sample(examples: readonly Example[], n: number, classes: readonly string[]): readonly Example[] {
  const { validation } = holdout(rowsOf(examples, classes), { fraction: n / examples.length, seed: subsetSeed });
  return validation.map((i) => examples[i] as Example);
}

/** Labels and groups as folds want them. */
function rowsOf(examples: readonly Example[], classes: readonly string[]): Rows & { labels: number[] } {
  const grouped = examples.some((e) => e.group !== undefined);
  return {
    labels: examples.map((e) => e.label),
    groups: grouped ? examples.map((e, i) => e.group ?? `alone ${i}`) : undefined,
    classes,
  };
}

/** A part of a side, in the given order. */
export function rowsOfSide(side: Side, rows: readonly number[]): Side {
  return {
    examples: rows.map((i) => side.examples[i] as Example),
    hashes: rows.map((i) => side.hashes[i] as string),
    labels: rows.map((i) => side.labels[i] as number),
    groups: side.groups && rows.map((i) => (side.groups as readonly string[])[i] as string),
  };
}
