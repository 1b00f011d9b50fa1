/**
 * The one policy of what is trained on, tuned on and tested on, for every command:
 *
 * - **test** is the split 'test', or the one that the user names; without either, a share of train and val together is
 *   held out: stratified by class and split, groups whole, by a seed of its own, so that every method and seed is tested
 *   on the same examples.
 * - **val** is what settings are tuned on, and is joined with train for the final fit. Without it, tuning makes folds
 *   inside train.
 * - Any other split is left out and counted.
 *
 * Usual spellings of these names count as the names (see canonicalSplits).
 */
import { UserError } from '../base/index.js';
import { holdout } from './holdout.js';
import { type Rows, subsetRows } from './rows.js';
import { byCodePoint, quoteSome } from './text.js';

type Role = 'train' | 'val' | 'test' | 'evaluation' | 'holdout';

const spellings: Readonly<Record<Role, readonly string[]>> = {
  train: ['train', 'training'],
  val: ['val', 'valid', 'validation', 'dev', 'devel', 'development'],
  test: ['test', 'testing'],
  evaluation: ['eval', 'evaluation'],
  holdout: ['holdout', 'hold-out', 'hold_out', 'heldout', 'held-out', 'held_out'],
};
const roles: ReadonlyMap<string, Role> = new Map(
  Object.entries(spellings).flatMap(([role, names]) => names.map((name) => [name, role as Role] as const)),
);
const roleOf = (name: string): Role | undefined => roles.get(name.toLowerCase());

/** Is this what splits are usually called? */
export function isSplitName(name: string): boolean {
  return roleOf(name) !== undefined;
}

/**
 * The names of a data set's splits -> 'train', 'val', 'test', or the name itself. What is called holdout or evaluation is
 * the test split where nothing is called test; evaluation beside a test split is the val split, if there is no other.
 */
export function canonicalSplits(names: Iterable<string>): ReadonlyMap<string, string> {
  const all = [...new Set(names)];
  const present = new Set(all.map(roleOf));
  const test = (['test', 'holdout', 'evaluation'] as const).find((role) => present.has(role));
  const val = (['val', 'evaluation'] as const).find((role) => role !== test && present.has(role));
  return new Map(
    all.map((name) => {
      const role = roleOf(name);
      if (role === undefined) return [name, name];
      return [name, role === 'train' ? 'train' : role === test ? 'test' : role === val ? 'val' : name];
    }),
  );
}

/** One sentence for every split that stands under several names. */
export function spellingWarnings(canonical: ReadonlyMap<string, string>): string[] {
  return ['train', 'val', 'test'].flatMap((split) => {
    const names = [...canonical].flatMap(([name, as]) => (as === split ? [name] : [])).sort(byCodePoint);
    return names.length > 1 ? [`splits ${quoteSome(names)} are all read as '${split}'`] : [];
  });
}

/** What is divided: labelled examples, one entry per row. */
export interface SplitRows extends Rows {
  /** Name of each row's split. */
  readonly splits: readonly string[];
  /**
   * Name of each row. A share is drawn in the order of these names, so that a data set and the store of its features, which
   * lists the same examples in another order, are divided alike. Without names the given order counts.
   */
  readonly names?: readonly string[] | undefined;
  /** Splits that exist without labels, and their sizes: nothing can be trained or scored on them. */
  readonly unlabelled?: ReadonlyMap<string, number> | undefined;
}

/** What is tested on and tuned on. */
export interface SplitOptions {
  /** Share of train and val that is held out as the test set where there is none; 0: no test set. */
  holdout: number;
  /** The split to test on, where it is not 'test'. */
  testSplit: string | undefined;
  /**
   * What becomes of val: settings are tuned on it, it is watched while training, it is trained on like train, or it is train
   * in all but name, with folds inside both for tuning.
   */
  validation: 'tune' | 'watch' | 'join' | 'fold';
}
/** What holds where nothing is said. */
export const splitDefaults: SplitOptions = { holdout: 0.2, testSplit: undefined, validation: 'tune' };

/** Rows in ascending order; no row stands in two of them. */
export interface Splits {
  readonly train: readonly number[];
  /** Absent without a val split: tuning then makes folds inside train. */
  readonly validation?: readonly number[];
  /** Empty when no test set was wanted. */
  readonly test: readonly number[];
  /** The whole decision, for people. */
  readonly sentence: string;
  readonly warnings: readonly string[];
}

/** Every method of every command is tested on the same examples: this is not the seed of any method. */
const splitSeed = 0;

/** @throws UserError when there is nothing to train on, no such split, or no way to hold out a share */
export function decideSplits(rows: SplitRows, options: Partial<SplitOptions> = {}): Splits {
  const { holdout: share, testSplit, validation: use } = { ...splitDefaults, ...options };
  if (!(share >= 0 && share < 1))
    throw new UserError(`a holdout of ${share} is not a share: give 0 (none) or less than 1`);
  const canonical = canonicalSplits(rows.splits);
  const bySplit = new Map<string, number[]>();
  rows.splits.forEach((name, i) => {
    const split = canonical.get(name) as string;
    const own = bySplit.get(split);
    if (own) own.push(i);
    else bySplit.set(split, [i]);
  });
  const named = testSplit === undefined ? undefined : namedSplit(testSplit, bySplit, rows.unlabelled);
  const testName = named ?? (bySplit.has('test') ? 'test' : undefined);
  const [wholeTrain = [], wholeVal = []] = ['train', 'val'].map((s) => (s === testName ? [] : bySplit.get(s)));
  if (wholeTrain.length === 0) throw nothingToTrainOn(bySplit, rows.unlabelled);
  const test = testName === undefined ? heldOut(rows, wholeTrain, wholeVal, share) : (bySplit.get(testName) ?? []);
  const tested = new Set(test);
  const [train, val] = [wholeTrain, wholeVal].map((part) => part.filter((i) => !tested.has(i))) as [number[], number[]];
  const left = [...bySplit].filter(([name]) => name !== 'train' && name !== 'val' && name !== testName);
  const parts = [
    ...trainWords(train.length, val.length, use),
    testWords(test.length, testName, named !== undefined, { share, rows, val: wholeVal.length > 0 }),
  ];
  const others = left.map(([name, own]) => `${own.length} of split '${name}'`);
  return {
    train,
    ...(val.length > 0 && { validation: val }),
    test,
    sentence: `${parts.join(', ')}${others.length > 0 ? `; left out: ${others.join(', ')}` : ''}`,
    warnings: [...spellingWarnings(canonical), ...groupWarnings(rows, train, val, test)],
  };
}

/** Rows of train and val together, in ascending order: what the final fit learns from. */
export function fitRows({ train, validation = [] }: Pick<Splits, 'train' | 'validation'>): number[] {
  return [...train, ...validation].sort((a, b) => a - b);
}

/** The split that a user means. @throws UserError when there is none, or it cannot be tested on */
function namedSplit(
  name: string,
  bySplit: ReadonlyMap<string, readonly number[]>,
  unlabelled: SplitRows['unlabelled'],
): string {
  const role = roleOf(name);
  const usual = role === 'evaluation' || role === 'holdout' ? 'test' : role;
  const found = [name, ...(usual ? [usual] : [])].find((s) => bySplit.has(s));
  if (found === 'train') throw new UserError("the split 'train' is what is trained on: test on another");
  if (found !== undefined) return found;
  if (unlabelled?.has(name)) {
    throw new UserError(`split '${name}' has no labels, so nothing can be tested on it; name another test split`);
  }
  throw new UserError(
    `there is no split '${name}' to test on; splits with labels: ${[...bySplit.keys()].sort(byCodePoint).join(', ')}`,
  );
}

function nothingToTrainOn(
  bySplit: ReadonlyMap<string, readonly number[]>,
  unlabelled: SplitRows['unlabelled'],
): UserError {
  const found = [
    ...[...bySplit].map(([name, own]) => `${name} ${own.length}`),
    ...[...(unlabelled ?? [])].map(([name, n]) => `${name} ${n} without labels`),
  ];
  return new UserError(
    `there are no training examples: name a split 'train' (found: ${found.join(', ') || 'nothing'})`,
  );
}

/**
 * The share that is held out of train and val, drawn in the order of the rows' names: of every class, train and val give
 * as many as their shares, as far as whole rows and groups allow.
 */
function heldOut(rows: SplitRows, train: readonly number[], val: readonly number[], share: number): number[] {
  if (share === 0) return [];
  const { names, splits } = rows;
  const order = [...train, ...val].sort((a, b) => a - b);
  if (names) {
    const key = (i: number) => [names[i] as string, splits[i] as string] as const;
    order.sort((a, b) => byCodePoint(key(a)[0], key(b)[0]) || byCodePoint(key(a)[1], key(b)[1]));
  }
  const isVal = new Set(val);
  const drawn = subsetRows(rows, order);
  const strata = order.map((row, i) => 2 * (drawn.labels[i] as number) + Number(isVal.has(row)));
  const { validation } = holdout({ ...drawn, labels: strata }, { fraction: share, seed: splitSeed });
  return validation.map((i) => order[i] as number).sort((a, b) => a - b);
}

function trainWords(train: number, val: number, use: SplitOptions['validation']): string[] {
  if (val === 0) return [`train ${train}${use === 'tune' || use === 'fold' ? ' (tuned by folds inside it)' : ''}`];
  const words = {
    tune: 'used for tuning',
    watch: 'watched while training',
    join: 'trained on too (nothing is tuned)',
    fold: 'joined with it (tuned by folds inside both)',
  };
  return [`train ${train}`, `val ${val} ${words[use]}`];
}

function testWords(
  test: number,
  name: string | undefined,
  isNamed: boolean,
  { share, rows, val }: { share: number; rows: SplitRows; val: boolean },
): string {
  if (name !== undefined) return `test ${test}${isNamed && name !== 'test' ? ` (split '${name}', as asked)` : ''}`;
  if (share === 0) return 'no test set (holdout 0)';
  const percent = Number((100 * share).toPrecision(3));
  const why = rows.unlabelled?.has('test') ? "split 'test' has no labels" : "no split 'test'";
  const whole = rows.groups ? ' in whole groups' : '';
  return `test ${test} (${percent} % of ${val ? 'train and val' : 'train'}, held out${whole}: ${why})`;
}

/** Groups that the given splits tear apart. */
function groupWarnings(
  { groups }: SplitRows,
  train: readonly number[],
  val: readonly number[],
  test: readonly number[],
): string[] {
  if (!groups) return [];
  const groupsOf = (part: readonly number[]) => new Set(part.map((i) => groups[i] as string));
  const shared = (a: ReadonlySet<string>, b: ReadonlySet<string>) => [...a].filter((g) => b.has(g)).length;
  const [inTrain, inVal, inTest] = [groupsOf(train), groupsOf(val), groupsOf(test)];
  const both = (n: number, where: string, so: string) =>
    n === 0 ? [] : [`${n} ${n === 1 ? 'group stands' : 'groups stand'} in ${where}: ${so}`];
  return [
    ...both(shared(new Set([...inTrain, ...inVal]), inTest), 'both training and test examples', 'the test is too easy'),
    ...both(shared(inTrain, inVal), 'both train and val', 'tuning on val is too optimistic'),
  ];
}
