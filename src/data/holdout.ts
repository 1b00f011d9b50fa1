/** A single validation part. */
import { Random, UserError } from '../base/index.js';
import { classTotals, collect, type Fold, foldOf, type Group, ordered, type Rows } from './rows.js';

/**
 * One training and one validation part, with `fraction` of the rows of every class in validation, as near as whole rows
 * and groups allow. Without groups: every class within one row of it, and the whole to the nearest row. The last group
 * of a class always stays in training.
 *
 * @throws UserError when nothing is left for validation
 */
export function holdout(rows: Rows, options: { readonly fraction: number; readonly seed: number | string }): Fold {
  const { fraction, seed } = options;
  if (!(fraction > 0 && fraction < 1)) throw new UserError(`a holdout of ${fraction} is not between 0 and 1`);
  const random = new Random(seed, 'holdout', fraction);
  const groups = ordered(collect(rows), random);
  const totals = classTotals(groups);
  const n = rows.labels.length;
  const target = Math.round(n * fraction);
  const missing = new Map([...totals].map(([c, total]) => [c, total.rows * fraction]));
  const left = new Map([...totals].map(([c, total]) => [c, total.groups]));
  const held = new Set<Group>();
  let size = 0;
  const isLast = (group: Group) => [...group.counts.keys()].some((c) => left.get(c) === 1);
  const hold = (group: Group) => {
    held.add(group);
    size += group.rows.length;
    for (const [c, count] of group.counts) {
      missing.set(c, (missing.get(c) as number) - count);
      left.set(c, (left.get(c) as number) - 1);
    }
  };
  for (const group of groups) {
    // The tolerance is for fractions such as .1 * 30, which is a little above 3.
    const fits = [...group.counts].every(([c, count]) => count <= (missing.get(c) as number) + 1e-9);
    if (fits && !isLast(group)) hold(group);
  }
  // Then whatever is missing most, as long as the whole comes nearer to its size. Groups of the same counts are equal.
  const kinds = new Map<string, Group[]>();
  for (const group of random.shuffle(groups.filter((g) => !held.has(g)))) {
    const kind = [...group.counts].sort(([a], [b]) => a - b).join(';');
    const alike = kinds.get(kind);
    if (alike) alike.push(group);
    else kinds.set(kind, [group]);
  }
  for (;;) {
    let best: Group[] | undefined;
    let bestNeed = Number.NEGATIVE_INFINITY;
    for (const alike of kinds.values()) {
      const group = alike.at(-1);
      if (!group || isLast(group) || size + group.rows.length / 2 > target) continue;
      // A single row more must not take its class a whole row past its share.
      const past = [...group.counts].some(([c, count]) => count - (missing.get(c) as number) >= 1 - 1e-9);
      if (past && group.rows.length === 1) continue;
      let need = 0;
      for (const [c, count] of group.counts) need += (count * (missing.get(c) as number)) / group.rows.length;
      if (need > bestNeed) [best, bestNeed] = [alike, need];
    }
    if (!best) break;
    hold(best.pop() as Group);
  }
  if (size === 0) {
    throw new UserError(
      `a validation part of ${fraction} of ${n} examples is empty: every class needs at least two ${rows.groups ? 'groups' : 'examples'}; add images or take a larger fraction`,
    );
  }
  return foldOf(n, held);
}
