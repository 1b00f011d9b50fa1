/**
 * What folds, holdouts and subsets are made of: rows 0 ... n - 1 with labels and groups. Rows of one group always stand
 * on the same side of a split; rows without groups are groups of their own.
 */
import type { Random } from '../base/index.js';

/** What is split: one entry per row. */
export interface Rows {
  /** Class indices. */
  readonly labels: ArrayLike<number>;
  /** Absent when no rows belong together. */
  readonly groups?: readonly string[] | undefined;
  /** Class names for messages. */
  readonly classes?: readonly string[] | undefined;
}

/** Row indices in ascending order. */
export interface Fold {
  readonly train: readonly number[];
  readonly validation: readonly number[];
}

export interface Group {
  readonly rows: number[];
  /** Rows by class. */
  readonly counts: Map<number, number>;
}

/** The groups, in order of their first row. */
export function collect({ labels, groups }: Rows): Group[] {
  if (groups && groups.length !== labels.length) {
    throw new Error(`${groups.length} groups for ${labels.length} labels`);
  }
  const found = new Map<string | number, Group>();
  for (let i = 0; i < labels.length; i++) {
    const key = groups ? (groups[i] as string) : i;
    let group = found.get(key);
    if (!group) {
      group = { rows: [], counts: new Map() };
      found.set(key, group);
    }
    group.rows.push(i);
    const c = labels[i] as number;
    group.counts.set(c, (group.counts.get(c) ?? 0) + 1);
  }
  return [...found.values()];
}

export interface ClassTotal {
  rows: number;
  /** Groups that hold the class. */
  groups: number;
}
export type Totals = ReadonlyMap<number, ClassTotal>;

export function classTotals(groups: readonly Group[]): Totals {
  const totals = new Map<number, ClassTotal>();
  for (const { counts } of groups) {
    for (const [c, count] of counts) {
      const total = totals.get(c) ?? { rows: 0, groups: 0 };
      totals.set(c, { rows: total.rows + count, groups: total.groups + 1 });
    }
  }
  return totals;
}

/** Random order, then large groups first, then class by class, which keeps the folds' totals level. */
export function ordered(groups: readonly Group[], random: Random): Group[] {
  const first = (group: Group) => group.counts.keys().next().value as number;
  return random
    .shuffle([...groups])
    .sort((a, b) => b.rows.length - a.rows.length || a.counts.size - b.counts.size || first(a) - first(b));
}

/** Both sides in ascending order. */
export function foldOf(n: number, held: Iterable<Group>): Fold {
  const validation = new Set<number>();
  for (const group of held) for (const row of group.rows) validation.add(row);
  const all = Array.from({ length: n }, (_, i) => i);
  return { train: all.filter((i) => !validation.has(i)), validation: all.filter((i) => validation.has(i)) };
}

/** Some of the rows, in the given order. */
export function subsetRows({ labels, groups, classes }: Rows, rows: readonly number[]): Rows {
  return {
    labels: rows.map((i) => labels[i] as number),
    groups: groups && rows.map((i) => groups[i] as string),
    classes,
  };
}

/** How messages name a class. */
export function className(rows: Rows, c: number): string {
  return `class '${rows.classes?.[c] ?? c}'`;
}
