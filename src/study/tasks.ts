/**
 * A task as the study sees it: the examples that its label budget allows, train and test apart, with fingerprints that
 * name them by content. Test labels have a fingerprint of their own, which only scores depend on.
 */
import { canonicalJson, given, sha256, UserError } from '../base/index.js';
import {
  type Dataset,
  dataExists,
  decideSplits,
  duplicateWarnings,
  type Example,
  fitRows,
  groupDuplicates,
  holdout,
  type Input,
  nestedSubset,
  readDataset,
  readValues,
  rowsOf,
  type SplitOptions,
  type Splits,
  sortLabels,
  stratifiedFolds,
  withoutClasses,
} from '../data/index.js';
import { type ClassTargets, type Targets, truthKey, type ValuedKind } from '../record/index.js';
import type { LabelBudget, TaskConfig } from './config/schema.js';
import type { StudyConfig } from './config/study-config.js';
import { Kept } from './kept.js';

/** Training examples. */
export interface Side {
  readonly inputs: readonly Input[];
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
  /** Where the data comes from, if by name from a hub. */
  readonly origin?: Dataset['origin'];
  readonly classes: readonly string[];
  /** Train and val together: what the final fit learns from. */
  readonly train: Side;
  /** Rows of `train` that come from val, for tuning; absent where there are none: tuning then makes folds inside train. */
  readonly validation?: readonly number[];
  /** Test examples: what units see of them. */
  readonly test: { readonly inputs: readonly Input[] };
  /** What labels are, where they are no classes; `classes` are then the different labels of training examples as written. */
  readonly valued?: { readonly kind: ValuedKind; readonly outputs: readonly string[] } | undefined;
  /** What is true of the test examples: for scores alone. */
  readonly targets: Targets;
  /** What the split policy decided, before any label budget. */
  readonly splits: string;
  /** sha256 of training images, labels, groups, and what of them is val. */
  readonly trainKey: string;
  /** sha256 of the test images, without their labels. */
  readonly testKey: string;
  /** sha256 of the test labels and groups. */
  readonly labelKey: string;
  /** How many labels and how they were chosen, one sentence. */
  readonly budget: string;
  readonly warnings: readonly string[];
  /** What scores are; accuracy where absent. */
  readonly metric?: TaskConfig['metric'];
  /** Like what the network was pretrained on, as somebody judged. */
  readonly similar?: boolean | undefined;
}

/** Seed of label subsets: the same examples for every seed of a method. */
const subsetSeed = 0;

/** Reads and checks every task of the config. @throws UserError with the config's line. */
export async function readTasks(study: StudyConfig, kept = new Kept(undefined)): Promise<StudyTask[]> {
  const tasks: StudyTask[] = [];
  for (const [name, task] of Object.entries(study.config.tasks)) {
    try {
      tasks.push(await readTask(name, task, study, kept));
    } catch (error) {
      if (error instanceof UserError) throw study.error(['tasks', name], `task '${name}': ${error.message}`);
      throw error;
    }
  }
  return tasks;
}

async function readTask(name: string, task: TaskConfig, study: StudyConfig, before: Kept): Promise<StudyTask> {
  const { config, budgets } = study;
  // Only a dry run comes here without data: see resolveConfig.
  if (task.expect && !dataExists(study.path(task.data))) return expectedTask(name, task.expect);
  const { target: kind = 'class' } = task;
  if (kind !== 'class') return readValuedTask(name, task, kind, study, before);
  const listed = await readDataset(study.path(task.data), task);
  const images = listed.examples.map((e) => e.image);
  const all = await before.images(name, images);
  const data = groupDuplicates(listed, all);
  const hashOf = new Map(listed.examples.map((e, i) => [e.file, all[i] as string]));
  if (data.classes.length < 2) throw new UserError('there is only one class; nothing can be told apart');
  // A point of a learning curve draws few examples of train and val together: folds inside these are all that is left.
  const curve = budgets.beside ? [] : (task.perClass ?? budgets.perClass);
  const validated = curve.length > 0 ? 'fold' : 'tune';
  const { fit, test, splits } = sides(data, task, validated);
  const warnings = [...data.warnings, ...splits.warnings];
  const limit = task.test ?? config.test;
  const largest = curve.length > 0 ? Math.max(...curve) : undefined;
  const labels = task.labels ?? budgets.labels;
  const { examples: train, sentence } = spend(fit, labels, data.classes);
  const kept = limit === undefined || test.length <= limit ? test : sample(test, limit, data.classes);
  const rows = rowsOf(train, data.classes);
  // Folds that cannot be made fail here, before any work; protocols make the same ones.
  for (const seed of config.seeds) stratifiedFolds(rows, { k: budgets.probe.folds, seed, rare: 'train' });
  const used = [...train, ...kept];
  const hashes = used.map((e) => hashOf.get(e.file) as string);
  warnings.push(...duplicateWarnings(used, hashes));
  const trainHashes = hashes.slice(0, train.length);
  const testHashes = hashes.slice(train.length);
  const { labels: testLabels, groups } = rowsOf(kept, data.classes);
  const targets = { kind: 'class' as const, classes: data.classes, labels: testLabels, ...given({ groups }) };
  const val = train.flatMap((e, i) => (e.split === 'val' ? [i] : []));
  const validation = val.length > 0 && validated === 'tune' ? { validation: val } : {};
  return {
    name,
    root: data.root,
    ...given({ origin: data.origin }),
    classes: data.classes,
    train: { inputs: train.map(inputOf), hashes: trainHashes, labels: rows.labels, groups: rows.groups },
    ...validation,
    test: { inputs: kept.map(inputOf) },
    targets,
    splits: splits.sentence,
    trainKey: sha256(
      canonicalJson({
        hashes: trainHashes,
        labels: rows.labels,
        groups: rows.groups ?? null,
        classes: data.classes,
        ...validation,
      }),
    ),
    testKey: sha256(canonicalJson(testHashes)),
    labelKey: truthKey(targets),
    budget: largest === undefined ? sentence : `up to ${largest} labels per class, validation included`,
    warnings,
    ...given({ metric: task.metric, similar: task.similar }),
  };
}

/**
 * A task of real values or several labels. Training and test examples are drawn as if all were of one class: by groups
 * alone. What labels there are is said by training examples, so that nothing but scores depends on the test labels.
 */
async function readValuedTask(
  name: string,
  task: TaskConfig,
  kind: ValuedKind,
  study: StudyConfig,
  before: Kept,
): Promise<StudyTask> {
  const { config, budgets } = study;
  const several = kind === 'multilabel' ? { severalLabels: task.severalLabels ?? ('all' as const) } : {};
  const listed = await readDataset(study.path(task.data), { ...task, ...several, valued: true });
  const hashes = await before.images(
    name,
    listed.examples.map((e) => e.image),
  );
  const hashOf = new Map(listed.examples.map((e, i) => [e.file, hashes[i] as string]));
  const { data, nameOf } = withoutClasses(groupDuplicates(listed, hashes));
  const { fit, test, splits } = sides(data, task, 'tune');
  const budget = task.labels ?? budgets.labels;
  if (typeof budget === 'object') throw new UserError('labels: perClass is for classes; give a number of examples');
  const { examples: train, sentence } = spend(fit, budget, ['']);
  const limit = task.test ?? config.test;
  const kept = limit === undefined || test.length <= limit ? test : sample(test, limit, ['']);
  const names = train.map(nameOf);
  const { outputs, truth, warnings } = readValues(kind, names, kept.map(nameOf));
  const classes = sortLabels(new Set(names));
  const place = new Map(classes.map((label, i) => [label, i]));
  const labels = names.map((label) => place.get(label) as number);
  const values = Array.from(truth);
  const trainHashes = train.map((e) => hashOf.get(e.file) as string);
  const testHashes = kept.map((e) => hashOf.get(e.file) as string);
  const val = train.flatMap((e, i) => (e.split === 'val' ? [i] : []));
  const validation = val.length > 0 ? { validation: val } : {};
  const { groups } = rowsOf(train, ['']);
  const targets = { kind, outputs, values, ...given({ groups: rowsOf(kept, ['']).groups }) };
  return {
    name,
    root: data.root,
    ...given({ origin: data.origin }),
    classes,
    valued: { kind, outputs },
    train: { inputs: train.map(inputOf), hashes: trainHashes, labels, groups },
    ...validation,
    test: { inputs: kept.map(inputOf) },
    targets,
    splits: splits.sentence,
    trainKey: sha256(
      canonicalJson({ kind, hashes: trainHashes, labels, groups: groups ?? null, classes, ...validation }),
    ),
    testKey: sha256(canonicalJson(testHashes)),
    labelKey: truthKey(targets),
    budget: sentence,
    warnings: [
      ...data.warnings,
      ...splits.warnings,
      ...duplicateWarnings([...train, ...kept], [...trainHashes, ...testHashes]),
      ...warnings,
    ],
    ...given({ similar: task.similar }),
  };
}

/** What is true of the test examples of a task of classes. @throws UserError for another */
export function classTargets({ name, targets }: Pick<StudyTask, 'name' | 'targets'>): ClassTargets {
  if (targets.kind === 'class') return targets;
  throw new UserError(`task '${name}': this protocol is for classes, not for target ${targets.kind}`);
}

/** A task of which only the size is known: for plans. */
function expectedTask(name: string, { classes, train, test }: NonNullable<TaskConfig['expect']>): StudyTask {
  const labels = (n: number) => Array.from({ length: n }, (_, i) => i % classes);
  const inputs = (n: number) => new Array<Input>(n);
  const names = Array.from({ length: classes }, (_, i) => `class ${i}`);
  return {
    name,
    root: '',
    classes: names,
    train: { inputs: inputs(train), hashes: [], labels: labels(train), groups: undefined },
    test: { inputs: inputs(test) },
    targets: { kind: 'class', classes: names, labels: labels(test) },
    splits: `the data is not there: planned for ${train} training and ${test} test images of ${classes} classes`,
    trainKey: 'expected',
    testKey: 'expected',
    labelKey: 'expected',
    budget: `all ${train} labels, validation included`,
    warnings: [],
  };
}

/** What the label budget is spent on (train and val: it covers both), and what is tested on; see data/splits.ts. */
function sides(
  data: Dataset,
  task: TaskConfig,
  validation: SplitOptions['validation'],
): { fit: Example[]; test: Example[]; splits: Splits } {
  const { examples, classes } = data;
  const rows = {
    ...rowsOf(examples, classes),
    splits: examples.map((e) => e.split),
    names: examples.map((e) => e.file),
  };
  const splits = decideSplits(rows, { ...given({ holdout: task.holdout, testSplit: task.testSplit }), validation });
  const at = (i: number) => examples[i] as Example;
  return { fit: fitRows(splits).map(at), test: splits.test.map(at), splits };
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

/** An example without what is true of it. */
function inputOf({ file, image, group, extra }: Example): Input {
  return { file, image, ...(group === undefined ? {} : { group }), extra };
}

/** A part of a side, in the given order. */
export function rowsOfSide(side: Side, rows: readonly number[]): Side {
  return {
    inputs: rows.map((i) => side.inputs[i] as Input),
    hashes: rows.map((i) => side.hashes[i] as string),
    labels: rows.map((i) => side.labels[i] as number),
    groups: side.groups && rows.map((i) => (side.groups as readonly string[])[i] as string),
  };
}
