/** Stratified, grouped, seeded k folds. */
import { Random, UserError } from '../base/index.js';
import {
  type ClassTotal,
  className,
  classTotals,
  collect,
  type Fold,
  foldOf,
  type Group,
  ordered,
  type Rows,
  type Totals,
} from './rows.js';

/** How examples are dealt out to folds. */
export interface FoldOptions {
  readonly k: number;
  readonly seed: number | string;
  /**
   * A class of a single group cannot be both trained on and validated on: 'error' says so, 'train' keeps it in the
   * training part of every fold.
   */
  readonly rare?: 'error' | 'train';
}

/**
 * Stratified, grouped k folds; every row is validated in exactly one (rows of rare classes with `rare: 'train'` in none).
 *
 * Every class that is validated is also in every training part. Without groups, the folds' counts differ by at most one,
 * in total and in every class. With groups of one class each they differ, class by class, by no more than the class's
 * largest group; groups of several classes are placed greedily where their classes are fewest.
 *
 * @throws UserError when there are fewer groups than folds, or when a class has too few groups
 */
export function stratifiedFolds(rows: Rows, options: FoldOptions): Fold[] {
  const { k, seed, rare = 'error' } = options;
  if (!Number.isInteger(k) || k < 2) throw new UserError(`${k} folds are not possible; ask for 2 or more`);
  const groups = collect(rows);
  const totals = classTotals(groups);
  const few = [...totals].filter(([, total]) => total.groups === 1).map(([c]) => c);
  if (few.length > 0 && rare === 'error') throw tooFew(rows, totals, few, k);
  const isPinned = (group: Group) => few.some((c) => group.counts.has(c));
  const pinned = groups.filter(isPinned);
  const free = groups.filter((group) => !isPinned(group));
  const unit = rows.groups ? 'groups' : 'examples';
  if (free.length < k) {
    throw new UserError(
      `${k} folds need at least ${k} ${unit}, and there are ${free.length}; ask for fewer folds or add data`,
    );
  }
  // Groups of several classes may leave a class in one fold by bad luck; another order is then tried.
  const attempts = 20;
  let lone: number[] = [];
  for (let attempt = 0; attempt < attempts; attempt++) {
    const placed = deal(free, totals, k, new Random(seed, 'folds', k, attempt));
    lone = loneClasses(placed, pinned);
    if (lone.length > 0) continue;
    return placed.map((held) => foldOf(rows.labels.length, held));
  }
  throw tooFew(rows, totals, lone, k);
}

/** Places every group where its classes have the fewest rows, large groups first; ties go to the smallest fold. */
function deal(groups: readonly Group[], totals: Totals, k: number, random: Random): Group[][] {
  const order = ordered(groups, random);
  const folds = random.permutation(k).map((at) => ({ at, size: 0, counts: new Map<number, number>() }));
  const placed: Group[][] = Array.from({ length: k }, () => []);
  for (const group of order) {
    let best: (typeof folds)[number] | undefined;
    let bestCost = Number.POSITIVE_INFINITY;
    for (const fold of folds) {
      let cost = 0;
      for (const [c, count] of group.counts) {
        cost += ((fold.counts.get(c) ?? 0) * count) / (totals.get(c) as ClassTotal).rows ** 2;
      }
      if (cost < bestCost || (cost === bestCost && fold.size < (best as typeof fold).size)) {
        [best, bestCost] = [fold, cost];
      }
    }
    const fold = best as (typeof folds)[number];
    fold.size += group.rows.length;
    for (const [c, count] of group.counts) fold.counts.set(c, (fold.counts.get(c) ?? 0) + count);
    (placed[fold.at] as Group[]).push(group);
  }
  return placed;
}

/** Classes that stand in one fold only and nowhere else. */
function loneClasses(placed: readonly Group[][], pinned: readonly Group[]): number[] {
  const folds = new Map<number, Set<number>>();
  placed.forEach((groups, f) => {
    for (const group of groups) {
      for (const c of group.counts.keys()) folds.set(c, (folds.get(c) ?? new Set()).add(f));
    }
  });
  const safe = new Set(pinned.flatMap((group) => [...group.counts.keys()]));
  return [...folds].filter(([c, set]) => set.size === 1 && !safe.has(c)).map(([c]) => c);
}

function tooFew(rows: Rows, totals: Totals, classes: readonly number[], k: number): UserError {
  const what = (n: number) => `${n} ${rows.groups ? 'group' : 'example'}${n === 1 ? '' : 's'}`;
  const named = classes.slice(0, 5).map((c) => {
    const { groups } = totals.get(c) as ClassTotal;
    return `${className(rows, c)} has ${what(groups)}`;
  });
  const more = classes.length > 5 ? ` and ${classes.length - 5} more classes are as small` : '';
  return new UserError(
    `${k} folds would leave a class out of a training part: ${named.join(', ')}${more}; add images or drop the class`,
  );
}
