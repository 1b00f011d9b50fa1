/** Examples that are given twice belong together: on two sides of a split, the one says what the other is. */
import type { Dataset } from './example.js';

/** Rows in sets that grow by joining. A set is called by its smallest row. */
export class DisjointSets {
  readonly #parent: number[];

  constructor(rows: number) {
    this.#parent = Array.from({ length: rows }, (_, row) => row);
  }

  find(row: number): number {
    const parent = this.#parent;
    let top = row;
    while (parent[top] !== top) top = parent[top] as number;
    // Later walks are short.
    for (let at = row; at !== top; ) [at, parent[at]] = [parent[at] as number, top];
    return top;
  }

  join(row: number, other: number): void {
    const [a, b] = [this.find(row), this.find(other)];
    this.#parent[Math.max(a, b)] = Math.min(a, b);
  }
}

/**
 * Groups of rows, joined where rows are equal: rows of one key are of one group, and so is whatever is of a group of one
 * of them. A joined group is called by the first name that it had, or by its key.
 * @param keys of each row, such as a hash of its content; several where rows are alike in several ways
 * @returns undefined where no two rows belong together; a row that stands alone has no group, unless it had one
 */
export function joinEqual(
  groups: readonly (string | undefined)[] | undefined,
  keys: readonly (string | readonly string[])[],
): (string | undefined)[] | undefined {
  const sets = new DisjointSets(keys.length);
  const first = new Map<string, number>();
  const join = (name: string, row: number) => {
    const other = first.get(name);
    if (other === undefined) first.set(name, row);
    else sets.join(other, row);
  };
  keys.forEach((own, row) => {
    const group = groups?.[row];
    if (group !== undefined) join(`group ${group}`, row);
    for (const key of typeof own === 'string' ? [own] : own) join(`key ${key}`, row);
  });
  const size = new Map<number, number>();
  const names = new Map<number, string>();
  keys.forEach((_, row) => {
    const top = sets.find(row);
    size.set(top, (size.get(top) ?? 0) + 1);
    const group = groups?.[row];
    if (group !== undefined && !names.has(top)) names.set(top, group);
  });
  const joined = keys.map((_, row) => {
    const top = sets.find(row);
    const name = names.get(top);
    if (name !== undefined) return name;
    // The first of them gives the name: the top of a tree is its smallest row.
    const [key] = [keys[top] as string | readonly string[]].flat();
    return (size.get(top) as number) > 1 ? `equal ${key}` : undefined;
  });
  return joined.some((group) => group !== undefined) ? joined : undefined;
}

/** The data set with equal images in one group. @param keys one or several of each example, see joinEqual */
export function groupDuplicates(dataset: Dataset, keys: readonly (string | readonly string[])[]): Dataset {
  const { examples } = dataset;
  const groups = joinEqual(
    examples.map((e) => e.group),
    keys,
  );
  if (!groups) return dataset;
  return {
    ...dataset,
    examples: examples.map((example, i) => {
      const group = groups[i];
      return group === undefined || group === example.group ? example : { ...example, group };
    }),
  };
}
