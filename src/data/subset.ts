/** Small training sets of n examples per class. */
import { Random, UserError } from '../base/index.js';
import { className, type Rows } from './rows.js';

/**
 * `n` rows of every class, in ascending order. Subsets of one seed are nested: the rows for n = 2 are among those for
 * n = 5. Where rows belong together, different groups come first.
 *
 * @throws UserError naming a class with fewer than n rows
 */
export function nestedSubset(
  rows: Rows,
  options: { readonly perClass: number; readonly seed: number | string },
): number[] {
  const { perClass, seed } = options;
  if (!Number.isInteger(perClass) || perClass < 1) {
    throw new UserError(`a subset of ${perClass} per class is not possible; ask for 1 or more`);
  }
  const byClass = new Map<number, number[]>();
  for (let i = 0; i < rows.labels.length; i++) {
    const c = rows.labels[i] as number;
    const list = byClass.get(c);
    if (list) list.push(i);
    else byClass.set(c, [i]);
  }
  const chosen: number[] = [];
  for (const [c, members] of byClass) {
    if (members.length < perClass) {
      throw new UserError(
        `${className(rows, c)} has ${members.length} examples, fewer than ${perClass} per class; ask for fewer`,
      );
    }
    const shuffled = new Random(seed, 'subset', c).shuffle([...members]);
    const seen = new Map<string, number>();
    const rounds = shuffled.map((i) => {
      const group = rows.groups?.[i] ?? String(i);
      const round = seen.get(group) ?? 0;
      seen.set(group, round + 1);
      return [round, i] as const;
    });
    rounds.sort((a, b) => a[0] - b[0]);
    chosen.push(...rounds.slice(0, perClass).map(([, i]) => i));
  }
  return chosen.sort((a, b) => a - b);
}
