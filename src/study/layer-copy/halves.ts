/** Halves of a data set's classes: what layer-copy studies train on. */
import { canonicalJson, nearest, sha256, UserError, WorkError } from '../../base/index.js';
import type { ClassTargets, Half } from '../../record/index.js';
import { LegacyRandom } from '../../stats/index.js';
import type { SplitConfig } from '../config/schema.js';
import { classTargets, type StudyTask } from '../tasks.js';

/** A division of the classes in two. */
export interface ClassSplit {
  readonly name: string;
  readonly kind: 'random' | 'given';
  readonly seed?: number;
  readonly A: HalfOfClasses;
  readonly B: HalfOfClasses;
}

export interface HalfOfClasses {
  readonly name: string;
  /** Class numbers of the data set, rising: class k of the half is the k-th of them. */
  readonly classes: readonly number[];
}

/** A half with its images, as rows of the data set's training and test images. */
export interface HalfRows {
  /** Names of its classes. */
  readonly classes: readonly string[];
  readonly train: readonly number[];
  /** Class of every training row within the half. */
  readonly labels: readonly number[];
  readonly groups: readonly string[] | undefined;
  readonly test: readonly number[];
  /** What is true of its test images. */
  readonly targets: ClassTargets;
  /** sha256 of the training images with their labels, and of the test images. */
  readonly trainKey: string;
  readonly testKey: string;
  readonly labelKey: string;
}

/**
 * The split that a config asks for. A random one is drawn as the published ones were: by NumPy's legacy generator with the
 * seed in a list, half of the class numbers without replacement, sorted; the others are B.
 * @throws UserError for a class that is not there, or is in both halves
 */
export function splitOf({ name, seed, halves }: SplitConfig, classes: readonly string[]): ClassSplit {
  if (seed !== undefined) {
    const all = classes.map((_, i) => i);
    const A = new LegacyRandom([seed]).choose(classes.length, Math.floor(classes.length / 2)).sort((a, b) => a - b);
    const chosen = new Set(A);
    const B = all.filter((c) => !chosen.has(c));
    return { name, kind: 'random', seed, A: { name: 'A', classes: A }, B: { name: 'B', classes: B } };
  }
  const [a, b] = Object.entries(halves ?? {}).map(([half, items]): HalfOfClasses => {
    const found = new Set(items.flatMap((item) => classesNamed(item, classes)));
    return { name: half, classes: [...found].sort((x, y) => x - y) };
  });
  if (!a || !b) throw new UserError(`the split '${name}' needs a seed or two halves`);
  const both = a.classes.find((c) => b.classes.includes(c));
  if (both !== undefined) throw new UserError(`the class '${classes[both]}' is in both halves of the split '${name}'`);
  for (const half of [a, b]) {
    if (half.classes.length < 2)
      throw new UserError(
        `the half '${half.name}' of the split '${name}' has ${half.classes.length} classes: it needs two`,
      );
  }
  return { name, kind: 'given', A: a, B: b };
}

/** A class by its name, by its number (in the order of names, from 0), or a span of numbers: 936-958. */
function classesNamed(item: string | number, classes: readonly string[]): number[] {
  const text = String(item);
  const named = classes.indexOf(text);
  if (named >= 0) return [named];
  const [, from, to = from] = /^(\d+)(?:-(\d+))?$/.exec(text) ?? [];
  if (from !== undefined && Number(from) <= Number(to) && Number(to) < classes.length) {
    return Array.from({ length: Number(to) - Number(from) + 1 }, (_, i) => Number(from) + i);
  }
  const close = nearest(text, classes);
  throw new UserError(
    `there is no class '${text}'${close ? `; did you mean '${close}'?` : ` among the ${classes.length}`}`,
  );
}

/** Rows of a half in the data set. */
function rowsOfHalf(task: StudyTask, { classes }: HalfOfClasses): HalfRows {
  const place = new Map(classes.map((c, k) => [c, k]));
  const train = rowsAmong(place, task.train.labels);
  const labels = train.map((i) => place.get(task.train.labels[i] as number) as number);
  const { groups } = task.train;
  const test = rowsAmong(place, classTargets(task).labels);
  const names = classes.map((c) => task.classes[c] as string);
  const testLabels = test.map((i) => place.get(classTargets(task).labels[i] as number) as number);
  return {
    classes: names,
    train,
    labels,
    groups: groups && train.map((i) => groups[i] as string),
    test,
    targets: { kind: 'class', classes: names, labels: testLabels },
    trainKey: sha256(canonicalJson({ train: task.trainKey, classes })),
    testKey: sha256(canonicalJson({ test: task.testKey, rows: test })),
    labelKey: sha256(canonicalJson({ labels: task.labelKey, classes })),
  };
}

function rowsAmong(classes: ReadonlyMap<number, number>, labels: ArrayLike<number>): number[] {
  const rows: number[] = [];
  for (let i = 0; i < labels.length; i++) if (classes.has(labels[i] as number)) rows.push(i);
  return rows;
}

/** The halves of a study, each made once. */
export class Halves {
  readonly #made = new Map<string, HalfRows>();

  constructor(
    private readonly task: StudyTask,
    readonly splits: readonly ClassSplit[],
  ) {}

  /** @throws WorkError where the study has no such split */
  of(split: string, half: Half): HalfRows {
    const key = `${half} ${split}`;
    const known = this.#made.get(key);
    if (known) return known;
    const found = this.splits.find((s) => s.name === split);
    if (!found) throw new WorkError(`this study has no split '${split}'`);
    const made = rowsOfHalf(this.task, found[half]);
    this.#made.set(key, made);
    return made;
  }
}

export const otherHalf = (half: Half): Half => (half === 'A' ? 'B' : 'A');
