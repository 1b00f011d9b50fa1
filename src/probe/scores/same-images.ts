/** Stores that are scored side by side: read with labels or without, and of the same images in any case. */
import { UserError } from '../../base/index.js';
import { holdsLabels, readStore, type StoreMeta } from '../../features/index.js';
import { inputsFromStore, type SourceOptions, taskFromStore } from '../sources.js';
import { checkTask, type Inputs, type ProbeTask, type UnlabelledTask } from '../task.js';
import type { ScoringOptions } from './scoring-options.js';

/** A store as far as it is read. */
export interface Subject extends Pick<UnlabelledTask, 'taps' | 'source' | 'pool'> {
  /** Its folder. */
  readonly store: string;
  readonly train: Inputs & { readonly labels?: Int32Array | undefined };
  /** The same as a task, where labels are read. */
  readonly labelled?: ProbeTask;
}

interface Subjects {
  readonly target: 'class' | 'none';
  readonly subjects: readonly Subject[];
  readonly notes: readonly string[];
}

/** @throws UserError for stores of other images or labels, and where labels are asked for and there are none */
export async function readSubjects(stores: readonly string[], options: ScoringOptions): Promise<Subjects> {
  const metas: StoreMeta[] = [];
  for (const store of stores) metas.push((await readStore(store)).meta);
  const without = stores.filter((_, i) => !holdsLabels(metas[i] as StoreMeta));
  const target = options.target ?? (without.length > 0 ? 'none' : 'class');
  const source: SourceOptions = {
    normalisation: options.normalisation,
    memory: options.memory,
    holdout: options.holdout,
    testSplit: options.testSplit,
    pools: options.pool === undefined ? undefined : [options.pool],
  };
  if (target === 'none') {
    const chosen = options.target === undefined && without.length < stores.length;
    const notes = chosen ? [`${without[0]} holds no labels: those of the others are not read`] : [];
    return { target, subjects: await unlabelled(stores, source), notes };
  }
  return { target, subjects: await labelled(stores, source, metas.map(imagesOf)), notes: [] };
}

async function unlabelled(stores: readonly string[], source: SourceOptions): Promise<Subject[]> {
  const tasks: UnlabelledTask[] = [];
  for (const store of stores) tasks.push(await inputsFromStore(store, source));
  const [first] = tasks as [UnlabelledTask, ...UnlabelledTask[]];
  if (first.hashes.length < 2) throw new UserError(`${stores[0]} holds one image: scores compare several`);
  const images = JSON.stringify(first.hashes);
  const other = tasks.findIndex(({ hashes }) => JSON.stringify(hashes) !== images);
  if (other >= 0) {
    throw new UserError(
      `${stores[other]} does not hold the images of ${stores[0]} in the same order: features of other images cannot be compared; score the stores one at a time, or extract both from one data set`,
    );
  }
  return tasks.map((task, i) => ({ ...task, store: stores[i] as string }));
}

async function labelled(
  stores: readonly string[],
  source: SourceOptions,
  images: readonly string[],
): Promise<Subject[]> {
  const tasks: ProbeTask[] = [];
  for (const store of stores) {
    const { task } = await taskFromStore(store, source);
    checkTask(task);
    tasks.push(task.each ? { ...task.each, pool: 'each' } : task);
  }
  const [first] = tasks as [ProbeTask, ...ProbeTask[]];
  const other = tasks.findIndex((task, i) => images[i] !== images[0] || !haveSameLabels(first, task));
  if (other >= 0) {
    throw new UserError(
      `${stores[other]} does not hold the training images of ${stores[0]} with the same labels in the same order: scores of other images cannot be compared; score the stores one at a time, or extract both from one data set`,
    );
  }
  return tasks.map((task, i) => ({ ...task, store: stores[i] as string, labelled: task }));
}

/** What the images of a store are, by their bytes. */
const imagesOf = ({ splits }: StoreMeta): string =>
  JSON.stringify(Object.entries(splits).map(([split, { hashes }]) => [split, hashes]));

/** Stores are compared by the same examples with the same labels. */
function haveSameLabels(first: ProbeTask, other: ProbeTask): boolean {
  const [a, b] = [first.train, other.train];
  const named = (task: ProbeTask, i: number) => task.classes[task.train.labels[i] as number];
  return (
    a.files.length === b.files.length &&
    a.files.every((file, i) => file === b.files[i] && named(first, i) === named(other, i))
  );
}
